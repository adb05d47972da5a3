//! `hangdog run`: watches a command.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hangdog_collector::{Ended, KeepCapture, KernelTrace, OnHang, RunError, RunOptions, RunOutcome};
use hangdog_report::{escape, github};
use hangdog_schemas::Report;

use crate::failure::Failure;
use crate::judge::{ChildJudge, Extent, Thinking, Told, framed};
use crate::outputs::{Put, ReportFile, put_guarded, report_file};
use crate::{console, die, exit, quiet};

/// How long stderr may take the last words.
const PATIENCE: Duration = Duration::from_secs(10);

const AFTER_HELP: &str = "\
Exit codes:
  the command's own, passed through; a command that a signal ended ends hangdog by that signal
  124  hangdog ended a hang, or --timeout was reached
  125  hangdog failed before the command was started (wrong usage, no place to record)
  126  the command cannot be run
  127  the command was not found

Environment:
  HANGDOG_QUIET_AFTER, HANGDOG_TIMEOUT, HANGDOG_PATIENCE, HANGDOG_ON_HANG, HANGDOG_REPORT, HANGDOG_OUTPUT,
  HANGDOG_TEE, HANGDOG_WATCH_DIR (with colons between), HANGDOG_KERNEL_TRACE
                     the same as the flags; a flag wins
  XDG_STATE_HOME     captures are kept in its `hangdog` directory (~/.local/state/hangdog)
  GITHUB_ACTIONS, GITHUB_STEP_SUMMARY
                     a verdict becomes an annotation and a step summary
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how the verdict is shown
  The command finds HANGDOG=1, HANGDOG_RUN_ID, HANGDOG_RUN_DIR and HANGDOG_PHASES in its environment.

Examples:
  hangdog run -- cargo test
  hangdog run --quiet-after 2m --report hangdog-junit.xml --report hang.md -- make check";

/// Watch a command: on a hang name the cause, free what is stuck and keep the run for a replay
///
/// The command sees the same stdin, stdout, stderr, signals and terminal as without hangdog (but for --tee). A hang that is certain
/// is ended at once, one that is likely after --quiet-after; a run that is merely quiet is never ended.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Write the report here too, also when nothing is wrong; its ending names the format: json, md, html, txt, xml
    /// (JUnit). May be given several times
    #[arg(long, value_name = "FILE", env = "HANGDOG_REPORT", value_parser = report_file)]
    report: Vec<ReportFile>,
    /// Keep the capture in this file, in any case
    #[arg(short, long, value_name = "FILE.hang", env = "HANGDOG_OUTPUT")]
    output: Option<PathBuf>,
    /// How long without progress until a hang is looked for in full
    #[arg(long, value_name = "DURATION", env = "HANGDOG_QUIET_AFTER", default_value = "60s", value_parser = crate::args::duration)]
    quiet_after: Duration,
    /// End the run after this time, whatever it does
    #[arg(long, value_name = "DURATION", env = "HANGDOG_TIMEOUT", value_parser = crate::args::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    thinking: Thinking,
    /// What to do with a hang
    #[arg(long, value_name = "WHAT", env = "HANGDOG_ON_HANG", value_enum, default_value_t = Deed::Rescue)]
    on_hang: Deed,
    /// Keep the text that the command writes in the capture, secrets removed. Its stdout and stderr become pipes that
    /// are passed on at once: to the command a terminal is no terminal any more (no colours, no progress bars)
    #[arg(long, env = "HANGDOG_TEE", value_parser = clap::builder::FalseyValueParser::new())]
    tee: bool,
    /// Keep everybody's file events in this directory too, on a local disk; in the run's own directories (working and
    /// temporary) those of its processes are kept. May be given several times
    #[arg(long, value_name = "DIR", env = "HANGDOG_WATCH_DIR", value_delimiter = ':')]
    watch_dir: Vec<PathBuf>,
    /// What the kernel's own recorder keeps of the run, for the capture; where it cannot be had (see `hangdog doctor`)
    /// nothing is recorded
    #[arg(long, value_name = "WHAT", env = "HANGDOG_KERNEL_TRACE", value_enum, default_value_t = Traced::On)]
    kernel_trace: Traced,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// [`OnHang`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Deed {
    /// End the run, and free what it froze and mounted
    Rescue,
    /// End the run; leave its mounts and control groups alone
    Kill,
    /// Say so and let it go on
    Report,
    /// Say so and leave it for a person to look at; not even --timeout ends it
    Wait,
}

