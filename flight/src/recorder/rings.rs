//! The history: one ring a thread, written by that thread alone, and how threads come by them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use rustix::fs::FallocateFlags;

use super::{Name, Recorder};
use crate::layout::{HANG_WAIT, WORD, cell, header, thread};
use crate::{Loss, PhaseId, Text, clock, local, map, names};

impl Recorder {
    /// A note in the calling thread's history.
    pub fn note(&'static self, phase: Option<PhaseId>, key: Name, text: &str) {
        if !self.is_foreign() {
            self.push(cell::NOTE, 0, key.0, phase.map_or(0, PhaseId::word), 0, text);
        }
    }

    /// The calling thread begins to wait for `resource`.
    pub fn wait(&'static self, phase: Option<PhaseId>, resource: &str) {
        if !self.is_foreign() {
            self.push(cell::WAIT, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, resource);
        }
    }

    /// The calling thread has what it waited for.
    pub fn wake(&'static self, phase: Option<PhaseId>) {
        if !self.is_foreign() {
            self.push(cell::WAKE, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, "");
        }
    }

    pub(super) fn now_in(&self, thread: Option<u32>, phase: u64) {
        if let Some(words) = thread.and_then(|thread| self.thread(thread)) {
            words[thread::CURRENT].store(phase, Release);
            words[thread::BEATS].store(words[thread::BEATS].load(Relaxed).wrapping_add(1), Relaxed);
        } else {
            self.header[header::HEARTBEAT].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn thread(&self, thread: u32) -> Option<&'static [AtomicU64]> {
        let at = thread as usize * thread::WORDS;
        self.threads.get(at..at + thread::WORDS)
    }

    pub(super) fn push(&'static self, kind: u8, argument: u8, name: u16, phase: u64, last: u64, text: &str) {
        let (thread, tid) = local::with(|local| local.thread_in(self));
        self.push_as((thread, tid), clock::now(), kind, argument, name, phase, last, text);
    }

    /// Writes an event to the ring of the calling thread.
    #[expect(clippy::too_many_arguments, reason = "the words of a cell, in their order")]
    pub(super) fn push_as(
        &self,
        (thread, tid): (Option<u32>, u32),
        now: u64,
        kind: u8,
        argument: u8,
        name: u16,
        phase: u64,
        last: u64,
        text: &str,
    ) {
        let Some((thread, words)) = thread.and_then(|thread| Some((thread as usize, self.thread(thread)?))) else {
            self.lose(Loss::Event);
            return;
        };
        let text = Text::<{ cell::MAX_TEXT }>::of(text);
        let bytes = text.as_str().as_bytes();
        let ring = &self.rings[thread * self.size.events * cell::WORDS..][..self.size.events * cell::WORDS];
        let head = words[thread::HEAD].load(Relaxed);
        let store = |at: u64, cell: [u64; cell::WORDS]| {
            let place = (at as usize & (self.size.events - 1)) * cell::WORDS;
            for (word, value) in ring[place..place + cell::WORDS].iter().zip(cell) {
                word.store(value, Relaxed);
            }
        };
        let argument = if bytes.is_empty() { argument } else { bytes.len() as u8 };
        store(head, [now, phase, cell::head(kind, argument, name, tid), last]);
        let mut next = head + 1;
        for part in bytes.chunks(cell::TEXT_BYTES) {
            let word = |at: usize| names::word_of(part.get(at..part.len().min(at + WORD)).unwrap_or_default());
            store(next, [word(0), word(8), cell::head(cell::TEXT, 0, 0, tid), word(16)]);
            next += 1;
        }
        words[thread::HEAD].store(next, Release);
        words[thread::BEATS].store(words[thread::BEATS].load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Makes an entry and its ring the calling thread's own: a fresh one, else that of the thread which ended
    /// longest ago.
    #[cold]
    pub(crate) fn attach(&self, tid: u32) -> Option<u32> {
        if self.is_foreign() {
            return None;
        }
        for _ in 0..4 {
            let entries = || self.threads.chunks_exact(thread::WORDS).enumerate();
            let mine = |words: &[AtomicU64]| words[thread::TID].load(Relaxed) == u64::from(tid);
            // The thread came back from another recorder.
            if let Some((at, _)) =
                entries().find(|(_, words)| words[thread::COMMIT].load(Acquire) & 3 == thread::LIVE && mine(words))
            {
                return Some(at as u32);
            }
            let longest_ended = entries()
                .filter(|(_, words)| {
                    matches!(words[thread::COMMIT].load(Acquire) & 3, thread::NEVER | thread::ENDED_STATE)
                })
                .min_by_key(|(_, words)| words[thread::ENDED].load(Relaxed));
            let Some((at, words)) = longest_ended else { break };
            let commit = words[thread::COMMIT].load(Relaxed);
            let free = matches!(commit & 3, thread::NEVER | thread::ENDED_STATE);
            let claimed = commit & !3 | thread::CLAIMED;
            if free && words[thread::COMMIT].compare_exchange(commit, claimed, AcqRel, Relaxed).is_ok() {
                return self.settle(at, words, commit, tid);
            }
        }
        self.lose(Loss::Thread);
        None
    }

    pub(super) fn settle(&self, at: usize, words: &[AtomicU64], commit: u64, tid: u32) -> Option<u32> {
        if commit >> 2 == 0 {
            // Pages for the ring, now: a hole in a tmpfs that has become full would be a SIGBUS later.
            let (rings, bytes) = self.ring_places;
            let from = rings + at * bytes;
            if rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from as u64, bytes as u64).is_err() {
                words[thread::COMMIT].store(commit, Release);
                self.lose(Loss::Thread);
                return None;
            }
            map::populate(&self.rings[at * bytes / WORD..(at + 1) * bytes / WORD]);
        }
        words[thread::TID].store(u64::from(tid), Relaxed);
        words[thread::CURRENT].store(0, Relaxed);
        let mut comm = [0; 16];
        if let Ok(name) = rustix::thread::name() {
            let name = name.as_bytes();
            comm[..name.len().min(16)].copy_from_slice(&name[..name.len().min(16)]);
        }
        names::store_bytes(&words[thread::COMM..thread::COMM + 2], &comm);
        words[thread::COMMIT].store(((commit >> 2) + 1) << 2 | thread::LIVE, Release);
        Some(at as u32)
    }

    /// The thread of this entry ends.
    pub(crate) fn detach(&self, thread: u32) {
        if self.is_foreign() {
            return;
        }
        if let Some(words) = self.thread(thread) {
            words[thread::CURRENT].store(0, Relaxed);
            words[thread::ENDED].store(clock::now(), Relaxed);
            let commit = words[thread::COMMIT].load(Relaxed);
            words[thread::COMMIT].store(commit & !3 | thread::ENDED_STATE, Release);
        }
    }
}
