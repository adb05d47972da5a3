//! Who is held for how long, and who runs at a lower priority: by a seed alone, so that it can be done again. Pure.
//!
//! A race is lost when one thread is late between what it looks at and what it does. A seed of chance chooses places
//! (program, call, name of the file) first, then some of the threads that come by there: the others go on, and
//! overtake. A seed that is aimed says which place, which thread, how late.

use std::collections::BTreeMap;

use hangdog_schemas::{Disturbance, Hold, Place};

/// One of so many places is chosen by chance.
const PLACES: u64 = 4;
/// One of so many threads is late at a place that was chosen by chance.
const THREADS: u64 = 2;
/// One of so many threads runs at a lower priority.
const SLOW: u64 = 4;
/// How late by chance, ns: races are lost by microseconds in one program and by tenths of a second in another.
const LATE: [u64; 5] = [500_000, 2_000_000, 8_000_000, 30_000_000, 100_000_000];
/// All that a run is held for, ns: what makes it longer by much finds fewer failures in the same time.
const MOST: u64 = 1_500_000_000;
/// Places that are told apart, and threads.
const MOST_PLACES: usize = 8192;
/// The nice value of those that run at a lower priority.
const NICE: i32 = 15;
/// The number of a slow thread that means every other one.
const EVERY_OTHER: u8 = 7;

/// The decisions of one run.
#[derive(Debug)]
pub(super) struct Chance {
    seed: u64,
    what: Disturbance,
    held_ns: u64,
    /// Who came by a place, and how often each.
    places: BTreeMap<Place, Vec<Came>>,
    threads: BTreeMap<u32, u64>,
}

#[derive(Debug)]
struct Came {
    tid: u32,
    times: u32,
}

/// What is decided about somebody who comes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Decided {
    /// How long it is held, ns.
    pub(super) held_ns: u64,
    /// How often it has been here, this time included; 0 where that is not counted any more.
    pub(super) times: u32,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        let what = Disturbance::of(seed);
        Self { seed, what, held_ns: 0, places: BTreeMap::new(), threads: BTreeMap::new() }
    }

    /// A thread comes by.
    pub(super) fn come(&mut self, place: Place, tid: u32) -> Decided {
        if self.places.len() >= MOST_PLACES && !self.places.contains_key(&place) {
            return Decided::default();
        }
        let seen = self.places.entry(place).or_default();
        let ordinal = seen.iter().position(|came| came.tid == tid).unwrap_or_else(|| {
            seen.push(Came { tid, times: 0 });
            seen.len() - 1
        });
        let came = &mut seen[ordinal];
        came.times = came.times.saturating_add(1);
        let times = came.times;
        let late = match &self.what {
            Disturbance::Chance(_) => by_chance(self.seed, place, ordinal as u64),
            Disturbance::Aimed(aim) => {
                let is_meant = |hold: &&Hold| {
                    hold.place == place
                        && (hold.who == Hold::EACH || usize::from(hold.who) == ordinal)
                        && (hold.nth == 0 || u32::from(hold.nth) == times)
                };
                aim.holds.iter().flatten().filter(is_meant).map(|hold| hold.ns()).sum()
            }
        };
        let held_ns = if self.held_ns + late > MOST { 0 } else { late };
        self.held_ns += held_ns;
        Decided { held_ns, times }
    }

    /// The nice value of a thread that is seen for the first time.
    pub(super) fn priority(&mut self, tid: u32) -> Option<i32> {
        if self.threads.contains_key(&tid) || self.threads.len() >= MOST_PLACES {
            return None;
        }
        let ordinal = self.threads.len() as u64;
        self.threads.insert(tid, ordinal);
        let is_slow = match &self.what {
            Disturbance::Chance(seed) => mix(&[*seed, ordinal, 1]).is_multiple_of(SLOW),
            Disturbance::Aimed(aim) if aim.slow == EVERY_OTHER => ordinal % 2 == 1,
            Disturbance::Aimed(aim) => u64::from(aim.slow) == ordinal + 1,
        };
        is_slow.then_some(NICE)
    }
}

