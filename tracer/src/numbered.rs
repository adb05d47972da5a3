//! Phases by plain numbers and names that are known only when the program runs: for other languages and for bindings.
//!
//! Names and keys get an entry each, once, found by their bytes without locks. There is room for so many as a
//! program writes down, not for so many as it could make up.
#![expect(unsafe_code, reason = "entries are found through a pointer that is published once")]

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use hangdog_flight::{PhaseId, Site, SiteNumber, Value};

use crate::Outcome;

const NAMES: usize = 1 << 12;
const WINDOW: usize = 32;

struct Named {
    text: &'static str,
    site: Site,
}

static TABLE: [AtomicPtr<Named>; NAMES] = [const { AtomicPtr::new(ptr::null_mut()) }; NAMES];

static MANY: Named = {
    static NUMBER: SiteNumber = SiteNumber::new();
    Named { text: "(one of too many names)", site: Site::new("(one of too many names)", &[], &NUMBER) }
};

impl Named {
    fn of(text: &str) -> &'static Self {
        let start = hash(text.as_bytes()) as usize;
        for step in 0..WINDOW {
            let place = &TABLE[start.wrapping_add(step) % NAMES];
            let known = at(place).unwrap_or_else(|| Self::make(text, place));
            if known.text == text {
                return known;
            }
        }
        &MANY
    }

    /// Makes the entry of a free place; gives the one that is there when another thread was faster.
    #[cold]
    fn make(text: &str, place: &AtomicPtr<Self>) -> &'static Self {
        let text: &'static str = Box::leak(Box::from(text));
        let number = Box::leak(Box::new(SiteNumber::new()));
        let made = Box::leak(Box::new(Self { text, site: Site::new(text, &[], number) }));
        match place.compare_exchange(ptr::null_mut(), made, AcqRel, Acquire) {
            Ok(_) => made,
            Err(_) => at(place).unwrap_or(&MANY),
        }
    }
}

fn at(place: &AtomicPtr<Named>) -> Option<&'static Named> {
    let entry = place.load(Acquire);
    // SAFETY: a pointer in the table is null, or was taken from a leaked box before it was published by the exchange
    // that this load sees; it is never changed again.
    unsafe { entry.as_ref() }
}

/// FNV-1a, finished so that the low bits depend on all.
fn hash(bytes: &[u8]) -> u64 {
    let sum = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    sum ^ sum >> 32
}

/// Opens a phase within the one that the calling thread is in, and gives its number; 0 when it is not recorded. Names
/// are never given up, so this is for names that stand in the program, not for those with a number in them.
///
/// ```
/// use hangdog_tracer::{Outcome, numbered};
///
/// let phase = numbered::begin("load settings");
/// numbered::field(phase, "hang.wait", "path:/etc/app.toml");
/// numbered::enter(phase);
/// numbered::exit(phase);
/// numbered::end(phase, Some(Outcome::Ok));
/// ```
pub fn begin(name: &str) -> u64 {
    hangdog_flight::begin(&Named::of(name).site).map_or(0, |opening| opening.publish().word())
}

/// Adds a field to a phase, or gives it another value.
pub fn field(phase: u64, key: &str, value: impl crate::AsValue) {
    field_of(phase, key, value.as_value());
}

fn field_of(phase: u64, key: &str, value: Value<'_>) {
    if let Some(phase) = PhaseId::from_word(phase) {
        hangdog_flight::field(phase, Named::of(key).text, value);
    }
}

/// The calling thread goes into a phase, until [`exit`].
pub fn enter(phase: u64) {
    if let Some(phase) = PhaseId::from_word(phase) {
        hangdog_flight::enter(phase, crate::phase::task);
    }
}

/// The calling thread leaves a phase that it [`enter`]ed.
pub fn exit(phase: u64) {
    if let Some(phase) = PhaseId::from_word(phase) {
        hangdog_flight::exit(phase);
    }
}

/// Ends a phase, on any thread. One that is over already is left alone.
pub fn end(phase: u64, outcome: Option<Outcome>) {
    let Some(phase) = PhaseId::from_word(phase) else { return };
    if let Some(outcome) = outcome {
        hangdog_flight::outcome(phase, outcome);
    }
    hangdog_flight::close(phase);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_entry_until_there_are_too_many() {
        let (first, again) = (Named::of("load"), Named::of(&String::from("load")));
        assert!(ptr::eq(first, again));
        assert_eq!((first.text, first.site.name()), ("load", "load"));
        assert_eq!(Named::of("").text, "");
        let names = (0..NAMES * 2).map(|n| Named::of(&format!("name {n}")).text);
        assert!(names.filter(|text| *text == MANY.text).count() >= NAMES);
        assert!(ptr::eq(Named::of("load"), first));
    }
}
