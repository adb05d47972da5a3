//! Dying of a signal, so that the caller sees what it would have seen without hangdog.
#![expect(unsafe_code, reason = "setting a signal's disposition has no safe interface")]

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Ends this process by `signal`, without a core file: the command has left its own if it should.
/// Returns where that does not work: a signal number nobody knows, or pid 1 of a container, which no
/// signal ends by default.
pub(crate) fn of_signal(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    // Failing leaves the limit as it was, and the worst of it is a second core file.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours, so nothing has to be safe in a signal handler.
    // SIGKILL and SIGSTOP are refused with EINVAL, and need no reset.
    let _ = unsafe { sigaction(signal, &default) };
    let mut only = SigSet::empty();
    only.add(signal);
    let _ = only.thread_unblock();
    let _ = raise(signal);
}