/// How late a thread is at a place, ns.
fn by_chance(seed: u64, place: Place, ordinal: u64) -> u64 {
    let place = mix(&[seed, place.number()]);
    let choice = mix(&[place, ordinal]);
    if !place.is_multiple_of(PLACES) || !choice.is_multiple_of(THREADS) {
        return 0;
    }
    LATE[(choice >> 8) as usize % LATE.len()]
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014) over some words.
fn mix(words: &[u64]) -> u64 {
    words.iter().fold(0, |state: u64, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::Aim;

    use super::*;

    fn at(file: &str) -> Place {
        Place::of("worker", "openat", file)
    }

    /// Holds of four threads that each touch three files.
    fn holds(seed: u64, first: u32) -> Vec<u64> {
        let mut chance = Chance::new(seed);
        let files = ["leader", "lock", "out-17"];
        (first..first + 4)
            .flat_map(|tid| files.map(|file| (tid, file)))
            .map(|(tid, file)| chance.come(at(file), tid).held_ns)
            .collect()
    }

    #[test]
    fn a_seed_decides_alike_whatever_the_numbers_of_the_threads() {
        let different = (0..50).filter(|seed| holds(*seed, 100) != holds(seed + 1, 100)).count();
        assert!(different > 20, "{different}");
        for seed in 0..50 {
            assert_eq!(holds(seed, 100), holds(seed, 7000));
        }
    }

    #[test]
    fn some_are_held_and_others_are_not() {
        let all: Vec<u64> = (0..100).flat_map(|seed| holds(seed, 100)).collect();
        let held = all.iter().filter(|ns| **ns > 0).count();
        assert!(held > all.len() / 20 && held < all.len() / 3, "{held} of {}", all.len());
    }

    #[test]
    fn a_run_is_not_held_for_ever() {
        let total = |seed: u64| {
            let mut chance = Chance::new(seed);
            let name = |n: u32| char::from(b'a' + (n % 26) as u8).to_string();
            (0..100_000).map(|n| chance.come(at(&name(n)), n % 50).held_ns).sum::<u64>()
        };
        assert!(total(3) > 0 && total(3) <= MOST, "{}", total(3));
        let hold = Hold { place: at("b"), who: Hold::EACH, nth: 0, late: Hold::LATEST };
        let aimed = total(Aim { holds: [Some(hold), None], ..Aim::default() }.seed());
        assert_eq!(aimed, MOST);
    }

    /// Who is held, as `thread.visit`, when two threads come by twice in turn.
    #[track_caller]
    fn check(who: u8, nth: u8, expected: &[&str]) {
        let hold = Hold { place: at("leader"), who, nth, late: 4 };
        let other = Hold { place: at("other"), who, nth, late: 4 };
        let mut chance = Chance::new(Aim { holds: [Some(other), Some(hold)], ..Aim::default() }.seed());
        let visits = [(500, 1), (501, 1), (500, 2), (501, 2)];
        let held = visits.iter().filter(|(tid, _)| chance.come(at("leader"), *tid).held_ns == hold.ns());
        let words: Vec<String> = held.map(|(tid, visit)| format!("{}.{visit}", tid - 500)).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn an_aim_says_who_and_when() {
        check(0, 1, &["0.1"]);
        check(1, 2, &["1.2"]);
        check(1, 0, &["1.1", "1.2"]);
        check(Hold::EACH, 2, &["0.2", "1.2"]);
        check(3, 0, &[]);
    }

    #[test]
    fn a_thread_gets_its_priority_once() {
        let mut chance = Chance::new(3);
        let slow = (0..400).filter(|tid| chance.priority(*tid).is_some()).count();
        assert!((50..200).contains(&slow), "{slow}");
        assert!((0..400).all(|tid| chance.priority(tid).is_none()));
        let mut chance = Chance::new(Aim { slow: 2, ..Aim::default() }.seed());
        let slow: Vec<u32> = (70..80).filter(|tid| chance.priority(*tid).is_some()).collect();
        assert_eq!(slow, [71]);
    }
}
