//! What phases tell of a run that is over or goes on: done twice, owned twice, held too long. Pure, on phases alone;
//! never the verdict of a hang.
//!
//! | finding | decided in |
//! | --- | --- |
//! | `same-wave-straggler`, `duplicate-in-flight` | `wave` |
//! | `two-owners` | `owners` |
//! | `held-across-wait`, `lock-order-risk` | `locks` |
//! | `unbounded-retry`, `long-phase` | `pace` |
//!
//! Order is claimed only where the errors of both times allow it: times of a coarse clock that overlap accuse nobody.

mod locks;
mod owners;
mod pace;
mod wave;

use std::collections::BTreeSet;

use hangdog_schemas::{Actor, Confidence, FactRef, Finding, FindingKind, RunNs};
use hangdog_timeline::{Lane, Phase, Timeline};

use crate::{compare, words};

/// Findings of one kind that are told.
const MOST: usize = 8;
/// Phases that say something, beyond which the rest is left alone: a day of a service is not compared pair by pair.
const MOST_PHASES: usize = 50_000;

/// Phases of one key that are compared pair by pair: the first ones.
const PER_KEY: usize = 512;

/// Something that was seen.
pub(crate) struct Seen {
    pub(crate) kind: FindingKind,
    pub(crate) confidence: Confidence,
    /// When it began to be so.
    pub(crate) at: RunNs,
    /// The same words in every run.
    pub(crate) clause: String,
    /// With names and times.
    pub(crate) sentence: String,
    pub(crate) culprits: Vec<Actor>,
    pub(crate) advice: &'static str,
    /// What cannot be known.
    pub(crate) unknown: Option<&'static str>,
    pub(crate) facts: Vec<FactRef>,
}

#[cfg(test)]
mod tests;

/// All that was seen, by kind and time.
pub(crate) fn seen(timeline: &Timeline) -> Vec<Seen> {
    let telling: Vec<&Phase> =
        timeline.phases().iter().filter(|phase| !phase.hang.is_empty()).take(MOST_PHASES).collect();
    let mut all = wave::seen(timeline, &telling);
    all.extend(owners::seen(timeline, &telling));
    all.extend(locks::seen(timeline, &telling));
    all.extend(pace::seen(timeline, &telling));
    let mut told: BTreeSet<(FindingKind, String)> = BTreeSet::new();
    all.sort_by(|a, b| (a.kind, b.confidence, a.at).cmp(&(b.kind, a.confidence, b.at)));
    all.retain(|seen| {
        let of_kind = told.iter().filter(|(kind, _)| *kind == seen.kind).count();
        of_kind < MOST && told.insert((seen.kind, seen.clause.clone()))
    });
    all
}

/// The same as findings of a report.
pub(crate) fn findings(timeline: &Timeline) -> Vec<Finding> {
    seen(timeline).into_iter().map(finding).collect()
}

pub(crate) fn finding(seen: Seen) -> Finding {
    let facts: Vec<String> = seen.facts.iter().map(ToString::to_string).collect();
    let mut unknown: Vec<String> = seen.unknown.map(str::to_owned).into_iter().collect();
    if !facts.is_empty() {
        // A finding without edges has no other place for what it rests on.
        unknown.push(format!("anything beside the phases that it rests on: {}", facts.join(", ")));
    }
    Finding {
        kind: seen.kind,
        confidence: seen.confidence,
        sentence: words::sentence(&seen.sentence),
        signature: crate::signature::of_clause(seen.kind, &seen.clause),
        culprits: seen.culprits,
        edges: Vec::new(),
        advice: vec![seen.advice.to_owned()],
        rescue: Vec::new(),
        unknown,
        id: String::new(),
    }
}

/// When a phase ended; the end of the capture for one that is open.
fn end(timeline: &Timeline, phase: &Phase) -> RunNs {
    phase.close.map_or(timeline.end(), |close| close.t)
}

/// Whether two surely were open at once.
fn surely_at_once(a: &Phase, b: &Phase) -> bool {
    a.close.is_none_or(|close| b.open.surely_before(close)) && b.close.is_none_or(|close| a.open.surely_before(close))
}

/// Whether one lies within the other, in the same process.
fn is_within(timeline: &Timeline, inner: &Phase, outer: &Phase) -> bool {
    inner.id.process == outer.id.process && timeline.phase_path(inner).iter().any(|part| part.id == outer.id)
}

fn same_lane(a: &Phase, b: &Phase) -> bool {
    match (a.lane(), b.lane()) {
        // Phases of a process of which no thread is known may well be of several: what a script runs beside itself.
        (Lane::Process(_), Lane::Process(_)) => false,
        (a, b) => a == b,
    }
}

/// `indexd[4412] (in GET /a > get)`.
fn name(timeline: &Timeline, phase: &Phase) -> String {
    let actor = compare::actor(timeline, phase);
    let path = actor.phase.as_deref().map(words::short).unwrap_or_default();
    let who = match actor.task {
        Some(task) => format!("task {task} of {}[{}]", actor.comm, actor.pid),
        None if actor.tid.0 == actor.pid.0 => format!("{}[{}]", actor.comm, actor.pid),
        None => format!("{}[{}/{}]", actor.comm, actor.pid, actor.tid),
    };
    format!("{who} (in {path})")
}

fn ms(t: RunNs) -> String {
    format!("{}.{} ms", t.0 / 1_000_000, t.0 % 1_000_000 / 100_000)
}
