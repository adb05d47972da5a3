//! Events out of the pages of a ring, as `trace_pipe_raw` gives them (kernel/trace/ring_buffer.c,
//! include/linux/ring_buffer.h; `events/header_page` and `events/header_event` say the same).
//!
//! ```text
//! page:  time u64 | length u64 (upper bits: flags) | events …
//! event: type 5 bits, time since the one before 27 bits | data
//!        type 0: length u32, data     1–28: data of 4 × type bytes     29: padding
//!             30: time goes on by more than 27 bits say                 31: the time itself
//! ```

/// Bytes before the events of a page.
const HEAD: usize = 16;
/// The length of a page's events; what is above are flags.
const LENGTH: u64 = 0x000f_ffff;
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;
/// Bits of a time stamp in one of the two events that carry time; those above are the page's.
const STAMP_BITS: u32 = 59;

/// An event in its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawEvent<'a> {
    /// By the clock of the ring, ns.
    pub(super) t: u64,
    /// Its fields.
    pub(super) bytes: &'a [u8],
}

/// Calls `with` for every event of a page, in their order. `None` when the page is not as documented; what came before
/// was told.
pub(super) fn events<'a>(page: &'a [u8], mut with: impl FnMut(RawEvent<'a>)) -> Option<()> {
    let mut t = word64(page, 0)?;
    let length = (word64(page, 8)? & LENGTH) as usize;
    let data = page.get(HEAD..HEAD.checked_add(length)?)?;
    let mut at = 0;
    while at < data.len() {
        let head = word32(data, at)?;
        let (kind, delta) = (head & 0x1f, u64::from(head >> 5));
        let next = match kind {
            // What is left of the page is empty.
            PADDING if delta == 0 => return Some(()),
            PADDING => at.checked_add(4 + word32(data, at + 4)? as usize)?,
            TIME_EXTEND => {
                t = t.wrapping_add((u64::from(word32(data, at + 4)?) << 27) + delta);
                at + 8
            }
            TIME_STAMP => {
                let stamp = (u64::from(word32(data, at + 4)?) << 27) + delta;
                t = (t >> STAMP_BITS << STAMP_BITS) | stamp;
                at + 8
            }
            _ => {
                let (from, len) = match kind {
                    0 => (at + 8, (word32(data, at + 4)? as usize).checked_sub(4)?),
                    words => (at + 4, words as usize * 4),
                };
                let end = from.checked_add(len)?;
                t = t.wrapping_add(delta);
                with(RawEvent { t, bytes: data.get(from..end)? });
                end
            }
        };
        at = next.next_multiple_of(4);
    }
    Some(())
}

fn word32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn word64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(t: u64, words: &[u32]) -> Vec<u8> {
        let data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        [&t.to_le_bytes()[..], &(data.len() as u64 | 1 << 31).to_le_bytes(), &data].concat()
    }

    #[track_caller]
    fn check(words: &[u32], expected: &[(u64, &[u8])]) {
        let page = page(1000, words);
        let mut found = Vec::new();
        let end = events(&page, |event| found.push((event.t, event.bytes)));
        assert_eq!(found, expected);
        assert_eq!(end, Some(()));
    }

    fn head(kind: u32, delta: u32) -> u32 {
        delta << 5 | kind
    }

    #[test]
    fn pages_read_as_documented() {
        check(&[], &[]);
        check(&[head(1, 5), 7], &[(1005, &[7, 0, 0, 0])]);
        check(&[head(0, 5), 10, 1, 2], &[(1005, &[1, 0, 0, 0, 2, 0])]);
        check(&[head(TIME_EXTEND, 3), 1, head(1, 2), 7], &[(1005 + (1 << 27), &[7, 0, 0, 0])]);
        check(&[head(TIME_STAMP, 9), 0, head(1, 1), 7], &[(10, &[7, 0, 0, 0])]);
        check(&[head(PADDING, 1), 8, 0, head(1, 1), 7], &[(1001, &[7, 0, 0, 0])]);
        check(&[head(1, 1), 7, head(PADDING, 0), 99, 99], &[(1001, &[7, 0, 0, 0])]);
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic_or_go_on_for_ever(words in proptest::collection::vec(any::<u32>(), 0..64), t: u64) {
            let bytes = page(t, &words);
            let mut told = 0;
            let _ = events(&bytes, |_| told += 1);
            prop_assert!(told <= words.len());
            let mut whole: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            whole.truncate(t as usize % (whole.len() + 1));
            let _ = events(&whole, |_| ());
        }
    }
}
