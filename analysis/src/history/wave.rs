//! `same-wave-straggler` and `duplicate-in-flight`: an operation with a key done again.
//!
//! ```text
//! A:   enters ── acts ──────── completed, ok
//! B:     enters ── acts ──────────────────── …      duplicate: both act at once
//! C:        enters ── waits ───────── acts ── …     straggler: it came in before A was done, so A covers it
//! D:                             enters ── acts     a new event
//! ```
//!
//! Who entered before one of the same key *completed successfully* is covered by it. Who entered later is a new
//! event. A failure covers nobody. Other keys have nothing to do with each other. Who goes away (`cancelled`) has
//! done nothing.

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, FactRef, FindingKind, RunNs, When};
use hangdog_timeline::{Phase, Timeline};

use super::{PER_KEY, Seen, end, is_within, ms, name, same_lane, surely_at_once};
use crate::compare;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// `ok`.
    Ok,
    /// It ended and did not say how.
    Unsaid,
    /// Otherwise: it covers nobody.
    Failed,
    /// It goes on.
    Open,
}

/// How it is known when a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The phase itself, or one around it of the same key, says so.
    Said,
    /// It waited for a lock next to the operation before.
    Lock,
}

/// One attempt at an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// When its caller came in.
    pub(super) entered: When,
    pub(super) entry: Entry,
    /// When it began to do it; `None` while it waits still.
    pub(super) acted: Option<When>,
    pub(super) completed: Option<When>,
    pub(super) came: Came,
}

/// The decision, on times alone: whether `later` did again what `before` had done for it.
pub(super) fn straggles(before: &Attempt, later: &Attempt) -> Option<Confidence> {
    let (completed, acted) = (before.completed?, later.acted?);
    let sure = match before.came {
        Came::Ok => Confidence::Likely,
        Came::Unsaid => Confidence::Possible,
        Came::Failed | Came::Open => return None,
    };
    let is_covered = later.entered.surely_before(completed) && completed.surely_before(acted);
    let by_entry = if later.entry == Entry::Said { Confidence::Likely } else { Confidence::Possible };
    is_covered.then_some(sure.and(by_entry))
}

/// All of a run.
pub(super) fn seen(timeline: &Timeline, phases: &[&Phase]) -> Vec<Seen> {
    let mut by_key: BTreeMap<&str, Vec<&Phase>> = BTreeMap::new();
    for phase in phases {
        if let Some(op) = phase.hang.op.as_deref() {
            by_key.entry(op).or_default().push(phase);
        }
    }
    let mut all = Vec::new();
    for (key, mut phases) in by_key {
        phases.sort_by_key(|phase| phase.open.t);
        phases.truncate(PER_KEY);
        // Around an operation there may be one of the same key that says when the caller came in.
        let is_outer =
            |outer: &&Phase| phases.iter().any(|inner| inner.id != outer.id && is_within(timeline, inner, outer));
        let gone = |phase: &&Phase| matches!(phase.outcome.as_deref(), Some("cancelled"));
        let acts: Vec<&Phase> = phases.iter().copied().filter(|phase| !is_outer(phase) && !gone(phase)).collect();
        let attempts: Vec<(Attempt, &Phase)> =
            acts.iter().map(|phase| (attempt(timeline, phase, key), *phase)).collect();
        all.extend(straggler(timeline, key, &attempts));
        all.extend(duplicates(timeline, key, &attempts));
    }
    all
}

fn attempt(timeline: &Timeline, phase: &Phase, key: &str) -> Attempt {
    let path = timeline.phase_path(phase);
    let entry = path.iter().find(|part| part.hang.op.as_deref() == Some(key)).map_or(phase.open, |outer| outer.open);
    let came = match (phase.close, phase.outcome.as_deref()) {
        (None, _) => Came::Open,
        (Some(_), Some("ok")) => Came::Ok,
        (Some(_), None) => Came::Unsaid,
        (Some(_), Some(_)) => Came::Failed,
    };
    // What it waits for by itself before it acts.
    let is_lock = |part: &Phase| part.hang.wait.as_ref().is_some_and(|key| matches!(key.kind(), "lock" | "pool"));
    let waits = |within: &Phase| {
        let lived = timeline.phases_between(within.open.t, end(timeline, within));
        let inside =
            lived.filter(|part| part.id.process == phase.id.process && part.id != within.id && is_lock(part));
        inside.filter(|part| is_within(timeline, part, within)).collect::<Vec<_>>()
    };
    let own = waits(phase);
    let acted = match own.iter().map(|wait| wait.close).max_by_key(|close| close.map_or(u64::MAX, |close| close.t.0))
    {
        Some(last) => last,
        None => Some(phase.open),
    };
    let attempt = Attempt { entered: entry, entry: Entry::Said, acted, completed: phase.close, came };
    if entry != phase.open || !own.is_empty() || path.len() < 2 {
        return attempt;
    }
    // A lock that it waited for right before, in the same phase around both: it had come to act already.
    let around = path[path.len() - 2];
    let before = waits(around).into_iter().filter(|wait| wait.parent == phase.parent && same_lane(wait, phase));
    let last = before.filter(|wait| wait.close.is_some_and(|close| close.t <= phase.open.t)).max_by_key(|w| w.open.t);
    match last {
        Some(wait) => Attempt { entered: wait.open, entry: Entry::Lock, ..attempt },
        None => attempt,
    }
}

