//! The index: which frame holds what, from when to when. It lies in a skippable frame (RFC 8878 §3.1.2) at
//! the end of the file, found from the end:
//!
//! ```text
//! 5A 2A 4D 18 | length u32 | "hangidx1" | JSON | length of all this u32 | "hangidx1"
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::RunNs;

const MAGIC: [u8; 4] = [0x5a, 0x2a, 0x4d, 0x18];
const MARK: &[u8; 8] = b"hangidx1";

/// Bytes from the begin of the frame to the end of the first mark.
pub(super) const MARK_REACH: usize = 4 + 4 + MARK.len();

/// Bytes of the trailer: a length and a mark.
const TRAILER: usize = 4 + MARK.len();

/// No index is longer: a year of seconds would fit.
const LONGEST: u64 = 64 << 20;

/// Which frame holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// All data frames, in the order of the file.
    pub frames: Vec<IndexFrame>,
}

/// What one frame holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFrame {
    /// Where it begins, bytes from the begin of the file.
    pub at: u64,
    /// How long it is, compressed.
    pub bytes: u64,
    /// How long it is, decompressed.
    pub text: u64,
    /// The earliest and the latest moment of its records. Facts count at the begin of their snapshot.
    pub t: (RunNs, RunNs),
    /// Kinds of its records, with how many there are.
    pub kinds: BTreeMap<String, u64>,
}

impl Index {
    /// Records in all frames.
    pub fn records(&self) -> u64 {
        self.frames.iter().flat_map(|frame| frame.kinds.values()).fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Whether the frames lie one behind the other, before `end`.
    fn is_sound(&self, end: u64) -> bool {
        let mut next = 0;
        self.frames.iter().all(|frame| {
            let Some(behind) = frame.at.checked_add(frame.bytes) else { return false };
            let in_order = frame.at >= next && behind <= end && frame.t.0 <= frame.t.1;
            next = behind;
            in_order
        })
    }
}

/// The whole skippable frame.
pub(super) fn encode(index: &Index) -> Vec<u8> {
    let json = serde_json::to_vec(index).expect("an index has string keys and plain numbers only");
    let payload = u32::try_from(MARK.len() + json.len() + TRAILER).expect("an index is far below 4 GiB");
    let mut frame = Vec::with_capacity(json.len() + MARK_REACH + TRAILER);
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&payload.to_le_bytes());
    frame.extend_from_slice(MARK);
    frame.extend_from_slice(&json);
    frame.extend_from_slice(&(payload + 8).to_le_bytes());
    frame.extend_from_slice(MARK);
    frame
}

/// Whether an index seems to begin here.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(8..).is_some_and(|rest| rest.starts_with(MARK))
}

/// Reads what the skippable frame that begins at `at` holds; `None` when it is no sound index.
pub(super) fn decode(payload: &[u8], at: u64) -> Option<Index> {
    let json = payload.strip_prefix(MARK)?.strip_suffix(MARK)?;
    let json = &json[..json.len().checked_sub(4)?];
    let index: Index = serde_json::from_slice(json).ok()?;
    index.is_sound(at).then_some(index)
}

/// Whether a skippable frame is (or was) an index.
pub(super) fn is_index(payload: &[u8]) -> bool {
    payload.starts_with(MARK)
}

/// Finds the index from the end of a file; `None` when there is no sound one.
pub(super) fn find(source: &mut (impl Read + Seek)) -> io::Result<Option<Index>> {
    let end = source.seek(SeekFrom::End(0))?;
    let Some(trailer_at) = end.checked_sub(TRAILER as u64) else { return Ok(None) };
    source.seek(SeekFrom::Start(trailer_at))?;
    let mut trailer = [0; TRAILER];
    source.read_exact(&mut trailer)?;
    let (length, mark) = trailer.split_at(4);
    let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
    let begin = end.checked_sub(length).filter(|_| mark == MARK && (8..=LONGEST).contains(&length));
    let Some(begin) = begin else { return Ok(None) };
    source.seek(SeekFrom::Start(begin))?;
    let mut frame = vec![0; length as usize];
    source.read_exact(&mut frame)?;
    Ok(if begins(&frame) { decode(&frame[8..], begin) } else { None })
}
