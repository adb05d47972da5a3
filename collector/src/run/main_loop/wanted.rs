//! Looks that are wanted, and by whom. Which of them begins, shares another's look or waits is decided by the gate;
//! those that were asked for together come to one look.

use std::cmp::Reverse;

use hangdog_schemas::RunNs;
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};

use super::MainLoop;
use crate::watchdog::{Hurry, Outcome, Pass};

/// Who wants a look, the most urgent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// The watchdog.
    Watch,
    /// Whoever called `hangdog dump`.
    Dump,
    /// A signal, which waits for it only a little.
    Signal,
}

/// A look that is wanted and that no look has covered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    who: Who,
    extent: SnapshotExtent,
    reason: TriggerReason,
    entered: RunNs,
    tries: u32,
}

impl MainLoop<'_> {
    /// Somebody wants a look.
    pub(super) fn want(&mut self, now: RunNs, who: Who, extent: SnapshotExtent, reason: TriggerReason) {
        // One that waits stands for its like: whatever covers it is not over yet, so it covers them too.
        if !self.wanted.iter().any(|wanted| wanted.who == who && wanted.extent == extent) {
            // Not the time of this round, in which a look may have been completed since: that one does not cover it.
            let entered = self.now();
            self.wanted.push(Wanted { who, extent, reason, entered, tries: tries(who) });
        }
        self.follow_wanted(now);
    }

    /// Begins the most urgent look of those that may begin.
    pub(super) fn follow_wanted(&mut self, now: RunNs) {
        let (gate, fresh) = (&self.gate, self.parts.clock.now());
        let begins =
            |wanted: &&mut Wanted| gate.pass(fresh, wanted.entered, wanted.extent, hurry(wanted)) == Pass::Begins;
        let rank = |wanted: &&mut Wanted| (wanted.who, is_full(wanted.extent), Reverse(wanted.entered));
        if let Some(next) = self.wanted.iter_mut().filter(begins).max_by_key(rank) {
            next.tries = next.tries.saturating_sub(1);
            let next = *next;
            self.gate.begin(next.extent);
            self.begin_look(now, next.extent, next.reason);
        }
    }

    /// A look is over: who has what they wanted by it, or has tried often enough to go on without.
    pub(super) fn served(&mut self, now: RunNs, outcome: Outcome) -> Vec<Who> {
        self.gate.complete(now, outcome);
        let gate = &self.gate;
        let is_served = |wanted: &Wanted| {
            gate.pass(now, wanted.entered, wanted.extent, hurry(wanted)) == Pass::Covered || wanted.tries == 0
        };
        let (served, waiting) = self.wanted.drain(..).partition(is_served);
        self.wanted = waiting;
        let served: Vec<Wanted> = served;
        served.into_iter().map(|wanted| wanted.who).collect()
    }
}

/// How often it is tried at most. A signal makes do with what one look has found, and the watchdog looks again by
/// itself.
fn tries(who: Who) -> u32 {
    match who {
        Who::Dump => 2,
        Who::Watch | Who::Signal => 1,
    }
}

fn hurry(wanted: &Wanted) -> Hurry {
    let has_deadline = wanted.who == Who::Signal || wanted.reason == TriggerReason::Timeout;
    if has_deadline { Hurry::Deadline } else { Hurry::No }
}

fn is_full(extent: SnapshotExtent) -> bool {
    extent == SnapshotExtent::Full
}
