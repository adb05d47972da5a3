//! The main loop's side of the kernel's recorder: asks, and takes what comes without waiting for it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hangdog_schemas::{Big, Pid, ProcessId};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::SendFlags;

use super::leftover;
use super::process::{self, FOLLOW, MOST_THREADS, Plan, READ};
use super::tracefs::{Missing, Tracefs};
use crate::clock::RunClock;
use crate::kernel::{Helper, fork_helper, start_of_own, timespec};
use crate::run::KernelTrace;

/// Bytes that are taken at a time.
const BLOCK: usize = 64 << 10;
/// How long the command waits for the recorder. Most of it is the kernel's wait for its processors; a machine on
/// which it takes longer, or where another instance is being removed, runs the command without the first events.
const READY: Duration = Duration::from_millis(400);
/// The same for a run that is to be compared with others, which it cannot be without.
const COMPARED: Duration = Duration::from_secs(2);

/// A recorder of one run.
#[derive(Debug)]
pub(crate) struct Recorder {
    helper: Helper,
    /// `None` once the helper has ended.
    socket: Option<UnixStream>,
    /// What came of a line so far.
    heard: Vec<u8>,
    /// Answers that are awaited.
    asked: u32,
}

impl Recorder {
    /// Starts the helper, and does not wait for it.
    pub(crate) fn start(mode: KernelTrace, clock: RunClock, run: &str) -> Result<Self, Missing> {
        let tracefs = Tracefs::open()?;
        let own = std::process::id();
        let start = start_of_own(own).map_err(Missing::Denied)?;
        let name = leftover::name(ProcessId { pid: Pid(own), start: Big(start) }, run);
        let (ours, theirs) = UnixStream::pair().map_err(Missing::Denied)?;
        ours.set_nonblocking(true).map_err(Missing::Denied)?;
        let plan = Plan { tracefs, name, mode, clock };
        let keep = [theirs.as_fd(), plan.tracefs.fd()];
        let helper =
            fork_helper(c"hangdog-ktrace", &keep, || process::main(&theirs, &plan)).map_err(Missing::Denied)?;
        Ok(Self { helper, socket: Some(ours), heard: Vec::new(), asked: 0 })
    }

    /// The helper's process number.
    pub(crate) fn helper(&self) -> u32 {
        self.helper.pid
    }

    /// Names the command, which waits to be let go, and waits until the recorder is on.
    pub(crate) fn follow(&mut self, root: Pid, mode: KernelTrace) {
        self.say(&[&[FOLLOW], &root.0.to_ne_bytes()[..]].concat());
        self.wait(if mode == KernelTrace::Results { COMPARED } else { READY });
        self.hear(|_| {});
    }

    /// Asks for what happened up to now. These threads are the run's.
    pub(crate) fn ask(&mut self, threads: impl Iterator<Item = u32>) {
        // What happens meanwhile comes with the second.
        if self.asked > 1 {
            return;
        }
        let threads: Vec<u32> = threads.take(MOST_THREADS).collect();
        let mut message = vec![READ];
        message.extend((threads.len() as u32).to_ne_bytes());
        message.extend(threads.into_iter().flat_map(u32::to_ne_bytes));
        self.say(&message);
    }

    /// Sends a message whole, or gives the helper up: it has not read for long what fits into a socket.
    fn say(&mut self, message: &[u8]) {
        let Some(socket) = &self.socket else { return };
        let sent = rustix::net::send(socket, message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        if sent == Ok(message.len()) {
            self.asked += 1;
        } else {
            self.socket = None;
        }
    }

    /// What to poll while an answer is awaited.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().filter(|_| self.asked > 0).map(AsFd::as_fd)
    }

    /// Takes one block of what has come, and calls `with` for each record, as JSON. Never waits. Whether there was any.
    pub(crate) fn hear(&mut self, mut with: impl FnMut(&[u8])) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        let mut block = vec![0; BLOCK];
        let len = match socket.read(&mut block) {
            Ok(0) => {
                self.socket = None;
                return false;
            }
            Ok(len) => len,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return false;
            }
            Err(_) => {
                self.socket = None;
                return false;
            }
        };
        self.heard.extend_from_slice(&block[..len]);
        let whole = self.heard.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.heard.drain(..whole).collect();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some([]) => self.asked = self.asked.saturating_sub(1),
                Some(json) => with(json),
                None => {}
            }
        }
        true
    }

    /// Waits for something to hear, while an answer is awaited. Whether it is worth to hear again.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let Some(fd) = self.fd() else { return false };
        let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timespec(limit)));
        true
    }

    /// Lets the helper remove the instance, and waits for it no longer than `limit`: it does so alone as well.
    pub(crate) fn end(mut self, limit: Duration) {
        self.socket = None;
        let begun = Instant::now();
        while self.helper.wait(limit.saturating_sub(begun.elapsed())).is_none() && begun.elapsed() < limit {}
    }
}
