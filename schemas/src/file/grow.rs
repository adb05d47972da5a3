//! Reading a capture that is still written: each look reads only what was appended since the one before.
//!
//! ```text
//! first look    ┌ frame ┬ frame ┬ fra    two frames are taken, the third is not whole: its lines are given aside
//! second look                   ┌ frame ┬ frame ┐     it is read again, now whole
//! ```
//!
//! What was lost or damaged is not counted here: when the index has been written, the file is read once as a whole.

use std::io::{self, Read, Seek, SeekFrom};

use super::frame::{Frames, Limits, Piece};
use super::read::{Lines, take};
use super::{OpenError, Reader, Summary, index};
use crate::Record;

/// How far a growing capture was read.
#[derive(Debug)]
pub struct Growing {
    /// Where the first frame begins that was not whole yet.
    at: u64,
    /// Text that was read up to there.
    text: u64,
    limits: Limits,
}

/// What a look has found.
#[derive(Debug, Default, PartialEq)]
pub struct Look {
    /// Records of the frame that is being written. The next look gives them again.
    pub unfinished: Vec<Record>,
    /// Whether more may come; not after the index, and not beyond the limits.
    pub ended: bool,
    /// Whether something was there that the look before did not see.
    pub grew: bool,
}

impl Growing {
    /// Begins with a capture. Nothing but its header is read.
    pub fn open(source: impl Read, limits: Limits) -> Result<Self, OpenError> {
        Reader::with_limits(source, limits)?;
        Ok(Self { at: 0, text: 0, limits })
    }

    /// Up to where whole frames were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Gives the records of the frames that were finished since the look before, the run header first of all.
    pub fn look<R: Read + Seek>(&mut self, mut source: R, mut give: impl FnMut(Record)) -> io::Result<Look> {
        source.seek(SeekFrom::Start(self.at))?;
        let left = Limits { total: self.limits.total.saturating_sub(self.text), ..self.limits };
        let mut frames = Frames::new(source, left)?;
        let begin = self.at;
        let mut look = Look::default();
        // What is wrong with lines is told by who reads the whole.
        let mut summary = Summary::default();
        loop {
            match frames.next_piece() {
                Piece::Whole(text) => {
                    self.text += text.len() as u64;
                    let mut lines = Lines::of_whole(text);
                    while let Some(line) = lines.next() {
                        take(line, &self.limits, &mut summary).into_iter().for_each(&mut give);
                    }
                }
                Piece::Cut { text, .. } => {
                    let mut lines = Lines::of_cut(text);
                    while let Some(line) = lines.next() {
                        look.unfinished.extend(take(line, &self.limits, &mut summary));
                    }
                    break;
                }
                Piece::Skippable(payload) => look.ended |= index::is_index(&payload),
                // Behind it a whole frame may begin of which the first bytes only are there: when nothing else comes, it
                // is looked at again.
                Piece::Damaged { .. } if frames.peek(1).is_empty() => break,
                Piece::Damaged { .. } => {}
                Piece::TooMuch => {
                    look.ended = true;
                    break;
                }
                Piece::End => break,
            }
            self.at = begin + frames.position();
        }
        look.grew = self.at > begin || !look.unfinished.is_empty();
        match frames.take_error() {
            Some(error) => Err(error),
            None => Ok(look),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::file::Writer;
    use crate::record::Lost;
    use crate::{RunNs, When};

    fn lost(n: u64) -> Record {
        Record::Lost(Lost { when: When::exactly(RunNs(n)), at: "here".to_owned(), records: n })
    }

    /// The file, and where each of its frames ends.
    fn capture() -> (Vec<u8>, Vec<Record>) {
        let header = Record::Run(Box::new(crate::sample::header()));
        let records: Vec<Record> = std::iter::once(header).chain((1..60).map(lost)).collect();
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (n, record) in records.iter().enumerate() {
            writer.write(record).unwrap();
            if n % 7 == 6 {
                writer.flush_frame().unwrap();
            }
        }
        (writer.finish().unwrap(), records)
    }

    /// Counts what is read.
    struct Counted<'a>(Cursor<&'a [u8]>, &'a mut u64);

    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(buffer)?;
            *self.1 += read as u64;
            Ok(read)
        }
    }

    impl Seek for Counted<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn however_it_grows_each_record_is_given_once_and_nothing_is_read_twice_but_the_last_frame() {
        let (bytes, records) = capture();
        for step in [1, 13, 100, 1000, bytes.len()] {
            let first = bytes.len().min(900).max(step);
            let mut growing = Growing::open(&bytes[..first], Limits::default()).unwrap();
            let (mut given, mut end, mut ended) = (Vec::new(), first, false);
            while !ended {
                let from = growing.position();
                let mut read = 0;
                let source = Counted(Cursor::new(&bytes[..end]), &mut read);
                let look = growing.look(source, |record| given.push(record)).unwrap();
                assert_eq!(read, end as u64 - from, "what was taken before is not read again");
                let known: Vec<Record> = given.iter().chain(&look.unfinished).cloned().collect();
                assert_eq!(known, records[..known.len()], "{step} bytes at a time, at {end}");
                ended = look.ended;
                assert!(ended || end < bytes.len());
                end = (end + step).min(bytes.len());
            }
            assert_eq!(given, records);
        }
    }

    #[test]
    fn a_look_at_what_has_not_grown_finds_nothing() {
        let (bytes, _) = capture();
        let part = &bytes[..bytes.len() / 2];
        let mut growing = Growing::open(part, Limits::default()).unwrap();
        growing.look(Cursor::new(part), |_| ()).unwrap();
        let whole = &part[..growing.position() as usize];
        let again = growing.look(Cursor::new(whole), |_| panic!("nothing is given twice")).unwrap();
        assert_eq!(again, Look::default());
    }

    #[test]
    fn what_is_damaged_is_passed_over() {
        let (mut bytes, records) = capture();
        let mut growing = Growing::open(&bytes[..], Limits::default()).unwrap();
        bytes[1200] ^= 0x10;
        let mut given = Vec::new();
        let look = growing.look(Cursor::new(&bytes[..]), |record| given.push(record)).unwrap();
        assert!(look.ended && given.len() > records.len() / 2 && given.len() < records.len(), "{}", given.len());
    }
}
