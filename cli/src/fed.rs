//! A child of ourselves that is fed a file of memory and answers through a pipe, and that nobody waits for.
//!
//! ```text
//!   we ── memfd ──▶ stdin  hangdog internal-…  stdout ── pipe ──▶ read as far as it goes
//! ```
//!
//! Whatever may take long or not come back (thinking, a disk) goes there: the watchdog's loop only polls.
//! The child has its own process group, so that Ctrl-C at a terminal does not end it, and it dies with us.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::masked::start_with;

/// Longest answer that is taken, bytes.
const LONGEST: usize = 16 << 20;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Not yet.
    Pending,
    /// All it said.
    Said(Vec<u8>),
    /// It was too late, or said too much, and was ended.
    TooLate,
}

/// The child.
#[derive(Debug)]
pub(crate) struct Fed {
    child: Child,
    pidfd: Option<OwnedFd>,
    pipe: ChildStdout,
    said: Vec<u8>,
    end: Instant,
}

impl Fed {
    /// Starts `hangdog VERB ARGUMENTS…` with `food` as its input. It has until `limit` to answer.
    pub(crate) fn start(arguments: &[&OsStr], food: &Food, limit: Duration) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.args(arguments).stdin(food.stdin()?).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = start_with(&mut command, SigSet::empty()).spawn()?;
        let pipe = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        let pidfd = Pid::from_raw(child.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok(Self { child, pidfd, pipe, said: Vec::new(), end: Instant::now() + limit })
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes what has come. Never waits.
    pub(crate) fn poll(&mut self) -> Answer {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => return Answer::Said(std::mem::take(&mut self.said)),
                Ok(n) if self.said.len() + n <= LONGEST => self.said.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < self.end => {
                    return Answer::Pending;
                }
                Ok(_) | Err(_) => {
                    self.kill();
                    return Answer::TooLate;
                }
            }
        }
    }

    /// Waits for the answer, at most until its limit.
    pub(crate) fn wait(mut self) -> Answer {
        loop {
            match self.poll() {
                Answer::Pending => {
                    let left = self.end.saturating_duration_since(Instant::now());
                    let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
                    // Woken by a signal or not: `poll` looks again and knows the limit.
                    let _ = poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&wait));
                }
                answer => return answer,
            }
        }
    }

    fn kill(&mut self) {
        match &self.pidfd {
            Some(pidfd) => _ = pidfd_send_signal(pidfd.as_fd(), Signal::KILL),
            // Not waited for yet, so the number is still its own.
            None => _ = self.child.kill(),
        }
    }

    /// Ends it if it still lives. True when it is gone and reaped.
    pub(crate) fn dismiss(&mut self) -> bool {
        match self.child.try_wait() {
            Ok(None) => {
                self.kill();
                matches!(self.child.try_wait(), Ok(Some(_)))
            }
            Ok(Some(_)) | Err(_) => true,
        }
    }
}

/// What a child is fed: a file in memory, so that writing it waits for nobody.
#[derive(Debug)]
pub(crate) struct Food(File);

impl Food {
    /// Empty.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(memfd_create("hangdog-food", MemfdFlags::CLOEXEC)?.into()))
    }

    /// With these bytes.
    pub(crate) fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut food = Self::new()?;
        food.0.write_all(bytes)?;
        Ok(food)
    }

    /// The file, to be written.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }

    fn stdin(&self) -> io::Result<Stdio> {
        let mut file = self.0.try_clone()?;
        file.rewind()?;
        Ok(file.into())
    }
}
