//! The names of a file, by number.

use super::checked::Layout;
use super::{ReadError, Reader};
use crate::layout::{WORD, name};

/// All names of a file.
pub(super) struct Names {
    entries: Vec<u64>,
    text: Vec<u64>,
}

impl Names {
    pub(super) fn read(reader: &Reader, layout: &Layout) -> Result<Self, ReadError> {
        Ok(Self {
            entries: reader.words(layout.names.offset, layout.names.count * name::WORDS)?,
            text: reader.words(layout.text.offset, layout.text.count)?,
        })
    }

    /// A name, or that of a call site. Those that are missing show as `?`.
    pub(super) fn get(&self, number: u16) -> String {
        let text = match self.bytes(number) {
            Some((name::SITE, bytes)) => numbers(&bytes).next().and_then(|number| self.text_of(number)),
            Some((name::TEXT, bytes)) => Some(text(&bytes)),
            _ => None,
        };
        text.filter(|_| number != 0).unwrap_or_else(|| "?".to_owned())
    }

    /// The n-th key of a call site.
    pub(super) fn key(&self, site: u16, key: usize) -> String {
        let number = match self.bytes(site) {
            Some((name::SITE, bytes)) => numbers(&bytes).nth(key + 1),
            _ => None,
        };
        number.and_then(|number| self.text_of(number)).unwrap_or_else(|| "?".to_owned())
    }

    fn text_of(&self, number: u16) -> Option<String> {
        self.bytes(number).filter(|(kind, _)| *kind == name::TEXT).map(|(_, bytes)| text(&bytes))
    }

    fn bytes(&self, number: u16) -> Option<(u64, Vec<u8>)> {
        let (kind, length, offset) = name::unpack(*self.entries.get(usize::from(number) * name::WORDS)?)?;
        let words = self.text.get(offset..offset.checked_add(length.div_ceil(WORD))?)?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.truncate(length.min(name::MAX_BYTES));
        Some((kind, bytes))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
}
