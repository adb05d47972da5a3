//! Workers as processes: begun, looked at, ended.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use hangdog_schemas::Pid;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::wait::WaitPidFlag;

use super::child;
use super::shared::{Doorbell, Shared};
use crate::observe::parse::status;

/// All workers of this process, whoever supervises them: none of them is part of a run.
static OURS: Mutex<BTreeSet<Pid>> = Mutex::new(BTreeSet::new());

/// Workers of this process, those that were left behind included.
pub fn ours() -> BTreeSet<Pid> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn nix_pid(pid: Pid) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(pid.0 as i32)
}

pub(super) fn kill(pid: Pid) {
    // Not reaped yet, so the number is still its own.
    let _ = nix::sys::signal::kill(nix_pid(pid), nix::sys::signal::Signal::SIGKILL);
}

/// Whether a child of ours has ended, and is reaped. Somebody else may have reaped it already.
pub(super) fn is_gone(pid: Pid) -> bool {
    use nix::sys::wait::WaitStatus;
    let is_gone = match nix::sys::wait::waitpid(nix_pid(pid), Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => true,
        Ok(_) => false,
        Err(errno) => errno != nix::errno::Errno::EINTR,
    };
    if is_gone {
        OURS.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }
    is_gone
}

/// State letter of a worker; its `status` never blocks.
pub(super) fn letter(pid: Pid) -> Option<char> {
    let bytes = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    status::pulse(&bytes).map(|pulse| pulse.state.letter())
}

/// Where a worker is blocked. Nobody holds the exec lock of a process that never calls exec.
pub(super) fn wchan(pid: Pid) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default()
}

/// A new worker with memory of its own.
#[expect(unsafe_code, reason = "there is no safe fork")]
pub(super) fn fork(arena: usize, doorbell: Rc<Doorbell>) -> io::Result<(Shared, Pid)> {
    let shared = Shared::new(arena, doorbell)?;
    let parent = std::process::id();
    // Blocked from the first instant on: a Ctrl-C of the terminal is not for the worker, and no
    // handler of the supervisor may run in it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child calls `child::main`, which neither allocates nor takes a lock nor returns.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        child::main(shared, parent);
    }
    let failed = io::Error::last_os_error();
    before.thread_set_mask()?;
    if forked < 0 {
        return Err(failed);
    }
    let pid = Pid(forked as u32);
    OURS.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
    Ok((shared, pid))
}
