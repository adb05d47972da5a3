//! How much of a processor the reader of file events may take. Pure.

use std::time::Duration;

/// It may run for this long at once, ns: a burst is followed as it comes, so that who did it is still there.
const BURST: u64 = 200_000_000;
/// In the long run it gets one part of so many of one processor.
const PART: u64 = 20;
/// It never looks away for longer: the kernel's queue is long, not endless.
const LONGEST: Duration = Duration::from_millis(50);

/// Keeps account.
#[derive(Debug, Default)]
pub(super) struct Share {
    debt: u64,
    now: u64,
    used: u64,
}

impl Share {
    /// How long to look away, for one that has used `used` ns of a processor at the time `now`.
    pub(super) fn rest(&mut self, now: u64, used: u64) -> Option<Duration> {
        let earned = now.saturating_sub(self.now) / PART;
        self.debt = (self.debt + used.saturating_sub(self.used)).saturating_sub(earned);
        (self.now, self.used) = (now, used);
        let over = self.debt.checked_sub(BURST).filter(|over| *over > 0)?;
        Some(Duration::from_nanos(over.saturating_mul(PART)).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_is_free_and_then_a_twentieth_is() {
        let mut share = Share::default();
        assert_eq!(share.rest(200 * MS, 200 * MS), None);
        // 100 ms later it has used 20 ms more, and 5 of them are its share.
        assert_eq!(share.rest(300 * MS, 220 * MS), Some(Duration::from_millis(50)));
        assert_eq!(share.rest(301 * MS, 220 * MS), Some(Duration::from_millis(50)));
        assert_eq!(share.rest(2000 * MS, 220 * MS), None);
        // What was not used does not add up for ever.
        assert_eq!(share.rest(1_000_000 * MS, 220 * MS), None);
        assert!(share.rest(1_000_001 * MS, 500 * MS).is_some());
    }
}
