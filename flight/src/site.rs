//! A call site: the name and the keys that every phase opened there has, known by one number.

use std::sync::atomic::AtomicU64 as Word;
use std::sync::atomic::Ordering::Relaxed;

/// Most keys of a site, as many as a `tracing` span may have fields.
pub const MAX_KEYS: usize = 32;

/// What is the same for all phases that are opened at one place of the program. A `static` beside the call.
///
/// ```
/// use hangdog_flight::{Site, SiteNumber, Value};
///
/// static NUMBER: SiteNumber = SiteNumber::new();
/// static WALK: Site = Site::new("walk", &["path", "hang.wait"], &NUMBER);
/// if let Some(mut opening) = hangdog_flight::begin(&WALK) {
///     opening.value(0, Value::Text("/tmp"));
///     opening.value(1, Value::Text("path:/tmp"));
///     let phase = opening.publish();
///     hangdog_flight::close(phase);
/// }
/// ```
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    keys: &'static [&'static str],
    /// Bit n: the n-th key is one of `hang.*`.
    meaning: u32,
    number: &'static SiteNumber,
}

/// The number of a site, once it was asked for. Beside the site itself, which then is a constant: which fields it
/// has and what they mean is decided when a call is compiled.
#[derive(Debug, Default)]
pub struct SiteNumber(
    /// 0 while there is none.
    Word,
);

impl SiteNumber {
    /// None yet.
    pub const fn new() -> Self {
        Self(Word::new(0))
    }
}

impl Site {
    /// A site with the keys that its phases may have.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_KEYS`] keys; for a `static`, when it is compiled.
    pub const fn new(name: &'static str, keys: &'static [&'static str], number: &'static SiteNumber) -> Self {
        assert!(keys.len() <= MAX_KEYS, "a phase has at most 32 fields");
        let mut meaning = 0;
        let mut at = 0;
        while at < keys.len() {
            if has_meaning(keys[at]) {
                meaning |= 1 << at;
            }
            at += 1;
        }
        Self { name, keys, meaning, number }
    }

    /// The phases' name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Their keys.
    pub fn keys(&self) -> &'static [&'static str] {
        self.keys
    }

    #[inline(always)]
    pub(crate) fn has_meaning(&self, key: usize) -> bool {
        self.meaning >> key & 1 == 1
    }

    /// Its number in the recorder of this process and in those of what it forks, which all know the same names. 0
    /// when it was not asked for yet.
    #[inline(always)]
    pub(crate) fn number(&self) -> u64 {
        self.number.0.load(Relaxed)
    }

    pub(crate) fn remember(&self, number: u16) {
        self.number.0.store(u64::from(number), Relaxed);
    }
}

/// Whether a key begins with `hang.`.
const fn has_meaning(key: &str) -> bool {
    let prefix = b"hang.";
    let key = key.as_bytes();
    if key.len() <= prefix.len() {
        return false;
    }
    let mut at = 0;
    while at < prefix.len() {
        if key[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_a_meaning_are_known_when_it_is_compiled() {
        static NUMBER: SiteNumber = SiteNumber::new();
        static SITE: Site = Site::new("x", &["hang.wait", "path", "hang.", "hangs", "hang.op"], &NUMBER);
        assert_eq!(SITE.meaning, 0b10001);
        assert_eq!(SITE.number(), 0);
        SITE.remember(7);
        assert_eq!(SITE.number(), 7);
    }
}
