//! `--tee`: stdout and stderr of the command are pipes, and a relay copies each to where it would have
//! gone, so that the capture can keep the text.
//!
//! ```text
//! command ──▶ pipe ──▶ relay ──▶ our stdout          a process a stream; the main loop is not in the way
//!                        └─▶ ring ──▶ main loop ──▶ capture
//! ```
//!
//! When stdout and stderr go to the same place (`2>&1`, a terminal), one pipe stands for both, and what is
//! written to one and to the other stays in order.

mod relay;
mod ring;
mod text;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hangdog_schemas::record::{Lost, Output, Stream};
use hangdog_schemas::{Pid, Record, RunNs, When};
use rustix::pipe::{PipeFlags, pipe_with};

use self::relay::Relay;
use self::ring::Ring;
use self::text::{Text, Wanted};
use super::stdio::{closed_at_start, is_one_open_file, target};
use crate::kernel::{Helper, fork_helper, timespec};

/// A relay that has closed its socket is about to end.
const TIME_TO_GO: Duration = Duration::from_millis(100);

/// What the command gets in place of one of our streams, or of both.
#[derive(Debug)]
pub(super) struct Substitute {
    pub(super) pipe: OwnedFd,
    /// The standard descriptors that it becomes.
    pub(super) becomes: Vec<i32>,
}

/// All relayed streams.
#[derive(Debug, Default)]
pub(super) struct Tee {
    streams: Vec<Relayed>,
}

/// How far a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Copies,
    /// It has copied all that the command wrote, or its reader is gone.
    Through,
    /// Somebody ended it.
    Killed,
    /// Our stream did not take it.
    Failed(i32),
}

#[derive(Debug)]
struct Relayed {
    stream: Stream,
    relay: Helper,
    socket: UnixStream,
    ring: Ring,
    text: Text,
    state: State,
    /// The stream's length that was told.
    told: u64,
    /// Whether it was as long at the look before.
    is_still: bool,
    last: RunNs,
}

impl Tee {
    /// Starts the relays of the streams that are open. What the command is to get comes with it.
    pub(super) fn start() -> io::Result<(Self, Vec<Substitute>)> {
        let closed: Vec<i32> = closed_at_start().collect();
        let is_open = |fd: i32| !closed.contains(&fd);
        let wanted = match (is_open(1), is_open(2)) {
            (true, true) if is_one_place() => vec![(Stream::Both, vec![1, 2])],
            (out, err) => {
                let out = out.then(|| (Stream::Stdout, vec![1]));
                out.into_iter().chain(err.then(|| (Stream::Stderr, vec![2]))).collect()
            }
        };
        let mut tee = Self::default();
        let mut substitutes = Vec::new();
        for (stream, becomes) in wanted {
            let (relayed, pipe) = Relayed::start(stream)?;
            tee.streams.push(relayed);
            substitutes.push(Substitute { pipe, becomes });
        }
        Ok((tee, substitutes))
    }

    /// The streams that are relayed.
    pub(super) fn has(&self, stream: Stream) -> bool {
        self.streams.iter().any(|relayed| relayed.stream == stream || relayed.stream == Stream::Both)
    }

    /// The relays.
    pub(super) fn helpers(&self) -> impl Iterator<Item = Pid> {
        self.streams.iter().map(|relayed| Pid(relayed.relay.pid))
    }

    /// What was written since the last look. Never waits.
    pub(super) fn look(&mut self, now: RunNs) -> Vec<Output> {
        self.streams.iter_mut().filter_map(|relayed| relayed.look(now)).collect()
    }

    /// At a trigger: what the budget held back, as far as it is still there.
    pub(super) fn held_back(&mut self, now: RunNs) -> Vec<Record> {
        self.streams
            .iter_mut()
            .flat_map(|relayed| relayed.all(now, if relayed.is_still { Wanted::Rest } else { Wanted::Quiet }))
            .collect()
    }

    /// After the end: all that is left.
    pub(super) fn rest(&mut self, now: RunNs) -> Vec<Record> {
        self.streams.iter_mut().flat_map(|relayed| relayed.all(now, Wanted::Rest)).collect()
    }

    /// The command has ended: waits until what it wrote is through, or until `interrupt` is ready and
    /// `is_enough` says so, or for `limit`. A reader that takes nothing holds this up as it would the command.
    pub(super) fn finish(
        &mut self,
        limit: Option<Duration>,
        interrupt: BorrowedFd<'_>,
        mut is_enough: impl FnMut() -> bool,
    ) {
        use rustix::event::{PollFd, PollFlags, poll};
        let until = limit.map(|limit| Instant::now() + limit);
        for relayed in &self.streams {
            let _ = rustix::net::send(&relayed.socket, &[relay::ENDED], rustix::net::SendFlags::NOSIGNAL);
        }
        loop {
            self.streams.iter_mut().for_each(Relayed::hear);
            let copying = self.streams.iter().filter(|relayed| relayed.state == State::Copies);
            let mut fds: Vec<PollFd<'_>> =
                copying.map(|relayed| PollFd::new(&relayed.socket, PollFlags::IN)).collect();
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if fds.is_empty() || is_enough() || left.is_some_and(|left| left.is_zero()) {
                return;
            }
            fds.push(PollFd::from_borrowed_fd(interrupt, PollFlags::IN));
            let _ = poll(&mut fds, left.map(timespec).as_ref());
        }
    }

