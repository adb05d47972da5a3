//! Answers that consist of several: one part for each file or link that was read.
//!
//! ```text
//! | kind | number | errno | length | bytes | kind | number | …
//! ```
//!
//! The worker writes them, and says after each how far it came: when it gets stuck, what it has is not lost.

use hangdog_schemas::Observed;

use super::why;

/// Words before the bytes of a part.
pub(super) const HEAD: usize = 16;

/// The errno of a part that did not come back: its bytes are the wchan of the reader.
const STUCK: u32 = u32::MAX;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A member of a row, with its number there.
    Member,
    /// The list of descriptors.
    List,
    /// Where a descriptor points.
    Link,
    /// The `fdinfo` of a descriptor.
    Info,
    /// There was no room for more: ask again, from this descriptor on.
    More,
    /// The mode of a descriptor's link (`st_mode`, 4 bytes): what its owner may do is what the file was opened for.
    Mode,
}

impl Kind {
    pub(super) fn number(self) -> u32 {
        self as u32
    }

    pub(super) fn from_number(number: u32) -> Option<Self> {
        [Self::Member, Self::List, Self::Link, Self::Info, Self::More, Self::Mode]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// One of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is.
    pub kind: Kind,
    /// Place in its row, or number of the descriptor.
    pub number: u32,
    /// Its bytes, or why there are none.
    pub value: Observed<&'a [u8]>,
}

/// The parts of an answer, as far as it is whole.
pub fn parts(mut bytes: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_at_checked(HEAD)?;
        let word = |n: usize| head.get(n * 4..n * 4 + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let (kind, number, errno) = (Kind::from_number(word(0)?)?, word(1)?, word(2)?);
        let (value, rest) = rest.split_at_checked(word(3)? as usize)?;
        bytes = rest;
        let value = match errno {
            0 => Observed::Seen(value),
            STUCK => Observed::TimedOut(String::from_utf8_lossy(value).into_owned()),
            errno => why(errno as i32),
        };
        Some(Part { kind, number, value })
    })
}

/// The words before the bytes of a part.
pub(super) fn head(kind: Kind, number: u32, errno: u32, len: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    for (place, word) in head.chunks_exact_mut(4).zip([kind.number(), number, errno, len as u32]) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    head
}

/// Adds the part that did not come back.
pub(super) fn add_stuck(bytes: &mut Vec<u8>, kind: Kind, number: u32, wchan: &str) {
    bytes.extend(head(kind, number, STUCK, wchan.len()));
    bytes.extend(wchan.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_as_far_as_it_goes() {
        let mut bytes = head(Kind::Link, 7, 0, 4).to_vec();
        bytes.extend(b"/tmp");
        bytes.extend(head(Kind::Info, 7, libc::EACCES as u32, 0));
        add_stuck(&mut bytes, Kind::Link, 8, "call_proc_get_link");
        let all = [
            Part { kind: Kind::Link, number: 7, value: Observed::Seen(b"/tmp".as_slice()) },
            Part { kind: Kind::Info, number: 7, value: Observed::Denied },
            Part { kind: Kind::Link, number: 8, value: Observed::TimedOut("call_proc_get_link".to_owned()) },
        ];
        assert_eq!(parts(&bytes).collect::<Vec<_>>(), all);
        for cut in 0..bytes.len() {
            let whole = parts(&bytes[..cut]).collect::<Vec<_>>();
            assert_eq!(whole, all[..whole.len()], "cut at {cut}");
        }
        assert_eq!(parts(&[0xff; 64]).count(), 0);
    }
}
