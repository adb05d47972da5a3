//! Call sites of `tracing` as the recorder knows them: a [`Site`] for each, made at its first span.
//!
//! A table without locks, found by the address of the call site's metadata, which lives as long as the program.
//! Entries are made once, on the heap, and never given up; a span reads two words.
#![expect(unsafe_code, reason = "entries are found through a pointer that is published once")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use hangdog_flight::{MAX_KEYS, Site, SiteNumber};
use tracing::Metadata;

const PLACE_BITS: u32 = 14;
/// Call sites that are known; a large program has some thousands. Beyond that, spans have neither name nor keys.
pub(crate) const PLACES: usize = 1 << PLACE_BITS;
const WINDOW: usize = 64;

/// A call site.
pub(crate) struct CallSite {
    pub(crate) site: Site,
    /// `None` for the one that stands for too many.
    metadata: Option<&'static Metadata<'static>>,
    place: u16,
}

static TABLE: [AtomicPtr<CallSite>; PLACES] = [const { AtomicPtr::new(ptr::null_mut()) }; PLACES];

static MANY: CallSite = {
    static NUMBER: SiteNumber = SiteNumber::new();
    CallSite { site: Site::new("(one of too many call sites)", &[], &NUMBER), metadata: None, place: u16::MAX }
};

impl CallSite {
    /// The one of a span.
    #[inline]
    pub(crate) fn of(metadata: &'static Metadata<'static>) -> &'static Self {
        let start = start(metadata);
        match at(start) {
            Some(known) if known.is(metadata) => known,
            _ => Self::look(metadata, start),
        }
    }

    /// The one in a place.
    #[inline]
    pub(crate) fn at(place: u16) -> Option<&'static Self> {
        at(usize::from(place))
    }

    /// Where it is in the table; [`PLACES`] or more when it has no place.
    #[inline]
    pub(crate) fn place(&self) -> u16 {
        self.place
    }

    pub(crate) fn metadata(&self) -> Option<&'static Metadata<'static>> {
        self.metadata
    }

    #[inline]
    fn is(&self, metadata: &'static Metadata<'static>) -> bool {
        self.metadata.is_some_and(|known| ptr::eq(known, metadata))
    }

    #[cold]
    #[inline(never)]
    fn look(metadata: &'static Metadata<'static>, start: usize) -> &'static Self {
        for step in 0..WINDOW {
            let place = (start + step) % PLACES;
            let known = at(place).unwrap_or_else(|| Self::make(metadata, place));
            if known.is(metadata) {
                return known;
            }
        }
        &MANY
    }

    /// Makes the entry of a free place; gives the one that is there when another thread was faster.
    fn make(metadata: &'static Metadata<'static>, place: usize) -> &'static Self {
        let keys: Vec<&'static str> = metadata.fields().iter().take(MAX_KEYS).map(|field| field.name()).collect();
        let number = Box::leak(Box::new(SiteNumber::new()));
        let site = Site::new(metadata.name(), Vec::leak(keys), number);
        let made = Box::leak(Box::new(Self { site, metadata: Some(metadata), place: place as u16 }));
        match TABLE[place].compare_exchange(ptr::null_mut(), made, AcqRel, Acquire) {
            Ok(_) => made,
            // Its own is lost: once, for two threads that meet here.
            Err(_) => at(place).unwrap_or(&MANY),
        }
    }
}

/// Metadata are statics some 100 bytes apart.
#[inline]
fn start(metadata: &'static Metadata<'static>) -> usize {
    let address = ptr::from_ref(metadata).addr() as u64;
    ((address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACE_BITS)) as usize
}

#[inline]
fn at(place: usize) -> Option<&'static CallSite> {
    let entry = TABLE.get(place)?.load(Acquire);
    // SAFETY: a pointer in the table is null, or was taken from a leaked box before it was published by the exchange
    // that this load sees; it is never changed again.
    unsafe { entry.as_ref() }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::*;

    #[test]
    fn a_call_site_has_one_entry_with_its_name_and_keys() {
        let span = tracing::callsite! {
            name: "walk",
            kind: tracing::metadata::Kind::SPAN,
            fields: depth, hang.wait
        };
        let first = CallSite::of(tracing::callsite::Callsite::metadata(span));
        let again = std::thread::spawn(move || CallSite::of(span.metadata())).join().unwrap();
        assert!(ptr::eq(first, again));
        assert_eq!((first.site.name(), first.site.keys()), ("walk", &["depth", "hang.wait"][..]));
        let at_its_place = CallSite::at(first.place()).and_then(CallSite::metadata).unwrap();
        assert_eq!(at_its_place.name(), "walk");
        assert!(CallSite::at(MANY.place()).is_none());
    }
}
