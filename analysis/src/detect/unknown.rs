//! `unknown`: it hangs, and the facts do not say why. Says what was seen and what would show more.

use std::collections::BTreeMap;

use hangdog_schemas::record::FIRST_PID_NAMESPACE;
use hangdog_schemas::{Big, Confidence, Finding, FindingKind};

use crate::graph::Graph;
use crate::runtime::{self, Runtime};
use crate::signature;
use crate::view::View;
use crate::wait::Rest;
use crate::words;

/// How many reasons are listed.
const REASONS: usize = 8;

/// The finding for a hang that nothing explains.
pub(crate) fn unknown(view: &View<'_>, graph: &Graph) -> Finding {
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    let mut reasons: Vec<String> = Vec::new();
    let threads = graph.tasks.iter().filter(|task| view.is_of_run(task.key.pid()) && view.thread(task.key).is_some());
    for task in threads {
        let call = task.call.clone().unwrap_or_else(|| match &task.rest {
            Rest::Acts => "running".to_owned(),
            Rest::Ended => "ended".to_owned(),
            _ => "a call that could not be read".to_owned(),
        });
        *calls.entry(call.split('(').next().unwrap_or_default().to_owned()).or_default() += 1;
        if let Rest::Opaque(why) = &task.rest {
            reasons.push(format!("{}: {why}", view.name(task.key)));
        }
    }
    let mut list: Vec<(usize, String)> = calls.into_iter().map(|(call, count)| (count, call)).collect();
    list.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let seen: Vec<String> = list
        .iter()
        .take(5)
        .map(|(count, call)| match call.as_str() {
            "running" | "ended" => format!("{count} {call}"),
            _ => format!("{count} in {call}"),
        })
        .collect();
    let more = reasons.len().saturating_sub(REASONS);
    reasons.truncate(REASONS);
    if more > 0 {
        reasons.push(format!("and {more} more threads"));
    }
    Finding {
        kind: FindingKind::Unknown,
        confidence: Confidence::Possible,
        sentence: words::sentence(&format!(
            "the run did not end, and what was seen does not say why: threads of the run are {}",
            if seen.is_empty() { "not visible".to_owned() } else { seen.join(", ") }
        )),
        culprits: Vec::new(),
        edges: Vec::new(),
        advice: advice(view, !reasons.is_empty()),
        rescue: Vec::new(),
        unknown: reasons,
        id: String::new(),
        signature: signature::of(FindingKind::Unknown, &[]),
    }
}

/// Programs that are asked one by one.
const ASKED: usize = 2;

fn advice(view: &View<'_>, is_short_of_facts: bool) -> Vec<String> {
    let mut advice = vec![
        "add the tracing layer or `hangdog phase` to the programs, so that their operations are recorded".to_owned(),
        "run `hangdog doctor` to see what this machine hides from hangdog".to_owned(),
    ];
    if is_short_of_facts {
        advice.extend(out_of_reach(view));
    }
    let of_run = view.snapshot.processes.keys().copied().filter(|pid| view.is_of_run(*pid));
    let with_runtime = of_run.filter(|pid| Runtime::of(view, *pid) != Runtime::Native);
    advice.extend(with_runtime.take(ASKED).map(|pid| runtime::advice(view, pid)));
    advice
}

/// What hangdog had no way to see where it was, and how to get it.
fn out_of_reach(view: &View<'_>) -> Vec<String> {
    let header = view.timeline.header();
    let mut advice = Vec::new();
    if header.pid_namespace != Big(FIRST_PID_NAMESPACE) {
        advice.push(
            "run hangdog outside of the container, or start that with the host's processes (`--pid=host`): it saw only \
             the processes of its own pid namespace"
                .to_owned(),
        );
    }
    if header.uid != 0 {
        let who = header.uid;
        advice.push(format!(
            "run hangdog as root to see the processes of other users: it had the rights of user {who}"
        ));
    }
    advice
}
