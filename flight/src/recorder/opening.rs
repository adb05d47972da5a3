//! A phase that is being filled. It shows once it is published.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::Recorder;
use super::rings::Event;
use crate::book::{self, Book, Entered, Look};
use crate::clock::{tick, tsc};
use crate::late::{self, At};
use crate::layout::{WORD, cell, home, slot};
use crate::slot::Slot;
use crate::sync::fence;
use crate::{Loss, PhaseId, ResourceId, Role, Site, Value, names, value};

/// Among the flags of an opening, not of the commit word: that it began stands in the history already. Never without
/// [`slot::SAID`].
const NOTED: u64 = 1 << 63;

/// A phase that does not show yet.
///
/// All of it stays in registers: what is rare is in functions that take its parts by value.
#[must_use = "a phase shows once it is published"]
pub struct Opening {
    pub(super) book: &'static Book,
    pub(super) slot: &'static Slot,
    site: &'static Site,
    pub(super) id: u64,
    generation: u64,
    /// The site's number. Apart from the shapes, which thus begin as a constant.
    number: u64,
    /// Shapes of the two values within the slot, as they come, in their places in the slot's word: whole words, because
    /// a processor waits when it has to read what it just wrote as parts.
    shapes: u64,
    /// The flags of the commit word, as they grow.
    flags: u64,
}

/// Begins a phase of the calling thread, within the one that it is in. It may end in any order, and anywhere.
/// `None` when there is no room or no recorder: counted where there is one.
#[inline(always)]
pub fn begin(site: &'static Site) -> Option<Opening> {
    let Some(book) = book::mine() else {
        book::none_for_a_phase();
        return None;
    };
    Opening::anywhere::<false>(book, site, book.current())
}

/// The same. `None` in all but the usual case: then [`begin`] does it, and takes a little longer.
#[inline(always)]
pub fn begin_quickly(site: &'static Site) -> Option<Opening> {
    let book = book::any()?;
    let home = &book.quick.get()?[slot::STACK_DEPTH];
    Opening::anywhere::<true>(book, site, home[home::CURRENT].load(Relaxed))
}

/// The same, within another phase, or none.
#[inline(always)]
pub fn begin_in(site: &'static Site, parent: Option<PhaseId>) -> Option<Opening> {
    let Some(book) = book::mine() else {
        book::none_for_a_phase();
        return None;
    };
    Opening::anywhere::<false>(book, site, parent.map_or(0, PhaseId::word))
}

impl Opening {
    #[inline(always)]
    pub(super) fn anywhere<const QUICK: bool>(book: &'static Book, site: &'static Site, parent: u64) -> Option<Self> {
        // Who comes quickly and finds none comes again, and is counted then.
        let number = number_in::<QUICK>(book, site)?;
        let taken = if QUICK { Recorder::take_kept(book) } else { book.recorder.get()?.take_slot(book, Loss::Slot) };
        let (index, slot) = taken?;
        let opening = Self::fill::<QUICK>(book, slot, index as u64, site, number, parent & slot::PARENT_MASK);
        slot[slot::ENTRY].store(book.whose.get(), Relaxed);
        Some(opening)
    }

    /// Begins in a slot that is free. `QUICK`: the usual case, see [`Book::quick`].
    #[inline(always)]
    pub(super) fn fill<const QUICK: bool>(
        book: &'static Book,
        slot: &'static Slot,
        index: u64,
        site: &'static Site,
        number: u64,
        parent: u64,
    ) -> Self {
        // A free slot has no flags.
        let generation = slot[slot::COMMIT].load(Relaxed).wrapping_add(1 << slot::INDEX_BITS);
        // Readers must not see what follows under an older commit word than the "free" that is there now.
        fence(Release);
        let (now, flags) = match QUICK {
            true if book.look.get() == Look::Counter => (tsc::now(), 0),
            true => (tick::now(), 0),
            false => (book.now(), book.flags.get()),
        };
        slot[slot::START].store(now, Relaxed);
        slot[slot::PARENT].store(parent, Relaxed);
        Self { book, slot, site, id: generation | index, generation, number, shapes: 0, flags }
    }

    /// The number that the phase will have.
    pub fn id(&self) -> Option<PhaseId> {
        PhaseId::from_word(self.id)
    }

    /// Sets the field of the site's n-th key: within the slot if it is short and there is room, else beyond it.
    #[inline(always)]
    pub fn value(&mut self, key: usize, value: Value<'_>) {
        if self.site.has_meaning(key) {
            self.flags = meaning(self.book, self.slot, self.site, self.id, self.flags, key, value);
            return;
        }
        match value {
            Value::Text(text) => self.text(key, text),
            Value::U64(word) => self.number(key, value::U64, word),
            Value::I64(number) => self.number(key, value::I64, number as u64),
            Value::F64(number) => self.number(key, value::F64, number.to_bits()),
            Value::Bool(is) => self.number(key, value::BOOL, u64::from(is)),
        }
    }

