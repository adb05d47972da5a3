//! Signals as a program finds them that was started by a shell in the foreground.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// What a job in the background (`cmd &` in a script, `nohup`) gets ignored, and what every child inherits: a shell
/// cannot trap a signal that was ignored when it began.
const IGNORED_IN_THE_BACKGROUND: [Signal; 3] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];

/// Lets the programs under test see the same signals wherever the tests are run from. Called first in each target.
#[expect(unsafe_code, reason = "no crate sets the default action without it")]
pub fn as_in_the_foreground() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in IGNORED_IN_THE_BACKGROUND {
        // SAFETY: the default action runs no code of ours, so nothing has to be safe in a handler.
        let set = unsafe { sigaction(signal, &default) };
        debug_assert!(set.is_ok(), "{signal} has a default action");
    }
}
