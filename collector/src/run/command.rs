#![expect(unsafe_code, reason = "fork and exec have no safe form that lets us look at the child in between")]
//! Starts the command so that it sees what it would see without hangdog.
//!
//! ```text
//! parent: fork ──▶ learns who the child is ──▶ "go" ──▶ main loop: status pipe ends = it was exec'd
//! child:     └──▶ waits for "go" ──▶ group, stdio, signals ──▶ exec, or the errno into the status pipe
//! ```
//!
//! An exec can hang (the program lies on a dead mount), so nobody waits for the status pipe; the main loop
//! polls it. `std::process::Command` would wait.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use hangdog_schemas::{Big, Pid, ProcessId};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{ForkResult, fork, setpgid};
use rustix::pipe::{PipeFlags, pipe_with};

use super::stdio;
use super::tee::Substitute;
use crate::calls::Installer;
use crate::kernel::{open_process, start_of_own};

/// Whether the command gets a process group of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// It stays in ours: there is a terminal, whose keys must reach it, and a group in the background would
    /// be stopped when it reads from the terminal.
    Shared,
    /// It gets one of its own: there is no terminal.
    Own,
}

/// What to start, made before the fork so that the child has nothing to allocate.
pub(super) struct Plan {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    group: Group,
    mask: SigSet,
    streams: Vec<Substitute>,
    filter: Option<Installer>,
}

impl Plan {
    /// `extra` variables override inherited ones. `mask` is the signal mask that hangdog was started with.
    /// `streams` take the place of ours. `filter` has the kernel ask about some of the command's calls.
    pub(super) fn new(
        command: &[OsString],
        inherited: impl Iterator<Item = (OsString, OsString)>,
        extra: &[(&str, OsString)],
        group: Group,
        mask: SigSet,
        streams: Vec<Substitute>,
        filter: Option<Installer>,
    ) -> io::Result<Self> {
        let arguments =
            command.iter().map(|word| c_string(word.clone().into_vec())).collect::<io::Result<Vec<_>>>()?;
        let program = arguments.first().cloned().ok_or(io::ErrorKind::InvalidInput)?;
        let kept = inherited.filter(|(name, _)| !extra.iter().any(|(other, _)| OsStr::new(other) == name));
        let added = extra.iter().map(|(name, value)| (OsString::from(name), value.clone()));
        let environment = kept
            .chain(added)
            .map(|(name, value)| c_string([name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self { program, arguments, environment, group, mask, streams, filter })
    }

    /// Forks. The child waits until [`Held::go`]. Its streams are closed here: nobody but the command holds
    /// their writing ends.
    pub(super) fn fork(self) -> io::Result<Held> {
        let (status_read, status_write) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&status_read, true)?;
        let (go_read, go_write) = pipe_with(PipeFlags::CLOEXEC)?;
        let arguments = pointers(&self.arguments);
        let environment = pointers(&self.environment);
        // SAFETY: the child only makes system calls and `execvpe`, and leaves by `_exit`; hangdog has no
        // other thread that could hold a lock at this moment.
        match unsafe { fork() }? {
            ForkResult::Child => {
                drop(go_write);
                let errno = self.become_command(&go_read, &arguments, &environment);
                let _ = rustix::io::write(&status_write, &errno.to_le_bytes());
                // SAFETY: ends the child without the parent's exit handlers.
                unsafe { libc::_exit(if errno == libc::ENOENT { 127 } else { 126 }) }
            }
            ForkResult::Parent { child } => {
                let pid = child.as_raw() as u32;
                let pidfd = open_process(pid).ok_or_else(io::Error::last_os_error)?;
                // It is not in an exec yet, so this read cannot be held up by one.
                let process = ProcessId { pid: Pid(pid), start: Big(start_of_own(pid)?) };
                Ok(Held { process, pidfd, status: status_read, go: go_write })
            }
        }
    }

    /// The child's way. Comes back with an errno only.
    fn become_command(
        &self,
        go: &OwnedFd,
        arguments: &[*const libc::c_char],
        environment: &[*const libc::c_char],
    ) -> i32 {
        let mut byte = [0];
        if rustix::io::read(go, &mut byte) != Ok(1) {
            // hangdog died in between: a command without a watcher was not asked for.
            // SAFETY: as above.
            unsafe { libc::_exit(125) };
        }
        if self.group == Group::Own {
            // Only fails for a session leader, and a new child is none.
            let _ = setpgid(nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0));
        }
        stdio::close_as_at_start();
        for (stream, fd) in self.streams.iter().flat_map(|stream| stream.becomes.iter().map(move |fd| (stream, *fd)))
        {
            // SAFETY: replaces a standard descriptor; no Rust object of this process uses it from here on.
            unsafe { libc::dup2(stream.pipe.as_raw_fd(), fd) };
        }
        stdio::restore_sigpipe();
        if let Some(filter) = &self.filter {
            filter.install();
        }
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None);
        // SAFETY: the three pointers are NUL-terminated strings and NULL-terminated arrays of such, which
        // live in `self` and in the caller's frame until the exec.
        unsafe { libc::execvpe(self.program.as_ptr(), arguments.as_ptr().cast(), environment.as_ptr().cast()) };
        io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
    }
}

fn c_string(bytes: Vec<u8>) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte in it"))
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr().cast()).chain([std::ptr::null()]).collect()
}

/// A child that waits to become the command.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) process: ProcessId,
    pidfd: OwnedFd,
    status: OwnedFd,
    go: OwnedFd,
}

impl Held {
    /// Lets it go on.
    pub(super) fn go(self) -> Started {
        // When the child was killed before, its end says so.
        let _ = rustix::io::write(&self.go, b"g");
        Started { process: self.process, pidfd: self.pidfd, status: Some(self.status) }
    }
}

/// The command's process.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: ProcessId,
    pidfd: OwnedFd,
    status: Option<OwnedFd>,
}

/// What the status pipe says.
#[derive(Debug)]
pub(super) enum Exec {
    /// Not yet.
    Pending,
    /// The command runs.
    Done,
    /// It could not be run.
    Failed(io::Error),
}

impl Started {
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// What to poll until it is known whether the exec went well.
    pub(super) fn status_fd(&self) -> Option<BorrowedFd<'_>> {
        self.status.as_ref().map(AsFd::as_fd)
    }

    /// Looks whether the exec went well. Never waits.
    pub(super) fn look(&mut self) -> Exec {
        let Some(status) = &self.status else { return Exec::Done };
        let mut bytes = [0; 4];
        let exec = match rustix::io::read(status, &mut bytes) {
            Ok(4) => Exec::Failed(io::Error::from_raw_os_error(i32::from_le_bytes(bytes))),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Exec::Pending,
            Ok(_) | Err(_) => Exec::Done,
        };
        self.status = None;
        exec
    }
}

/// Whether this process has a controlling terminal, and which: from our own `stat`.
pub(super) fn terminal() -> Option<hangdog_schemas::Device> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let number = crate::kernel::own_stat_field(&stat, 7)? as u32;
    // new_encode_dev of include/linux/kdev_t.h.
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00));
    (number != 0).then_some(hangdog_schemas::Device { major, minor })
}