    /// Sets fields as somebody gives them one by one, by calls.
    #[inline(always)]
    pub fn with_fields(mut self, give: impl FnOnce(OpeningFields) -> OpeningFields) -> Self {
        let fields = OpeningFields { slot: self.slot, site: self.site, shapes: self.shapes, flags: self.flags };
        OpeningFields { shapes: self.shapes, flags: self.flags, .. } = give(fields);
        self
    }

    /// Says what the phase has to do with a traced lock or the like.
    #[inline(always)]
    pub fn resource(&mut self, role: Role, resource: ResourceId) {
        if let Some(index) = self.book.recorder.get().and_then(|recorder| resource.index_in(recorder.number)) {
            self.within(0, slot::shape(value::RESOURCE, role.number() as usize), index as u64);
        }
    }

    /// It belongs to the async task that [`set_task`](crate::set_task) told just now. A phase that is polled or
    /// entered finds its task by itself.
    #[inline(always)]
    pub fn in_its_task(&mut self) {
        self.slot[slot::ENTRY].store(self.book.whose.get() | slot::entry(0, self.book.task()), Relaxed);
    }

    #[inline(always)]
    fn number(&mut self, key: usize, kind: u8, word: u64) {
        if !self.within(key, slot::shape(kind, WORD), word) {
            self.flags = number_beyond(self.book, self.site, self.id, self.flags, key, kind, word);
        }
    }

    /// Whether there was room in the slot.
    #[inline(always)]
    fn within(&mut self, key: usize, shape: u8, word: u64) -> bool {
        within(self.slot, &mut self.shapes, &mut self.flags, key, shape, word)
    }

    #[inline(always)]
    fn text(&mut self, key: usize, text: &str) {
        if !self.text_within(key, text) {
            self.flags = text_beyond(self.book, self.site, self.id, self.flags, key, text);
        }
    }

    /// Whether there was room in the slot.
    #[inline(always)]
    fn text_within(&mut self, key: usize, text: &str) -> bool {
        text_within(self.slot, &mut self.shapes, &mut self.flags, key, text)
    }

    /// The phase is open from now on.
    #[inline(always)]
    pub fn publish(self) -> PhaseId {
        let _words = self.commit();
        PhaseId::from_word(self.id).unwrap_or(PhaseId::FIRST)
    }

    /// The same, when it is likely that the calling thread goes into it next, by that key; see
    /// [`enter_as`](crate::enter_as). A key of 0 is none.
    #[inline(always)]
    pub fn publish_as(self, key: u64) -> PhaseId {
        let [commit, _] = self.commit();
        if let Some(place) = self.book.entered.get(self.book.entered_depth.get()) {
            place.phase.set(self.id);
            place.key.set(key);
            place.state.set(Entered::NEW);
            place.slot.set(Some(self.slot));
            place.commit.set(commit);
            place.entry.set(self.book.whose.get());
        }
        PhaseId::from_word(self.id).unwrap_or(PhaseId::FIRST)
    }

    /// The same, by its number.
    #[inline(always)]
    pub fn publish_as_itself(self) -> PhaseId {
        self.publish_as(0)
    }

    /// The commit word that it has now, and the same without [`slot::SAID`].
    #[inline(always)]
    pub(super) fn commit(&self) -> [u64; 2] {
        self.slot[slot::SHAPE].store(self.number | self.shapes, Relaxed);
        // Without it there is nothing among the flags that is none of the commit word.
        if self.flags & slot::SAID == 0 {
            let commit = self.generation | self.flags | slot::OPEN;
            self.slot[slot::COMMIT].store(commit, Release);
            return [commit, commit];
        }
        note_begin(self.book, self.slot, self.id, self.number as u16, self.flags);
        let commit = self.generation | self.flags & slot::INDEX_MASK | slot::OPEN;
        self.slot[slot::COMMIT].store(commit, Release);
        [commit, commit & !slot::SAID]
    }

    /// The same, when a panic is on its way already.
    #[cold]
    #[inline(never)]
    pub(super) fn commit_while_panicking(mut self) -> u64 {
        self.flags |= slot::WHILE_PANICKING | slot::SAID;
        let [_, word] = self.commit();
        word
    }
}

/// What is left of a slot for the values of fields: whether there is room for them is known before a phase begins.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    site: &'static Site,
    first: bool,
    second: bool,
}

