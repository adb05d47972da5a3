//! Which runs are disturbed, and by what seed. Pure.
//!
//! ```text
//! left alone ×6 ──▶ fail often enough? ── yes ──▶ all are left alone
//!                      └─ no ──▶ one looks where lateness matters ──▶ seeds that failed before, again or close to them
//!                                                                     seeds that are new: aimed at a lead, or chance
//!                                                                     now and then one that is left alone
//! ```
//!
//! The less is disturbed the better: who fails by itself is left alone. A seed that has made a run fail is tried again
//! until it is known how often it does; one that is close to it may do so more often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hangdog_analysis::Contended;
use hangdog_schemas::{Aim, Disturbance};

use super::leads::{Leads, close_to};

/// Runs that are left alone at first.
const ALONE: u32 = 6;
/// One of so many of the later ones is left alone as well, so that both rates are known.
const ONE_OF: u32 = 6;
/// One of so many new seeds is of chance.
const BY_CHANCE: u32 = 8;
/// A seed that failed is tried at most this often while others are looked for.
const AGAIN: u32 = 12;
/// So often a seed is looked for that was not given yet.
const TURNS: u32 = 8;
/// Seeds close to one that failed, at most.
const CLOSE: u32 = 8;
/// In the end, what is known to fail is tried until it was tried so often.
const CONFIRMED: u32 = 20;

/// Whether runs are disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Perturb {
    /// When the first runs do not fail often enough
    #[default]
    Auto,
    /// Never: each run is recorded and otherwise left alone
    Never,
    /// Each run
    Always,
}

/// How a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
}

/// Failures of so many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) failed: u32,
    pub(crate) of: u32,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.of += 1;
        self.failed += u32::from(outcome == Outcome::Failed);
    }

    /// The share that is likely, when little is known (Laplace): in thousandths.
    fn likely(self) -> u32 {
        (self.failed + 1) * 1000 / (self.of + 2)
    }
}

/// What has been done so far, and what is next.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    perturb: Perturb,
    /// Of the seeds of this series.
    base: u64,
    /// The one seed that all runs get.
    only: Option<u64>,
    next: u32,
    fresh: u32,
    close: u32,
    given: BTreeSet<u64>,
    leads: Leads,
    took_alone: Took,
    took_wide: Took,
    pub(crate) alone: Tally,
    pub(crate) disturbed: Tally,
    pub(crate) seeds: BTreeMap<u64, Tally>,
}

/// How long runs took.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    all: Duration,
    runs: u32,
}

impl Took {
    fn each(self) -> Duration {
        self.all / self.runs.max(1)
    }
}

impl Plan {
    pub(crate) fn new(perturb: Perturb, base: u64, only: Option<u64>) -> Self {
        Self {
            perturb,
            base,
            only,
            next: 0,
            fresh: 0,
            close: 0,
            given: BTreeSet::new(),
            leads: Leads::default(),
            took_alone: Took::default(),
            took_wide: Took::default(),
            alone: Tally::default(),
            disturbed: Tally::default(),
            seeds: BTreeMap::new(),
        }
    }

    /// The seed of the next run; `None` when it is left alone.
    pub(crate) fn next(&mut self) -> Option<u64> {
        self.next += 1;
        if self.only.is_some() {
            return self.only;
        }
        match self.perturb {
            Perturb::Never => None,
            Perturb::Auto if self.next <= ALONE || self.fails_by_itself() || self.next.is_multiple_of(ONE_OF) => None,
            Perturb::Auto | Perturb::Always => Some(self.seed()),
        }
    }

    /// The seed by which a run failed most often, when it is to be known how often: until it was tried often enough.
    pub(crate) fn confirm(&mut self) -> Option<u64> {
        let seed = self.only.is_none().then(|| self.best()).flatten()?;
        self.next += 1;
        Some(seed)
    }

    /// Whether that is so.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.only.is_some() || self.best().is_none_or(|seed| self.seeds[&seed].of >= CONFIRMED)
    }

    fn seed(&mut self) -> u64 {
        // In turn, so that a seed that was lucky once does not keep the others from being found.
        if self.next % 2 == 1
            && let Some(seed) = self.failed_before()
        {
            return seed;
        }
        self.fresh += 1;
        let by_chance = self.base.wrapping_add(u64::from(self.fresh));
        if self.fresh == 1 {
            return self.aimed(Aim::default());
        }
        if self.fresh.is_multiple_of(BY_CHANCE) || self.leads.is_empty() {
            return by_chance;
        }
        for _ in 0..TURNS {
            let Some((aim, keys)) = self.leads.next(self.fresh) else { break };
            // Also when it is not new: the next one of this lead is another one.
            self.leads.tried(&aim, &keys);
            let seed = self.aimed(aim);
            if self.given.insert(seed) {
                return seed;
            }
        }
        by_chance
    }

    fn aimed(&self, mut aim: Aim) -> u64 {
        aim.named_only = self.is_dear();
        aim.seed()
    }

    /// Whether runs of which all places are seen take much longer than others.
    fn is_dear(&self) -> bool {
        self.took_wide.runs > 0 && self.took_wide.each() > self.took_alone.each() * 2 + Duration::from_secs(1)
    }

    /// A seed that made a run fail and is worth another try, or one close to it.
    fn failed_before(&mut self) -> Option<u64> {
        let worth = |tally: &Tally| tally.failed > 0 && tally.of < AGAIN && tally.likely() >= 250;
        let best = self.seeds.iter().filter(|(_, tally)| worth(tally)).max_by_key(|(_, tally)| tally.likely());
        if let Some((seed, _)) = best {
            return Some(*seed);
        }
        // It is known how often that one does: another may do so more often.
        let (seed, tally) = self.best().map(|seed| (seed, self.seeds[&seed]))?;
        if tally.failed * 2 > tally.of || self.close >= CLOSE {
            return None;
        }
        let Disturbance::Aimed(aim) = Disturbance::of(seed) else { return None };
        self.close += 1;
        Some(close_to(&aim, self.close - 1).seed()).filter(|seed| self.given.insert(*seed))
    }

    /// The seed by which runs are most likely to fail, of those by which one failed.
    pub(crate) fn best(&self) -> Option<u64> {
        let failing = self.seeds.iter().filter(|(_, tally)| tally.failed > 0);
        failing.max_by_key(|(_, tally)| (tally.likely(), tally.of)).map(|(seed, _)| *seed)
    }

    /// Whether it fails in between a sixth and five sixths of the runs that nobody disturbs: both kinds come by
    /// themselves.
    fn fails_by_itself(&self) -> bool {
        let Tally { failed, of } = self.alone;
        of > 0 && failed * 6 >= of && (of - failed) * 6 >= of
    }

    /// A run has ended.
    pub(crate) fn ended(&mut self, seed: Option<u64>, outcome: Outcome, took: Duration) {
        let Some(seed) = seed else {
            self.alone.add(outcome);
            self.took_alone = Took { all: self.took_alone.all + took, runs: self.took_alone.runs + 1 };
            return;
        };
        self.disturbed.add(outcome);
        self.seeds.entry(seed).or_default().add(outcome);
        let what = Disturbance::of(seed);
        if what.sees_all() {
            self.took_wide = Took { all: self.took_wide.all + took, runs: self.took_wide.runs + 1 };
        }
        if let (Disturbance::Aimed(aim), Outcome::Failed) = (what, outcome) {
            self.leads.failed(&aim);
        }
    }

    /// What a run has shown.
    pub(crate) fn learn(&mut self, contended: &[Contended]) {
        self.leads.learn(contended);
    }
}

#[cfg(test)]
mod tests;
