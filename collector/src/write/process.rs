//! The writer process: takes records from a socket, compresses them, writes the file. It may block on the
//! disk as long as it likes; nobody waits for it without a limit.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hangdog_schemas::Record;
use hangdog_schemas::file::{Limits, WriteError, Writer};

use super::feed::Verdict;
use super::place::Place;
use super::ration::Ration;

/// A record follows, as JSON.
pub(super) const RECORD: u8 = b'R';
/// All is said: finish the capture and keep it.
pub(super) const KEEP: u8 = b'K';
/// All is said: remove the capture.
pub(super) const DROP: u8 = b'D';

/// A frame holds at most this time.
const FRAME_TIME: Duration = Duration::from_secs(1);
/// No message from the main loop is longer; a longer one means that the two sides disagree.
const MOST: usize = 64 << 20;

/// What the writer says to the main loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The file is open.
    Opened(PathBuf),
    /// It cannot be written, and why. Said once; later records are dropped.
    Failed(String),
    /// The capture is finished (0 bytes: removed). The last message.
    Done {
        /// Its size.
        bytes: u64,
    },
}

/// Runs until the socket ends. The exit code is 0 when the capture is what was asked for.
pub(super) fn main(socket: &UnixStream, place: &Place) -> i32 {
    // Compressing is never more urgent than the command.
    let _ = rustix::process::setpriority_process(None, 5);
    let (path, file) = match place.open() {
        Ok(opened) => opened,
        Err((path, error)) => {
            Message::Failed(advise(&path, &error)).send(socket);
            drain(socket);
            return 1;
        }
    };
    Message::Opened(path.clone()).send(socket);
    let ration = Ration::new(Limits::default().total);
    let mut capture = Capture { path, writer: None, ration, failed: false, begun: false };
    match Writer::new(file) {
        Ok(writer) => capture.writer = Some(writer),
        Err(error) => capture.report(socket, &error),
    }
    let verdict = capture.fill(socket);
    capture.end(socket, place, verdict)
}

/// The cause and what helps, in one sentence.
fn advise(path: &Path, error: &std::io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or name another place with -o",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "name a place that you may write to with -o",
        ErrorKind::NotFound | ErrorKind::NotADirectory => "create the folder, or name another place with -o",
        _ => "name another place with -o",
    };
    let cause = error.to_string();
    let cause = cause.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("the capture cannot be written to {}: {cause}; {advice}", path.display())
}

struct Capture {
    path: PathBuf,
    writer: Option<Writer<File>>,
    ration: Ration,
    failed: bool,
    /// The header has come: without it nobody could read the rest.
    begun: bool,
}

impl Capture {
    /// Takes records until the end is said or the socket ends, as it does when hangdog is killed.
    fn fill(&mut self, socket: &UnixStream) -> Verdict {
        let mut input = Input { socket, bytes: Vec::new() };
        let mut flushed = Instant::now();
        loop {
            let message = input.next(FRAME_TIME.saturating_sub(flushed.elapsed()));
            match message {
                Next::Message(RECORD, json) => self.write(socket, &json),
                Next::Message(DROP, _) => return Verdict::Drop,
                Next::Message(..) | Next::End => return Verdict::Keep,
                Next::Nothing => {}
            }
            if flushed.elapsed() >= FRAME_TIME {
                flushed = Instant::now();
                let outcome = self.writer.as_mut().map_or(Ok(()), Writer::flush_frame);
                self.check(socket, outcome);
            }
        }
    }

    fn write(&mut self, socket: &UnixStream, json: &[u8]) {
        let Ok(record) = serde_json::from_slice::<Record>(json) else { return };
        if matches!(record, Record::Report(_)) {
            self.write_losses(socket);
        }
        if self.ration.takes(&record, json.len() as u64 + 1) {
            self.put(socket, &record);
        }
    }

    /// Says what was left out; the report is the last line, so before it.
    fn write_losses(&mut self, socket: &UnixStream) {
        for lost in self.ration.take_losses() {
            self.put(socket, &lost);
        }
    }

    fn put(&mut self, socket: &UnixStream, record: &Record) {
        let outcome = self.writer.as_mut().map_or(Ok(()), |writer| writer.write(record));
        self.begun |= outcome.is_ok();
        self.check(socket, outcome);
    }

    fn check(&mut self, socket: &UnixStream, outcome: Result<(), WriteError>) {
        if let Err(error) = outcome {
            self.report(socket, &error);
        }
    }

    /// A full disk may get room again: the file's writer tries again, so this is said once and not the end.
    fn report(&mut self, socket: &UnixStream, error: &WriteError) {
        let WriteError::Io(error) = error else { return };
        if !std::mem::replace(&mut self.failed, true) {
            Message::Failed(advise(&self.path, error)).send(socket);
        }
    }

