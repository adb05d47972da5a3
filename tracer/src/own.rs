//! Spans that nobody but the recorder keeps: their ids, how often they were cloned, and which call site they are of.
//!
//! The id of such a span is the number of its phase. Beside each slot of the recorder there is a word:
//!
//! ```text
//!   of whom:15 | call site:15 | upper bits of the phase:11 | clones:23      its first owner is not counted
//! ```
//!
//! A span for which no slot was free has an id of its own kind, by which its call site is known and nothing else:
//! it can be entered, cloned and closed as any other, and leaves nothing behind.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use hangdog_flight::PhaseId;
use tracing::Metadata;
use tracing::span::{Attributes, Record};

use crate::fields::LaterFields;
use crate::recorded::{self, Key, Parent};
use crate::sites::CallSite;

/// Bits of a phase's number that are its slot.
const INDEX_BITS: u32 = 19;
/// The slots of the largest recorder, those of the threads' stacks left out.
pub(crate) const SLOTS: usize = 1 << 18;
/// Set in the id of a span without a phase: no slot's index has it.
const NO_PHASE: u64 = SLOTS as u64;
const UPPER_SHIFT: u32 = 23;
const CLONES: u64 = (1 << UPPER_SHIFT) - 1;
/// Where they are in its number, and which.
const UPPER_AT: u32 = 49;
const UPPER_MASK: u64 = 0x7ff;
const PLACE_SHIFT: u32 = 34;
const PLACE_MASK: u64 = 0x7fff;
const WHOM_SHIFT: u32 = 49;

/// 2 MiB, of which a page has memory once a span had a slot in it.
static WORDS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// Such a span, by its id. The call site in the id of one without a phase: `count:30 | place:15 | 1 | count:18`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own(pub(crate) u64);

impl Own {
    /// Opens a phase for a new span.
    #[inline]
    pub(crate) fn open(attributes: &Attributes<'_>, parent: Parent) -> Self {
        let call_site = CallSite::of(attributes.metadata());
        match recorded::begin(call_site, attributes, parent, || Key::Number) {
            Some(phase) => Self::of(call_site, phase),
            None => Self::without_phase(call_site),
        }
    }

    #[inline]
    fn of(call_site: &'static CallSite, phase: PhaseId) -> Self {
        let own = Self(phase.word());
        let Some(word) = own.word() else {
            // A recorder of more slots than there are words.
            hangdog_flight::abandon(phase);
            return Self::without_phase(call_site);
        };
        let place = u64::from(call_site.place()) & PLACE_MASK;
        word.store(own.whom() | place << PLACE_SHIFT | own.upper() << UPPER_SHIFT, Relaxed);
        own
    }

    #[cold]
    pub(crate) fn without_phase(call_site: &'static CallSite) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // The lowest bit stays 0; see `outward`.
        let count = COUNT.fetch_add(2, Relaxed);
        let place = u64::from(call_site.place()) & PLACE_MASK;
        Self(count & (NO_PHASE - 1) | NO_PHASE | place << INDEX_BITS | (count >> 18 & 0x3fff) << 34)
    }

    #[inline]
    pub(crate) fn has_phase(self) -> bool {
        self.0 & NO_PHASE == 0
    }

    /// Its phase, if it has one.
    #[inline]
    pub(crate) fn phase(self) -> Option<PhaseId> {
        PhaseId::from_word(self.0).filter(|_| self.has_phase())
    }

    /// Its slot, if there is a word for it.
    #[inline]
    pub(crate) fn slot(self) -> Option<usize> {
        Some(self.0 as usize & ((1 << INDEX_BITS) - 1)).filter(|slot| *slot < SLOTS)
    }

    #[inline]
    fn word(self) -> Option<&'static AtomicU64> {
        WORDS.get(self.slot()?)
    }

    /// What tells this span from others that had its slot: its generation, and in a forked child from those of its
    /// parent.
    #[inline]
    fn whom(self) -> u64 {
        (self.0 >> INDEX_BITS ^ self.0 >> 47) << WHOM_SHIFT
    }

    /// Those bits of its number that have no room in the outward id.
    #[inline]
    fn upper(self) -> u64 {
        self.0 >> UPPER_AT & UPPER_MASK
    }

    /// The same with these bits, which it lost on the way outward.
    #[inline]
    pub(crate) fn with_upper(self) -> Self {
        let word = self.word().map_or(0, |word| word.load(Relaxed));
        Self(self.0 | (word >> UPPER_SHIFT & UPPER_MASK) << UPPER_AT)
    }

    #[inline]
    fn is_of(self, word: u64) -> bool {
        (word ^ self.whom()) >> WHOM_SHIFT == 0
    }

    /// Its call site's metadata, if it has room in the table.
    pub(crate) fn metadata(self) -> Option<&'static Metadata<'static>> {
        let place = if self.has_phase() {
            Some(self.word()?.load(Relaxed)).filter(|word| self.is_of(*word))? >> PLACE_SHIFT
        } else {
            self.0 >> INDEX_BITS
        };
        CallSite::at((place & PLACE_MASK) as u16)?.metadata()
    }

    pub(crate) fn record(self, values: &Record<'_>) {
        if let Some(phase) = self.phase() {
            values.record(&mut LaterFields(phase));
        }
    }

    #[inline]
    pub(crate) fn enter(self) {
        if let Some(phase) = self.phase() {
            recorded::enter(phase);
        }
    }

    #[inline]
    pub(crate) fn exit(self) {
        if let Some(phase) = self.phase() {
            hangdog_flight::exit(phase);
        }
    }

    /// One owner more.
    pub(crate) fn clone_handle(self) {
        if let Some(word) = self.word() {
            // So many that they cannot be counted: then it stays open.
            let more = |word| self.is_of(word).then(|| if word & CLONES == CLONES { word } else { word + 1 });
            let _of_another = word.fetch_update(Relaxed, Relaxed, more);
        }
    }

    /// One owner less. Whether it was the last, and the span is over.
    #[inline]
    pub(crate) fn drop_handle(self) -> bool {
        let Some((phase, word)) = self.phase().zip(self.word()) else { return false };
        // This Acquire meets the Release of the other owners, who are done with it.
        let word_now = word.load(Acquire);
        if word_now & CLONES != 0 && self.is_of(word_now) && self.one_less(word) {
            return false;
        }
        hangdog_flight::close(phase);
        true
    }

    #[cold]
    fn one_less(self, word: &AtomicU64) -> bool {
        let less = |word| {
            let is_shared = word & CLONES != 0 && self.is_of(word);
            is_shared.then(|| if word & CLONES == CLONES { word } else { word - 1 })
        };
        word.fetch_update(AcqRel, Acquire, less).is_ok()
    }
}
