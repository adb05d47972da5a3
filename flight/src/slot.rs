//! A slot: eight shared words on a cache line of their own. What they say stands in [`crate::layout::slot`].

use std::ops::Index;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::layout::slot;
use crate::sync::AtomicU64;

/// See [`crate::layout::slot`].
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot([AtomicU64; slot::WORDS]);

impl Index<usize> for Slot {
    type Output = AtomicU64;

    #[inline(always)]
    fn index(&self, word: usize) -> &AtomicU64 {
        &self.0[word]
    }
}

impl Slot {
    pub(crate) fn words(&self) -> &[AtomicU64; slot::WORDS] {
        &self.0
    }

    /// Which one of these slots it is.
    pub(crate) fn index_in(&self, slots: &[Self]) -> Option<usize> {
        let bytes = std::ptr::from_ref(self).addr().checked_sub(slots.as_ptr().addr())?;
        Some(bytes / size_of::<Self>()).filter(|index| *index < slots.len())
    }

    /// Whether `phase` is open here. The slot's index was taken from its number.
    #[inline]
    pub(crate) fn is_open(&self, phase: u64) -> bool {
        let commit = self[slot::COMMIT].load(Acquire);
        (commit ^ (slot::generation(phase) | slot::OPEN)) & (slot::generation(u64::MAX) | 3) == 0
    }

    /// Changes flags of a phase's commit word as long as it is open. Says the word from before.
    pub(crate) fn change(&self, phase: u64, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let change = |commit| {
            let open = slot::generation(commit) == slot::generation(phase) && slot::state(commit) == slot::OPEN;
            if open { change(commit) } else { None }
        };
        self[slot::COMMIT].fetch_update(AcqRel, Relaxed, change).ok()
    }

    /// The phase is over: nobody reads the other words any more. Whoever writes them next orders this before it.
    #[inline(always)]
    pub(crate) fn free(&self, commit: u64) {
        #[cfg(not(loom))]
        self[slot::COMMIT].store(slot::generation(commit) | slot::FREE, Release);
        // loom 0.7 has a plain store and the exchange of another thread in no order, though the one cannot come between
        // the exchange and what that read.
        #[cfg(loom)]
        self[slot::COMMIT].swap(slot::generation(commit) | slot::FREE, Release);
    }
}
