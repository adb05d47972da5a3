//! The value of a field, and texts of bounded length.

use std::fmt;

/// Longest value of a field in bytes; longer ones are cut and end in `…`.
pub const MAX_VALUE: usize = 256;
const MARK: &str = "…";

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// An unsigned number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// A text; cut when it is longer than [`MAX_VALUE`].
    Text(&'a str),
}

pub(crate) const U64: u8 = 1;
pub(crate) const I64: u8 = 2;
pub(crate) const F64: u8 = 3;
pub(crate) const BOOL: u8 = 4;
pub(crate) const TEXT: u8 = 5;
/// A traced lock or the like by its index; the length is a [`crate::Role`].
pub(crate) const RESOURCE: u8 = 6;

impl Value<'_> {
    /// Kind and the word of a number; `None` for a text.
    pub(crate) fn number(self) -> Option<(u8, u64)> {
        Some(match self {
            Self::U64(n) => (U64, n),
            Self::I64(n) => (I64, n as u64),
            Self::F64(x) => (F64, x.to_bits()),
            Self::Bool(b) => (BOOL, u64::from(b)),
            Self::Text(_) => return None,
        })
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U64(n) => n.fmt(f),
            Self::I64(n) => n.fmt(f),
            Self::F64(x) => x.fmt(f),
            Self::Bool(b) => b.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// What a reader makes of a number that was written as `kind`; `None` for an unknown kind.
pub(crate) fn show_number(kind: u8, word: u64) -> Option<String> {
    Some(match kind {
        U64 => word.to_string(),
        I64 => (word as i64).to_string(),
        F64 => f64::from_bits(word).to_string(),
        BOOL => (word != 0).to_string(),
        _ => return None,
    })
}

/// A text that is written without a heap and cut with a mark at `N` bytes.
///
/// ```
/// use std::fmt::Write;
/// let mut text = hangdog_flight::Text::<8>::new();
/// let _cut = write!(text, "{}", 123_456_789);
/// assert_eq!(text.as_str(), "12345…");
/// ```
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    cut: bool,
}

impl<const N: usize> Text<N> {
    /// An empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; N], length: 0, cut: false }
    }

    /// `text`, cut if it is too long.
    pub fn of(text: &str) -> Self {
        let mut all = Self::new();
        all.push(text);
        all
    }

    /// What was written, mark included.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    /// `text` itself, or what is left of it when it is too long, kept in `cut`. Most texts fit, and a copy of one costs
    /// as much as writing it down.
    #[inline]
    pub(crate) fn fitted<'a>(text: &'a str, cut: &'a mut Option<Self>) -> &'a str {
        if text.len() <= N { text } else { cut.insert(Self::of(text)).as_str() }
    }

    fn push(&mut self, text: &str) {
        if self.cut {
            return;
        }
        if self.length + text.len() <= N {
            self.bytes[self.length..self.length + text.len()].copy_from_slice(text.as_bytes());
            self.length += text.len();
            return;
        }
        self.cut = true;
        // What is there already may itself have to make room for the mark.
        let room = N.saturating_sub(MARK.len());
        if self.length > room {
            self.length = floor_boundary(self.as_str(), room);
        } else {
            let more = floor_boundary(text, room - self.length);
            self.bytes[self.length..self.length + more].copy_from_slice(&text.as_bytes()[..more]);
            self.length += more;
        }
        if N >= MARK.len() {
            self.bytes[self.length..self.length + MARK.len()].copy_from_slice(MARK.as_bytes());
            self.length += MARK.len();
        }
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    /// An error once the text is full, so that a long `Debug` output ends there.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[track_caller]
    fn check(parts: &[&str], expected: &str) {
        let mut text = Text::<10>::new();
        for part in parts {
            let _full = text.write_str(part);
        }
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn long_texts_are_cut_with_a_mark() {
        check(&["0123456789"], "0123456789");
        check(&["0123456789x"], "0123456…");
        check(&["0123456", "789x", "more"], "0123456…");
        check(&["012345678", "9x"], "0123456…");
        check(&["ääääää"], "äää…");
        check(&["01234567ä", "x"], "0123456…");
    }
}
