//! Who is held for how long, and who runs at a lower priority: by a seed alone, so that it can be done again. Pure.
//!
//! A race is lost when one thread is late between what it looks at and what it does. So a place (program, call, name of
//! the file) is chosen first, then some of the threads that come by there: the others go on, and overtake.

use std::collections::BTreeMap;

use hangdog_schemas::record::Call;

/// One of so many places is chosen.
const PLACES: u64 = 4;
/// One of so many threads is late at a chosen place.
const THREADS: u64 = 2;
/// One of so many threads runs at a lower priority.
const SLOW: u64 = 4;
/// How late, ns: races are lost by microseconds in one program and by tenths of a second in another.
const LATE: [u64; 5] = [500_000, 2_000_000, 8_000_000, 30_000_000, 100_000_000];
/// All that a run is held for, ns: what makes it longer by much finds fewer failures in the same time.
const MOST: u64 = 1_500_000_000;
/// Places that are told apart.
const MOST_PLACES: usize = 4096;
/// The nice value of those that run at a lower priority.
const NICE: i32 = 15;

/// The decisions of one run.
#[derive(Debug)]
pub(super) struct Chance {
    seed: u64,
    held_ns: u64,
    /// How many threads have come by a place, and which.
    places: BTreeMap<u64, Vec<u32>>,
    threads: BTreeMap<u32, u64>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, held_ns: 0, places: BTreeMap::new(), threads: BTreeMap::new() }
    }

    /// How long a call is held, ns.
    pub(super) fn hold(&mut self, call: &Call) -> u64 {
        let place = mix(&[self.seed, text(&call.comm), text(&call.name), text(object(call))]);
        if !place.is_multiple_of(PLACES) || (self.places.len() >= MOST_PLACES && !self.places.contains_key(&place)) {
            return 0;
        }
        let seen = self.places.entry(place).or_default();
        let ordinal = seen.iter().position(|tid| *tid == call.tid.0).unwrap_or_else(|| {
            seen.push(call.tid.0);
            seen.len() - 1
        });
        let choice = mix(&[place, ordinal as u64]);
        if !choice.is_multiple_of(THREADS) {
            return 0;
        }
        let late = LATE[(choice >> 8) as usize % LATE.len()];
        if self.held_ns + late > MOST {
            return 0;
        }
        self.held_ns += late;
        late
    }

    /// The nice value of a thread that is seen for the first time.
    pub(super) fn priority(&mut self, tid: u32) -> Option<i32> {
        if self.threads.contains_key(&tid) || self.threads.len() >= MOST_PLACES {
            return None;
        }
        let ordinal = self.threads.len() as u64;
        self.threads.insert(tid, ordinal);
        mix(&[self.seed, ordinal, 1]).is_multiple_of(SLOW).then_some(NICE)
    }
}

/// What a call is about, without what differs from run to run: directories and numbers.
fn object(call: &Call) -> &str {
    let path = call.paths.last().map(|path| path.rsplit('/').next().unwrap_or_default());
    let name = path.or(call.request.as_deref()).unwrap_or_default();
    name.trim_end_matches(|c: char| c.is_ascii_alphanumeric() && !c.is_ascii_lowercase())
}

fn text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
    use hangdog_schemas::{Pid, Tid, When};

    use super::*;

    fn call(tid: u32, name: &str, path: &str) -> Call {
        Call {
            when: When::default(),
            pid: Pid(tid),
            tid: Tid(tid),
            parent: Pid(1),
            inner: None,
            comm: "worker".to_owned(),
            name: name.to_owned(),
            number: 0,
            paths: vec![path.to_owned()],
            flags: Vec::new(),
            address: None,
            fd: None,
            request: None,
            held_ns: 0,
        }
    }

    /// Holds of four threads that each touch three files.
    fn holds(seed: u64, first: u32) -> Vec<u64> {
        let mut chance = Chance::new(seed);
        let files = ["/tmp/a/leader", "/tmp/a/lock", "/tmp/a/out-17"];
        (first..first + 4)
            .flat_map(|tid| files.map(|file| (tid, file)))
            .map(|(tid, file)| chance.hold(&call(tid, "openat", file)))
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
        let mut chance = Chance::new(3);
        let total: u64 = (0..100_000).map(|n| chance.hold(&call(n % 50, "openat", &format!("/x/{n}")))).sum();
        assert!(total <= MOST, "{total}");
    }

    #[test]
    fn a_thread_gets_its_priority_once() {
        let mut chance = Chance::new(3);
        let slow = (0..400).filter(|tid| chance.priority(*tid).is_some()).count();
        assert!((50..200).contains(&slow), "{slow}");
        assert!((0..400).all(|tid| chance.priority(tid).is_none()));
    }
}