    fn end(mut self, socket: &UnixStream, place: &Place, verdict: Verdict) -> i32 {
        if verdict == Verdict::Drop && !place.is_named() {
            let removed = std::fs::remove_file(&self.path);
            Message::Done { bytes: 0 }.send(socket);
            place.prune();
            return i32::from(removed.is_err());
        }
        if !self.begun {
            // hangdog was killed before it had anything to say.
            if !place.is_named() {
                let _ = std::fs::remove_file(&self.path);
            }
            return 1;
        }
        self.write_losses(socket);
        let finished = match self.writer.take().map(Writer::finish) {
            Some(Ok(file)) => file.metadata().map_or(0, |file| file.len()),
            Some(Err(error)) => {
                self.report(socket, &error);
                0
            }
            None => 0,
        };
        if finished > 0 {
            Message::Done { bytes: finished }.send(socket);
        }
        place.prune();
        i32::from(finished == 0)
    }
}

fn drain(socket: &UnixStream) {
    let mut input = Input { socket, bytes: Vec::new() };
    while let Next::Message(RECORD, _) | Next::Nothing = input.next(FRAME_TIME) {}
}

enum Next {
    Message(u8, Vec<u8>),
    Nothing,
    End,
}

struct Input<'a> {
    socket: &'a UnixStream,
    bytes: Vec<u8>,
}

impl Input<'_> {
    /// The next message, or nothing within `limit`.
    fn next(&mut self, limit: Duration) -> Next {
        loop {
            if let Some(message) = self.take() {
                return message;
            }
            // A limit of zero would mean "none" to the socket.
            let _ = self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1))));
            let mut block = [0; 16 << 10];
            match (&mut &*self.socket).read(&mut block) {
                Ok(0) => return Next::End,
                Ok(n) => self.bytes.extend_from_slice(&block[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Next::Nothing;
                }
                Err(_) => return Next::End,
            }
        }
    }

    fn take(&mut self) -> Option<Next> {
        let len = u32::from_le_bytes(self.bytes.get(1..5)?.try_into().ok()?) as usize;
        if len > MOST {
            return Some(Next::End);
        }
        let body = self.bytes.get(5..5 + len)?.to_vec();
        let kind = self.bytes[0];
        self.bytes.drain(..5 + len);
        Some(Next::Message(kind, body))
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::file::Reader;
    use hangdog_schemas::record::{Lost, RunEnd, Sample};
    use hangdog_schemas::{RunNs, When};

    use super::*;

    /// What the writer makes of these records when readers take `limit` bytes.
    fn written(limit: u64, records: &[Record]) -> Vec<Record> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bounded.hang");
        let (ours, theirs) = UnixStream::pair().unwrap();
        let writer = Writer::new(File::create(&path).unwrap()).unwrap();
        let mut capture = Capture {
            path: path.clone(),
            writer: Some(writer),
            ration: Ration::new(limit),
            failed: false,
            begun: false,
        };
        for record in records {
            capture.write(&theirs, &serde_json::to_vec(record).unwrap());
        }
        assert_eq!(capture.end(&theirs, &Place::Named(path.clone()), Verdict::Keep), 0);
        drop(ours);
        let bytes = std::fs::read(path).unwrap();
        let (records, summary) = Reader::from_bytes(&bytes).unwrap().read_all();
        assert!(summary.is_complete(), "{:?}", summary.missing());
        records
    }

    #[test]
    fn a_capture_that_grows_too_large_keeps_its_begin_and_its_end() {
        let header = Record::Run(Box::new(hangdog_schemas::sample::header()));
        let sample =
            |n: u64| Record::Sample(Sample { when: When::exactly(RunNs(n)), threads: Vec::new(), gone: Vec::new() });
        let when = When::exactly(RunNs(1000));
        let end = Record::RunEnd(RunEnd { when, how: None, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 });
        let mut records = vec![header];
        records.extend((0..1000).map(sample));
        records.push(end.clone());
        let found = written(16 << 10, &records);
        let kept = found.iter().filter(|record| matches!(record, Record::Sample(_))).count();
        assert!((128..1000).contains(&kept), "{kept} samples");
        assert_eq!(found[..=kept], records[..=kept], "the first ones are kept");
        assert_eq!(found[kept + 1], end);
        let lost = Lost {
            when,
            at: "samples, since the capture has grown to 0 MiB".to_owned(),
            records: 1000 - kept as u64,
        };
        assert_eq!(found[kept + 2..], [Record::Lost(lost)]);
        assert_eq!(written(1 << 30, &records), records, "there is room for all");
    }
}
