//! How often recorders are looked at: a bucket of time that fills slowly. Pure.

use std::time::Duration;

use hangdog_schemas::RunNs;

/// The share of one processor that looks at recorders may use in the long run.
const SHARE: f64 = 0.01;
/// What may be used at once, after a rest: a look at a hundred thousand open phases.
const FULL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds; below zero after a look that took longer than there was.
    left: f64,
    at: RunNs,
}

impl Default for Pace {
    fn default() -> Self {
        Self { left: FULL.as_secs_f64(), at: RunNs(0) }
    }
}

impl Pace {
    /// Whether there is time for a look.
    pub(super) fn allows(&mut self, now: RunNs) -> bool {
        let earned = now.since(self.at).as_secs_f64() * SHARE;
        self.left = (self.left + earned).min(FULL.as_secs_f64());
        self.at = self.at.max(now);
        self.left > 0.0
    }

    /// A look took so long.
    pub(super) fn spend(&mut self, took: Duration) {
        self.left -= took.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of ten looks a second apart there is time, when each takes `ms`.
    #[track_caller]
    fn check(ms: u64, expected: &str) {
        let mut pace = Pace::default();
        let looks: String = (1..=10)
            .map(|second| {
                let allows = pace.allows(RunNs(second * 1_000_000_000));
                if allows {
                    pace.spend(Duration::from_millis(ms));
                }
                if allows { 'x' } else { '-' }
            })
            .collect();
        assert_eq!(looks, expected, "{ms} ms");
    }

    #[test]
    fn the_longer_looks_take_the_fewer_there_are() {
        check(1, "xxxxxxxxxx");
        check(10, "xxxxxxxxxx");
        check(63, "xx-x-----x");
        check(135, "x---x-----");
        check(500, "x---------");
    }
}
