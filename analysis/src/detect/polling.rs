//! `polling`: short sleeps over and over. Looks alive, and may wait for something that never comes.

use hangdog_schemas::{Confidence, Finding, FindingKind};
use hangdog_timeline::Snapshot;

use crate::graph::Graph;
use crate::key::Key;
use crate::signature;
use crate::view::View;
use crate::wait::Task;
use crate::words;

/// Threads of the run that slept and woke between the two snapshots and stand in the same call again.
pub(super) fn pollers<'g>(view: &View<'_>, graph: &'g Graph, before: &Snapshot) -> Vec<&'g Task> {
    let earlier = |key: Key| key.thread().and_then(|thread| before.threads.get(&thread));
    graph
        .tasks
        .iter()
        .filter(|task| view.is_of_run(task.key.pid()))
        .filter(|task| {
            let (Some(now), Some(then)) = (view.thread(task.key), earlier(task.key)) else { return false };
            let name = |thread: &hangdog_schemas::fact::ThreadFact| {
                thread.syscall.seen().and_then(|syscall| syscall.name().map(str::to_owned))
            };
            now.thread == then.thread
                && now.voluntary_switches > then.voluntary_switches
                && name(now).is_some()
                && name(now) == name(then)
        })
        .collect()
}

pub(crate) fn polling(view: &View<'_>, graph: &Graph, before: &Snapshot) -> Option<Finding> {
    let earlier = |key: Key| key.thread().and_then(|thread| before.threads.get(&thread));
    let polling = pollers(view, graph, before);
    let first = polling.first()?;
    let turns = match (view.thread(first.key), earlier(first.key)) {
        (Some(now), Some(then)) => now.voluntary_switches - then.voluntary_switches,
        _ => 0,
    };
    let seconds = view.snapshot.begin.since(before.begin).as_secs_f64();
    let more = if polling.len() > 1 { format!(" and {} more threads", polling.len() - 1) } else { String::new() };
    Some(Finding {
        kind: FindingKind::Polling,
        confidence: Confidence::Possible,
        sentence: words::sentence(&format!(
            "{}{more} polls: it woke {turns} times in {seconds:.1} s and went back to {}, without progress that could be seen",
            view.name(first.key),
            first.call.as_deref().map_or_else(|| "the same call".to_owned(), words::short)
        )),
        culprits: polling.iter().map(|task| view.actor(task.key)).collect(),
        edges: Vec::new(),
        advice: vec!["give the loop a limit, and let it say what it waits for".to_owned()],
        rescue: Vec::new(),
        unknown: vec!["what it asks for each time: only a trace of its system calls would show it".to_owned()],
        id: String::new(),
        signature: signature::of(FindingKind::Polling, &[]),
    })
}
