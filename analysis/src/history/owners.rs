//! `two-owners`: an identity that must have one live owner has two, mostly since an id was given out again.

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, FactRef, FindingKind};
use hangdog_timeline::{Phase, Timeline};

use super::{PER_KEY, Seen, is_within, ms, name, same_lane, surely_at_once};
use crate::compare;

/// All of a run: at most one a key.
pub(super) fn seen(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let mut by_key: BTreeMap<&str, Vec<&Phase>> = BTreeMap::new();
    for phase in phases {
        if let Some(entity) = phase.hang.entity.as_deref() {
            by_key.entry(entity).or_default().push(phase);
        }
    }
    by_key.into_iter().filter_map(|(key, phases)| of_key(timeline, key, phases)).collect()
}

fn of_key(timeline: &Timeline, key: &str, mut phases: Vec<&Phase>) -> Option<Seen> {
    phases.sort_by_key(|phase| phase.open.t);
    phases.truncate(PER_KEY);
    let is_apart = |a: &Phase, b: &Phase| {
        !same_lane(a, b) && !is_within(timeline, a, b) && !is_within(timeline, b, a) && surely_at_once(a, b)
    };
    let (first, second) = phases.iter().enumerate().find_map(|(n, first)| {
        phases[n + 1..].iter().find(|second| is_apart(first, second)).map(|second| (*first, *second))
    })?;
    // An owner that was there, left, and acts again in the time of another: the id was given out anew.
    let had = |owner: &Phase, other: &Phase| {
        phases.iter().any(|phase| {
            phase.id != owner.id
                && (same_lane(phase, owner) || phase.id.process == owner.id.process)
                && phase.close.is_some_and(|close| close.surely_before(other.open))
        })
    };
    let (owner, intruder, reused) = match (had(second, first), had(first, second)) {
        (true, _) => (first, second, true),
        (false, true) => (second, first, true),
        (false, false) => (first, second, false),
    };
    let related = is_ancestor(timeline, first, second) || is_ancestor(timeline, second, first);
    let how = if reused { ", which had it before: the id was given out again" } else { "" };
    Some(Seen {
        kind: FindingKind::TwoOwners,
        confidence: if related { Confidence::Possible } else { Confidence::Likely },
        at: second.open.t,
        clause: format!("{key} has two owners at once"),
        sentence: format!(
            "{key} had two owners at once, {} into the run: {} and {}{how}",
            ms(second.open.t),
            name(timeline, owner),
            name(timeline, intruder),
        ),
        culprits: vec![compare::actor(timeline, intruder)],
        advice: "never give out an id again (AUTOINCREMENT, a UUID), or let each owner prove that it still is the owner \
                 with every write (a generation number)",
        unknown: related.then_some("whether one of the two acts for the other: one started the other's process"),
        facts: vec![FactRef::phase(first.id), FactRef::phase(second.id)],
    })
}

/// Whether the process of one started that of the other, directly or by others.
fn is_ancestor(timeline: &Timeline, parent: &Phase, child: &Phase) -> bool {
    if parent.id.process == child.id.process {
        return false;
    }
    let mut pid = child.id.process.pid;
    for _ in 0..64 {
        let Some(process) = timeline.processes().find(|process| process.id.pid == pid) else { return false };
        if process.parent == parent.id.process.pid {
            return true;
        }
        if process.parent == pid {
            return false;
        }
        pid = process.parent;
    }
    false
}
