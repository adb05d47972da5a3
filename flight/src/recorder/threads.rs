//! How threads come by an entry, a stack and a book, and what they leave when they end.
//!
//! An entry keeps its stack's memory, its ring and its chunks of slots; the thread that takes it over next goes on
//! with them, so that threads which come and go cost nothing more.
#![expect(unsafe_code, reason = "a thread that has claimed an entry takes its book")]

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{History, Recorder};
use crate::book::Book;
use crate::clock::ClockSource;
use crate::layout::{PAGE, header, slot, thread};
use crate::sync::AtomicU64;
use crate::{Loss, names};

impl Recorder {
    /// Makes an entry the calling thread's own: the one that ended longest ago, else a fresh one. Ended ones come
    /// first once there are some, but not at once, so that their history lasts a little.
    #[cold]
    pub(crate) fn attach(&'static self) -> Option<&'static Book> {
        if self.is_foreign() {
            return None;
        }
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        for _ in 0..4 {
            let (at, words, commit) = self.free_entry()?;
            let claimed = commit & !3 | thread::CLAIMED;
            if words[thread::COMMIT].compare_exchange(commit, claimed, AcqRel, Relaxed).is_ok() {
                return self.settle(at, words, commit, tid);
            }
        }
        self.lose(Loss::Thread);
        None
    }

    fn free_entry(&'static self) -> Option<(usize, &'static [AtomicU64; thread::WORDS], u64)> {
        let entries =
            || self.entries().enumerate().map(|(at, words)| (at, words, words[thread::COMMIT].load(Acquire)));
        let ended = || entries().filter(|(_, _, commit)| commit & 3 == thread::ENDED_STATE);
        let fresh = || entries().find(|(_, _, commit)| commit & 3 == thread::NEVER);
        let longest_ended = || ended().min_by_key(|(_, words, _)| words[thread::ENDED].load(Relaxed));
        let found = if ended().count() < KEPT_ENDED { fresh().or_else(longest_ended) } else { longest_ended() };
        if found.is_none() {
            self.lose(Loss::Thread);
        }
        found
    }

    fn entries(&'static self) -> impl Iterator<Item = &'static [AtomicU64; thread::WORDS]> {
        self.threads.chunks_exact(thread::WORDS).filter_map(|words| words.try_into().ok())
    }

    fn settle(
        &'static self,
        at: usize,
        words: &'static [AtomicU64; thread::WORDS],
        commit: u64,
        tid: u32,
    ) -> Option<&'static Book> {
        // Its own page of the stacks, once.
        if commit >> 2 == 0 && !self.give_memory(self.places.stacks + at * PAGE, PAGE) {
            words[thread::COMMIT].store(commit, Release);
            self.lose(Loss::Thread);
            return None;
        }
        // SAFETY: the entry was claimed by this thread, by an exchange that only one can win, and stays its own until
        // `detach`, after which the thread-local that holds the reference is empty.
        let book = unsafe { self.books.of(at) }?;
        let begin = at * slot::STACK;
        let stack: &'static [_; slot::STACK] = self.stacks.get(begin..begin + slot::STACK)?.try_into().ok()?;
        if commit >> 2 == 0 {
            for slot in stack {
                slot[slot::COMMIT].store(self.first_generation | slot::FREE, Relaxed);
            }
        }
        book.stack.set(Some(stack));
        let is_usual = self.is_own
            && matches!(self.clock, ClockSource::Tick | ClockSource::Tsc)
            && self.history == History::Meaning;
        book.counts.set(self.clock == ClockSource::Tsc);
        book.quick.set(is_usual.then_some(stack));
        book.stack_begin.set((self.slots.len() + begin) as u64);
        book.depth.set(0);
        book.entered_depth.set(0);
        book.too_deep.set(0);
        book.thread.set(Some(words));
        book.entry.set(at as u32);
        book.tid.set(tid);
        book.flags.set(if self.history == History::All { slot::MEANS | slot::SAID } else { 0 });
        book.recorder.set(Some(self));
        words[thread::TID].store(u64::from(tid), Relaxed);
        for word in &stack[slot::STACK_DEPTH].words()[1..] {
            word.store(0, Relaxed);
        }
        store_name(words);
        self.header[header::THREADS_HIGH].fetch_max(at as u64 + 1, Relaxed);
        words[thread::COMMIT].store(((commit >> 2) + 1) << 2 | thread::LIVE, Release);
        Some(book)
    }

    /// The calling thread ends, or leaves this recorder.
    pub(crate) fn detach(&'static self, book: &'static Book) {
        book.recorder.set(None);
        let Some(words) = book.thread.take() else { return };
        book.set_current(0);
        book.depth.set(0);
        // Guards that were forgotten.
        book.quick.set(None);
        book.ring.set(None);
        for slot in book.stack.take().into_iter().flatten() {
            slot.free(slot[slot::COMMIT].load(Relaxed));
        }
        words[thread::ENDED].store(self.clock.now(), Relaxed);
        let commit = words[thread::COMMIT].load(Relaxed);
        words[thread::COMMIT].store(commit & !3 | thread::ENDED_STATE, Release);
    }
}

/// So many entries of ended threads are kept before one is used again.
const KEPT_ENDED: usize = 8;

fn store_name(words: &[AtomicU64; thread::WORDS]) {
    let mut comm = [0; 16];
    if let Ok(name) = rustix::thread::name() {
        let name = name.as_bytes();
        let length = name.len().min(16);
        comm[..length].copy_from_slice(&name[..length]);
    }
    names::store_bytes(&words[thread::COMM..thread::COMM + 2], &comm);
}
