//! File events in the directories of a run: who opened, made, renamed or removed which file.
//!
//! ```text
//! kernel ── fanotify, process events ──▶ reader process: the newest events ── asked at a trigger ──▶ main loop
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | what the reader process does | `reader` |
//! | which directories, and what is refused | `place` |
//! | what happened, with the process | `watches`, `fanotify`, `notice`, `handles` |
//! | whose process it was | `kin`, `proc_events` |
//! | what an ordinary user gets | `inotify` |
//! | what is kept, and what it may cost | `ring`, `share` |
//! | when it was | `moment` |
//!
//! It listens only: no program waits for it, whatever becomes of it. Nothing on FUSE or on a network is looked up.
//! Not here: what the events mean.

mod bytes;
mod fanotify;
mod handles;
mod inotify;
mod kin;
mod moment;
mod notice;
mod place;
mod proc_events;
mod reader;
mod ring;
mod share;
mod watches;

pub(crate) use place::{Directory, is_shared_place, lies_on_local_mounts};

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};

use self::reader::{GIVE, ROOT, Task};
use crate::clock::RunClock;
use crate::kernel::{Helper, fork_helper, timespec};

/// A record is not longer; a longer one means that the two sides disagree.
const LONGEST: usize = 64 << 10;
/// What the main loop takes at once, bytes.
const AT_ONCE: usize = 256 << 10;

/// The main loop's end of the reader process.
#[derive(Debug)]
pub(crate) struct Files {
    reader: Helper,
    socket: Option<UnixStream>,
    heard: Vec<u8>,
    /// Answers that are still to come.
    awaited: u32,
}

impl Files {
    /// Starts the reader. `own` are the helpers that there are already.
    pub(crate) fn start(
        clock: RunClock,
        directories: &[Directory],
        own: &[u32],
        before: Vec<u32>,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let hangdog = std::process::id();
        let work = || reader::main(&Task { socket: &theirs, clock, directories, hangdog, own, before });
        let reader = fork_helper(c"hangdog-files", &[theirs.as_fd()], work)?;
        // It says once by itself that it is ready.
        Ok(Self { reader, socket: Some(ours), heard: Vec::new(), awaited: 1 })
    }

    pub(crate) fn reader(&self) -> u32 {
        self.reader.pid
    }

    /// Names the command.
    pub(crate) fn set_root(&mut self, root: u32) {
        self.say(ROOT, root);
    }

    /// Asks for the newest events.
    pub(crate) fn ask(&mut self) {
        if self.awaited == 0 && self.say(GIVE, 0) {
            self.awaited += 1;
        }
    }

    /// What to poll while an answer is to come.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().filter(|_| self.awaited > 0).map(AsFd::as_fd)
    }

    /// Records that came, each as JSON. Never waits, and takes a bounded part at a time.
    pub(crate) fn records(&mut self) -> Vec<Vec<u8>> {
        self.hear();
        let mut records = Vec::new();
        let mut at = 0;
        while let Some(length) = self.heard.get(at..at + 4) {
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
            if length > LONGEST {
                self.socket = None;
                break;
            }
            let Some(record) = self.heard.get(at + 4..at + 4 + length) else { break };
            if record.is_empty() {
                self.awaited = self.awaited.saturating_sub(1);
            } else {
                records.push(record.to_vec());
            }
            at += 4 + length;
        }
        self.heard.drain(..at);
        records
    }

    /// Waits until what was asked for is here, for at most `limit`, and hands on what comes.
    pub(crate) fn wait(&mut self, limit: Duration, mut take: impl FnMut(Vec<Vec<u8>>)) {
        use rustix::event::{PollFd, PollFlags, poll};
        let until = Instant::now() + limit;
        while let Some(fd) = self.fd() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timespec(left)));
            take(self.records());
        }
    }

    /// Ends the reader.
    pub(crate) fn end(mut self) {
        self.socket = None;
        if self.reader.wait(Duration::from_millis(100)).is_none() {
            self.reader.kill();
            self.reader.wait(Duration::from_millis(100));
        }
    }

    fn say(&mut self, word: u8, number: u32) -> bool {
        let Some(socket) = &self.socket else { return false };
        let mut bytes = vec![word];
        bytes.extend(number.to_le_bytes());
        // A reader that does not listen has nothing to say either.
        let is_said = send(socket, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) == Ok(bytes.len());
        if !is_said {
            self.socket = None;
        }
        is_said
    }

    fn hear(&mut self) {
        let Some(mut socket) = self.socket.as_ref() else { return };
        let mut block = [0; 16 << 10];
        let mut taken = 0;
        while taken < AT_ONCE {
            match socket.read(&mut block) {
                Ok(length @ 1..) => {
                    self.heard.extend_from_slice(&block[..length]);
                    taken += length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    self.socket = None;
                    return;
                }
            }
        }
    }
}

/// Why this process gets no fanotify events of the file system of its working directory, if so. Where that is on FUSE or
/// a network it is not looked up, and the root directory is tried.
pub fn fanotify_fails() -> Option<String> {
    let own = std::env::current_dir().ok().and_then(|path| place::resolve(&path).ok());
    watches::try_fanotify(own.as_deref().unwrap_or(Path::new("/"))).err().map(|errno| errno.desc().to_owned())
}