impl Room {
    /// In the slot of a phase of that site.
    #[inline(always)]
    pub fn of(site: &'static Site) -> Self {
        Self { site, first: true, second: true }
    }

    /// Takes the room of the value of the site's n-th key. Whether there was any, as an [`Opening`] would find it. A
    /// `hang.*` field needs none: it always goes elsewhere.
    #[inline(always)]
    pub fn takes(&mut self, key: usize, value: &Value<'_>) -> bool {
        if self.site.has_meaning(key) {
            return true;
        }
        let (is_first, fits) = match value {
            Value::Text(text) if self.second => (false, text.len() <= 2 * WORD),
            Value::Text(text) => (true, text.len() <= WORD && self.first),
            _ => (self.first, self.first || self.second),
        };
        if is_first {
            self.first = false;
        } else {
            self.second = false;
        }
        fits
    }
}

/// What is needed of an opening to set its fields, where each is given by a call: so little that it may be in memory,
/// while the rest stays in registers.
#[derive(Debug)]
pub struct OpeningFields {
    slot: &'static Slot,
    site: &'static Site,
    shapes: u64,
    flags: u64,
}

impl OpeningFields {
    /// As [`Opening::value`]. What is rare is a call at the end, so that a function with nothing else in it has no
    /// register to save.
    #[inline(always)]
    pub fn value(&mut self, key: usize, value: Value<'_>) {
        match value {
            Value::Text(text) => self.text(key, text),
            Value::U64(word) => self.number(key, value::U64, word),
            Value::I64(number) => self.number(key, value::I64, number as u64),
            Value::F64(number) => self.number(key, value::F64, number.to_bits()),
            Value::Bool(is) => self.number(key, value::BOOL, u64::from(is)),
        }
    }

    #[inline(always)]
    fn number(&mut self, key: usize, kind: u8, word: u64) {
        if self.site.has_meaning(key)
            || !within(self.slot, &mut self.shapes, &mut self.flags, key, slot::shape(kind, WORD), word)
        {
            self.number_otherwise(key, kind, word);
        }
    }

    #[inline(always)]
    fn text(&mut self, key: usize, text: &str) {
        if self.site.has_meaning(key) || !text_within(self.slot, &mut self.shapes, &mut self.flags, key, text) {
            self.text_otherwise(key, text);
        }
    }

    #[inline(never)]
    fn number_otherwise(&mut self, key: usize, kind: u8, word: u64) {
        self.otherwise(key, number(kind, word));
    }

    #[inline(never)]
    fn text_otherwise(&mut self, key: usize, text: &str) {
        self.otherwise(key, Value::Text(text));
    }

    /// A `hang.*` field, or one that does not fit into the slot.
    fn otherwise(&mut self, key: usize, value: Value<'_>) {
        let Some((book, slots)) = book::any().and_then(|book| Some((book, book.slots.get()?))) else { return };
        let Some(index) = self.slot.index_in(slots) else { return };
        // As `fill` made them.
        let generation = self.slot[slot::COMMIT].load(Relaxed).wrapping_add(1 << slot::INDEX_BITS);
        let id = generation | index as u64;
        let Self { slot, site, shapes, flags } = *self;
        let mut opening = Opening { book, slot, site, id, generation, number: 0, shapes, flags };
        opening.value(key, value);
        Opening { shapes: self.shapes, flags: self.flags, .. } = opening;
    }
}

/// Whether there was room in the slot.
#[inline(always)]
fn within(slot: &Slot, shapes: &mut u64, flags: &mut u64, key: usize, shape: u8, word: u64) -> bool {
    if *shapes & slot::SHAPE_0_MASK == 0 {
        slot[slot::VALUE_0].store(word, Relaxed);
        *shapes |= u64::from(shape) << slot::SHAPE_0_SHIFT;
        *flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_0_SHIFT;
    } else if *shapes & slot::SHAPE_1_MASK == 0 {
        slot[slot::VALUE_1].store(word, Relaxed);
        *shapes |= u64::from(shape) << slot::SHAPE_1_SHIFT;
        *flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_1_SHIFT;
    } else {
        return false;
    }
    true
}

/// The same.
#[inline(always)]
fn text_within(slot: &Slot, shapes: &mut u64, flags: &mut u64, key: usize, text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() <= 2 * WORD && *shapes & slot::SHAPE_1_MASK == 0 {
        let [first, last] = two_words(bytes);
        slot[slot::VALUE_1].store(first, Relaxed);
        slot[slot::VALUE_1 + 1].store(last, Relaxed);
        *shapes |= u64::from(slot::shape(value::TEXT, bytes.len())) << slot::SHAPE_1_SHIFT;
        *flags |= (key as u64 & slot::KEY_MASK) << slot::KEY_1_SHIFT;
        return true;
    }
    let word = || names::word_of(bytes);
    bytes.len() <= WORD && within(slot, shapes, flags, key, slot::shape(value::TEXT, bytes.len()), word())
}