    /// What did not go well, one sentence each.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = self.streams.iter().filter_map(|relayed| {
            let name = name(relayed.stream);
            match relayed.state {
                State::Through => None,
                State::Copies => Some(format!(
                    "{name} is still being written by process {}: its reader does not take it",
                    relayed.relay.pid
                )),
                State::Killed => {
                    Some(format!("the relay of {name} was killed, and what was written to it after that is lost"))
                }
                State::Failed(errno) => {
                    let error = io::Error::from_raw_os_error(errno).to_string();
                    let cause = error.split(" (os error").next().unwrap_or_default().to_lowercase();
                    Some(format!("{name} could not be written any further: {cause}"))
                }
            }
        });
        told.collect()
    }
}

impl Relayed {
    /// Starts a relay from a new pipe to our own stream; the pipe's other end comes with it.
    fn start(stream: Stream) -> io::Result<(Self, OwnedFd)> {
        let (from, pipe) = pipe_with(PipeFlags::CLOEXEC)?;
        let to = match stream {
            Stream::Stderr => rustix::io::fcntl_dupfd_cloexec(io::stderr(), 3),
            Stream::Stdout | Stream::Both => rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3),
        }?;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ring = Ring::new()?;
        let keep = [from.as_fd(), to.as_fd(), theirs.as_fd()];
        let work = || Relay { from: &from, to: &to, main_loop: &theirs, ring: &ring }.run();
        let relay = fork_helper(c"hangdog-relay", &keep, work)?;
        let relayed = Self {
            stream,
            relay,
            socket: ours,
            ring,
            text: Text::default(),
            state: State::Copies,
            told: 0,
            is_still: true,
            last: RunNs(0),
        };
        Ok((relayed, pipe))
    }

    fn look(&mut self, now: RunNs) -> Option<Output> {
        let bytes = self.count(now);
        self.is_still = bytes == 0;
        let text = self.text(now, Wanted::Lines);
        (bytes > 0 || text.is_some()).then(|| self.output(bytes, text))
    }

    fn all(&mut self, now: RunNs, wanted: Wanted) -> Vec<Record> {
        let bytes = self.count(now);
        let text = self.text(now, wanted);
        let output = (bytes > 0 || text.is_some()).then(|| Record::Output(self.output(bytes, text)));
        let records = self.text.take_lost();
        let at = format!("text of {}, in bytes", name(self.stream));
        let lost = (records > 0).then(|| Record::Lost(Lost { when: When::exactly(now), at, records }));
        lost.into_iter().chain(output).collect()
    }

    /// Bytes since the last time.
    fn count(&mut self, now: RunNs) -> u64 {
        let bytes = self.ring.len() - self.told;
        self.told += bytes;
        if bytes > 0 {
            self.last = now;
        }
        bytes
    }

    fn text(&mut self, now: RunNs, wanted: Wanted) -> Option<String> {
        if !self.text.wants(now, self.told, wanted) {
            return None;
        }
        let (from, bytes) = self.ring.read(self.text.at());
        self.text.take(from, &bytes, wanted)
    }

    /// Text that comes later than its bytes is of the time when these were seen.
    fn output(&self, bytes: u64, text: Option<String>) -> Output {
        Output { when: When::exactly(self.last), stream: self.stream, bytes, text }
    }

    fn hear(&mut self) {
        if self.state != State::Copies {
            return;
        }
        let mut words = [0; 16];
        self.state = match rustix::io::read(&self.socket, &mut words) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
            Ok(5..) if words[0] == relay::FAILED => {
                State::Failed(i32::from_le_bytes([words[1], words[2], words[3], words[4]]))
            }
            // It is gone; when it has not heard our last word, this is a reset.
            Ok(0) | Err(_) if self.relay.wait(TIME_TO_GO) == Some(-1) => State::Killed,
            Ok(_) | Err(_) => State::Through,
        };
    }
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::Both => "stdout and stderr",
    }
}

/// Whether what is written to stdout and stderr comes to one place in the order in which it is written.
fn is_one_place() -> bool {
    let (Some(stdout), Some(stderr)) = (target(1), target(2)) else { return false };
    // Each open file has a position of its own in a file of a disk; pipes and terminals know none.
    let has_no_position = |path: &std::path::Path| {
        let bytes = path.as_os_str().as_encoded_bytes();
        [b"pipe:[".as_slice(), b"socket:[", b"/dev/pts/", b"/dev/tty"].iter().any(|begin| bytes.starts_with(begin))
    };
    stdout == stderr && (has_no_position(&stdout) || is_one_open_file(1, 2))
}
