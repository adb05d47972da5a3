//! `spinning`: computing without system calls. At most possible: a long computation looks the same from outside.

use hangdog_schemas::{Confidence, Finding, FindingKind};
use hangdog_timeline::Snapshot;

use crate::graph::Graph;
use crate::signature;
use crate::view::View;
use crate::words;

/// Share of a core that counts as computing.
const BUSY: f64 = 0.5;

/// Threads of the run that computed between the two snapshots and did not give up the processor themselves.
pub(crate) fn spinning(view: &View<'_>, graph: &Graph, before: &Snapshot) -> Option<Finding> {
    let span = view.snapshot.begin.since(before.begin).as_nanos() as f64;
    let busy: Vec<_> = graph
        .tasks
        .iter()
        .map(|task| task.key)
        .filter(|key| view.is_of_run(key.pid()))
        .filter(|key| {
            let then = key.thread().and_then(|thread| before.threads.get(&thread));
            let (Some(now), Some(then)) = (view.thread(*key), then) else { return false };
            let (Some(to), Some(from)) = (now.cpu_ns, then.cpu_ns) else { return false };
            now.thread == then.thread
                && now.voluntary_switches == then.voluntary_switches
                && span > 0.0
                && to.saturating_sub(from) as f64 / span >= BUSY
        })
        .collect();
    let first = *busy.first()?;
    let more = if busy.len() > 1 { format!(" and {} more threads", busy.len() - 1) } else { String::new() };
    Some(Finding {
        kind: FindingKind::Spinning,
        confidence: Confidence::Possible,
        sentence: words::sentence(&format!(
            "{}{more} computes without a voluntary pause and without progress that could be seen: a livelock or a long computation",
            view.name(first)
        )),
        culprits: busy.iter().map(|key| view.actor(*key)).collect(),
        edges: Vec::new(),
        advice: vec![
            "profile it (perf top -p PID, samply record -p PID): the loop that it is in is on the stack".to_owned(),
        ],
        rescue: Vec::new(),
        unknown: vec!["whether the computation comes to an end: no fact tells".to_owned()],
        id: String::new(),
        signature: signature::of(FindingKind::Spinning, &[]),
    })
}
