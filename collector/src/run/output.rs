//! Whether the command wrote something, without standing in its way: its stdout and stderr are ours too,
//! or the pipes of `--tee`.
//!
//! | stdout is | what tells | how exact |
//! | --- | --- | --- |
//! | a file | the position of the open file, which we share (`/proc/self/fdinfo`) | bytes |
//! | a terminal | the time of its last change (`fstat` of devpts, which no program serves) | 8 s, the kernel's own step |
//! | relayed (`--tee`) | the relay | bytes, with the text |
//! | a pipe, a socket | bytes written by each process (`io`, through the guarded worker) | bytes, all descriptors together |
//!
//! A pipe keeps no time of its last change on Linux 6.18 (seen), and FIONREAD takes the pipe's mutex, which
//! a writer may hold for good: so pipes go by what the processes wrote.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::record::{Output, Stream};
use hangdog_schemas::{Observed, Pid, ProcessId, RunNs, When};

use super::stdio::{closed_at_start, target};
use super::tee::Tee;
use crate::observe::worker::{Answer, Ask, Hazard, Room, Worker};

/// Processes whose written bytes are asked for in one round.
const MOST_ASKED: usize = 64;

#[derive(Debug)]
enum Kind {
    File(u64),
    Terminal((i64, i64)),
    Piped,
    Silent,
}

/// The two streams of the command.
pub(super) struct Outputs {
    streams: Vec<(Stream, Kind)>,
    written: Written,
    pub(super) tee: Tee,
}

impl Outputs {
    /// Looks at our own stdout and stderr, but for those that are relayed.
    pub(super) fn new(tee: Tee) -> Self {
        let closed: Vec<i32> = closed_at_start().collect();
        let mut streams = Vec::new();
        for (fd, stream) in [(1, Stream::Stdout), (2, Stream::Stderr)] {
            if !closed.contains(&fd) && !tee.has(stream) {
                streams.push((stream, kind(fd)));
            }
        }
        let is_piped = streams.iter().any(|(_, kind)| matches!(kind, Kind::Piped));
        Self { streams, written: Written::new(is_piped), tee }
    }

    /// Of processes that ran already: where they write to is not known, that they write is.
    pub(super) fn of_others() -> Self {
        Self { streams: Vec::new(), written: Written::new(true), tee: Tee::default() }
    }

    /// Processes of ours that are no part of the run.
    pub(super) fn helpers(&self) -> impl Iterator<Item = Pid> {
        self.written.worker.iter().flat_map(Worker::pids).chain(self.tee.helpers())
    }

    /// What was written since the last look. Never waits.
    pub(super) fn look(
        &mut self,
        now: RunNs,
        processes: impl Iterator<Item = (ProcessId, TaskState)>,
    ) -> Vec<Output> {
        let mut found = Vec::new();
        for (stream, kind) in &mut self.streams {
            let fd = if *stream == Stream::Stdout { 1 } else { 2 };
            let bytes = match kind {
                Kind::File(position) => position_of(fd).map(|at| at.saturating_sub(std::mem::replace(position, at))),
                Kind::Terminal(changed) => {
                    changed_at(fd).and_then(|at| (std::mem::replace(changed, at) != at).then_some(0))
                }
                Kind::Piped | Kind::Silent => None,
            };
            let is_news = match kind {
                Kind::Terminal(_) => bytes.is_some(),
                _ => bytes.is_some_and(|bytes| bytes > 0),
            };
            if let (true, Some(bytes)) = (is_news, bytes) {
                found.push(Output { when: When::exactly(now), stream: *stream, bytes, text: None });
            }
        }
        // `2>&1`: one open file, one position, and both streams seem to have moved.
        if let [one, other] = found.as_slice()
            && one.bytes == other.bytes
            && target(1) == target(2)
        {
            found.truncate(1);
            found[0].stream = Stream::Both;
        }
        found.extend(self.tee.look(now));
        if let Some(bytes) = self.written.look(now, processes) {
            found.push(Output { when: When::exactly(now), stream: Stream::Both, bytes, text: None });
        }
        found
    }
}

