//! Reading a capture from its begin, whole or not.

use std::io::{Cursor, Read};

use super::error::{OpenError, describe};
use super::frame::{Frames, Limits, Piece, ZSTD_MAGIC};
use super::line::{self, Line};
use super::{Index, IndexState, Summary, index};
use crate::{CAPTURE_VERSION, Readable, Record, RunHeader};

/// Reads a capture: an iterator over its records, the run header first.
///
/// It never fails once it is open: what cannot be read is passed over and counted in the
/// [`summary`](Self::summary).
pub struct Reader<R> {
    pub(super) frames: Frames<R>,
    pub(super) limits: Limits,
    lines: Lines,
    header: Box<RunHeader>,
    first: Option<Record>,
    summary: Summary,
    index: Option<Index>,
    ended: bool,
}

/// Text of a frame, taken line by line.
#[derive(Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    next: usize,
}

impl Lines {
    /// Lines of a whole frame. Its last line counts even without an end of line.
    pub(super) fn of_whole(text: Vec<u8>) -> Self {
        Self { text, next: 0 }
    }

    /// Lines of a cut frame. Its last line is not whole.
    pub(super) fn of_cut(mut text: Vec<u8>) -> Self {
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        Self { text, next: 0 }
    }

    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.text[self.next..];
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|b| *b == b'\n');
        self.next += end.map_or(rest.len(), |end| end + 1);
        Some(&rest[..end.unwrap_or(rest.len())])
    }
}

impl<'a> Reader<Cursor<&'a [u8]>> {
    /// Opens a capture that is in memory.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, OpenError> {
        Self::open(Cursor::new(bytes))
    }
}

impl<R: Read> Reader<R> {
    /// Opens a capture: reads up to its run header.
    pub fn open(source: R) -> Result<Self, OpenError> {
        Self::with_limits(source, Limits::default())
    }

    /// Opens a capture with other limits.
    pub fn with_limits(source: R, limits: Limits) -> Result<Self, OpenError> {
        let mut frames = Frames::new(source, limits)?;
        let begin = frames.peek(32).to_vec();
        if let Some(error) = frames.take_error() {
            return Err(error.into());
        }
        if begin.is_empty() {
            return Err(OpenError::Empty);
        }
        if !begin.starts_with(&ZSTD_MAGIC[..begin.len().min(4)]) {
            return Err(OpenError::NotACapture { begins: describe(&begin) });
        }
        let mut summary = Summary::default();
        let mut lines = match frames.next_piece() {
            Piece::Whole(text) => {
                summary.frames = 1;
                Lines::of_whole(text)
            }
            Piece::Cut { text, bytes } => {
                let lines = Lines::of_cut(text);
                if lines.text.is_empty() {
                    return Err(frames.take_error().map_or(OpenError::CutBeforeHeader { bytes }, OpenError::Io));
                }
                summary.cut = Some(bytes);
                lines
            }
            Piece::Damaged { why, .. } => return Err(OpenError::DamagedHeader { why }),
            Piece::TooMuch => return Err(OpenError::DamagedHeader { why: "it holds too much".to_owned() }),
            Piece::Skippable(_) | Piece::End => unreachable!("the first bytes are the magic number of a zstd frame"),
        };
        let first = lines.next().unwrap_or_default();
        let header = header(first)?;
        if CAPTURE_VERSION.reads(header.format) == Readable::WithLosses {
            summary.newer = Some(header.format);
        }
        summary.records = 1;
        summary.cut_lines = u64::from(summary.cut.is_some());
        let first = Some(Record::Run(header.clone()));
        Ok(Self { frames, limits, lines, header, first, summary, index: None, ended: false })
    }

    /// What ran where.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// How much was read up to now, and what is missing. Complete when the iterator has ended.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Reads all that is left. For those who want records and summary at once.
    pub fn read_all(mut self) -> (Vec<Record>, Summary) {
        let records = self.by_ref().collect();
        (records, self.summary)
    }

    /// Takes the next piece of the file; false when there is none.
    fn advance(&mut self) -> bool {
        let at = self.frames.position();
        match self.frames.next_piece() {
            Piece::Whole(text) => {
                self.summary.frames += 1;
                self.lines = Lines::of_whole(text);
            }
            Piece::Cut { text, bytes } => {
                self.summary.cut = Some(bytes);
                self.lines = Lines::of_cut(text);
            }
            Piece::Skippable(payload) if index::is_index(&payload) => {
                self.index = index::decode(&payload, at);
                let state = if self.index.is_some() { IndexState::Present } else { IndexState::Damaged };
                self.summary.index = state;
            }
            // Somebody else's, as zstd allows them.
            Piece::Skippable(_) => {}
            Piece::Damaged { bytes, .. } => {
                self.summary.damaged += 1;
                self.summary.damaged_bytes += bytes;
            }
            Piece::TooMuch => {
                self.summary.stopped_at_limit = true;
                return false;
            }
            Piece::End => return false,
        }
        true
    }

    fn end(&mut self) {
        self.ended = true;
        self.summary.failed = self.frames.take_error().map(|error| error.to_string());
        let named = self.index.as_ref().map_or(0, Index::records);
        self.summary.unread = named.checked_sub(self.summary.lines()).filter(|unread| *unread > 0);
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while !self.ended {
            while let Some(line) = self.lines.next() {
                if let Some(record) = take(line, &self.limits, &mut self.summary) {
                    return Some(record);
                }
            }
            if !self.advance() {
                self.end();
            }
        }
        None
    }
}

/// Reads a line and counts it.
pub(super) fn take(line: &[u8], limits: &Limits, summary: &mut Summary) -> Option<Record> {
    summary.cut_lines += u64::from(summary.cut.is_some());
    let line = if line.len() > limits.line { Line::Bad } else { line::parse(line) };
    match line {
        Line::Record(record) => {
            summary.records += 1;
            summary.report |= matches!(record, Record::Report(_));
            return Some(record);
        }
        Line::Unknown(kind) => summary.count_unknown(kind),
        Line::Bad => summary.bad_lines += 1,
    }
    None
}

/// Reads the first line: the run header, when this version may read it.
fn header(first: &[u8]) -> Result<Box<RunHeader>, OpenError> {
    if line::kind(first).is_none_or(|kind| kind != "run") {
        let begins = format!("compressed text that begins with {}", describe(first));
        return Err(OpenError::NotACapture { begins });
    }
    let found = line::format(first).map_err(OpenError::BadHeader)?;
    if CAPTURE_VERSION.reads(found) == Readable::No {
        return Err(OpenError::OtherVersion { found, own: CAPTURE_VERSION });
    }
    match serde_json::from_slice(first).map_err(OpenError::BadHeader)? {
        Record::Run(header) => Ok(header),
        _ => unreachable!("the kind was looked at"),
    }
}
