//! The history: one ring a thread, written by that thread alone.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{Name, Recorder};
use crate::book::{self, Book};
use crate::layout::{HANG_WAIT, WORD, cell, thread};
use crate::site::Site;
use crate::{Loss, PhaseId, Text, names};

/// The ring has its memory.
const READY: u8 = 1;
/// It cannot have any.
const REFUSED: u8 = 2;

/// A note in the calling thread's history.
pub fn note(phase: Option<PhaseId>, key: &'static str, text: &str) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        let Name(key) = recorder.name(key);
        recorder.push(book, cell::NOTE, 0, key, phase.map_or(0, PhaseId::word), 0, text);
    }
}

/// The calling thread begins to wait for `resource`.
pub fn wait(phase: Option<PhaseId>, resource: &str) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        recorder.push(book, cell::WAIT, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, resource);
    }
}

/// The calling thread has what it waited for.
pub fn wake(phase: Option<PhaseId>) {
    if let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) {
        recorder.push(book, cell::WAKE, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, "");
    }
}

impl Recorder {
    #[cold]
    pub(super) fn number_of(&self, site: &'static Site) -> u16 {
        let Name(number) = self.named(|names| names.number_of_site(site));
        if number != 0 {
            site.remember(self.family, number);
        }
        number
    }

    #[expect(clippy::too_many_arguments, reason = "the words of a cell, in their order")]
    pub(super) fn push(
        &'static self,
        book: &Book,
        kind: u8,
        argument: u8,
        name: u16,
        phase: u64,
        last: u64,
        text: &str,
    ) {
        self.push_at(book, book.now(), kind, argument, name, phase, last, text);
    }

    /// Writes an event to the ring of the calling thread.
    #[expect(clippy::too_many_arguments, reason = "the words of a cell, in their order")]
    pub(super) fn push_at(
        &'static self,
        book: &Book,
        now: u64,
        kind: u8,
        argument: u8,
        name: u16,
        phase: u64,
        last: u64,
        text: &str,
    ) {
        let Some(words) = book.thread.get().filter(|_| book.ring.get() == READY || self.make_ring(book)) else {
            self.lose(Loss::Event);
            return;
        };
        let events = self.places.size.events;
        let ring = &self.rings[book.entry.get() as usize * events * cell::WORDS..][..events * cell::WORDS];
        let head = words[thread::HEAD].load(Relaxed);
        let tid = book.tid.get();
        let store = |at: u64, cell: [u64; cell::WORDS]| {
            let place = (at as usize & (events - 1)) * cell::WORDS;
            for (word, value) in ring[place..place + cell::WORDS].iter().zip(cell) {
                word.store(value, Relaxed);
            }
        };
        let mut next = head + 1;
        let mut argument = argument;
        if !text.is_empty() {
            let text = Text::<{ cell::MAX_TEXT }>::of(text);
            let bytes = text.as_str().as_bytes();
            argument = bytes.len() as u8;
            for part in bytes.chunks(cell::TEXT_BYTES) {
                let word = |at: usize| names::word_of(part.get(at..part.len().min(at + WORD)).unwrap_or_default());
                store(next, [word(0), word(8), cell::head(cell::TEXT, 0, 0, tid), word(16)]);
                next += 1;
            }
        }
        store(head, [now, phase, cell::head(kind, argument, name, tid), last]);
        words[thread::HEAD].store(next, Release);
    }

    /// Memory for the thread's ring, when its entry has its first event.
    #[cold]
    fn make_ring(&self, book: &Book) -> bool {
        if book.ring.get() == REFUSED {
            return false;
        }
        let bytes = self.places.ring_bytes();
        let made = self.give_memory(self.places.rings + book.entry.get() as usize * bytes, bytes);
        book.ring.set(if made { READY } else { REFUSED });
        made
    }
}
