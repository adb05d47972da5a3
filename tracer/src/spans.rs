//! Which phase belongs to a span: a table of the process's own memory, found by span id, without locks.
//!
//! Ids of the `Registry` are, minus one, `generation:13 | shard:13 | address:38`. A shard belongs to a thread, and its
//! addresses are dense and used again last-in-first-out, so they are the index:
//!
//! ```text
//!   shards[shard] ──▶ near: places of addresses 0..1024        made at the first span of a thread
//!                     far:  1024..2048, 2048..4096, …           made when so many are open at once
//!   elsewhere: a hash table, when a place is taken or the address is beyond all that
//! ```
//!
//! That layout is private to `sharded-slab`. If it changes, or the ids are another subscriber's, an id that
//! is not found in its own place is a miss and goes to the hash table: a place says whose it is.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use hangdog_flight::PhaseId;

const ADDRESS_BITS: u32 = 38;
const SHARD_BITS: u32 = 13;
/// As many threads as `sharded-slab` knows.
const SHARDS: usize = 4096;
const NEAR: usize = 1024;
/// Each as large as all before it: up to the open phases of the largest recorder.
const FAR: usize = 9;

pub(crate) struct Spans {
    shards: Box<[OnceLock<Box<Shard>>]>,
    elsewhere: OnceLock<Hashed>,
}

/// On lines of its own: one thread writes here, and what lies before it on the heap may be another's.
#[repr(align(128))]
struct Shard {
    near: [Place; NEAR],
    far: [OnceLock<Box<[Place]>>; FAR],
}

/// Written as a whole by one thread after the other, as long as the layout of ids is what it is said to be. Should two
/// write at once, the words do not belong together, and `check` says so.
struct Place {
    /// The phase; 0 when free.
    phase: AtomicU64,
    /// The span's id, with the phase mixed in.
    check: AtomicU64,
}

impl Place {
    const fn new() -> Self {
        Self { phase: AtomicU64::new(0), check: AtomicU64::new(0) }
    }

    #[inline]
    fn check(span: u64, phase: u64) -> u64 {
        span ^ phase.rotate_left(23)
    }

    #[inline]
    fn get(&self, span: u64) -> Option<PhaseId> {
        let phase = self.phase.load(Relaxed);
        PhaseId::from_word(phase).filter(|_| self.check.load(Relaxed) == Self::check(span, phase))
    }

    #[inline]
    fn set(&self, span: u64, phase: u64) {
        self.phase.store(phase, Relaxed);
        self.check.store(Self::check(span, phase), Relaxed);
    }
}