fn straggler(timeline: &Timeline, key: &str, attempts: &[(Attempt, &Phase)]) -> Option<Seen> {
    let mut pairs = attempts.iter().flat_map(|before| attempts.iter().map(move |later| (before, later)));
    let (sure, (before, winner), (later, late)) = pairs.find_map(|(before, later)| {
        (before.1.id != later.1.id).then_some(())?;
        Some((straggles(&before.0, &later.0)?, before, later))
    })?;
    let (completed, acted) = (before.completed?, later.acted?);
    let after = RunNs(acted.t.0.saturating_sub(completed.t.0));
    let sentence = format!(
        "\"{key}\" was done a second time in one wave: {} came in {} before {} completed it, was held up, and did it again \
         {} after that",
        name(timeline, late),
        ms(RunNs(completed.t.0.saturating_sub(later.entered.t.0))),
        name(timeline, winner),
        ms(after),
    );
    Some(Seen {
        kind: FindingKind::SameWaveStraggler,
        confidence: sure,
        at: later.entered.t,
        clause: format!("\"{key}\" is done a second time by a caller that came in before the first was completed"),
        sentence,
        culprits: vec![compare::actor(timeline, late)],
        advice: "decide by the time at which a caller came in: who entered before the last success is covered by it, \
                 who entered later, or after a failure, may try",
        unknown: (before.came == Came::Unsaid).then_some("whether the first one succeeded: it has no hang.outcome"),
        facts: vec![FactRef::phase(winner.id), FactRef::phase(late.id)],
    })
}

fn duplicates(timeline: &Timeline, key: &str, attempts: &[(Attempt, &Phase)]) -> Option<Seen> {
    // While it waits it does nothing twice.
    let acting: Vec<(When, &Phase)> = attempts.iter().filter_map(|(own, phase)| Some((own.acted?, *phase))).collect();
    let mut best: Vec<&Phase> = Vec::new();
    for (acted, first) in &acting {
        let with = acting.iter().filter(|(other_acted, other)| {
            other.id != first.id
                && !same_lane(first, other)
                && surely_at_once(first, other)
                && first.close.is_none_or(|close| other_acted.surely_before(close))
                && other.close.is_none_or(|close| acted.surely_before(close))
                && other_acted.t >= acted.t
        });
        let group: Vec<&Phase> = std::iter::once(*first).chain(with.map(|(_, other)| *other)).collect();
        if group.len() > best.len() {
            best = group;
        }
    }
    let [first, others @ ..] = &best[..] else { return None };
    let last = others.first()?;
    let wasted: u64 = others.iter().map(|phase| end(timeline, phase).0.saturating_sub(phase.open.t.0)).sum();
    Some(Seen {
        kind: FindingKind::DuplicateInFlight,
        confidence: Confidence::Likely,
        at: last.open.t,
        clause: format!("\"{key}\" is done by several at once"),
        sentence: format!(
            "\"{key}\" was done {} times at once: first by {}, then by {}{}; {} were spent on what was being done already",
            best.len(),
            name(timeline, first),
            name(timeline, last),
            if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() },
            ms(RunNs(wasted)),
        ),
        culprits: others.iter().take(4).map(|phase| compare::actor(timeline, phase)).collect(),
        advice: "let the first caller of a key do it and the others wait for its result (coalescing); hold no lock over it",
        unknown: None,
        facts: best.iter().take(8).map(|phase| FactRef::phase(phase.id)).collect(),
    })
}
