//! How threads come by an entry, a stack and a book, and what they leave when they end.
//!
//! An entry keeps its stack's memory, its ring and its chunks of slots; the thread that takes it over next goes on
//! with them, so that threads which come and go cost nothing more.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{History, Recorder};
use crate::book::{Book, Entered, Look};
use crate::clock::ClockSource;
use crate::layout::{PAGE, header, slot, thread};
use crate::sync::{AtomicU64, fence};
use crate::{Loss, names};

impl Recorder {
    /// Makes an entry the calling thread's own: the one that ended longest ago, else a fresh one. Ended ones come
    /// first once there are some, but not at once, so that their history lasts a little.
    #[cold]
    pub(crate) fn attach(&'static self) -> Option<&'static Book> {
        if self.is_foreign() {
            return None;
        }
        let ended = self.states().filter(|(_, _, state)| *state == thread::ENDED_STATE).count();
        let claim = if ended < KEPT_ENDED {
            self.claim_fresh().or_else(|| self.claim_ended())
        } else {
            self.claim_ended().or_else(|| self.claim_fresh())
        };
        let book = claim.and_then(|claim| self.settle(claim));
        if book.is_none() {
            self.lose(Loss::Thread);
        }
        book
    }

    fn claim_fresh(&'static self) -> Option<Claim> {
        let mut fresh = self.states().filter(|(_, _, state)| *state == thread::NEVER);
        fresh.find_map(|(at, words, _)| Claim::of(self, at, words))
    }

    /// Each of them once: another thread may take it at this moment, or its own may not be quite gone.
    fn claim_ended(&'static self) -> Option<Claim> {
        let mut tried = None;
        loop {
            let ended = self.states().filter(|(_, _, state)| *state == thread::ENDED_STATE);
            let timed = ended.map(|(at, words, _)| ((words[thread::ENDED].load(Relaxed), at), words));
            let later = timed.filter(|(time, _)| tried.is_none_or(|tried| *time > tried));
            let (time, words) = later.min_by_key(|(time, _)| *time)?;
            if let Some(claim) = Claim::of(self, time.1, words) {
                return Some(claim);
            }
            tried = Some(time);
        }
    }

    /// All entries, with what the file says of them. It may say what is not so: who claims one finds out.
    fn states(&'static self) -> impl Iterator<Item = (usize, Entry, u64)> {
        let entries = self.threads.chunks_exact(thread::WORDS).filter_map(|words| words.try_into().ok());
        entries.enumerate().map(|(at, words): (usize, Entry)| (at, words, words[thread::COMMIT].load(Relaxed) & 3))
    }

    fn settle(&'static self, Claim { at, words, book, is_first }: Claim) -> Option<&'static Book> {
        // Its own page of the stacks, once.
        if is_first && !self.give_memory(self.places.stacks + at * PAGE, PAGE) {
            self.books.give_up(at);
            return None;
        }
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let commit = words[thread::COMMIT].load(Relaxed);
        words[thread::COMMIT].store(commit & !3 | thread::CLAIMED, Relaxed);
        // Readers must not see what follows under the thread before.
        fence(Release);
        let begin = at * slot::STACK;
        let stack: &'static [_; slot::STACK] = self.stacks.get(begin..begin + slot::STACK)?.try_into().ok()?;
        if is_first {
            for slot in stack {
                slot[slot::COMMIT].store(self.first_generation | slot::FREE, Relaxed);
            }
        }
        book.stack.set(Some(stack));
        let is_usual = self.is_own
            && matches!(self.clock, ClockSource::Tick | ClockSource::Tsc)
            && self.history == History::Meaning;
        book.is_own.set(self.is_own);
        book.look.set(Look::at(self.clock));
        book.quick.set(is_usual.then_some(stack));
        book.quick_home.set((book.look.get() != Look::Call).then_some(&stack[slot::STACK_DEPTH]));
        book.slots.set(Some(self.slots));
        book.stack_begin.set((self.slots.len() + begin) as u64);
        book.depth.set(0);
        book.entered_depth.set(0);
        book.too_deep.set(0);
        for place in &book.entered {
            place.become_like(&Entered::default());
        }
        book.thread.set(Some(words));
        book.entry.set(at as u32);
        book.tid.set(tid);
        book.whose.set(slot::entry(tid, 0));
        book.flags.set(if self.history == History::All { slot::MEANS | slot::SAID } else { 0 });
        book.recorder.set(Some(self));
        words[thread::TID].store(u64::from(tid), Relaxed);
        for word in &stack[slot::STACK_DEPTH].words()[1..] {
            word.store(0, Relaxed);
        }
        store_name(words);
        self.header[header::THREADS_HIGH].fetch_max(at as u64 + 1, Relaxed);
        words[thread::COMMIT].store((commit >> 2).wrapping_add(1) << 2 | thread::LIVE, Release);
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
        book.quick_home.set(None);
        book.ring.set(None);
        book.slots.set(None);
        for (depth, slot) in book.stack.take().into_iter().flatten().enumerate() {
            let commit = slot[slot::COMMIT].load(Relaxed);
            slot.free(commit);
            if slot::state(commit) == slot::OPEN && commit & slot::HAS_MORE != 0 {
                let id = slot::phase(commit, book.stack_begin.get() as usize + depth);
                let _nobody_asks = self.forget(Some(book), id);
            }
        }
        words[thread::ENDED].store(self.clock.now(), Relaxed);
        let commit = words[thread::COMMIT].load(Relaxed);
        words[thread::COMMIT].store(commit & !3 | thread::ENDED_STATE, Release);
        self.books.give_back(book.entry.get() as usize);
    }
}

type Entry = &'static [AtomicU64; thread::WORDS];

/// An entry that is the calling thread's own from now on.
struct Claim {
    at: usize,
    words: Entry,
    book: &'static Book,
    /// It never was anybody's.
    is_first: bool,
}

impl Claim {
    fn of(recorder: &Recorder, at: usize, words: Entry) -> Option<Self> {
        let (book, is_first) = recorder.books.claim(at)?;
        Some(Self { at, words, book, is_first })
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
