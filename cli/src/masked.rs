//! Commands that start with a signal mask of their own, with the action of SIGPIPE that hangdog was given, and if
//! they are the caller's, with the standard descriptors closed that the caller had closed.
#![expect(unsafe_code, reason = "code between fork and exec has no safe interface")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::signal::SigSet;

/// Lets `command` start with `mask`. The standard library passes our own on, in which signals are blocked that we
/// wait for.
pub(crate) fn start_with(command: &mut Command, mask: SigSet) -> &mut Command {
    let set = move || {
        // The standard library has set it to the default.
        hangdog_collector::restore_sigpipe();
        mask.thread_set_mask().map_err(io::Error::from)
    };
    // SAFETY: between fork and exec only calls are allowed that are safe in a signal handler. These are two
    // system calls, one on a set that was copied before; converting an error number allocates nothing.
    unsafe { command.pre_exec(set) }
}

/// Lets `command`, which inherits all three standard descriptors, find those closed that hangdog was started without.
pub(crate) fn with_closed_as_given(command: &mut Command) -> &mut Command {
    let close = || {
        hangdog_collector::close_as_at_start();
        Ok(())
    };
    // SAFETY: closing descriptors is allowed between fork and exec, and the pipe by which the standard library tells
    // of a failed exec is none of these three: /dev/null was open there when it was made.
    unsafe { command.pre_exec(close) }
}
