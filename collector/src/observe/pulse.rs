//! The reads that the main loop may do itself: `status`, `schedstat`, `children` and the listing of
//! `task`. None of them blocked in any situation that was built (exec lock, memory lock, dead FUSE
//! mounts, epoll sets, sockets). Nothing else may be added here without such a proof.
//!
//! Files are held open between passes where the budget allows: a `pread` costs a third of an
//! open, read and close. And who had no turn on a processor is not looked at further: its `schedstat` says so for a
//! tenth of what `status` and the list of threads cost.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{Pid, Tid};
use rustix::fs::{CWD, Mode, OFlags, RawDir};

use super::parse::status;
use super::parse::text::{number, words};

/// How many files may be held open.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

/// At least so many files may be held open, and at most.
const FEWEST: u64 = 256;
const MOST: u64 = 4096;

impl Budget {
    /// A quarter of what this process may have open at all. It raises its limit to that when the command was started.
    pub(super) fn new() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
        Self { left: (limit / 4).clamp(FEWEST, MOST) as usize }
    }
}

/// A file that may be held open.
#[derive(Debug, Default)]
struct Held(Option<OwnedFd>);

impl Held {
    /// Reads the file at `path` below `dir` from `offset` on.
    fn read(
        &mut self,
        dir: &OwnedFd,
        path: impl FnOnce() -> String,
        offset: u64,
        into: &mut [u8],
        budget: &mut Budget,
    ) -> io::Result<usize> {
        if let Some(fd) = &self.0 {
            return Ok(rustix::io::pread(fd, into, offset)?);
        }
        let fd = open(dir, &path(), OFlags::RDONLY)?;
        let n = rustix::io::pread(&fd, into, offset)?;
        if budget.left > 0 {
            budget.left -= 1;
            self.0 = Some(fd);
        }
        Ok(n)
    }

    fn release(&mut self, budget: &mut Budget) {
        budget.left += usize::from(self.0.take().is_some());
    }
}

fn open(dir: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let path = CString::new(path)?;
    Ok(rustix::fs::openat(dir, path.as_c_str(), flags | OFlags::CLOEXEC, Mode::empty())?)
}

/// A thread's files, and what they said last.
#[derive(Debug)]
pub(super) struct Thread {
    status: Held,
    schedstat: Held,
    children: Held,
    pub(super) raw_comm: Vec<u8>,
    pub(super) state: TaskState,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    pub(super) cpu_ns: Option<u64>,
    /// What `schedstat` said last; `None` on kernels that do not count.
    turns: Option<Turns>,
}

/// The figures of `schedstat`: time on a processor, time in a queue for one, and how often it got one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turns {
    cpu_ns: u64,
    queued_ns: u64,
    count: u64,
}

impl Turns {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut figures = words(bytes).filter_map(number);
        let turns = Self { cpu_ns: figures.next()?, queued_ns: figures.next()?, count: figures.next()? };
        // Whoever is there had at least one turn, unless the kernel counts none.
        (turns.count > 0).then_some(turns)
    }
}

impl Thread {
    pub(super) fn new() -> Self {
        Self {
            status: Held::default(),
            schedstat: Held::default(),
            children: Held::default(),
            raw_comm: Vec::new(),
            state: TaskState::Unknown,
            voluntary: 0,
            involuntary: 0,
            cpu_ns: None,
            turns: None,
        }
    }

    /// Whether it sleeps as it did at the last look and had no turn on a processor since: then nothing of it can have
    /// changed, and it started and ended nobody. Its name can, by another thread's hand.
    pub(super) fn had_no_turn(&mut self, dir: &OwnedFd, tid: Tid, budget: &mut Budget) -> bool {
        if matches!(self.state, TaskState::R | TaskState::Unknown) || self.turns.is_none() {
            return false;
        }
        let mut buffer = [0; 128];
        let read = self.schedstat.read(dir, || format!("task/{tid}/schedstat"), 0, &mut buffer, budget);
        read.is_ok_and(|n| Turns::parse(&buffer[..n]) == self.turns)
    }

