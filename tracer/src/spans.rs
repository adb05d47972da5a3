//! Which phase belongs to a span: a table of fixed size, found by span id, without locks.
//!
//! Ids of the `Registry` are `generation:13 | shard:13 | address:38`, and addresses are dense and used again
//! last-in-first-out. The generation is left out of the hash, so that a span which takes the place of
//! another meets the same cache line. That layout is private to `sharded-slab`: if it changes, the
//! whole id is still compared, and all that is lost is time.
//!
//! A span has its entry in a window of [`WINDOW`] places; a look-up always goes through the window, so an entry
//! that was given up needs no tombstone.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use hangdog_flight::PhaseId;

const WINDOW: usize = 16;
/// Twice the open phases of the largest recorder.
const PLACES: usize = 1 << 14;
const GENERATION_BITS: u32 = 13;

pub(crate) struct Spans {
    places: Box<[Place]>,
}

struct Place {
    /// The span's id; 0 when free.
    span: AtomicU64,
    phase: AtomicU64,
}

impl Spans {
    pub(crate) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| Place { span: AtomicU64::new(0), phase: AtomicU64::new(0) }).collect() }
    }

    fn window(&self, span: u64) -> impl Iterator<Item = &Place> {
        let dense = (span.wrapping_sub(1) << GENERATION_BITS) >> GENERATION_BITS;
        // Neighbours in the slab stay neighbours here; shards are spread.
        let start = (dense as usize).wrapping_add(((dense >> 38) as usize).wrapping_mul(0x9e37));
        (0..WINDOW).map(move |step| &self.places[start.wrapping_add(step) % PLACES])
    }

    /// Whether there was room.
    pub(crate) fn insert(&self, span: u64, phase: PhaseId) -> bool {
        for place in self.window(span) {
            let free = place.span.load(Relaxed) == 0;
            if free && place.span.compare_exchange(0, span, Acquire, Relaxed).is_ok() {
                place.phase.store(phase.word(), Release);
                return true;
            }
        }
        false
    }

    pub(crate) fn get(&self, span: u64) -> Option<PhaseId> {
        let place = self.window(span).find(|place| place.span.load(Acquire) == span)?;
        PhaseId::from_word(place.phase.load(Acquire))
    }

    pub(crate) fn remove(&self, span: u64) -> Option<PhaseId> {
        let place = self.window(span).find(|place| place.span.load(Acquire) == span)?;
        let phase = place.phase.swap(0, Relaxed);
        place.span.store(0, Release);
        PhaseId::from_word(phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spans: &Spans, span: u64, expected: Option<u64>) {
        assert_eq!(spans.get(span).map(PhaseId::word), expected);
    }

    #[test]
    fn a_span_is_found_until_it_is_removed_and_a_full_window_takes_no_more() {
        let spans = Spans::new();
        let phase = |n| PhaseId::from_word(n).unwrap();
        // All in one window: the same address in other generations.
        let id = |generation: u64| 5 | generation << 51;
        for n in 1..=WINDOW as u64 {
            assert!(spans.insert(id(n), phase(n)));
        }
        assert!(!spans.insert(id(99), phase(99)));
        check(&spans, id(WINDOW as u64), Some(WINDOW as u64));
        assert_eq!(spans.remove(id(1)), Some(phase(1)));
        check(&spans, id(1), None);
        check(&spans, id(2), Some(2));
        assert!(spans.insert(id(99), phase(99)));
        check(&spans, id(99), Some(99));
        assert_eq!(spans.remove(id(1)), None);
    }
}
