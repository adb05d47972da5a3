//! `held-across-wait` and `lock-order-risk`: locks that were held longer or in another order than is good.
//!
//! ```text
//! A:  holds m ── waits for http:… ────────────── gives m back
//! B:              waits for m ────────────────── …               lost: what of B's wait lies within A's
//! ```

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, FactRef, FindingKind, ResourceKey, RunNs};
use hangdog_timeline::{Phase, Timeline};

use super::{Seen, end, is_within, ms, name, same_lane};
use crate::compare;

/// What others lose in all before it is worth a word, ns.
const LOST: u64 = 10_000_000;
/// Holds that are looked at.
const MOST: usize = 4096;

/// Whether a wait for this leaves the process, and so may take any time.
fn is_slow(key: &ResourceKey) -> bool {
    matches!(key.kind(), "http" | "https" | "tcp" | "unix" | "db" | "fuse" | "path" | "exit" | "file-lock" | "dns")
}

pub(super) fn seen(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let mut all = held_across(timeline, phases);
    all.extend(order_risks(timeline, phases));
    all
}

fn held_across(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let is_lock = |key: &ResourceKey| key.kind() == "lock";
    let holds = phases.iter().filter(|phase| phase.hang.hold.as_ref().is_some_and(is_lock)).take(MOST);
    let mut all: Vec<(u64, Seen)> = Vec::new();
    for hold in holds {
        let Some(lock) = &hold.hang.hold else { continue };
        let until = end(timeline, hold);
        let of_owner = |phase: &&Phase| phase.id.process == hold.id.process;
        let inside: Vec<&Phase> = timeline.phases_between(hold.open.t, until).filter(of_owner).collect();
        let slow = inside.iter().filter(|phase| {
            phase.hang.wait.as_ref().is_some_and(is_slow)
                && (is_within(timeline, phase, hold) || same_lane(phase, hold))
        });
        let Some(slow) = slow.max_by_key(|phase| overlap(timeline, phase, hold.open.t, until)) else { continue };
        let (from, to) = (slow.open.t.max(hold.open.t), end(timeline, slow).min(until));
        let queued: Vec<&&Phase> =
            inside.iter().filter(|phase| phase.hang.wait.as_ref() == Some(lock) && !same_lane(phase, hold)).collect();
        let lost: u64 = queued.iter().map(|phase| overlap(timeline, phase, from, to)).sum();
        if lost < LOST {
            continue;
        }
        let what = slow.hang.wait.as_ref().map(ToString::to_string).unwrap_or_default();
        let sentence = format!(
            "{} held {lock} for {} while it waited for {what}; {} queued for it meanwhile and lost {} together",
            name(timeline, hold),
            ms(RunNs(to.0.saturating_sub(from.0))),
            if queued.len() == 1 { "one other".to_owned() } else { format!("{} others", queued.len()) },
            ms(RunNs(lost)),
        );
        let seen = Seen {
            kind: FindingKind::HeldAcrossWait,
            confidence: Confidence::Likely,
            at: from,
            clause: format!("{lock} is held over a wait for {} while others queue for it", slow.name),
            sentence,
            culprits: vec![compare::actor(timeline, hold)],
            advice: "give the lock back before the slow call and look again after it; let one caller a key do the call and \
                     the others wait for its result",
            unknown: None,
            facts: vec![FactRef::phase(hold.id), FactRef::phase(slow.id)],
        };
        all.push((lost, seen));
    }
    all.sort_by_key(|(lost, _)| std::cmp::Reverse(*lost));
    all.into_iter().map(|(_, seen)| seen).collect()
}

/// How much of a phase lies within `from..to`, ns.
fn overlap(timeline: &Timeline, phase: &Phase, from: RunNs, to: RunNs) -> u64 {
    end(timeline, phase).min(to).0.saturating_sub(phase.open.t.max(from).0)
}

/// One lock taken while another is held.
struct Order<'t> {
    second: &'t Phase,
    /// What else was held.
    also: Vec<&'t ResourceKey>,
}

fn order_risks(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let lock = |key: &Option<ResourceKey>| key.clone().filter(|key| key.kind() == "lock");
    let mut orders: BTreeMap<(u32, ResourceKey, ResourceKey), Vec<Order<'_>>> = BTreeMap::new();
    for second in phases.iter().copied().take(MOST) {
        let Some(wanted) = lock(&second.hang.wait).or_else(|| lock(&second.hang.hold)) else { continue };
        let is_held = |phase: &&&Phase| {
            !is_within(timeline, phase, second)
                && same_lane(phase, second)
                && phase.open.t <= second.open.t
                && phase.close.is_none_or(|close| second.open.t < close.t)
        };
        let around: Vec<&Phase> = timeline.open_phases_at(second.open.t).collect();
        let held: Vec<&ResourceKey> = around
            .iter()
            .filter(is_held)
            .filter_map(|phase| phase.hang.hold.as_ref())
            .filter(|key| **key != wanted)
            .collect();
        for first in held.iter().filter(|key| key.kind() == "lock") {
            let also = held.iter().copied().filter(|key| key != first).collect();
            let key = (second.id.process.pid.0, (*first).clone(), wanted.clone());
            orders.entry(key).or_default().push(Order { second, also });
        }
    }
    let mut all = Vec::new();
    for ((pid, first, second), one) in orders.iter().filter(|((_, first, second), _)| first < second) {
        let Some(other) = orders.get(&(*pid, second.clone(), first.clone())) else { continue };
        // A third lock around both keeps them apart; one thread alone cannot meet itself.
        let risk = one.iter().find_map(|a| {
            let meets =
                |b: &&Order<'_>| !same_lane(a.second, b.second) && !a.also.iter().any(|key| b.also.contains(key));
            other.iter().find(meets).map(|b| (a, b))
        });
        let Some((a, b)) = risk else { continue };
        all.push(Seen {
            kind: FindingKind::LockOrderRisk,
            confidence: Confidence::Possible,
            at: a.second.open.t.max(b.second.open.t),
            clause: format!("{first} and {second} are taken in both orders"),
            sentence: format!(
                "{first} and {second} are taken in both orders: {} takes {second} while it holds {first}, and {} takes \
                 {first} while it holds {second}; at the same moment both would wait for ever",
                name(timeline, a.second),
                name(timeline, b.second),
            ),
            culprits: vec![compare::actor(timeline, a.second), compare::actor(timeline, b.second)],
            advice: "take the two always in the same order, or one lock for both",
            unknown: Some("whether the two can ever run at the same time, and whether equal names mean the same locks"),
            facts: vec![FactRef::phase(a.second.id), FactRef::phase(b.second.id)],
        });
    }
    all
}
