//! Programs that end as they are told.

use nix::sys::signal::{Signal, kill};

use crate::Outcome;

/// Ends with a code.
pub(crate) fn exit(arguments: &[String]) -> Outcome {
    std::process::exit(arguments.first().ok_or("no code given")?.parse()?);
}

/// Prints so many lines, a little apart, and ends with a code.
pub(crate) fn print_and_exit(arguments: &[String]) -> Outcome {
    let [lines, code, ..] = arguments else { return Err("needs LINES CODE".into()) };
    for line in 0..lines.parse::<u32>()? {
        println!("line {line}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::process::exit(code.parse()?);
}

/// Ends by a signal.
pub(crate) fn die(arguments: &[String]) -> Outcome {
    let signal: Signal = arguments.first().ok_or("no signal given")?.parse()?;
    kill(nix::unistd::Pid::this(), signal)?;
    Err("the signal did not end this process".into())
}
