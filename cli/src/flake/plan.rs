//! Which runs are disturbed, and by what seed. Pure.
//!
//! The first runs are left alone. When these fail often enough, all are: the less is disturbed the better. Else most
//! are disturbed, each by a seed of its own, and a seed that has made a run fail is tried again and again: what it
//! delays is close to the race.

use std::collections::BTreeMap;

/// Runs that are left alone at first.
const ALONE: u32 = 6;
/// One of so many of the later ones is left alone as well, so that both rates are known.
const ONE_OF: u32 = 4;
/// A seed that failed is tried at most this often.
const AGAIN: u32 = 12;

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
    pub(crate) alone: Tally,
    pub(crate) disturbed: Tally,
    pub(crate) seeds: BTreeMap<u64, Tally>,
}

impl Plan {
    pub(crate) fn new(perturb: Perturb, base: u64, only: Option<u64>) -> Self {
        let (alone, disturbed, seeds) = (Tally::default(), Tally::default(), BTreeMap::new());
        Self { perturb, base, only, next: 0, alone, disturbed, seeds }
    }

    /// The seed of the next run; `None` when it is left alone.
    pub(crate) fn next(&mut self) -> Option<u64> {
        self.next += 1;
        if self.only.is_some() {
            return self.only;
        }
        let fresh = self.base.wrapping_add(u64::from(self.next));
        match self.perturb {
            Perturb::Never => None,
            Perturb::Auto if self.next <= ALONE || self.fails_by_itself() || self.next.is_multiple_of(ONE_OF) => None,
            Perturb::Auto if self.next % 2 == 1 => Some(self.best_seed().unwrap_or(fresh)),
            Perturb::Auto | Perturb::Always => Some(fresh),
        }
    }

    /// Whether it fails in between a sixth and five sixths of the runs that nobody disturbs: both kinds come by
    /// themselves.
    fn fails_by_itself(&self) -> bool {
        let Tally { failed, of } = self.alone;
        of > 0 && failed * 6 >= of && (of - failed) * 6 >= of
    }

    /// The seed by which most runs failed, of those that are worth another try.
    fn best_seed(&self) -> Option<u64> {
        let tried = self.seeds.iter().filter(|(_, tally)| tally.failed > 0 && tally.of < AGAIN);
        tried.max_by_key(|(_, tally)| tally.failed * 1000 / tally.of).map(|(seed, _)| *seed)
    }

    /// A run has ended.
    pub(crate) fn ended(&mut self, seed: Option<u64>, outcome: Outcome) {
        match seed {
            None => self.alone.add(outcome),
            Some(seed) => {
                self.disturbed.add(outcome);
                self.seeds.entry(seed).or_default().add(outcome);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs that fail by `fails(seed)`, as `.` left alone and passed, `x` left alone and failed, `o` disturbed and
    /// passed, `!` disturbed and failed.
    #[track_caller]
    fn check(perturb: Perturb, fails: fn(u32, Option<u64>) -> bool, expected: &str) {
        let mut plan = Plan::new(perturb, 100, None);
        let mut line = String::new();
        for n in 0..expected.len() as u32 {
            let seed = plan.next();
            let outcome = if fails(n, seed) { Outcome::Failed } else { Outcome::Passed };
            plan.ended(seed, outcome);
            line.push(match (seed, outcome) {
                (None, Outcome::Passed) => '.',
                (None, Outcome::Failed) => 'x',
                (Some(_), Outcome::Passed) => 'o',
                (Some(_), Outcome::Failed) => '!',
            });
        }
        assert_eq!(line, expected);
    }

    #[test]
    fn what_fails_by_itself_is_left_alone() {
        check(Perturb::Auto, |n, _| n % 3 == 0, "x..x..x..x..");
        check(Perturb::Auto, |_, _| false, "......o.ooo.ooo.");
        check(Perturb::Never, |_, _| false, "........");
        check(Perturb::Always, |n, _| n == 2, "oo!o");
    }

    #[test]
    fn a_seed_that_fails_is_tried_again() {
        let mut plan = Plan::new(Perturb::Always, 0, None);
        plan.ended(Some(77), Outcome::Failed);
        plan.perturb = Perturb::Auto;
        let seeds: Vec<Option<u64>> = (0..12).map(|_| plan.next()).collect();
        assert_eq!(seeds.iter().filter(|seed| **seed == Some(77)).count(), 3, "{seeds:?}");
    }

    #[test]
    fn one_seed_for_all_when_it_is_named() {
        let mut plan = Plan::new(Perturb::Auto, 0, Some(9));
        assert!((0..20).all(|_| plan.next() == Some(9)));
    }
}
