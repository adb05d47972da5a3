//! The process that reads file events: it takes them from the kernel as they come, keeps the newest, and hands them
//! over when it is asked. What it does may block on a local disk; nobody waits for it without a limit.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hangdog_schemas::record::{FileWatch, Lost};
use hangdog_schemas::{Record, RunNs, When};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

use super::moment::{Moments, between};
use super::place::Directory;
use super::share::Share;
use super::watches::{Losses, Watches};
use crate::clock::RunClock;
use crate::kernel::timespec;

/// What the main loop says: the command's number follows, or the newest events are wanted.
pub(super) const ROOT: u8 = b'R';
pub(super) const GIVE: u8 = b'G';

/// A main loop that takes nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// More reads than it takes to empty the kernel's queues.
const MOST_READS: u32 = 100;

/// How much is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// As much as our share of a processor allows.
    Share,
    /// All that there is: somebody waits for it.
    All,
}

/// What the reader is given by the main loop.
pub(super) struct Task<'a> {
    pub(super) socket: &'a UnixStream,
    pub(super) clock: RunClock,
    pub(super) directories: &'a [Directory],
    /// hangdog itself, its helpers so far, and the children that it had before.
    pub(super) hangdog: u32,
    pub(super) own: &'a [u32],
    pub(super) before: Vec<u32>,
}

/// Runs until the main loop closes the socket.
pub(super) fn main(task: &Task<'_>) -> i32 {
    let _ = task.socket.set_nonblocking(true);
    let (clock, socket) = (task.clock, task.socket);
    let (watches, told) = Watches::new(task);
    let mut reader = Reader {
        socket,
        clock,
        watches,
        told,
        moments: Moments::new(),
        share: Share::default(),
        oldest: clock.now(),
        losses: Losses::default(),
        is_asked: false,
    };
    // Who did it is to be asked before the process is gone.
    let _ = rustix::process::setpriority_process(None, -10);
    // The first answer says that the watches are set.
    if reader.give().is_err() {
        return 1;
    }
    reader.run()
}

struct Reader<'a> {
    socket: &'a UnixStream,
    clock: RunClock,
    watches: Watches,
    /// Watches that the capture does not know yet.
    told: Vec<FileWatch>,
    moments: Moments,
    share: Share,
    /// Nothing that is still to be read happened before.
    oldest: RunNs,
    losses: Losses,
    /// The main loop wants the events.
    is_asked: bool,
}

impl Reader<'_> {
    fn run(&mut self) -> i32 {
        // The command does nothing before its number was sent, and nobody else matters.
        while !self.watches.has_root() {
            self.wait_for_word(PATIENCE);
            if self.hear().is_err() {
                return 0;
            }
        }
        loop {
            // A short command has ended by now, and all is asked for already.
            if self.is_asked {
                self.is_asked = false;
                self.look(Extent::All);
                if self.give().is_err() {
                    return 1;
                }
            }
            self.sleep();
            if let Some(rest) = self.share.rest(self.clock.now().0, processor_time()) {
                self.wait_for_word(rest);
            }
            self.look(Extent::Share);
            if self.hear().is_err() {
                return 0;
            }
        }
    }

    /// Waits for something to happen.
    fn sleep(&mut self) {
        let before = self.clock.now();
        let mut fds: Vec<PollFd<'_>> =
            self.watches.fds().into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        fds.push(PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN));
        // What came while we were at work is older than what wakes us.
        if poll(&mut fds, Some(&timespec(Duration::ZERO))) == Ok(0) {
            let _ = poll(&mut fds, None);
            self.oldest = self.moments.earliest(before, self.clock.now());
        }
    }

    /// Looks away from events, but not from the main loop.
    fn wait_for_word(&self, limit: Duration) {
        let _ = poll(&mut [PollFd::new(self.socket, PollFlags::IN)], Some(&timespec(limit)));
    }

    /// Reads what there is.
    fn look(&mut self, extent: Extent) {
        let (now, earliest) = (self.clock.now(), self.oldest);
        for n in 0.. {
            if !self.watches.read(|| between(earliest, self.clock.now()), &mut self.losses) {
                break;
            }
            let is_enough = match extent {
                Extent::Share => self.share.rest(self.clock.now().0, processor_time()).is_some(),
                Extent::All => n >= MOST_READS,
            };
            if is_enough {
                return;
            }
        }
        self.oldest = now;
    }

    /// What the main loop says. Fails when it is gone.
    fn hear(&mut self) -> std::io::Result<()> {
        let mut bytes = [0; 5 * 16];
        loop {
            // Words are sent whole, five bytes each.
            match (&mut &*self.socket).read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    for word in bytes[..length].chunks_exact(5) {
                        match word[0] {
                            ROOT => self.watches.set_root(u32::from_le_bytes([word[1], word[2], word[3], word[4]])),
                            _ => self.is_asked = true,
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// All that is kept, one record a frame, an empty frame at the end.
    fn give(&mut self) -> std::io::Result<()> {
        let when = When::exactly(self.clock.now());
        let (events, dropped) = self.watches.take();
        let mut bytes = Vec::new();
        let watches = self.told.drain(..).map(Record::FileWatch);
        let lost = self.losses.take(dropped).into_iter();
        let lost = lost.map(|(at, records)| Record::Lost(Lost { when, at, records }));
        for record in watches.chain(lost).chain(events.into_iter().map(Record::FileEvent)) {
            let head = bytes.len();
            bytes.extend([0; 4]);
            if serde_json::to_writer(&mut bytes, &record).is_ok() {
                let length = (bytes.len() - head - 4) as u32;
                bytes[head..head + 4].copy_from_slice(&length.to_le_bytes());
            } else {
                bytes.truncate(head);
            }
        }
        bytes.extend([0; 4]);
        self.send(&bytes)
    }

    fn send(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match (&mut &*self.socket).write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let ready = poll(&mut [PollFd::new(self.socket, PollFlags::OUT)], Some(&timespec(PATIENCE)));
                    if ready == Ok(0) {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What this process has used of a processor, ns.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
