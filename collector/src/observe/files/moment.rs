//! When something happened that the kernel gives no time for: between the last look that found nothing and this one,
//! and not longer ago than we may have waited to run since.

use std::fs::File;
use std::os::unix::fs::FileExt;

use hangdog_schemas::{RunNs, When};

/// From the wake-up of a sleeper until it counts as waiting for a processor, ns: generous for a sleeping virtual one.
const WAKE_UP: u64 = 1_000_000;

/// Keeps account of our own waiting for a processor.
#[derive(Debug)]
pub(super) struct Moments {
    schedstat: Option<File>,
    waited: u64,
}

impl Moments {
    pub(super) fn new() -> Self {
        let mut moments = Self { schedstat: File::open("/proc/self/schedstat").ok(), waited: 0 };
        moments.waited = moments.read().unwrap_or(0);
        moments
    }

    /// The earliest moment of what a sleeper finds that woke at `now`, and found nothing before it slept, at `before`.
    pub(super) fn earliest(&mut self, before: RunNs, now: RunNs) -> RunNs {
        let Some(waited) = self.read() else { return before };
        let late = waited.saturating_sub(std::mem::replace(&mut self.waited, waited));
        before.max(RunNs(now.0.saturating_sub(late.saturating_add(WAKE_UP))))
    }

    /// The second number: time on a run queue so far, ns.
    fn read(&self) -> Option<u64> {
        let mut bytes = [0; 96];
        let length = self.schedstat.as_ref()?.read_at(&mut bytes, 0).ok()?;
        std::str::from_utf8(&bytes[..length]).ok()?.split_whitespace().nth(1)?.parse().ok()
    }
}

/// Something between two moments.
pub(super) fn between(earliest: RunNs, latest: RunNs) -> When {
    let err = latest.0.saturating_sub(earliest.0).div_ceil(2);
    When { t: RunNs(latest.0.saturating_sub(err)), err }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_within_its_error() {
        for (earliest, latest) in [(0, 0), (3, 10), (10, 10), (0, u64::MAX)] {
            let when = between(RunNs(earliest), RunNs(latest));
            assert!(
                when.t.0.saturating_sub(when.err) <= earliest && latest <= when.t.0.saturating_add(when.err),
                "{when:?}"
            );
        }
        let mut moments = Moments::new();
        assert!(moments.earliest(RunNs(0), RunNs(1 << 50)) > RunNs(0), "what waits long is seen at once");
        assert_eq!(moments.earliest(RunNs(70), RunNs(80)), RunNs(70));
    }
}