fn kind(fd: i32) -> Kind {
    let Some(target) = target(fd) else { return Kind::Silent };
    let bytes = target.as_os_str().as_bytes();
    if bytes.starts_with(b"pipe:[") || bytes.starts_with(b"socket:[") {
        Kind::Piped
    } else if bytes.starts_with(b"/dev/pts/") || bytes.starts_with(b"/dev/tty") || bytes == b"/dev/console" {
        changed_at(fd).map_or(Kind::Piped, Kind::Terminal)
    } else if bytes.starts_with(b"/dev/") {
        Kind::Piped
    } else {
        position_of(fd).map_or(Kind::Silent, Kind::File)
    }
}

/// The position in our own open file: `fdinfo` asks nobody who serves the file.
fn position_of(fd: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("pos:")?.trim().parse().ok())
}

fn changed_at(fd: i32) -> Option<(i64, i64)> {
    // Only asked of devices under /dev, which the kernel itself answers.
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let stream: BorrowedFd<'_> = if fd == 1 { stdout.as_fd() } else { stderr.as_fd() };
    let about = rustix::fs::fstat(stream).ok()?;
    Some((about.st_mtime as i64, about.st_mtime_nsec as i64))
}

/// Bytes that each process has written in all, by `/proc/PID/io`.
struct Written {
    worker: Option<Worker>,
    asked: Vec<ProcessId>,
    bytes: BTreeMap<ProcessId, u64>,
    next: RunNs,
}

/// Once a second is enough: this only puts the quiet time off.
const EVERY_NS: u64 = 1_000_000_000;

impl Written {
    fn new(is_needed: bool) -> Self {
        let worker = is_needed.then(|| Worker::spawn(Room::Small).ok()).flatten();
        Self { worker, asked: Vec::new(), bytes: BTreeMap::new(), next: RunNs(0) }
    }

    fn look(&mut self, now: RunNs, processes: impl Iterator<Item = (ProcessId, TaskState)>) -> Option<u64> {
        let worker = self.worker.as_mut()?;
        if !self.asked.is_empty() {
            let answers = worker.poll(std::time::Instant::now())?;
            return self.take(answers);
        }
        if now < self.next {
            return None;
        }
        self.next = now.plus(EVERY_NS);
        let alive = processes.filter(|(_, state)| !matches!(state, TaskState::Z | TaskState::X));
        self.asked = alive.map(|(process, _)| process).take(MOST_ASKED).collect();
        worker.forget();
        worker.start(self.asked.iter().map(|process| Ask::file(process.pid, Hazard::Exec, "io")).collect());
        let answers = worker.poll(std::time::Instant::now())?;
        self.take(answers)
    }

    fn take(&mut self, answers: Vec<Answer>) -> Option<u64> {
        let asked = std::mem::take(&mut self.asked);
        let mut news = 0;
        let mut bytes = BTreeMap::new();
        for (process, answer) in asked.into_iter().zip(answers) {
            let Observed::Seen(text) = answer else { continue };
            let Some(written) = wchar(&text) else { continue };
            news += written.saturating_sub(self.bytes.get(&process).copied().unwrap_or(0));
            bytes.insert(process, written);
        }
        self.bytes = bytes;
        (news > 0).then_some(news)
    }
}

fn wchar(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.lines().find_map(|line| line.strip_prefix("wchar:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn wchar_is_found_among_the_counters() {
        let text = b"rchar: 323934931\nwchar: 323929600\nsyscr: 632687\nsyscw: 632675\nread_bytes: 0\n";
        assert_eq!(super::wchar(text), Some(323_929_600));
        assert_eq!(super::wchar(b"rchar: 1\n"), None);
    }
}
