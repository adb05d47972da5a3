//! The sites of spans: a recorder's [`Site`] for each call site of `tracing`, made at its first span.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use hangdog_flight::{MAX_KEYS, Site, SiteNumber};
use tracing::Metadata;

/// Call sites that are known; a program has some thousands. Beyond that, spans have a name and no keys.
const PLACES: usize = 1 << 13;
const WINDOW: usize = 32;

/// Found by the address of the call site's metadata, which lives as long as the program.
pub(crate) struct Sites {
    places: Box<[Place]>,
}

struct Place {
    /// Address of the metadata; 0 when free.
    metadata: AtomicUsize,
    site: OnceLock<&'static Site>,
}

impl Sites {
    pub(crate) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| Place { metadata: AtomicUsize::new(0), site: OnceLock::new() }).collect() }
    }

    #[inline]
    pub(crate) fn of(&self, metadata: &'static Metadata<'static>) -> &'static Site {
        static NUMBER: SiteNumber = SiteNumber::new();
        static MANY: Site = Site::new("(one of too many call sites)", &[], &NUMBER);
        let address = std::ptr::from_ref(metadata).addr();
        // Metadata are statics of more than 64 bytes.
        let start = address / 64;
        for step in 0..WINDOW {
            let place = &self.places[(start + step) % PLACES];
            let known = place.metadata.load(Acquire);
            if known == address
                || known == 0 && place.metadata.compare_exchange(0, address, AcqRel, Acquire).is_ok()
                || place.metadata.load(Acquire) == address
            {
                return place.site.get_or_init(|| make(metadata));
            }
        }
        &MANY
    }
}

/// Once for each call site, on the heap.
#[cold]
fn make(metadata: &'static Metadata<'static>) -> &'static Site {
    let keys: Vec<&'static str> = metadata.fields().iter().take(MAX_KEYS).map(|field| field.name()).collect();
    let number = Box::leak(Box::new(SiteNumber::new()));
    Box::leak(Box::new(Site::new(metadata.name(), Vec::leak(keys), number)))
}
