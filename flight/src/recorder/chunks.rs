//! Which slots are free. Chunks of slots belong to threads (to their entries, to be exact: who takes an entry
//! over inherits the chunks), and a thread keeps its own free slots in a list that nobody else touches:
//!
//! ```text
//!   book.free ──▶ slot 12 ──▶ slot 70 ──▶ none        taken and kept by the owner: no atomic operation
//!   given_back[entry] ──▶ slot 3 ──▶ slot 9 ──▶ none  pushed by others; the owner takes the whole list at once
//!   book.fresh .. fresh_end                            of the newest chunks, never used
//! ```
//!
//! The links are in the free slots themselves, which others may scribble on: every one is checked before it is
//! followed, and a list that is wrong is given up.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{CHUNKS, Recorder};
use crate::Loss;
use crate::book::Book;
use crate::layout::{PAGE, WORD, header, slot};
use crate::slot::Slot;

/// Most chunks that a thread asks for at once.
const MOST_AT_ONCE: u64 = 64;
/// So many phases are dropped before a thread asks again, after there was no memory: asking takes a microsecond.
const PAUSE: u32 = 1000;

impl Recorder {
    /// Takes a free slot; counted as `loss` when there is none.
    #[inline(always)]
    pub(super) fn take_slot(&'static self, book: &Book, loss: Loss) -> Option<(usize, &'static Slot)> {
        Self::take_kept(book).or_else(|| self.take_slowly(book, loss))
    }

    /// Takes a slot from the thread's own list. Nothing is lost when there is none: [`Self::take_slot`] looks further.
    #[inline(always)]
    pub(super) fn take_kept(book: &Book) -> Option<(usize, &'static Slot)> {
        let index = (book.free.get() as usize).checked_sub(1)?;
        let slots = book.slots.get()?;
        let slot = slots.get(index).filter(|slot| slot::state(slot[slot::COMMIT].load(Relaxed)) == slot::FREE)?;
        book.free.set(slot[slot::PARENT].load(Relaxed));
        Some((index, slot))
    }

    #[cold]
    #[inline(never)]
    fn take_slowly(&'static self, book: &Book, loss: Loss) -> Option<(usize, &'static Slot)> {
        // Empty, or scribbled on: then what hung on it is lost.
        book.free.set(0);
        // Whoever gave a slot back is done with it: this Acquire meets the Release of `give`.
        let given_back = self.given_back[book.entry.get() as usize].swap(0, Acquire);
        if let Some(index) = (given_back as usize).checked_sub(1)
            && let Some(slot) = self.slots.get(index)
            && slot::state(slot[slot::COMMIT].load(Relaxed)) == slot::FREE
        {
            book.free.set(slot[slot::PARENT].load(Relaxed));
            return Some((index, slot));
        }
        if book.fresh.get() == book.fresh_end.get() && !self.claim_chunks(book) {
            self.lose(loss);
            return None;
        }
        let index = book.fresh.get();
        book.fresh.set(index + 1);
        let slot = &self.slots[index as usize];
        slot[slot::COMMIT].store(self.first_generation | slot::FREE, Relaxed);
        Some((index as usize, slot))
    }

    /// Makes chunks the thread's own, each time more of them: a program of 100,000 open phases asks often enough.
    fn claim_chunks(&self, book: &Book) -> bool {
        if let Some(less) = book.pause.get().checked_sub(1) {
            book.pause.set(less);
            return false;
        }
        let all = self.chunk_owners.len() as u64;
        let mut wanted = book.next_chunks.get().clamp(1, MOST_AT_ONCE);
        let used = &self.used[CHUNKS];
        let (first, count) = loop {
            let claim = |used: u64| (used < all).then(|| used + wanted.min(all - used));
            let Ok(first) = used.fetch_update(Relaxed, Relaxed, claim) else { return false };
            let (first, count) = (first as usize, wanted.min(all - first) as usize);
            if self.give_memory(self.places.slots + first * PAGE, count * PAGE) {
                break (first, count);
            }
            // The tmpfs is full. Without memory nobody may touch them: they go back, unless others were taken since.
            let _or_unused = used.compare_exchange((first + count) as u64, first as u64, Relaxed, Relaxed);
            if wanted == 1 {
                book.pause.set(PAUSE);
                book.next_chunks.set(1);
                return false;
            }
            // Not for so many; for a few there may be room.
            wanted /= 2;
        };
        self.header[header::CHUNKS_USED].fetch_max((first + count) as u64, Relaxed);
        for owner in &self.chunk_owners[first..first + count] {
            owner.store(u64::from(book.entry.get()) + 1, Relaxed);
        }
        let (begin, slots) = ((first * slot::CHUNK) as u64, (count * slot::CHUNK) as u64);
        if begin == book.own.get() + book.own_count.get() {
            book.own_count.set(book.own_count.get() + slots);
        } else {
            book.own.set(begin);
            book.own_count.set(slots);
        }
        book.fresh.set(begin);
        book.fresh_end.set(begin + slots);
        book.next_chunks.set(wanted * 2);
        true
    }

    /// Whether a slot is of one of the thread's own chunks.
    pub(super) fn owns(&self, book: &Book, index: usize) -> bool {
        self.chunk_owners
            .get(index / slot::CHUNK)
            .is_some_and(|owner| owner.load(Relaxed) == u64::from(book.entry.get()) + 1)
    }

    /// The same by the book alone. It may be one of its own nevertheless.
    #[inline(always)]
    pub(super) fn owns_surely(book: &Book, index: usize) -> bool {
        (index as u64).wrapping_sub(book.own.get()) < book.own_count.get()
    }

    /// Puts a slot of the thread's own into its list. It is free already.
    #[inline(always)]
    pub(super) fn keep(book: &Book, slot: &Slot, index: usize) {
        slot[slot::PARENT].store(book.free.get(), Relaxed);
        book.free.set(index as u64 + 1);
    }

    /// Gives a slot back to its owner. It is free already.
    pub(super) fn give(&self, book: Option<&Book>, index: usize) {
        let slot = &self.slots[index];
        if let Some(book) = book.filter(|book| self.owns(book, index)) {
            return Self::keep(book, slot, index);
        }
        let owner = self.chunk_owners[index / slot::CHUNK].load(Relaxed) as usize;
        let Some(list) = owner.checked_sub(1).and_then(|owner| self.given_back.get(owner)) else { return };
        let mut first = list.load(Relaxed);
        loop {
            slot[slot::PARENT].store(first, Relaxed);
            // Only ever pushed to, and taken as a whole: that the same slot is first again means no harm.
            match list.compare_exchange_weak(first, index as u64 + 1, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }
}

const _: () = assert!(slot::CHUNK * slot::WORDS * WORD == PAGE && slot::STACK * slot::WORDS * WORD == PAGE);
