//! What is done to a run of `hangdog flake` so that it fails sooner: its seed, which says all of it.
//!
//! ```text
//! below 2^52: a seed of chance    a hash of it and of a place decides who is late there
//! from 2^52:  aimed               1 │ named only:1 │ slow:3 │ load:1 │ one processor:1 │ hold:23 │ hold:23
//!                                 hold: nth:3 │ who:3 │ how late:4 │ place:13
//! ```
//!
//! A number that says all of it does the same again in another series, on another machine, by a hangdog that knows
//! nothing of the runs from which it was derived. Numbers stay below 2^53, which every reader of JSON keeps.

use crate::visit::{PLACE_BITS, Place};

const AIMED: u64 = 1 << 52;
const HOLD_BITS: u32 = 23;
const LATE_SHIFT: u32 = PLACE_BITS;
const WHO_SHIFT: u32 = LATE_SHIFT + 4;
const NTH_SHIFT: u32 = WHO_SHIFT + 3;
const ONE_PROCESSOR: u64 = 1 << (2 * HOLD_BITS);
const LOAD: u64 = ONE_PROCESSOR << 1;
const SLOW_SHIFT: u32 = 2 * HOLD_BITS + 2;
const NAMED_ONLY: u64 = 1 << (SLOW_SHIFT + 3);

/// How late, µs: races are lost by tenths of a millisecond in one program and by tenths of a second in another.
const LATE_US: [u64; 16] = [
    200, 500, 1_000, 2_000, 3_000, 5_000, 8_000, 12_000, 20_000, 30_000, 50_000, 80_000, 120_000, 200_000, 300_000,
    500_000,
];

/// What a seed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Chance decides, by this number.
    Chance(u64),
    /// It is said who is late where.
    Aimed(Aim),
}

/// A disturbance that is aimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Aim {
    /// Who is held where; at most two.
    pub holds: [Option<Hold>; 2],
    /// The whole run is on one processor.
    pub one_processor: bool,
    /// Others compute beside it.
    pub load: bool,
    /// Which thread of those that come by any place has a lower priority, from 1; 0 for none, 7 for every other one.
    pub slow: u8,
    /// Only system calls with names are seen: all others are too many in this program.
    pub named_only: bool,
}

/// Somebody is late somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// Where.
    pub place: Place,
    /// Which of the threads that come by, from 0; 7 for each.
    pub who: u8,
    /// At which of its visits, from 1 to 7; 0 for each.
    pub nth: u8,
    /// How late, one of 16 steps.
    pub late: u8,
}

impl Hold {
    /// Of all threads.
    pub const EACH: u8 = 7;
    /// The last step of lateness.
    pub const LATEST: u8 = 15;

    /// How late, ns.
    pub fn ns(self) -> u64 {
        LATE_US[usize::from(self.late.min(Self::LATEST))] * 1000
    }

    /// The first step that is at least so long, ns.
    pub fn step(ns: u64) -> u8 {
        LATE_US.iter().position(|us| us * 1000 >= ns).map_or(Self::LATEST, |step| step as u8)
    }

    fn number(self) -> u64 {
        self.place.number()
            | u64::from(self.late & 15) << LATE_SHIFT
            | u64::from(self.who & 7) << WHO_SHIFT
            | u64::from(self.nth & 7) << NTH_SHIFT
    }

    fn from_number(number: u64) -> Option<Self> {
        let place = Place::from_number(number & ((1 << PLACE_BITS) - 1))?;
        let part = |shift: u32, mask: u64| (number >> shift & mask) as u8;
        Some(Self { place, who: part(WHO_SHIFT, 7), nth: part(NTH_SHIFT, 7), late: part(LATE_SHIFT, 15) })
    }
}

impl Aim {
    /// The seed that says this.
    pub fn seed(&self) -> u64 {
        let hold = |n: usize| self.holds[n].map_or(0, Hold::number) << (HOLD_BITS * n as u32);
        let flag = |is: bool, bit: u64| if is { bit } else { 0 };
        AIMED
            | hold(0)
            | hold(1)
            | flag(self.one_processor, ONE_PROCESSOR)
            | flag(self.load, LOAD)
            | u64::from(self.slow & 7) << SLOW_SHIFT
            | flag(self.named_only, NAMED_ONLY)
    }
}

impl Disturbance {
    /// What a seed says.
    pub fn of(seed: u64) -> Self {
        if seed & AIMED == 0 || seed >= AIMED << 1 {
            return Self::Chance(seed);
        }
        let hold = |n: u32| Hold::from_number(seed >> (HOLD_BITS * n) & ((1 << HOLD_BITS) - 1));
        Self::Aimed(Aim {
            holds: [hold(0), hold(1)],
            one_processor: seed & ONE_PROCESSOR != 0,
            load: seed & LOAD != 0,
            slow: (seed >> SLOW_SHIFT & 7) as u8,
            named_only: seed & NAMED_ONLY != 0,
        })
    }

    /// Whether the whole run is on one processor.
    pub fn one_processor(&self) -> bool {
        match self {
            Self::Chance(seed) => seed % 4 == 1,
            Self::Aimed(aim) => aim.one_processor,
        }
    }

    /// Whether others compute beside it.
    pub fn load(&self) -> bool {
        match self {
            Self::Chance(seed) => seed.is_multiple_of(3),
            Self::Aimed(aim) => aim.load,
        }
    }

    /// Whether some threads run at a lower priority.
    pub fn slows(&self) -> bool {
        match self {
            Self::Chance(_) => true,
            Self::Aimed(aim) => aim.slow > 0,
        }
    }

    /// Whether all places are seen, also those without names.
    pub fn sees_all(&self) -> bool {
        matches!(self, Self::Aimed(aim) if !aim.named_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_all_of_it() {
        let place = Place::of("worker", "openat", "leader");
        let hold = Hold { place, who: 1, nth: 3, late: 9 };
        let other = Hold { place: Place::of("w", "begin", "x"), who: 7, nth: 0, late: 15 };
        for holds in [[None, None], [Some(hold), None], [Some(hold), Some(other)]] {
            for n in 0..64_u8 {
                let is = |bit: u8| n & bit != 0;
                let aim = Aim { holds, one_processor: is(1), load: is(2), slow: n >> 3, named_only: is(4) };
                let seed = aim.seed();
                assert!(seed < 1 << 53, "every reader of JSON keeps it");
                assert_eq!(Disturbance::of(seed), Disturbance::Aimed(aim));
            }
        }
        assert_eq!(Disturbance::of(4711), Disturbance::Chance(4711));
        assert_eq!(Disturbance::of(u64::MAX), Disturbance::Chance(u64::MAX));
    }

    #[test]
    fn a_step_is_as_long_as_was_asked() {
        for ns in [1, 200_000, 200_001, 7_500_000, 400_000_000] {
            let place = Place::of("a", "b", "c");
            let step = Hold::step(ns);
            assert!(Hold { place, who: 0, nth: 0, late: step }.ns() >= ns);
            assert!(step == 0 || Hold { place, who: 0, nth: 0, late: step - 1 }.ns() < ns);
        }
        assert_eq!(Hold::step(u64::MAX), Hold::LATEST);
    }
}