impl Spans {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| OnceLock::new()).collect(), elsewhere: OnceLock::new() }
    }

    /// The place of a span's own, if there is memory for it.
    #[inline]
    fn place(&self, span: u64) -> Option<&Place> {
        let index = span.wrapping_sub(1);
        let shard = self.shards.get((index >> ADDRESS_BITS) as usize & ((1 << SHARD_BITS) - 1))?.get()?;
        let address = (index & ((1 << ADDRESS_BITS) - 1)) as usize;
        match shard.near.get(address) {
            Some(place) => Some(place),
            None => shard.far(address),
        }
    }

    /// Whether there was room.
    #[inline]
    pub(crate) fn insert(&self, span: u64, phase: PhaseId) -> bool {
        match self.place(span) {
            Some(place) if place.phase.load(Relaxed) == 0 => {
                place.set(span, phase.word());
                true
            }
            _ => self.insert_slowly(span, phase),
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_slowly(&self, span: u64, phase: PhaseId) -> bool {
        self.make_place(span);
        match self.place(span) {
            Some(place) if place.phase.load(Relaxed) == 0 => {
                place.set(span, phase.word());
                true
            }
            _ => self.elsewhere.get_or_init(Hashed::new).insert(span, phase),
        }
    }

    /// Memory for a span's place: for many spans at once. Only the shard's own thread asks for it.
    fn make_place(&self, span: u64) {
        let index = span.wrapping_sub(1);
        let shard = (index >> ADDRESS_BITS) as usize & ((1 << SHARD_BITS) - 1);
        let Some(shard) = self.shards.get(shard) else { return };
        let shard = shard.get_or_init(|| {
            Box::new(Shard { near: [const { Place::new() }; NEAR], far: [const { OnceLock::new() }; FAR] })
        });
        let address = (index & ((1 << ADDRESS_BITS) - 1)) as usize;
        let Some(far) = Shard::far_of(address).and_then(|(far, _)| shard.far.get(far).zip(Some(NEAR << far))) else {
            return;
        };
        let (far, places) = far;
        let _made = far.get_or_init(|| (0..places).map(|_| Place::new()).collect());
    }

    #[inline]
    pub(crate) fn get(&self, span: u64) -> Option<PhaseId> {
        match self.place(span).and_then(|place| place.get(span)) {
            Some(phase) => Some(phase),
            None => self.elsewhere.get()?.get(span),
        }
    }

    pub(crate) fn remove(&self, span: u64) -> Option<PhaseId> {
        self.remove_from_its_place(span).or_else(|| self.elsewhere.get()?.remove(span))
    }

    /// The same for one that has the place of its own.
    #[inline]
    pub(crate) fn remove_from_its_place(&self, span: u64) -> Option<PhaseId> {
        let place = self.place(span)?;
        let phase = place.get(span)?;
        place.phase.store(0, Relaxed);
        Some(phase)
    }
}

impl Shard {
    /// Which of `far` an address is in, and where there.
    #[inline]
    fn far_of(address: usize) -> Option<(usize, usize)> {
        let far = (address / NEAR).checked_ilog2()? as usize;
        Some((far, address - (NEAR << far)))
    }

    #[cold]
    fn far(&self, address: usize) -> Option<&Place> {
        let (far, at) = Self::far_of(address)?;
        self.far.get(far)?.get()?.get(at)
    }
}

/// Open addressing, by the whole id. A span has its entry in a window of places; a look-up always goes through the
/// window, so an entry that was given up needs no tombstone.
pub(crate) struct Hashed {
    places: Box<[HashedPlace]>,
}

struct HashedPlace {
    /// The span's id; 0 when free.
    span: AtomicU64,
    phase: AtomicU64,
}

impl Hashed {
    const WINDOW: usize = 16;
    const PLACES: usize = 1 << 14;

    pub(crate) fn new() -> Self {
        let place = |_| HashedPlace { span: AtomicU64::new(0), phase: AtomicU64::new(0) };
        Self { places: (0..Self::PLACES).map(place).collect() }
    }

    fn window(&self, span: u64) -> impl Iterator<Item = &HashedPlace> {
        let start = Self::start(span);
        (0..Self::WINDOW).map(move |step| &self.places[(start + step) % Self::PLACES])
    }

    fn start(span: u64) -> usize {
        (span.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % Self::PLACES
    }

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

    /// As `sharded-slab` makes them.
    fn id(generation: u64, shard: u64, address: u64) -> u64 {
        (generation << (ADDRESS_BITS + SHARD_BITS) | shard << ADDRESS_BITS | address) + 1
    }

    fn phase(number: u64) -> PhaseId {
        PhaseId::from_word(number).unwrap()
    }

    #[track_caller]
    fn check(spans: &[u64]) {
        let table = Spans::new();
        for (span, number) in spans.iter().zip(1..) {
            assert_eq!(table.get(*span), None);
            assert!(table.insert(*span, phase(number)), "no room for {span:#x}");
        }
        for (span, number) in spans.iter().zip(1..) {
            assert_eq!(table.get(*span), Some(phase(number)), "{span:#x}");
        }
        for (span, number) in spans.iter().zip(1..) {
            assert_eq!(table.remove(*span), Some(phase(number)), "{span:#x}");
            assert_eq!((table.get(*span), table.remove(*span)), (None, None), "{span:#x}");
        }
    }

    #[test]
    fn a_span_has_the_phase_that_it_was_given_until_it_is_removed() {
        check(&[id(0, 0, 0), id(0, 0, 1), id(0, 1, 0), id(8191, 4095, 1023)]);
        // Near, far and beyond all places.
        check(&[
            id(1, 3, 1023),
            id(1, 3, 1024),
            id(1, 3, 2047),
            id(1, 3, 2048),
            id(1, 3, 524_287),
            id(1, 3, 524_288),
        ]);
        // More shards than there are.
        check(&[id(0, 4096, 7), id(0, 8191, 7), u64::MAX, 1 << 63]);
        // One place for all: the layout is not what it was.
        check(&[id(1, 0, 5), id(2, 0, 5), id(3, 0, 5), id(4, 0, 5)]);
        // 100,000 at once.
        check(&(0..100_000).map(|address| id(address % 8192, 2, address)).collect::<Vec<_>>());
    }

    #[test]
    fn a_place_whose_words_do_not_belong_together_is_a_miss() {
        let (first, second) = (id(1, 0, 5), id(2, 0, 5));
        let place = Place::new();
        place.set(first, 7);
        place.phase.store(9, Relaxed);
        assert_eq!((place.get(first), place.get(second)), (None, None));
        place.check.store(Place::check(second, 9), Relaxed);
        assert_eq!((place.get(first), place.get(second)), (None, Some(phase(9))));
    }

    #[test]
    fn a_full_window_takes_no_more() {
        let table = Hashed::new();
        let mut same_window = (1..).filter(|span| Hashed::start(*span) == 5);
        for span in same_window.by_ref().take(Hashed::WINDOW) {
            assert!(table.insert(span, phase(span)));
        }
        let one_more = same_window.next().unwrap();
        assert!(!table.insert(one_more, phase(one_more)));
        assert_eq!(table.get(one_more), None);
    }
}
