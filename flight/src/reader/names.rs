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

    /// Names that are missing show as `?`.
    pub(super) fn get(&self, number: u16) -> String {
        self.find(number).filter(|_| number != 0).unwrap_or_else(|| "?".to_owned())
    }

    fn find(&self, number: u16) -> Option<String> {
        let (length, offset) = name::unpack(*self.entries.get(usize::from(number) * name::WORDS)?)?;
        let words = self.text.get(offset..offset.checked_add(length.div_ceil(WORD))?)?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Some(String::from_utf8_lossy(bytes.get(..length.min(name::MAX_BYTES))?).into_owned())
    }
}
