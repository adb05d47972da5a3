//! Reading a part of a capture: the index names the frames, only those are read.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::frame::{Frames, Piece};
use super::read::{Lines, take};
use super::{Index, IndexFrame, IndexState, Reader, Summary, index};
use crate::{Record, Report, RunNs, SnapshotId};

/// Records of a part of a capture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// The records, in the order of the file.
    pub records: Vec<Record>,
    /// How much was read for it, and what is missing in it.
    pub summary: Summary,
}

impl<R: Read + Seek> Reader<R> {
    /// The index; `None` when the file has no sound one. Does not move the iterator.
    pub fn index(&mut self) -> io::Result<Option<Index>> {
        self.aside(index::find)
    }

    /// The records of `from..=to`, facts with the snapshot they belong to. Without an index the whole file is
    /// read for it. Does not move the iterator.
    ///
    /// Records without a moment and without a snapshot (run header, report) are not among them.
    pub fn records_between(&mut self, from: RunNs, to: RunNs) -> io::Result<Window> {
        let overlaps = |frame: &IndexFrame| frame.t.0 <= to && frame.t.1 >= from;
        let mut snapshots = BTreeSet::<SnapshotId>::new();
        let keep = |record: &Record| {
            if let Record::SnapshotBegin(begin) = record {
                let inside = (from..=to).contains(&begin.when.t);
                if inside {
                    snapshots.insert(begin.snapshot);
                }
                return inside;
            }
            match (record.snapshot(), record.when()) {
                (Some(snapshot), _) => snapshots.contains(&snapshot),
                (None, Some(t)) => (from..=to).contains(&t),
                (None, None) => false,
            }
        };
        self.select(overlaps, keep)
    }

    /// The records of the frames that begin at byte `at` of the file or later, facts only of snapshots that begin there,
    /// without those that have no moment and no snapshot. Records come late into a file when they were held in a program's memory: a frame by its place is read alone,
    /// where by its time half the file could overlap with it. Does not move the iterator.
    pub fn records_from(&mut self, at: u64) -> io::Result<Window> {
        let mut snapshots = BTreeSet::<SnapshotId>::new();
        let keep = |record: &Record| {
            if let Record::SnapshotBegin(begin) = record {
                snapshots.insert(begin.snapshot);
            }
            match record.snapshot() {
                Some(snapshot) => snapshots.contains(&snapshot),
                None => record.when().is_some(),
            }
        };
        self.select(|frame| frame.at >= at, keep)
    }

    /// The last report of the capture, read without the rest where there is an index.
    /// Does not move the iterator.
    pub fn report(&mut self) -> io::Result<Option<Report>> {
        let window =
            self.select(|frame| frame.kinds.contains_key("report"), |record| matches!(record, Record::Report(_)))?;
        Ok(window.records.into_iter().rev().find_map(|record| match record {
            Record::Report(report) => Some(*report),
            _ => None,
        }))
    }

    fn select(
        &mut self,
        frames: impl Fn(&IndexFrame) -> bool,
        mut keep: impl FnMut(&Record) -> bool,
    ) -> io::Result<Window> {
        let limits = self.limits;
        self.aside(|source| {
            let mut window = Window::default();
            let Some(index) = index::find(source)? else {
                source.seek(SeekFrom::Start(0))?;
                if let Ok(mut all) = Reader::with_limits(source, limits) {
                    window.records.extend(all.by_ref().filter(keep));
                    window.summary = all.summary().clone();
                }
                return Ok(window);
            };
            window.summary.index = IndexState::Present;
            let mut text = 0;
            for frame in index.frames.iter().filter(|frame| frames(frame)) {
                source.seek(SeekFrom::Start(frame.at))?;
                let rest = super::Limits { total: limits.total.saturating_sub(text), ..limits };
                let mut pieces = Frames::new(source.take(frame.bytes), rest)?;
                match pieces.next_piece() {
                    Piece::Whole(whole) => {
                        window.summary.frames += 1;
                        text += whole.len() as u64;
                        let mut lines = Lines::of_whole(whole);
                        while let Some(line) = lines.next() {
                            let record = take(line, &limits, &mut window.summary);
                            window.records.extend(record.filter(&mut keep));
                        }
                    }
                    Piece::TooMuch => {
                        window.summary.stopped_at_limit = true;
                        break;
                    }
                    _ => {
                        window.summary.damaged += 1;
                        window.summary.damaged_bytes += frame.bytes;
                    }
                }
            }
            Ok(window)
        })
    }

    /// Does something with the source and puts it back to where the iterator reads on.
    fn aside<T>(&mut self, work: impl FnOnce(&mut R) -> io::Result<T>) -> io::Result<T> {
        let source = self.frames.source_mut();
        let position = source.stream_position()?;
        let outcome = work(source);
        source.seek(SeekFrom::Start(position))?;
        outcome
    }
}
