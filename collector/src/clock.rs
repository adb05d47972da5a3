//! The time line of a run: CLOCK_MONOTONIC, in ns since the run began. The one place of this crate that
//! reads clocks; everything that decides gets its time as an argument.

use hangdog_schemas::{Big, ClockAnchor, RunNs, When};
use rustix::time::{ClockId, clock_gettime};

/// Converts the host's clocks to the time line of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunClock {
    /// CLOCK_MONOTONIC when the run began, ns.
    began: u64,
}

impl RunClock {
    /// A time line that begins now.
    pub fn start() -> Self {
        Self { began: read(ClockId::Monotonic) }
    }

    /// A time line that began at this CLOCK_MONOTONIC, in ns.
    pub fn at(began: u64) -> Self {
        Self { began }
    }

    /// Now.
    pub fn now(self) -> RunNs {
        self.from_monotonic(read(ClockId::Monotonic))
    }

    /// A moment that lasted from `began` until now.
    pub fn since(self, began: RunNs) -> When {
        let half = self.now().0.saturating_sub(began.0) / 2;
        When { t: began.plus(half), err: half }
    }

    /// A CLOCK_MONOTONIC time in ns; what was before the run counts as its begin.
    pub fn from_monotonic(self, ns: u64) -> RunNs {
        RunNs(ns.saturating_sub(self.began))
    }

    /// The CLOCK_MONOTONIC, in ns, of a time of the run.
    pub fn to_monotonic(self, time: RunNs) -> u64 {
        self.began.saturating_add(time.0)
    }

    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC` in ns: how long the machine was suspended, by now.
    pub fn asleep(self) -> u64 {
        let monotonic = read(ClockId::Monotonic);
        read(ClockId::Boottime).saturating_sub(monotonic)
    }

    /// The clocks read together.
    pub fn anchor(self) -> ClockAnchor {
        let monotonic = read(ClockId::Monotonic);
        ClockAnchor {
            t: self.from_monotonic(monotonic),
            monotonic: Big(monotonic),
            boottime: Big(read(ClockId::Boottime)),
            realtime: Big(read(ClockId::Realtime)),
        }
    }
}

/// CLOCK_MONOTONIC, in ns.
pub(crate) fn monotonic_now() -> u64 {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}
