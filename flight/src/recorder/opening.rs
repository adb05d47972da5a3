//! A phase that is being filled. It shows once it is published.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::Recorder;
use crate::book::{self, Book};
use crate::layout::{WORD, cell, slot};
use crate::slot::Slot;
use crate::sync::fence;
use crate::{Loss, Outcome, PhaseId, ResourceId, Role, Site, Value, names, value};

/// A phase that does not show yet.
#[must_use = "a phase shows once it is published"]
pub struct Opening {
    pub(super) recorder: &'static Recorder,
    pub(super) book: &'static Book,
    pub(super) slot: &'static Slot,
    pub(super) site: &'static Site,
    pub(super) id: u64,
    /// The slot's fourth word, as it grows.
    shape: u64,
    /// The flags of the commit word, as they grow.
    flags: u64,
    /// Whether it says by `hang.*` what it means: then it goes into the history.
    means: bool,
}

/// Begins a phase of the calling thread, within the one that it is in. It may end in any order, and anywhere.
/// `None` when there is no room or no recorder: counted where there is one.
#[inline]
pub fn begin(site: &'static Site) -> Option<Opening> {
    let book = book::mine()?;
    Opening::anywhere(book, book.recorder.get()?, site, book.current())
}

/// The same, within another phase, or none.
#[inline]
pub fn begin_in(site: &'static Site, parent: Option<PhaseId>) -> Option<Opening> {
    let book = book::mine()?;
    Opening::anywhere(book, book.recorder.get()?, site, parent.map_or(0, PhaseId::word))
}

impl Opening {
    #[inline]
    pub(crate) fn anywhere(
        book: &'static Book,
        recorder: &'static Recorder,
        site: &'static Site,
        parent: u64,
    ) -> Option<Self> {
        let index = recorder.take_slot(book, Loss::Slot)?;
        let slot = recorder.slots.get(index)?;
        let opening = Self::fill(recorder, book, slot, index, site, parent)?;
        slot[slot::ENTRY].store(slot::entry(book.tid.get(), book.task()), Relaxed);
        Some(opening)
    }

    /// Begins in a slot that is free.
    #[inline]
    pub(super) fn fill(
        recorder: &'static Recorder,
        book: &'static Book,
        slot: &'static Slot,
        index: usize,
        site: &'static Site,
        parent: u64,
    ) -> Option<Self> {
        let number = match site.number_in(book.family.get()) {
            Some(number) => number,
            None => recorder.number_of(site),
        };
        let generation = slot::generation(slot[slot::COMMIT].load(Relaxed)).wrapping_add(1 << slot::INDEX_BITS);
        // Readers must not see what follows under an older commit word than the "free" that is there now.
        fence(Release);
        slot[slot::START].store(book.now(recorder), Relaxed);
        slot[slot::PARENT].store(parent & slot::PARENT_MASK, Relaxed);
        let id = generation | index as u64;
        (id != 0).then_some(Self { recorder, book, slot, site, id, shape: u64::from(number), flags: 0, means: false })
    }

    /// The number that the phase will have.
    pub fn id(&self) -> Option<PhaseId> {
        PhaseId::from_word(self.id)
    }

    /// Sets the field of the site's n-th key: within the slot if it is short and there is room, else beyond it.
    #[inline]
    pub fn value(&mut self, key: usize, value: Value<'_>) {
        if self.site.has_meaning(key) {
            return self.meaning(key, value);
        }
        let fits = match (value, value.number()) {
            (Value::Text(text), _) => self.text(key, text),
            (_, Some((kind, number))) => self.number(key, kind, WORD, number),
            _ => false,
        };
        if !fits && let Some(key) = self.site.keys().get(key) {
            let name = self.recorder.name(key);
            self.beyond(name.0, value);
        }
    }

    fn beyond(&mut self, key: u16, value: Value<'_>) -> bool {
        let is_new = self.flags & slot::HAS_MORE == 0;
        let added = self.recorder.append(self.book, self.id, is_new, key, value);
        if added {
            self.flags |= slot::HAS_MORE;
        }
        added
    }

    /// Says what the phase has to do with a traced lock or the like.
    #[inline]
    pub fn resource(&mut self, role: Role, resource: ResourceId) {
        if let Some(index) = resource.index_in(self.recorder.number) {
            self.number(0, value::RESOURCE, role.number() as usize, index as u64);
        }
    }

    #[inline]
    fn number(&mut self, key: usize, kind: u8, length: usize, word: u64) -> bool {
        let shape = slot::shape(kind, length);
        if self.shape >> 16 & 0xff == 0 {
            self.slot[slot::VALUE_0].store(word, Relaxed);
            self.shape |= shape << 16;
            self.flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_0_SHIFT;
        } else if self.shape >> 24 & 0xff == 0 {
            self.slot[slot::VALUE_1].store(word, Relaxed);
            self.shape |= shape << 24;
            self.flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_1_SHIFT;
        } else {
            return false;
        }
        true
    }

    #[inline]
    fn text(&mut self, key: usize, text: &str) -> bool {
        let bytes = text.as_bytes();
        if bytes.len() <= 2 * WORD && self.shape >> 24 & 0xff == 0 {
            let [first, last] = two_words(bytes);
            self.slot[slot::VALUE_1].store(first, Relaxed);
            self.slot[slot::VALUE_1 + 1].store(last, Relaxed);
            self.shape |= slot::shape(value::TEXT, bytes.len()) << 24;
            self.flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_1_SHIFT;
            return true;
        }
        bytes.len() <= WORD && self.number(key, value::TEXT, bytes.len(), names::word_of(bytes))
    }

    #[cold]
    fn meaning(&mut self, key: usize, value: Value<'_>) {
        let Some(key) = self.site.keys().get(key) else { return };
        let name = self.recorder.name(key);
        if name.0 == crate::layout::HANG_OUTCOME {
            match super::phases::outcome_of(value) {
                Some(outcome) => self.flags = slot::with_outcome(self.flags, Outcome::number(outcome)),
                None => self.recorder.lose(Loss::Field),
            }
        } else if self.beyond(name.0, value) {
            self.recorder.note_meaning(self.book, self.id, self.shape as u16, name.0, value);
        }
        self.means = true;
    }

    /// The phase is open from now on.
    #[inline]
    pub fn publish(mut self) -> PhaseId {
        self.commit();
        // 0 was refused when it began.
        PhaseId::from_word(self.id).unwrap_or(PhaseId::FIRST)
    }

    #[inline]
    pub(super) fn commit(&mut self) {
        self.slot[slot::SHAPE].store(self.shape, Relaxed);
        if self.means || self.book.keeps_history.get() {
            self.note();
        }
        self.slot[slot::COMMIT].store(slot::generation(self.id) | self.flags | slot::OPEN, Release);
    }

    #[cold]
    fn note(&self) {
        let parent = self.slot[slot::PARENT].load(Relaxed);
        let start = self.slot[slot::START].load(Relaxed);
        self.recorder.push_at(self.book, start, cell::OPEN, 0, self.shape as u16, self.id, parent, "");
    }
}

/// Up to 16 bytes as two words: the first eight, and the last eight, which may overlap.
#[inline]
fn two_words(bytes: &[u8]) -> [u64; 2] {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => [u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)],
        _ => [names::word_of(bytes), 0],
    }
}
