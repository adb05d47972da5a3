//! `hangdog internal-trial`: one run of `flake`, in a process of its own. Everything that can be recorded is, and always
//! kept; nothing is said, since the one who asked reads the capture.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hangdog_collector::{Ended, KeepCapture, KernelTrace, NamedCalls, OnHang, RunError, RunOptions};

use crate::exit;
use crate::failure::Failure;
use crate::flake::own;
use crate::judge::{ChildJudge, Thinking};

/// What `flake` says of a run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the capture goes
    #[arg(long)]
    capture: PathBuf,
    /// Decides which threads are late
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, value_parser = crate::args::duration)]
    quiet_after: Duration,
    #[arg(long, value_parser = crate::args::duration)]
    timeout: Option<Duration>,
    /// Directories of which it has its own view
    #[arg(long, value_parser = own::view)]
    own: Vec<(PathBuf, PathBuf)>,
    #[command(flatten)]
    thinking: Thinking,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command to its end.
pub(crate) fn perform(arguments: Arguments) -> Result<u8, Failure> {
    let shared =
        own::take(&arguments.own).unwrap_or_else(|error| vec![format!("all runs share their directories: {error}")]);
    for note in shared {
        crate::console::print_error(&format!("hangdog: {}\n", hangdog_report::escape::terminal(&note)));
    }
    let mut options = RunOptions::new(arguments.command);
    options.quiet_after = arguments.quiet_after;
    options.timeout = arguments.timeout;
    options.capture = KeepCapture::In(arguments.capture);
    options.kernel_trace = KernelTrace::Results;
    options.named_calls = arguments.seed.map_or(NamedCalls::Noted, NamedCalls::Perturbed);
    let views = arguments.own.iter().map(|(directory, _)| format!("--own={}", directory.display()));
    options.noted.extend(views);
    options.noted.extend(arguments.seed.map(|seed| format!("--seed={seed}")));
    let mut judge = ChildJudge::new(&arguments.thinking, OnHang::Rescue).silent();
    let outcome = hangdog_collector::run(options, &mut judge).map_err(|error| failure(&error))?;
    for note in &outcome.notes {
        crate::console::print_error(&format!("hangdog: {}\n", hangdog_report::escape::terminal(note)));
    }
    Ok(match outcome.end {
        Ended::Code(code) => code as u8,
        Ended::HangEnded => exit::HANG_ENDED,
        Ended::Signal(signal) => exit::of_signal(signal),
    })
}

fn failure(error: &RunError) -> Failure {
    Failure::of(error).advise(error.advice()).exit_with(error.exit_code() as u8)
}
