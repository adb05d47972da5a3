//! Waits with a time limit that are repeated for ever: `poll` with a second, over and over, on a connection that nobody
//! answers. Each of them ends by itself, so such a thread is live; and yet nothing comes of it.
//!
//! When somebody has declared a hang, and nothing surer explains it, the graph is drawn once more with the time
//! limits of those left out that stood in the same call at both looks, and without signals that some handler might be
//! waiting for. What is found so is possible, never more: a program may do something else after so many turns.

use hangdog_schemas::{Confidence, Finding, FindingKind};

use crate::cause::{self, Cause};
use crate::graph::Graph;
use crate::key::Key;
use crate::view::View;
use crate::wait::{self, Limits};
use crate::{explain, words};

/// Threads named that repeat their waits.
const NAMED: usize = 2;

/// What the command would wait for without time limits; rings first.
pub(crate) fn findings(view: &View<'_>) -> Vec<Finding> {
    let graph = Graph::new(wait::tasks(view, Limits::Repeated));
    let mut found = Vec::new();
    for root in view.roots() {
        let Some(main) = graph.find(Key::main_of(root)) else { continue };
        let causes = cause::causes(view, &graph, &[main]);
        found.extend(causes.iter().filter(|cause| tells_more(cause)).map(|cause| told(view, &graph, cause)));
    }
    found
}

/// Whoever waits for something from outside does so with a time limit or without.
fn tells_more(cause: &Cause<'_>) -> bool {
    matches!(
        cause.kind,
        FindingKind::DeadlockCycle
            | FindingKind::SelfDeadlock
            | FindingKind::PoolExhausted
            | FindingKind::OrphanWait
            | FindingKind::StoppedHolder
            | FindingKind::Frozen
    )
}

fn told(view: &View<'_>, graph: &Graph, cause: &Cause<'_>) -> Finding {
    let mut finding = explain::finding(view, graph, cause);
    finding.confidence = Confidence::Possible;
    for edge in &mut finding.edges {
        edge.confidence = edge.confidence.and(Confidence::Likely);
    }
    let links = cause.way.iter().chain(&cause.cycle).flat_map(|link| [link.waiter, link.to]).chain([cause.at]);
    let mut names: Vec<String> = Vec::new();
    for task in links.map(|task| graph.tasks[task].key).filter(|key| wait::repeats(view, *key)) {
        let name = view.name(task);
        if names.len() < NAMED && !names.contains(&name) {
            names.push(name);
        }
    }
    let who = names.join(" and ");
    let doubt = if names.is_empty() {
        "whether a time limit or a signal would lead anywhere".to_owned()
    } else {
        format!("whether the time limits lead anywhere: {who} asked again and again")
    };
    finding.unknown.insert(0, doubt);
    if !names.is_empty() {
        let longer = format!("{}; {who} asked again and again, each time with a time limit", finding.sentence);
        if longer.chars().count() <= words::SENTENCE_LIMIT {
            finding.sentence = longer;
        }
    }
    finding
}
