//! Writing a capture.
//!
//! Lines gather in memory and leave as whole frames, so whatever moment the writer is killed at, what
//! came before is whole. A sink that fails (a full disk) loses nothing at once: what it did not take is
//! tried again with the next frame, and only a backlog of [`BACKLOG`] bytes makes records drop, counted.

use std::collections::BTreeMap;
use std::io::{self, Write};

use zstd::bulk::Compressor;
use zstd::stream::raw::CParameter;

use super::index::{self, Index, IndexFrame};
use super::{FRAME_TEXT, LINE};
use crate::record::Lost;
use crate::{Record, RunNs, SnapshotId, When};

/// Bytes of text that wait for a failing sink before records are dropped.
const BACKLOG: usize = 4 << 20;

/// Snapshots whose begin is remembered, for facts that come late.
const OPEN_SNAPSHOTS: usize = 16;

/// Of real captures it leaves about a twentieth: an eighth less than zstd's own default (3), for some 6 ms a MB of text.
const LEVEL: i32 = 9;

/// Why a record or a frame was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink did not take it. Nothing is lost yet: it is tried again with the next frame.
    #[error("the capture cannot be written")]
    Io(#[from] io::Error),
    /// The record is too long for a line. It was counted and left out.
    #[error("a record of kind {kind} has {bytes} bytes, and a capture holds {LINE} at most")]
    TooLong {
        /// Its kind.
        kind: &'static str,
        /// Its length as a line.
        bytes: usize,
    },
    /// The sink has failed for so long that nothing more is taken. The record was counted and left out.
    #[error("the capture cannot be written, and what waits for it has reached its limit")]
    Backlog,
    /// The first record is no run header: nobody could read such a file.
    #[error("a capture begins with a record of kind run, not {0}")]
    HeaderFirst(&'static str),
    /// The record cannot be put as JSON.
    #[error("a record cannot be put as JSON")]
    Json(#[from] serde_json::Error),
}

/// Writes a capture.
pub struct Writer<W: Write> {
    sink: W,
    compressor: Compressor<'static>,
    /// Lines of the frame that is being filled.
    text: Vec<u8>,
    frame: Option<Span>,
    /// Compressed bytes that the sink did not take yet.
    unsent: Vec<u8>,
    sent: u64,
    index: Index,
    snapshots: BTreeMap<SnapshotId, RunNs>,
    last: RunNs,
    begun: bool,
    records: u64,
    too_long: u64,
    backlog: u64,
    losses_written: u64,
}

/// What the index will say of the frame that is being filled.
struct Span {
    t: (RunNs, RunNs),
    kinds: BTreeMap<String, u64>,
}

impl<W: Write> Writer<W> {
    /// A writer that begins a capture.
    pub fn new(sink: W) -> Result<Self, WriteError> {
        let mut compressor = Compressor::new(LEVEL)?;
        // A reader believes a frame whole only when its sum is right.
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            sink,
            compressor,
            text: Vec::new(),
            frame: None,
            unsent: Vec::new(),
            sent: 0,
            index: Index::default(),
            snapshots: BTreeMap::new(),
            last: RunNs(0),
            begun: false,
            records: 0,
            too_long: 0,
            backlog: 0,
            losses_written: 0,
        })
    }

    /// Adds a record. A report gets a frame of its own.
    ///
    /// After [`WriteError::Io`] the record is kept and tried again; after any other error it is left out.
    pub fn write(&mut self, record: &Record) -> Result<(), WriteError> {
        if !self.begun && !matches!(record, Record::Run(_)) {
            return Err(WriteError::HeaderFirst(record.kind()));
        }
        if self.text.len() >= BACKLOG {
            self.backlog += 1;
            return Err(WriteError::Backlog);
        }
        let is_report = matches!(record, Record::Report(_));
        // The losses stand before the report, which is the last line. What fails here is tried again below.
        let mut outcome = if is_report { self.write_losses().and_then(|()| self.flush_frame()) } else { Ok(()) };
        self.append(record)?;
        if is_report || self.text.len() >= FRAME_TEXT {
            outcome = self.flush_frame();
        }
        outcome
    }

    fn append(&mut self, record: &Record) -> Result<(), WriteError> {
        let before = self.text.len();
        if let Err(error) = serde_json::to_writer(&mut self.text, record) {
            self.text.truncate(before);
            return Err(error.into());
        }
        let bytes = self.text.len() - before;
        if bytes > LINE {
            self.text.truncate(before);
            self.too_long += 1;
            return Err(WriteError::TooLong { kind: record.kind(), bytes });
        }
        self.text.push(b'\n');
        self.begun = true;
        self.records += 1;
        let t = self.moment(record);
        let span = self.frame.get_or_insert_with(|| Span { t: (t, t), kinds: BTreeMap::new() });
        span.t = (span.t.0.min(t), span.t.1.max(t));
        match span.kinds.get_mut(record.kind()) {
            Some(n) => *n += 1,
            None => drop(span.kinds.insert(record.kind().to_owned(), 1)),
        }
        Ok(())
    }

    /// When a record counts in the index: a fact at the begin of its snapshot.
    fn moment(&mut self, record: &Record) -> RunNs {
        if let Record::SnapshotBegin(begin) = record {
            self.snapshots.insert(begin.snapshot, begin.when.t);
            if self.snapshots.len() > OPEN_SNAPSHOTS {
                self.snapshots.pop_first();
            }
        }
        if let Some(t) = record.when() {
            self.last = self.last.max(t);
        }
        let of_snapshot = record.snapshot().and_then(|id| self.snapshots.get(&id)).copied();
        of_snapshot.or(record.when()).unwrap_or(self.last)
    }

    /// Says in the capture itself what was left out of it.
    fn write_losses(&mut self) -> Result<(), WriteError> {
        let lost = self.refused();
        if lost == self.losses_written {
            return Ok(());
        }
        let at = format!("the capture ({} too long, {} while it could not be written)", self.too_long, self.backlog);
        let records = lost - self.losses_written;
        self.append(&Record::Lost(Lost { when: When::exactly(self.last), at, records }))?;
        self.losses_written = lost;
        Ok(())
    }

    /// Closes the frame and hands it to the sink. Call once a second.
    pub fn flush_frame(&mut self) -> Result<(), WriteError> {
        self.send()?;
        let Some(span) = self.frame.take() else { return Ok(()) };
        self.unsent = match self.compressor.compress(&self.text) {
            Ok(frame) => frame,
            Err(error) => {
                self.frame = Some(span);
                return Err(error.into());
            }
        };
        self.index.frames.push(IndexFrame {
            at: self.sent,
            bytes: self.unsent.len() as u64,
            text: self.text.len() as u64,
            t: span.t,
            kinds: span.kinds,
        });
        self.text.clear();
        self.send()
    }

    fn send(&mut self) -> Result<(), WriteError> {
        let mut taken = 0;
        let outcome = loop {
            if taken == self.unsent.len() {
                break self.sink.flush();
            }
            match self.sink.write(&self.unsent[taken..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => taken += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..taken);
        self.sent += taken as u64;
        outcome.map_err(WriteError::Io)
    }

    /// Records that were taken.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records that were left out: too long, or while the sink failed.
    pub fn refused(&self) -> u64 {
        self.too_long + self.backlog
    }

    /// Bytes that the sink has taken.
    pub fn bytes(&self) -> u64 {
        self.sent
    }

    /// Bytes of text that have left as frames. A reader takes [`Limits::total`](super::Limits) of it.
    pub fn text(&self) -> u64 {
        self.index.frames.iter().map(|frame| frame.text).sum()
    }

    /// Closes the last frame, writes the index and gives the sink back.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.begun {
            self.write_losses()?;
        }
        self.flush_frame()?;
        self.unsent = index::encode(&self.index);
        self.send()?;
        Ok(self.sink)
    }
}
