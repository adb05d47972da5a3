//! Which slots are taken: a bit each, in words of the process's own memory, 64 slots a word and a word a
//! cache line.
//!
//! A thread begins at the segment it is given and so rarely meets another one; any thread may
//! free any slot, and a thread that ends leaves nothing behind. Readers never see this: they go by the commit
//! words.

use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

use crate::map::{self, Words};

/// Words from one segment to the next: a cache line.
const STRIDE: usize = 8;
/// How often to try a segment whose bits others take at the same moment.
const TRIES: usize = 4;

pub(crate) struct Pool {
    taken: Words,
    segments: usize,
}

impl Pool {
    /// For `slots` slots, a multiple of 64.
    pub(crate) fn new(slots: usize) -> rustix::io::Result<Self> {
        let segments = slots / 64;
        Ok(Self { taken: map::private(segments * STRIDE * 8)?, segments })
    }

    /// Takes a slot, from the segment `near` if it can be. `None` when all are taken.
    pub(crate) fn take(&self, near: usize) -> Option<usize> {
        (0..self.segments).find_map(|step| self.take_from((near + step) % self.segments))
    }

    fn take_from(&self, segment: usize) -> Option<usize> {
        let word = &self.taken[segment * STRIDE];
        for _ in 0..TRIES {
            let free = !word.load(Relaxed);
            if free == 0 {
                return None;
            }
            let bit = free.trailing_zeros();
            if word.fetch_or(1 << bit, AcqRel) & 1 << bit == 0 {
                return Some(segment * 64 + bit as usize);
            }
        }
        None
    }

    /// Gives a slot back.
    pub(crate) fn free(&self, slot: usize) {
        if let Some(word) = self.taken.get(slot / 64 * STRIDE) {
            word.fetch_and(!(1 << (slot % 64)), Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_given_once_and_again_after_it_was_freed() {
        let pool = Pool::new(128).unwrap();
        let mut taken: Vec<_> = std::iter::from_fn(|| pool.take(1)).collect();
        assert_eq!((taken.len(), taken[0]), (128, 64), "begins at the segment asked for");
        taken.sort_unstable();
        assert!(taken.iter().copied().eq(0..128));
        pool.free(17);
        assert_eq!((pool.take(1), pool.take(1)), (Some(17), None));
    }

    #[test]
    fn threads_never_get_the_same_slot() {
        let pool = Pool::new(256).unwrap();
        let owned: Vec<_> = (0..256).map(|_| std::sync::atomic::AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                let (pool, owned) = (&pool, &owned);
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        let Some(slot) = pool.take(0) else { continue };
                        assert_eq!(owned[slot].swap(thread, AcqRel), 0);
                        assert_eq!(owned[slot].swap(0, AcqRel), thread);
                        pool.free(slot);
                    }
                });
            }
        });
    }
}
