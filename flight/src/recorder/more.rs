//! What a phase says beyond its slot: a chain of further slots, to which entries are appended and never changed.
//!
//! The writer's own book about it, a word for each slot (`beyond`):
//!
//! ```text
//!   of a phase:  busy:1 │ closed:1 │ waits:1 │ means:1 │ words used:12 │ last of the chain + 1:24 │ first + 1:24
//!   of a slot in the chain:  the next one + 1
//! ```
//!
//! Fields may come from any thread. One at a time writes (`busy`); nobody waits for another: the field is
//! dropped and counted. Who closes a phase while another thread writes leaves the chain to that one (`closed`).
//!
//! A chain may outlive its phase: who closes one that said nothing beyond does not look here, and another thread may
//! have begun a chain for it at that moment; a phase may also be told more and then never be published. The chain says
//! whose it is, and the next phase of the slot that has more to say gives it back.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::Recorder;
use super::rings::Event;
use crate::book::Book;
use crate::layout::{HANG_WAIT, WORD, cell, is_meaning, more, slot};
use crate::sync::AtomicU64;
use crate::value::{self, MAX_VALUE};
use crate::{Loss, Text, Value, names};

const BUSY: u64 = 1;
const CLOSED: u64 = 2;
const WAITS: u64 = 4;
const MEANS: u64 = 8;
const USED_SHIFT: u32 = 4;
const USED_MASK: u64 = 0xfff;
const LAST_SHIFT: u32 = 16;
const FIRST_SHIFT: u32 = 40;
const SLOT_MASK: u64 = 0xff_ffff;
/// Slots that one entry can take: the longest value, its head, and a slot that was begun.
const MOST_NEW: usize = (1 + MAX_VALUE / WORD).div_ceil(more::BODY_WORDS) + 1;

/// What a phase that is over said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// That it waits for something.
    pub(super) waits: bool,
    /// Anything in a `hang.*` field.
    pub(super) means: bool,
}

/// A chain as its word has it.
#[derive(Clone, Copy)]
struct Chain {
    said: u64,
    used: usize,
    first: usize,
    last: usize,
}

impl Chain {
    fn of(word: u64) -> Self {
        Self {
            said: word & (WAITS | MEANS),
            used: (word >> USED_SHIFT & USED_MASK) as usize,
            first: (word >> FIRST_SHIFT & SLOT_MASK) as usize,
            last: (word >> LAST_SHIFT & SLOT_MASK) as usize,
        }
    }

    fn word(self) -> u64 {
        self.said
            | (self.used as u64) << USED_SHIFT
            | (self.last as u64) << LAST_SHIFT
            | (self.first as u64) << FIRST_SHIFT
    }
}

impl Recorder {
    /// Appends an entry to what a phase says. `is_new` when the phase does not show yet and has none: then nobody
    /// else can know it.
    pub(super) fn append(&'static self, book: &Book, phase: u64, is_new: bool, key: u16, value: Value<'_>) -> bool {
        let Some(place) = self.beyond.get(slot::index(phase)) else { return false };
        let state = place.load(Relaxed);
        if state & (BUSY | CLOSED) != 0 || place.compare_exchange(state, state | BUSY, Acquire, Relaxed).is_err() {
            self.lose(Loss::Field);
            return false;
        }
        // An older phase of the slot may have had the chain until now.
        let still = is_new
            || self.slot_of(phase).is_some_and(|slot| {
                let commit = slot[slot::COMMIT].load(Acquire);
                // Not open yet, while its opener fills it, or open.
                commit.wrapping_add(1 << slot::INDEX_BITS) & !slot::INDEX_MASK == slot::generation(phase)
                    || slot.is_open(phase)
            });
        let mut chain = Chain::of(state);
        if !self.is_of(chain, phase) {
            self.give_chain(Some(book), chain.first);
            chain = Chain::of(0);
        }
        let mut wrote = still && self.write_entry(book, phase, &mut chain, key, value);
        if wrote {
            chain.said |= if key == HANG_WAIT { WAITS } else { 0 } | if is_meaning(key) { MEANS } else { 0 };
        }
        if place.compare_exchange(state | BUSY, chain.word(), AcqRel, Relaxed).is_err() {
            // It was closed meanwhile, and its chain left to this thread.
            self.give_chain(Some(book), chain.first);
            place.store(0, Release);
            wrote = false;
        }
        wrote
    }