    /// Looks again. What changed; an error when the thread is gone.
    pub(super) fn look(&mut self, dir: &OwnedFd, tid: Tid, budget: &mut Budget) -> io::Result<Change> {
        let mut buffer = [0; 4096];
        // Before the rest: a turn that comes in between is found by the next look.
        let schedstat = self.schedstat.read(dir, || format!("task/{tid}/schedstat"), 0, &mut buffer, budget);
        let schedstat = &buffer[..schedstat.unwrap_or(0)];
        let cpu_ns = words(schedstat).next().and_then(number);
        self.turns = Turns::parse(schedstat);
        let n = self.status.read(dir, || format!("task/{tid}/status"), 0, &mut buffer, budget)?;
        let pulse = status::pulse(&buffer[..n]).ok_or(io::ErrorKind::InvalidData)?;
        let before = (self.state, self.voluntary, self.involuntary, self.cpu_ns);
        (self.state, self.voluntary, self.involuntary) = (pulse.state, pulse.voluntary, pulse.involuntary);
        self.cpu_ns = cpu_ns;
        if self.raw_comm != pulse.raw_comm {
            self.raw_comm = pulse.raw_comm.to_vec();
            return Ok(Change::Name);
        }
        let is_changed = before != (self.state, self.voluntary, self.involuntary, self.cpu_ns);
        Ok(if is_changed { Change::Counters } else { Change::Nothing })
    }

    /// Adds the children of this thread. One read gives at most about a thousand.
    pub(super) fn children(&mut self, dir: &OwnedFd, tid: Tid, budget: &mut Budget, into: &mut Vec<Pid>) {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        let path = || format!("task/{tid}/children");
        while let Ok(n) = self.children.read(dir, path, text.len() as u64, &mut buffer, budget) {
            text.extend_from_slice(&buffer[..n]);
            // A read that leaves a page half empty was the last one, and spares one more system call.
            if n < buffer.len() / 2 {
                break;
            }
        }
        into.extend(words(&text).filter_map(number).map(Pid));
    }

    pub(super) fn release(mut self, budget: &mut Budget) {
        self.status.release(budget);
        self.schedstat.release(budget);
        self.children.release(budget);
    }
}

/// What a look found new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing at all.
    Nothing,
    /// State or counters.
    Counters,
    /// The name, and perhaps more.
    Name,
}

/// A process's directory in `/proc`: as long as it is open, it means this process and no later one
/// with the same number.
#[derive(Debug)]
pub(super) struct Dir {
    dir: OwnedFd,
}

impl Dir {
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self { dir: open(CWD, &format!("/proc/{pid}"), OFlags::DIRECTORY | OFlags::PATH)? })
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.dir
    }

    /// Its threads. An error, or none, when it is gone.
    pub(super) fn threads(&self, into: &mut Vec<Tid>) -> io::Result<()> {
        into.clear();
        let task = open(&self.dir, "task", OFlags::DIRECTORY | OFlags::RDONLY)?;
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(&task, &mut buffer);
        while let Some(entry) = entries.next() {
            into.extend(number(entry?.file_name().to_bytes()).map(Tid));
        }
        Ok(())
    }

    /// Who started it, by its whole `status`.
    pub(super) fn status(&self) -> io::Result<status::Status> {
        self.status_at("status")
    }

    /// The whole `status` of one of its threads.
    pub(super) fn thread_status(&self, tid: Tid) -> io::Result<status::Status> {
        self.status_at(&format!("task/{tid}/status"))
    }

    fn status_at(&self, path: &str) -> io::Result<status::Status> {
        let fd = open(&self.dir, path, OFlags::RDONLY)?;
        let mut buffer = [0; 4096];
        let n = rustix::io::pread(&fd, &mut buffer, 0)?;
        Ok(status::status(&buffer[..n]).ok_or(io::ErrorKind::InvalidData)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_counts_no_turns_says_nothing() {
        assert_eq!(Turns::parse(b"586988 523073 2\n"), Some(Turns { cpu_ns: 586_988, queued_ns: 523_073, count: 2 }));
        assert_eq!(Turns::parse(b"586988 0 0\n"), None);
        assert_eq!(Turns::parse(b""), None);
    }
}
