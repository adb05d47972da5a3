//! Hangs over processes, and a daemon for hangs over what it holds.

use std::process::Stdio;

use nix::sys::signal::{Signal, raise};

use crate::{Outcome, role};

/// Waits for a child that has stopped.
pub(crate) fn stopped_child(_: &[String]) -> Outcome {
    role::take("waiter")?;
    role::part("stopper")?.stdin(Stdio::null()).status()?;
    Ok(())
}

/// Stops itself.
pub(crate) fn stopper(_: &[String]) -> Outcome {
    role::take("stopper")?;
    raise(Signal::SIGSTOP)?;
    Ok(())
}

/// Leaves its session and waits for signals, with whatever it was given still open.
pub(crate) fn daemon(_: &[String]) -> Outcome {
    role::take("daemon")?;
    nix::unistd::setsid()?;
    loop {
        nix::unistd::pause();
    }
}
