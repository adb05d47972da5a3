#![expect(unsafe_code, reason = "fork has no safe form")]
//! Processes of our own that do what might block: they hold nothing of the caller's terminal, and nobody
//! waits for them without a limit.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, kill, signal, sigprocmask};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, chdir, fork, setsid};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::{open_process, wait_readable};

/// A helper that was started.
#[derive(Debug)]
pub(crate) struct Helper {
    pub(crate) pid: u32,
    pidfd: OwnedFd,
}

impl Helper {
    /// Waits for its end for at most `limit`; its exit code, -1 for death by signal, `None` when it goes on.
    pub(crate) fn wait(&self, limit: Duration) -> Option<i32> {
        wait_readable([&self.pidfd], limit);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.as_fd()), options).ok()??;
        Some(status.exit_status().unwrap_or(-1))
    }

    /// Ends it. It may be stuck where no signal reaches; that is the reason why it is a helper.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, rustix::process::Signal::KILL);
    }
}

/// Starts a process that runs `work` and exits with its result. It keeps the descriptors of `keep` and no
/// other (its stdin, stdout and stderr are `/dev/null`), sits in a session of its own, at `/`, and does
/// not end by the signals of a terminal or of a cancelled job.
pub(crate) fn fork_helper(
    name: &std::ffi::CStr,
    keep: &[BorrowedFd<'_>],
    work: impl FnOnce() -> i32,
) -> io::Result<Helper> {
    // SAFETY: the child only runs `work` and exits without returning. hangdog is single-threaded; in a
    // program with threads, glibc makes malloc usable in the child (fork handlers), and nothing else of
    // the parent's is locked there.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            let pid = child.as_raw() as u32;
            let Some(pidfd) = open_process(pid) else {
                let error = io::Error::last_os_error();
                // Nobody could wait for it: it must not stay (seen as on Linux 4.19, which has no pidfds). Its number is its
                // own until we wait for it.
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
                return Err(error);
            };
            Ok(Helper { pid, pidfd })
        }
        ForkResult::Child => {
            settle(name, keep);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            leave(outcome.unwrap_or(101))
        }
    }
}

fn settle(name: &std::ffi::CStr, keep: &[BorrowedFd<'_>]) {
    let _ = setsid();
    let _ = chdir("/");
    let _ = rustix::thread::set_name(name);
    // SIGCHLD and the others were blocked for the main loop's signalfd.
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        // SAFETY: ignoring a signal installs no handler.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    close_all_but(keep);
    if let Ok(null) = open("/dev/null", OFlags::RDWR, Mode::empty()) {
        for fd in 0..3 {
            // SAFETY: dup2 onto the standard descriptors of this process, which nothing here owns.
            let _ = unsafe { libc::dup2(null.as_raw_fd(), fd) };
        }
    }
}

/// Closes everything above stderr but `keep`.
fn close_all_but(keep: &[BorrowedFd<'_>]) {
    let mut kept: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd() as u32).filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept.into_iter().chain([u32::MAX]) {
        if fd > from {
            // SAFETY: the owners of these descriptors live in the parent; this process never drops them.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd - 1, 0) };
        }
        from = fd.saturating_add(1);
    }
}

fn leave(code: i32) -> ! {
    // SAFETY: ends this process without running exit handlers, which belong to the parent's program.
    unsafe { libc::_exit(code) }
}