/// [`KernelTrace`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Traced {
    /// Nothing
    Off,
    /// What is rare: life of processes, signals, FUSE requests, file locks, TCP connections
    On,
    /// All system calls and wake-ups as well; each call takes some 0.2 µs more
    Syscalls,
}

impl From<Traced> for KernelTrace {
    fn from(traced: Traced) -> Self {
        match traced {
            Traced::Off => Self::Off,
            Traced::On => Self::On,
            Traced::Syscalls => Self::Syscalls,
        }
    }
}

impl From<Deed> for OnHang {
    fn from(deed: Deed) -> Self {
        match deed {
            Deed::Rescue => Self::Rescue,
            Deed::Kill => Self::Kill,
            Deed::Report => Self::Report,
            Deed::Wait => Self::Wait,
        }
    }
}

/// Runs the command to its end and ends like it.
pub(crate) fn perform(arguments: Arguments) -> Result<u8, Failure> {
    let on_hang = arguments.on_hang.into();
    let mut options = RunOptions::new(arguments.command);
    options.quiet_after = arguments.quiet_after;
    options.timeout = arguments.timeout;
    options.on_hang = on_hang;
    options.tee = arguments.tee;
    options.watch_dirs = arguments.watch_dir;
    options.kernel_trace = arguments.kernel_trace.into();
    if let Some(file) = arguments.output {
        options.capture = KeepCapture::In(file);
    }
    options.noted.extend(arguments.thinking.arguments().iter().map(|word| word.to_string_lossy().into_owned()));
    let mut judge = ChildJudge::new(&arguments.thinking, on_hang);
    let (command, begin) = (options.command.clone(), Instant::now());
    let outcome = hangdog_collector::run(options, &mut judge).map_err(|error| failure(&error))?;
    let took = begin.elapsed();
    say(&outcome, judge.told());
    let report =
        outcome.report.unwrap_or_else(|| quiet::report(&outcome.run, &command, took, outcome.capture.as_deref()));
    write(&report, &arguments.report);
    Ok(match outcome.end {
        Ended::Code(code) => code as u8,
        Ended::HangEnded => exit::HANG_ENDED,
        Ended::Signal(signal) => {
            die::of_signal(signal);
            exit::of_signal(signal)
        }
    })
}

fn failure(error: &RunError) -> Failure {
    Failure::of(error).advise(error.advice()).exit_with(error.exit_code() as u8)
}

/// Says what there is to say. Nothing in here changes how the run ends.
fn say(outcome: &RunOutcome, mut told: Told) {
    let mut out = told.take_unsaid();
    if let Some(report) = outcome.report.as_ref().filter(|report| report.verdict.is_some()) {
        out.push_str(&match told.extent_of(report) {
            Extent::Nothing | Extent::Sentence => framed(report),
            Extent::All => after_all_was_told(report),
        });
        out.push_str(&told.annotation(report));
    }
    for note in &outcome.notes {
        _ = writeln!(out, "hangdog: {}", escape::terminal(note));
    }
    // What a reader who sleeps has not taken by then is in the report files.
    let _untold = console::print_error_within(&out, PATIENCE);
}

/// Writes the reports that were asked for. Nothing in here changes how the run ends.
fn write(report: &Report, files: &[ReportFile]) {
    let mut troubles = Vec::new();
    for file in files {
        troubles.extend(file.write(report).err().map(|why| (file.path().to_owned(), why)));
    }
    if report.verdict.is_some()
        && let Some(place) = console::variable("GITHUB_STEP_SUMMARY").map(PathBuf::from)
        && console::variable("GITHUB_ACTIONS").as_deref() == Some("true")
    {
        let result = put_guarded(&place, github::summary(report).as_bytes(), Put::Append);
        troubles.extend(result.err().map(|why| (place, why)));
    }
    for (path, why) in troubles {
        let failure = Failure::new(format!("the report {} was not written: {why}", path.display()));
        console::print_error(&failure.advise("write it to a directory on a local disk with room").lay_out());
    }
}

/// The end of a text that was shown while the run went on.
fn after_all_was_told(report: &Report) -> String {
    let mut out = String::new();
    for action in &report.run.actions {
        _ = writeln!(out, "hangdog: {}", escape::terminal(action));
    }
    if let Some(capture) = &report.run.capture {
        _ = writeln!(out, "hangdog: the capture is {}", escape::terminal(capture));
    }
    out
}
