//! The names table: texts and call sites that are written once and then known by a number of 16 bits.
//!
//! Two indexes beside the file, in the process's own memory, both open addressing without locks: one by
//! content, one by the address of a `&'static str`. Two threads that bring the same text or site at the same
//! moment may get two numbers for it; that costs an entry and nothing else.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::layout::{KNOWN, WORD, name};
use crate::map::{self, Words};
use crate::site::{MAX_KEYS, Site};
use crate::sync::AtomicU64;
use crate::value::Text;

/// How many places of an index to look at.
const PROBES: usize = 16;

pub(crate) struct Names {
    entries: Words,
    text: Words,
    /// [`USED`] names and [`TEXT_USED`] words of text were claimed. The file is told; it is not asked, because others
    /// may write there.
    counts: Words,
    told_used: &'static AtomicU64,
    told_text_used: &'static AtomicU64,
    /// `hash:48 | number:16`
    by_content: Words,
    /// Pairs: address, then `length:32 | number:32`.
    by_address: Words,
}

const USED: usize = 0;
const TEXT_USED: usize = 1;

/// Why a text has no number.
pub(crate) struct NamesFull;

impl Names {
    pub(crate) fn new(
        entries: Words,
        text: Words,
        told_used: &'static AtomicU64,
        told_text_used: &'static AtomicU64,
    ) -> rustix::io::Result<Self> {
        let places = (entries.len() / name::WORDS * 2).next_power_of_two();
        let by_content = map::private(places * WORD)?;
        let by_address = map::private(places * 2 * WORD)?;
        let counts = map::private(2 * WORD)?;
        let names = Self { entries, text, counts, told_used, told_text_used, by_content, by_address };
        for known in KNOWN {
            let _smallest_file_has_room = names.number(known);
        }
        Ok(names)
    }

    /// Number of a text that lives as long as the program: found by its address.
    pub(crate) fn number_of_static(&self, text: &'static str) -> Result<u16, NamesFull> {
        let address = text.as_ptr() as u64;
        let pairs = self.by_address.len() / 2;
        let start = spread(address ^ (text.len() as u64) << 48) as usize;
        for probe in 0..PROBES {
            let at = start.wrapping_add(probe) % pairs * 2;
            let (key, value) = (&self.by_address[at], &self.by_address[at + 1]);
            let seen = key.load(Acquire);
            if seen == address {
                let value = value.load(Acquire);
                if value >> 32 == text.len() as u64 {
                    return Ok(value as u16);
                }
            } else if seen == 0 {
                let number = self.number(text)?;
                if key.compare_exchange(0, address, Release, Relaxed).is_ok() {
                    // Until this store the length is 0, which no look-up but that of "" (number 0) takes.
                    value.store((text.len() as u64) << 32 | u64::from(number), Release);
                }
                return Ok(number);
            }
        }
        self.number(text)
    }

    /// Number of any text, by content; cut at [`name::MAX_BYTES`].
    pub(crate) fn number(&self, text: &str) -> Result<u16, NamesFull> {
        self.number_of_bytes(name::TEXT, Text::<{ name::MAX_BYTES }>::of(text).as_str().as_bytes())
    }

    /// Number of a call site: of its name and its keys. Equal ones share it.
    pub(crate) fn number_of_site(&self, site: &Site) -> Result<u16, NamesFull> {
        let mut bytes = [0; 2 + 2 * MAX_KEYS];
        let texts = [site.name()].into_iter().chain(site.keys().iter().copied());
        let mut length = 0;
        for (place, text) in bytes.chunks_exact_mut(2).zip(texts) {
            place.copy_from_slice(&self.number_of_static(text)?.to_ne_bytes());
            length += 2;
        }
        self.number_of_bytes(name::SITE, &bytes[..length])
    }

    fn number_of_bytes(&self, kind: u64, bytes: &[u8]) -> Result<u16, NamesFull> {
        let hash = hash(kind, bytes);
        let mask = self.by_content.len() - 1;
        for probe in 0..PROBES {
            let entry = self.by_content[(hash as usize).wrapping_add(probe) & mask].load(Acquire);
            if entry == 0 {
                break;
            }
            if entry >> 16 == hash >> 16 && self.is(entry as u16, kind, bytes) {
                return Ok(entry as u16);
            }
        }
        self.add(kind, bytes, hash)
    }

    fn used(&self) -> &AtomicU64 {
        &self.counts[USED]
    }

    fn text_used(&self) -> &AtomicU64 {
        &self.counts[TEXT_USED]
    }

    fn add(&self, kind: u64, bytes: &[u8], hash: u64) -> Result<u16, NamesFull> {
        let words = bytes.len().div_ceil(WORD);
        let names = (self.entries.len() / name::WORDS).min(1 << 16);
        let offset = claim(self.text_used(), words, self.text.len()).ok_or(NamesFull)?;
        let number = claim(self.used(), 1, names).ok_or(NamesFull)?;
        self.told_text_used.fetch_max((offset + words) as u64, Relaxed);
        self.told_used.fetch_max(number as u64 + 1, Relaxed);
        store_bytes(&self.text[offset..offset + words], bytes);
        self.entries[number * name::WORDS + 1].store(hash, Relaxed);
        self.entries[number * name::WORDS].store(name::pack(kind, bytes.len(), offset), Release);
        let number = u16::try_from(number).map_err(|_| NamesFull)?;
        self.remember(number, hash);
        Ok(number)
    }