    fn write_entry(&'static self, book: &Book, phase: u64, chain: &mut Chain, key: u16, value: Value<'_>) -> bool {
        let (bytes, mut cut);
        let (kind, body) = match (value, value.number()) {
            (_, Some((kind, number))) => {
                bytes = number.to_ne_bytes();
                (kind, &bytes[..])
            }
            (Value::Text(text), _) => {
                cut = None;
                (value::TEXT, Text::<MAX_VALUE>::fitted(text, &mut cut).as_bytes())
            }
            _ => return false,
        };
        let (from, to) = (chain.used, chain.used + 1 + body.len().div_ceil(WORD));
        let has = from.div_ceil(more::BODY_WORDS);
        let needs = to.div_ceil(more::BODY_WORDS);
        if needs > more::MAX_CHAIN {
            self.lose(Loss::Field);
            return false;
        }
        // The slots that the entry touches: the last one if it has room, and new ones.
        let mut touched = [None; MOST_NEW + 1];
        let first_touched = from / more::BODY_WORDS;
        if first_touched < has {
            touched[0] = chain.last.checked_sub(1);
        }
        let before = *chain;
        for number in has..needs {
            let Some(new) = self.extend(book, phase, chain, number) else {
                self.shorten(book, chain, before);
                return false;
            };
            touched[number - first_touched] = Some(new);
        }
        let word_at = |at: usize| -> Option<&AtomicU64> {
            let slot = self.slots.get(touched[at / more::BODY_WORDS - first_touched]?)?;
            Some(&slot[more::BODY + at % more::BODY_WORDS])
        };
        let mut at = from;
        for bytes in body.chunks(WORD) {
            at += 1;
            if let Some(place) = word_at(at) {
                place.store(names::word_of(bytes), Relaxed);
            }
        }
        // The head comes last: a reader that sees it finds the rest.
        if let Some(place) = word_at(from) {
            place.store(more::entry(key, kind, body.len()), Release);
        }
        chain.used = to;
        true
    }

    /// Hangs another slot on the chain.
    fn extend(&'static self, book: &Book, phase: u64, chain: &mut Chain, number: usize) -> Option<usize> {
        let (index, slot) = self.take_slot(book, Loss::More)?;
        let generation = slot::generation(slot[slot::COMMIT].load(Relaxed)).wrapping_add(1 << slot::INDEX_BITS);
        crate::sync::fence(Release);
        for word in &slot.words()[more::BODY..] {
            word.store(0, Relaxed);
        }
        slot[more::OWNER].store(phase, Relaxed);
        self.beyond[index].store(0, Relaxed);
        match chain.last.checked_sub(1) {
            None => chain.first = index + 1,
            Some(last) => self.beyond[last].store(index as u64 + 1, Relaxed),
        }
        chain.last = index + 1;
        slot[slot::COMMIT].store(generation | (number as u64) << slot::PLACE_SHIFT | slot::MORE, Release);
        Some(index)
    }

    /// Takes the slots away again that were hung on a chain since it was as `before`.
    fn shorten(&'static self, book: &Book, chain: &mut Chain, before: Chain) {
        let first_new = match before.last.checked_sub(1) {
            None => chain.first,
            Some(last) => self.beyond[last].swap(0, Relaxed) as usize,
        };
        self.give_chain(Some(book), first_new);
        *chain = before;
    }

    /// Whether a chain is that of a phase, and not of an older one in the same slot. One without a slot is anybody's.
    fn is_of(&self, chain: Chain, phase: u64) -> bool {
        let first = chain.first.checked_sub(1).and_then(|first| self.slots.get(first));
        first.is_none_or(|first| first[more::OWNER].load(Relaxed) == phase)
    }

    /// The phase is over: gives its chain back, and tells what it said.
    pub(super) fn forget(&'static self, book: Option<&Book>, phase: u64) -> Said {
        let Some(place) = self.beyond.get(slot::index(phase)) else { return Said::default() };
        let close = |state| self.is_of(Chain::of(state), phase).then_some(state | CLOSED);
        let Ok(state) = place.fetch_update(AcqRel, Acquire, close) else { return Said::default() };
        let chain = Chain::of(state);
        if state & BUSY == 0 {
            self.give_chain(book, chain.first);
            place.store(0, Release);
        }
        Said { waits: chain.said & WAITS != 0, means: chain.said & MEANS != 0 }
    }

    fn give_chain(&'static self, book: Option<&Book>, first: usize) {
        let mut next = first;
        for _ in 0..more::MAX_CHAIN {
            let Some(index) = next.checked_sub(1) else { return };
            let Some(slot) = self.slots.get(index) else { return };
            next = self.beyond[index].swap(0, Relaxed) as usize;
            slot.free(slot[slot::COMMIT].load(Relaxed));
            self.give(book, index);
        }
    }

    /// What a phase says of itself also goes into the history, which outlives the slot.
    pub(super) fn note_meaning(&'static self, book: &Book, phase: u64, site: u16, key: u16, value: Value<'_>) {
        if key == HANG_WAIT {
            if let Value::Text(text) = value {
                let event = Event { now: book.now(), kind: cell::WAIT, argument: 0, name: site, phase, last: 0 };
                self.push(book, event, text);
            }
        } else {
            let event = Event { now: book.now(), kind: cell::NOTE, argument: 0, name: key, phase, last: 0 };
            if let Value::Text(text) = value {
                self.push(book, event, text);
            } else {
                self.push(book, event, shown(value).as_str());
            }
        }
    }
}

/// A value as the history has it.
#[inline(never)]
fn shown(value: Value<'_>) -> Text<{ cell::MAX_TEXT }> {
    use std::fmt::Write;
    let mut text = Text::new();
    let _cut = write!(text, "{value}");
    text
}

/// What a model looks at.
#[cfg(all(loom, test))]
impl Recorder {
    /// Whose the slots are that hang on a phase's slot.
    pub(crate) fn owners_beyond(&self, phase: u64) -> Vec<u64> {
        let mut owners = Vec::new();
        let mut next = Chain::of(self.beyond[slot::index(phase)].load(Acquire)).first;
        while let Some(index) = next.checked_sub(1) {
            owners.push(self.slots[index][more::OWNER].load(Acquire));
            next = self.beyond[index].load(Acquire) as usize;
        }
        owners
    }
}
