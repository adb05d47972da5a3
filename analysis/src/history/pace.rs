//! `long-phase` and `unbounded-retry`: longer than it said it would take, and again and again.

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, FactRef, FindingKind, RunNs};
use hangdog_timeline::{Lane, Phase, Timeline};

use super::{Seen, end, ms, name};
use crate::compare;

/// Failures in a row that are no longer a few.
const TRIES: usize = 10;

pub(super) fn seen(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let mut all: Vec<Seen> = phases.iter().filter_map(|phase| late(timeline, phase)).collect();
    all.extend(retries(timeline));
    all
}

fn late(timeline: &Timeline, phase: &Phase) -> Option<Seen> {
    let limit = phase.hang.deadline_ms?.checked_mul(1_000_000)?;
    let took = end(timeline, phase).0.saturating_sub(phase.open.t.0);
    // Both ends may be off.
    let error = phase.open.err + phase.close.map_or(0, |close| close.err);
    if took <= limit.saturating_add(error) {
        return None;
    }
    let goes_on = if phase.close.is_none() { " and was still open at the end" } else { "" };
    Some(Seen {
        kind: FindingKind::LongPhase,
        confidence: Confidence::Certain,
        at: phase.open.t,
        clause: format!("{} takes longer than its hang.deadline_ms", phase.name),
        sentence: format!(
            "{} took {}{goes_on}, longer than the {} that it said",
            name(timeline, phase),
            ms(RunNs(took)),
            ms(RunNs(limit)),
        ),
        culprits: vec![compare::actor(timeline, phase)],
        advice: "look at what it waited for in the replay, or give it a longer hang.deadline_ms",
        unknown: None,
        facts: vec![FactRef::phase(phase.id)],
    })
}

/// Lane, phase around it, name and key: what is tried again.
type Row<'t> = (Lane, Option<u64>, &'t str, Option<&'t str>);

/// The same phase that failed so often in a row, each time as soon as before.
fn retries(timeline: &Timeline) -> Vec<Seen> {
    let mut rows: BTreeMap<Row<'_>, Vec<&Phase>> = BTreeMap::new();
    let mut all = Vec::new();
    for phase in timeline.phases() {
        let key = (phase.lane(), phase.parent.map(|parent| parent.0), phase.name.as_str(), phase.hang.op.as_deref());
        let failed = phase.close.is_some() && phase.outcome.as_deref().is_some_and(|outcome| outcome == "failed");
        if failed {
            rows.entry(key).or_default().push(phase);
        } else if phase.close.is_some() {
            rows.remove(&key);
        }
    }
    for row in rows.into_values().filter(|row| row.len() >= TRIES) {
        let gaps: Vec<u64> =
            row.windows(2).map(|pair| pair[1].open.t.0.saturating_sub(end(timeline, pair[0]).0)).collect();
        let half = gaps.len() / 2;
        let mean = |gaps: &[u64]| gaps.iter().sum::<u64>() / gaps.len().max(1) as u64;
        // Who waits longer each time has thought of an end.
        if mean(&gaps[half..]) > mean(&gaps[..half]).saturating_mul(3) / 2 {
            continue;
        }
        let (Some(first), Some(last)) = (row.first(), row.last()) else { continue };
        all.push(Seen {
            kind: FindingKind::UnboundedRetry,
            confidence: Confidence::Possible,
            at: first.open.t,
            clause: format!("{} fails again and again without a pause that grows", first.name),
            sentence: format!(
                "{} failed {} times in a row within {} and tried again as soon as before each time",
                name(timeline, last),
                row.len(),
                ms(RunNs(end(timeline, last).0.saturating_sub(first.open.t.0))),
            ),
            culprits: vec![compare::actor(timeline, last)],
            advice: "wait longer after each failure, and give up after some",
            unknown: Some("whether it would have given up later"),
            facts: vec![FactRef::phase(first.id), FactRef::phase(last.id)],
        });
    }
    all
}
