//! The time of an event: `CLOCK_MONOTONIC_COARSE`, 5 ns a look, a scheduler tick behind at most.
//!
//! The clock is the largest cost of a recorded phase, so this is the one place that reads it: a word that a
//! tick thread counts up (0.3 ns) or the time stamp counter would come in here, with a [`ClockSource`] of its
//! own. It is `CLOCK_MONOTONIC` of the process's *time namespace*; a reader outside tells by the anchors.

use rustix::time::{ClockId, clock_getres, clock_gettime};

/// What the times of a recording were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockSource {
    /// `CLOCK_MONOTONIC_COARSE`.
    MonotonicCoarse,
    /// One that this reader does not know, by its number.
    Unknown(u64),
}

impl ClockSource {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::MonotonicCoarse => 1,
            Self::Unknown(number) => number,
        }
    }

    pub(crate) fn from_number(number: u64) -> Self {
        if number == 1 { Self::MonotonicCoarse } else { Self::Unknown(number) }
    }
}

/// The clocks of a process read together, and how exact its times are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// `CLOCK_MONOTONIC`, ns.
    pub monotonic_ns: u64,
    /// `CLOCK_BOOTTIME`, ns.
    pub boottime_ns: u64,
    /// `CLOCK_REALTIME`, ns since 1970. The same in every time namespace, so two anchors can be compared by it.
    pub realtime_ns: u64,
    /// What the recording's times come from.
    pub source: ClockSource,
    /// Resolution of that source: a recorded time is at most this many ns too early.
    pub resolution_ns: u64,
}

impl Anchor {
    pub(crate) fn now() -> Self {
        Self {
            monotonic_ns: ns(clock_gettime(ClockId::Monotonic)),
            boottime_ns: ns(clock_gettime(ClockId::Boottime)),
            realtime_ns: ns(clock_gettime(ClockId::Realtime)),
            source: ClockSource::MonotonicCoarse,
            resolution_ns: ns(clock_getres(ClockId::MonotonicCoarse)),
        }
    }
}

/// Now, in ns of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    ns(clock_gettime(ClockId::MonotonicCoarse))
}

fn ns(time: rustix::time::Timespec) -> u64 {
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}
