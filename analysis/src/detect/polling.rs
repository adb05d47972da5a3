//! `polling`: short sleeps over and over. Looks alive, and may wait for something that never comes.

use hangdog_schemas::fact::ThreadFact;
use hangdog_schemas::{Confidence, Finding, FindingKind, RunNs};
use hangdog_timeline::Snapshot;

use crate::graph::Graph;
use crate::key::Key;
use crate::signature;
use crate::view::View;
use crate::wait::Task;
use crate::words;

/// Threads of the run that slept and woke between the two snapshots and stand in the same call again. Where there is
/// none, those that slept and woke: one that begins programs over and over may have been seen at two steps of a turn.
pub(super) fn pollers<'g>(view: &View<'_>, graph: &'g Graph, before: &Snapshot) -> Vec<&'g Task> {
    let earlier = |key: Key| key.thread().and_then(|thread| before.threads.get(&thread));
    let name = |thread: &ThreadFact| thread.syscall.seen().and_then(|syscall| syscall.name().map(str::to_owned));
    let woke = |task: &&Task| {
        let (Some(now), Some(then)) = (view.thread(task.key), earlier(task.key)) else { return false };
        view.is_of_run(task.key.pid())
            && now.thread == then.thread
            && now.voluntary_switches > then.voluntary_switches
    };
    let went_back = |task: &&Task| {
        let call = view.thread(task.key).and_then(name);
        call.is_some() && call == earlier(task.key).and_then(name)
    };
    let all: Vec<&Task> = graph.tasks.iter().filter(woke).collect();
    let same: Vec<&Task> = all.iter().copied().filter(went_back).collect();
    if !same.is_empty() {
        return same;
    }
    if !all.is_empty() {
        return all;
    }
    let slow = |task: &&Task| view.is_of_run(task.key.pid()) && woke_seldom(view, task.key).is_some();
    graph.tasks.iter().filter(slow).collect()
}

/// Between two looks less may pass than one turn of a loop.
const LONG_ENOUGH: u64 = 3_000_000_000;

/// How often a thread woke since the last progress, when it did so in the second half of that time as in the first.
fn woke_seldom(view: &View<'_>, key: Key) -> Option<(u64, f64)> {
    let now = view.thread(key)?;
    let trigger = view.timeline.triggers().iter().rev().find(|trigger| trigger.when.t <= view.snapshot.begin)?;
    let (from, to) = (trigger.last_progress, view.snapshot.begin);
    let long = to.0.checked_sub(from.0).filter(|long| *long >= LONG_ENOUGH)?;
    let states = view.timeline.thread_states(now.thread);
    let first = view.timeline.thread_at(now.thread, from);
    let first = first.or_else(|| states.iter().copied().find(|state| state.since >= from))?;
    let middle = view.timeline.thread_at(now.thread, RunNs(from.0 + long / 2))?;
    let is_seldom = first.vol < middle.vol && middle.vol < now.voluntary_switches;
    is_seldom.then(|| (now.voluntary_switches - first.vol, to.since(from).as_secs_f64()))
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
    let (turns, seconds) = if turns > 0 { (turns, seconds) } else { woke_seldom(view, first.key)? };
    let more = if polling.len() > 1 { format!(" and {} more threads", polling.len() - 1) } else { String::new() };
    Some(Finding {
        kind: FindingKind::Polling,
        confidence: Confidence::Possible,
        sentence: words::sentence(&format!(
            "{}{more} polls: it woke {turns} times in {seconds:.1} s and went back to {}, without progress that could be seen",
            view.name(first.key),
            first.call.as_deref().map_or_else(|| "what it does".to_owned(), words::short)
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