/// A number as a value.
fn number(kind: u8, word: u64) -> Value<'static> {
    match kind {
        value::I64 => Value::I64(word as i64),
        value::F64 => Value::F64(f64::from_bits(word)),
        value::BOOL => Value::Bool(word != 0),
        _ => Value::U64(word),
    }
}

/// The number of a site. Where it has to be quick, only if it was asked for already.
#[inline(always)]
pub(super) fn number_in<const QUICK: bool>(book: &Book, site: &'static Site) -> Option<u64> {
    match site.number() {
        0 if QUICK => None,
        known if known != 0 && (QUICK || book.is_own.get()) => Some(known),
        _ => Some(u64::from(number_of(book, site))),
    }
}

#[cold]
#[inline(never)]
fn number_of(book: &Book, site: &'static Site) -> u16 {
    book.recorder.get().map_or(0, |recorder| recorder.number_of(site))
}

/// A `hang.*` field. Gives the flags as they are then.
#[cold]
#[inline(never)]
fn meaning(book: &Book, slot: &Slot, site: &'static Site, id: u64, flags: u64, key: usize, value: Value<'_>) -> u64 {
    let Some((recorder, text)) = book.recorder.get().zip(site.keys().get(key)) else { return flags };
    let name = recorder.name(text);
    if name.0 != crate::layout::HANG_OUTCOME {
        // That it began comes before what it says.
        let flags = note_begin(book, slot, id, recorder.number_of(site), flags | slot::MEANS);
        let said = append(book, id, flags, name.0, value);
        if said & slot::HAS_MORE != 0 {
            recorder.note_meaning(book, id, recorder.number_of(site), name.0, value);
        }
        return said | slot::SAID;
    }
    let Some(outcome) = super::phases::outcome_of(value) else {
        recorder.lose(Loss::Field);
        return flags;
    };
    slot::with_outcome(flags, outcome.number()) | slot::SAID
}

#[cold]
#[inline(never)]
fn number_beyond(book: &Book, site: &Site, id: u64, flags: u64, key: usize, kind: u8, word: u64) -> u64 {
    beyond(book, site, id, flags, key, number(kind, word))
}

#[cold]
#[inline(never)]
fn text_beyond(book: &Book, site: &Site, id: u64, flags: u64, key: usize, text: &str) -> u64 {
    beyond(book, site, id, flags, key, Value::Text(text))
}

/// A field that does not fit into the slot. Gives the flags as they are then.
#[cold]
#[inline(never)]
fn beyond(book: &Book, site: &Site, id: u64, flags: u64, key: usize, value: Value<'_>) -> u64 {
    let Some((recorder, text)) = book.recorder.get().zip(site.keys().get(key)) else { return flags };
    append(book, id, flags, recorder.name(text).0, value)
}

/// The same, of a key by its number.
#[inline]
fn append(book: &Book, id: u64, flags: u64, key: u16, value: Value<'_>) -> u64 {
    let is_new = flags & slot::HAS_MORE == 0;
    let added = book.recorder.get().is_some_and(|recorder| recorder.append(book, id, is_new, key, value));
    if added { flags | slot::HAS_MORE | slot::SAID } else { flags }
}

/// That a phase began goes into the history, once, if it says what it means. Gives the flags as they are then.
#[inline(never)]
fn note_begin(book: &Book, slot: &Slot, id: u64, site: u16, flags: u64) -> u64 {
    if flags & (slot::MEANS | NOTED) == slot::MEANS
        && let Some(recorder) = book.recorder.get()
    {
        if late::is_on() {
            recorder.look(At::Begin, site);
            // It has not begun yet.
            slot[slot::START].store(book.now(), Relaxed);
        }
        let (parent, start) = (slot[slot::PARENT].load(Relaxed), slot[slot::START].load(Relaxed));
        let event = Event { now: start, kind: cell::OPEN, argument: 0, name: site, phase: id, last: parent };
        recorder.push_plain(book, event);
    }
    flags | NOTED
}

/// Up to 16 bytes as two words: the first eight, and the last eight, which may overlap.
#[inline(always)]
fn two_words(bytes: &[u8]) -> [u64; 2] {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => [u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)],
        _ => [names::word_of(bytes), 0],
    }
}
