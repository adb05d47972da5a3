//! The history: one ring a thread, written by that thread alone.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{Name, Recorder};
use crate::book::{self, Book};
use crate::layout::{HANG_WAIT, WORD, cell, thread};
use crate::site::Site;
use crate::sync::{AtomicU64, fence};
use crate::{Loss, PhaseId, Text, names};

/// The ring has its memory.
const READY: u8 = 1;
/// It cannot have any.
const REFUSED: u8 = 2;

/// A note in the calling thread's history.
pub fn note(phase: Option<PhaseId>, key: &'static str, text: &str) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        let Name(key) = recorder.name(key);
        let phase = phase.map_or(0, PhaseId::word);
        let event = Event { now: book.now(), kind: cell::NOTE, argument: 0, name: key, phase, last: 0 };
        recorder.push(book, event, text);
    }
}

/// The calling thread begins to wait for `resource`.
pub fn wait(phase: Option<PhaseId>, resource: &str) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        let phase = phase.map_or(0, PhaseId::word);
        let event = Event { now: book.now(), kind: cell::WAIT, argument: 0, name: HANG_WAIT, phase, last: 0 };
        recorder.push(book, event, resource);
    }
}

/// The calling thread has what it waited for.
pub fn wake(phase: Option<PhaseId>) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        let phase = phase.map_or(0, PhaseId::word);
        let event = Event { now: book.now(), kind: cell::WAKE, argument: 0, name: HANG_WAIT, phase, last: 0 };
        recorder.push(book, event, "");
    }
}

impl Recorder {
    #[cold]
    pub(super) fn number_of(&self, site: &'static Site) -> u16 {
        if self.is_own && site.number() != 0 {
            return site.number() as u16;
        }
        let Name(number) = self.named(|names| names.number_of_site(site));
        if self.is_own {
            site.remember(number);
        }
        number
    }

    /// Writes an event without text to the ring of the calling thread.
    #[inline(always)]
    pub(super) fn push_plain(&'static self, book: &Book, event: Event) {
        let Some((words, ring)) = book.thread.get().zip(book.ring.get()) else { return self.push(book, event, "") };
        let Event { now, kind, argument, name, phase, last } = event;
        let head = book.head.get();
        // Who sees a part of what follows sees the head as it is now: from there a reader counts.
        fence(Release);
        store(ring, head, [now, phase, cell::head(kind, argument, name, book.tid.get()), last]);
        book.head.set(head.wrapping_add(1));
        words[thread::HEAD].store(head.wrapping_add(1), Release);
    }

    /// Writes an event to the ring of the calling thread.
    #[inline(never)]
    pub(super) fn push(&'static self, book: &Book, event: Event, text: &str) {
        let Some((words, ring)) = book.thread.get().zip(book.ring.get().or_else(|| self.ring_of(book))) else {
            self.lose(Loss::Event);
            return;
        };
        let Event { now, kind, mut argument, name, phase, last } = event;
        let tid = book.tid.get();
        let head = book.head.get();
        // Who sees a part of what follows sees the head as it is now: from there a reader counts.
        fence(Release);
        let mut next = head.wrapping_add(1);
        if !text.is_empty() {
            let mut cut = None;
            let bytes = Text::<{ cell::MAX_TEXT }>::fitted(text, &mut cut).as_bytes();
            argument = bytes.len() as u8;
            for part in bytes.chunks(cell::TEXT_BYTES) {
                let word = |at: usize| names::word_of(part.get(at..part.len().min(at + WORD)).unwrap_or_default());
                store(ring, next, [word(0), word(8), cell::head(cell::TEXT, 0, 0, tid), word(16)]);
                next = next.wrapping_add(1);
            }
        }
        store(ring, head, [now, phase, cell::head(kind, argument, name, tid), last]);
        book.head.set(next);
        words[thread::HEAD].store(next, Release);
    }

    /// The thread's ring; memory for it, when its entry has its first event.
    #[cold]
    fn ring_of(&'static self, book: &Book) -> Option<&'static [AtomicU64]> {
        let bytes = self.places.ring_bytes();
        let at = book.entry.get() as usize * bytes;
        match book.has_ring.get() {
            READY => {}
            REFUSED => return None,
            _ => {
                let made = self.give_memory(self.places.rings + at, bytes);
                book.has_ring.set(if made { READY } else { REFUSED });
                if !made {
                    return None;
                }
            }
        }
        let ring = self.rings.get(at / WORD..(at + bytes) / WORD);
        book.ring.set(ring);
        ring
    }
}

/// The words of a cell, but for the text.
#[derive(Clone, Copy)]
pub(super) struct Event {
    pub(super) now: u64,
    pub(super) kind: u8,
    pub(super) argument: u8,
    pub(super) name: u16,
    pub(super) phase: u64,
    pub(super) last: u64,
}

#[inline(always)]
fn store(ring: &[AtomicU64], at: u64, cell: [u64; cell::WORDS]) {
    // The ring's length is a power of two.
    let place = (at as usize).wrapping_mul(cell::WORDS) & (ring.len() - 1);
    if let Some([first, second, third, fourth]) = ring.get(place..).and_then(|rest| rest.first_chunk()) {
        first.store(cell[0], Relaxed);
        second.store(cell[1], Relaxed);
        third.store(cell[2], Relaxed);
        fourth.store(cell[3], Relaxed);
    }
}
