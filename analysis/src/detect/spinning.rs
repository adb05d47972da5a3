//! `spinning`: computing without system calls. At most possible: a long computation looks the same from outside.

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{Confidence, Edge, Evidence, Finding, FindingKind, Resource};
use hangdog_timeline::Snapshot;

use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::liveness::Liveness;
use crate::signature;
use crate::view::View;
use crate::wait::Class;
use crate::words;

/// Threads named.
const NAMED: usize = 3;

/// Threads of the run that could run all the time between the two snapshots: they computed, and never gave up the
/// processor themselves. How much of it they got says only how many others wanted it.
pub(crate) fn spinning(view: &View<'_>, graph: &Graph, before: &Snapshot) -> Option<Finding> {
    let is_busy = |key: Key| {
        let then = key.thread().and_then(|thread| before.threads.get(&thread));
        let (Some(now), Some(then)) = (view.thread(key), then) else { return false };
        let (Some(to), Some(from)) = (now.cpu_ns, then.cpu_ns) else { return false };
        now.thread == then.thread
            && now.voluntary_switches == then.voluntary_switches
            && (now.state, then.state) == (TaskState::R, TaskState::R)
            && to > from
    };
    let busy: Vec<usize> = (0..graph.tasks.len())
        .filter(|task| view.is_of_run(graph.tasks[*task].key.pid()) && is_busy(graph.tasks[*task].key))
        .collect();
    let first = *busy.first()?;
    let names: Vec<String> = busy.iter().take(NAMED).map(|task| view.name(graph.tasks[*task].key)).collect();
    let more = busy.len() - names.len();
    let more = if more > 0 { format!(" and {more} more threads") } else { String::new() };
    let (compute, each) =
        if busy.len() == 1 { ("computes", "") } else { ("compute", " of threads that give way to each other") };
    Some(Finding {
        kind: FindingKind::Spinning,
        confidence: Confidence::Possible,
        sentence: words::sentence(&format!(
            "{}{more} {compute} without a voluntary pause and without progress that could be seen: a livelock{each}, or a \
             long computation",
            names.join(", ")
        )),
        culprits: busy.iter().map(|task| view.actor(graph.tasks[*task].key)).collect(),
        edges: edges(view, graph, &busy),
        advice: vec![
            "profile it (perf top -p PID, samply record -p PID): the loop that it is in is on the stack".to_owned(),
        ],
        rescue: Vec::new(),
        unknown: vec!["whether the computation comes to an end: no fact tells".to_owned()],
        id: String::new(),
        signature: signature::of(FindingKind::Spinning, &[]),
    })
    .filter(|_| graph.alive(first) == Liveness::Live)
}

/// Who waits for one of them to end, and each of a few of one process for the others, as it would be in a livelock.
fn edges(view: &View<'_>, graph: &Graph, busy: &[usize]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for waiter in (0..graph.tasks.len()).filter(|task| view.is_of_run(graph.tasks[*task].key.pid())) {
        for wait in
            graph.waits(waiter).iter().filter(|wait| matches!(wait.class, Class::ThreadExit | Class::ChildExit))
        {
            let ends = wait.resolvers.iter().filter_map(|resolver| Some((resolver, graph.find(resolver.who)?)));
            for (resolver, to) in ends.filter(|(_, to)| busy.contains(to)).take(NAMED) {
                edges.push(words::edge(view, graph, waiter, wait, Some(&Link { waiter, wait, resolver, to })));
            }
        }
    }
    for waiter in busy.iter().filter(|_| (2..=NAMED).contains(&busy.len())) {
        let beside =
            busy.iter().filter(|to| *to != waiter && graph.tasks[**to].key.pid() == graph.tasks[*waiter].key.pid());
        edges.extend(beside.map(|to| gives_way(view, graph.tasks[*waiter].key, graph.tasks[*to].key)));
    }
    edges
}

fn gives_way(view: &View<'_>, waiter: Key, to: Key) -> Edge {
    let facts = view.thread_ref(waiter).into_iter().chain(view.thread_ref(to)).collect();
    Edge {
        waiter: view.actor(waiter),
        resource: Resource {
            kind: "memory".to_owned(),
            name: format!("something in memory that {} changes, if it is a livelock", view.name(to)),
            call: None,
        },
        resolver: Some(view.actor(to)),
        confidence: Confidence::Possible,
        evidence: vec![Evidence { text: "both could run all the time between two snapshots".to_owned(), facts }],
    }
}
