//! Programs that end as they are told.

use nix::sys::signal::{Signal, kill};

use crate::Outcome;

/// Ends with a code.
pub(crate) fn exit(arguments: &[String]) -> Outcome {
    std::process::exit(arguments.first().ok_or("no code given")?.parse()?);
}

/// Ends by a signal.
pub(crate) fn die(arguments: &[String]) -> Outcome {
    let signal: Signal = arguments.first().ok_or("no signal given")?.parse()?;
    kill(nix::unistd::Pid::this(), signal)?;
    Err("the signal did not end this process".into())
}