    fn remember(&self, number: u16, hash: u64) {
        let mask = self.by_content.len() - 1;
        let entry = hash & !0xffff | u64::from(number);
        for probe in 0..PROBES {
            let place = &self.by_content[(hash as usize).wrapping_add(probe) & mask];
            if place.compare_exchange(0, entry, Release, Relaxed).is_ok() {
                return;
            }
        }
    }

    fn is(&self, number: u16, kind: u64, bytes: &[u8]) -> bool {
        let Some(entry) = self.entries.get(usize::from(number) * name::WORDS) else { return false };
        let Some((its_kind, length, offset)) = name::unpack(entry.load(Acquire)) else { return false };
        (its_kind, length) == (kind, bytes.len())
            && bytes.chunks(WORD).enumerate().all(|(at, chunk)| {
                self.text.get(offset + at).is_some_and(|word| word.load(Relaxed) == word_of(chunk))
            })
    }

    /// The text of a number.
    pub(crate) fn text<const N: usize>(&self, number: u16) -> Option<Text<N>> {
        let entry = self.entries.get(usize::from(number) * name::WORDS)?;
        let (_, length, offset) = name::unpack(entry.load(Acquire)).filter(|(kind, _, _)| *kind == name::TEXT)?;
        let mut bytes = [0; name::MAX_BYTES];
        let words = self.text.get(offset..offset + length.div_ceil(WORD))?;
        for (bytes, word) in bytes.chunks_exact_mut(WORD).zip(words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        std::str::from_utf8(bytes.get(..length)?).ok().map(Text::of)
    }

    /// The name of a call site's phases, by the site's number.
    #[cold]
    pub(crate) fn name_of_site<const N: usize>(&self, number: u16) -> Option<Text<N>> {
        let entry = self.entries.get(usize::from(number) * name::WORDS)?.load(Acquire);
        let (kind, length, offset) = name::unpack(entry)?;
        if kind != name::SITE || length < 2 {
            return self.text(number);
        }
        let [first, second, ..] = self.text.get(offset)?.load(Relaxed).to_ne_bytes();
        self.text(u16::from_ne_bytes([first, second]))
    }

    /// Takes over all names of a recorder that this process inherited over fork: numbers that call sites
    /// remember stay right.
    pub(crate) fn inherit(&self, from: &Self) {
        let copy = |from: Words, to: Words, used: u64| {
            for (from, to) in from.iter().zip(to).take(used as usize) {
                to.store(from.load(Acquire), Relaxed);
            }
        };
        // The parent's other threads go on: an entry that is there has its text, one that comes later may not.
        let used = from.used().load(Acquire);
        copy(from.entries, self.entries, used.saturating_mul(name::WORDS as u64));
        let text_used = from.text_used().load(Acquire);
        copy(from.text, self.text, text_used);
        for (count, at, told) in [(text_used, TEXT_USED, self.told_text_used), (used, USED, self.told_used)] {
            self.counts[at].store(count, Relaxed);
            told.store(count, Relaxed);
        }
        for (number, entry) in (0..=u16::MAX).zip(self.entries.chunks_exact(name::WORDS)) {
            if name::unpack(entry[0].load(Relaxed)).is_some() && usize::from(number) >= KNOWN.len() {
                self.remember(number, entry[1].load(Relaxed));
            }
        }
    }
}

/// Takes `count` of what is counted by `used`, if so many are left.
fn claim(used: &AtomicU64, count: usize, all: usize) -> Option<usize> {
    // Looked at first, so that a full table does not count on and on.
    let fits = |at: u64| usize::try_from(at).ok()?.checked_add(count).filter(|end| *end <= all);
    fits(used.load(Relaxed))?;
    let at = used.fetch_add(count as u64, Relaxed);
    fits(at).map(|end| end - count)
}

/// Writes bytes into whole words; the rest of the last word becomes zero.
pub(crate) fn store_bytes(words: &[AtomicU64], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(WORD)) {
        word.store(word_of(chunk), Relaxed);
    }
}

/// Up to eight bytes as a word, the rest zeros. Without a loop or a call: short texts are what most fields are.
#[inline]
pub(crate) fn word_of(bytes: &[u8]) -> u64 {
    let word = match *bytes {
        [] => 0,
        // The same byte may be taken twice.
        [first, ..] if bytes.len() < 4 => {
            let at = |at: usize| u64::from(bytes[at]) << (8 * at);
            u64::from(first) | at(bytes.len() / 2) | at(bytes.len() - 1)
        }
        _ if bytes.len() < WORD => {
            let half = |half: Option<&[u8; 4]>| half.map_or(0, |half| u64::from(u32::from_le_bytes(*half)));
            half(bytes.first_chunk()) | half(bytes.last_chunk()) << (8 * (bytes.len() - 4))
        }
        _ => bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)),
    };
    u64::from_le(word)
}

/// FNV-1a, finished so that low bits depend on all; never 0 in the upper 48 bits.
fn hash(kind: u64, bytes: &[u8]) -> u64 {
    let sum = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ kind, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    spread(sum) | 1 << 63
}

fn spread(word: u64) -> u64 {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_a_word_in_their_order() {
        let bytes = *b"\x01\xff\x80\x7f\x05\x06\xf7\x08";
        for length in 0..=WORD {
            let mut word = [0; WORD];
            word[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(word_of(&bytes[..length]).to_ne_bytes(), word);
        }
    }
}
