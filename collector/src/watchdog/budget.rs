//! What the light looks may cost: a bucket of processor time that fills slowly.

use std::time::Duration;

use hangdog_schemas::RunNs;

/// The share of one processor that light looks may use in the long run.
pub const SHARE: f64 = 0.004;
/// What may be used at once, after a long rest: some ten looks at a small tree with their judgements.
const FULL: Duration = Duration::from_millis(400);

#[derive(Debug)]
pub(super) struct Budget {
    /// Seconds; below zero after a look that cost more than there was.
    left: f64,
    at: RunNs,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: FULL.as_secs_f64(), at: RunNs(0) }
    }

    pub(super) fn allows(&mut self, now: RunNs) -> bool {
        self.fill(now);
        self.left > 0.0
    }

    pub(super) fn spend(&mut self, now: RunNs, spent: Duration) {
        self.fill(now);
        self.left -= spent.as_secs_f64();
    }

    fn fill(&mut self, now: RunNs) {
        let earned = now.since(self.at).as_secs_f64() * SHARE;
        self.left = (self.left + earned).min(FULL.as_secs_f64());
        self.at = self.at.max(now);
    }
}
