//! The time of an event. The clock is the largest cost of a recorded phase, so there are several:
//!
//! | clock | a look costs | error |
//! | --- | --- | --- |
//! | tick: a word that a thread of ours writes 20 times a second | 0.3 ns | 100 ms, or as long as that thread was kept from running: such gaps are written down |
//! | coarse: `CLOCK_MONOTONIC_COARSE`, where no thread may be started | 5 ns | 8 ms |
//! | tsc: the time stamp counter, when the order of events matters | 10 ns | 1 µs |
//! | monotonic: `CLOCK_MONOTONIC`, where there is no counter to be trusted | 22 ns | none |
//!
//! `HANGDOG_CLOCK=tick|coarse|tsc|monotonic` chooses; the default is the tick. All are put on one time line by
//! anchors, at which all clocks are read together: `CLOCK_MONOTONIC` of the process's *time namespace*, which a
//! reader outside shifts by `CLOCK_REALTIME`.

mod anchor;
mod read;
pub(crate) mod tick;
pub(crate) mod tsc;

pub use anchor::Anchor;
pub(crate) use anchor::{Anchors, write_first, write_later};

/// What the times of a recording were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockSource {
    /// `CLOCK_MONOTONIC_COARSE`.
    Coarse,
    /// A word that a thread of the recorder writes.
    Tick,
    /// The time stamp counter.
    Tsc,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// One that this reader does not know, by its number.
    Unknown(u64),
}

impl ClockSource {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Coarse => 1,
            Self::Tick => 2,
            Self::Tsc => 3,
            Self::Monotonic => 4,
            Self::Unknown(number) => number,
        }
    }

    pub(crate) fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Coarse,
            2 => Self::Tick,
            3 => Self::Tsc,
            4 => Self::Monotonic,
            number => Self::Unknown(number),
        }
    }

    /// What is asked for by `HANGDOG_CLOCK`, or comes next where it cannot be had.
    pub(crate) fn wanted(word: Option<&str>) -> Self {
        match word {
            Some("coarse") => Self::Coarse,
            Some("tsc") if tsc::is_trustworthy() => Self::Tsc,
            Some("tsc" | "monotonic") => Self::Monotonic,
            _ => Self::Tick,
        }
    }

    /// A recorded time is at most so many ns too early, as far as the source itself goes.
    pub(crate) fn resolution_ns(self) -> u64 {
        match self {
            // The kernel's tick comes late too.
            Self::Coarse => 2 * read::resolution_ns(libc::CLOCK_MONOTONIC_COARSE),
            // What is longer is written down as a gap.
            Self::Tick => tick::GAP_NS,
            Self::Tsc => 1_000,
            Self::Monotonic | Self::Unknown(_) => 0,
        }
    }

    /// Now, in ticks of this clock: ns of `CLOCK_MONOTONIC` for all but the time stamp counter.
    #[inline]
    pub(crate) fn now(self) -> u64 {
        if self == Self::Tick { tick::now() } else { self.look() }
    }

    fn look(self) -> u64 {
        match self {
            Self::Tick => tick::now(),
            Self::Tsc => tsc::now(),
            Self::Monotonic => monotonic(),
            Self::Coarse | Self::Unknown(_) => read::ns(libc::CLOCK_MONOTONIC_COARSE),
        }
    }
}

pub(crate) fn monotonic() -> u64 {
    read::ns(libc::CLOCK_MONOTONIC)
}
