//! `hangdog flake`: runs a command again and again, and says what is otherwise in the runs that fail.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hangdog_analysis::Ending;
use hangdog_collector::write::default_place;
use hangdog_report::escape;
use hangdog_schemas::{Report, Reproduced};

use crate::failure::Failure;
use crate::flake::{House, Perturb, Plan, Series, Task, Told, Until, own};
use crate::judge::Thinking;
use crate::outputs::{ReportFile, report_file};
use crate::{console, exit};

const AFTER_HELP: &str = "\
Each run gets a fresh TMPDIR, and no standard input; what it writes goes to a file beside its capture. The first runs are
left alone. When few of them fail, further ones are disturbed by a seed: a thread is late at a system call or a phase where
another comes near it (held by seccomp, never by ptrace), or has a lower priority; all are on one processor, or beside a load. Names of files and what
came of system calls are recorded as root only.

Exit codes:
  0  no run failed
  1  runs failed or hung; the report says what is otherwise in them
  2  wrong usage, or a run that cannot be made

Environment:
  HANGDOG_PATIENCE   as --patience
  TMPDIR             where runs have their directories
  XDG_STATE_HOME, HOME
                     where captures of failures stay
  HANGDOG_CLOCK      what times of phases come from (default here: tsc)
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how text is shown

Example:
  hangdog flake -- cargo test server
  hangdog flake --until-fail -- ./race
  hangdog flake --seed 4711 --runs 50 --all-runs -- ./race";

/// Run a command again and again, and say what is otherwise in the runs that fail
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// How many runs at most; fewer when what differs is established before
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Make all runs, also when what differs is established
    #[arg(long, conflicts_with = "until_fail")]
    all_runs: bool,
    /// Go on until a run fails
    #[arg(long, conflicts_with = "runs")]
    until_fail: bool,
    /// Runs at the same time. More than one only for commands that do not get into each other's way
    #[arg(short, long, value_name = "J", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Whether runs are disturbed
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Perturb::Auto)]
    perturb: Perturb,
    /// Disturb each run by this seed: a failure that was found before
    #[arg(long, value_name = "N", conflicts_with = "perturb")]
    seed: Option<u64>,
    /// Keep the captures of failures in this directory, and of two passes
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    /// Give each run its own view of this directory, as it is now: what one run writes there, the next does not see.
    /// Directories in a temporary place that a variable of the environment names have it anyway. As root only
    #[arg(long, value_name = "DIR")]
    own: Vec<PathBuf>,
    /// Let all runs share this directory, whatever names it
    #[arg(long, value_name = "DIR")]
    share: Vec<PathBuf>,
    /// Write the report here too; its ending names the format: json, md, html, txt, xml (JUnit)
    #[arg(long, value_name = "FILE", env = "HANGDOG_REPORT", value_parser = report_file)]
    report: Vec<ReportFile>,
    /// How long without progress until a hang is looked for in full
    #[arg(long, value_name = "DURATION", env = "HANGDOG_QUIET_AFTER", default_value = "60s", value_parser = crate::args::duration)]
    quiet_after: Duration,
    /// End a run after this time, whatever it does
    #[arg(long, value_name = "DURATION", env = "HANGDOG_TIMEOUT", value_parser = crate::args::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    thinking: Thinking,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Makes the runs and tells what came of them.
pub(crate) fn perform(arguments: Arguments) -> Result<u8, Failure> {
    let until = match (arguments.until_fail, arguments.all_runs || arguments.seed.is_some()) {
        (true, _) => Until::Failed,
        (false, true) => Until::AllRuns(arguments.runs),
        (false, false) => Until::Runs(arguments.runs),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::new("signals cannot be caught").because(&error))?;
    }
    let failed = |error: std::io::Error| {
        Failure::new("the directories of the runs cannot be made")
            .because(&error)
            .advise("set TMPDIR to a directory on a local disk with room")
    };
    let chance = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_millis());
    // Short enough to be typed.
    let base = (chance as u64 ^ u64::from(std::process::id()) << 20) % 1_000_000_000;
    let plan = Plan::new(arguments.perturb, base, arguments.seed);
    let house = House::build(arguments.captures.clone().or_else(default_captures)).map_err(failed)?;
    let task = Task {
        command: arguments.command,
        quiet_after: arguments.quiet_after,
        timeout: arguments.timeout,
        thinking: arguments.thinking.arguments(),
        own: own_views(&arguments.own, &arguments.share),
    };
    let mut series = Series::new(task, until, arguments.jobs as usize, plan, house, stop);
    let is_terminal = std::io::stderr().is_terminal();
    let outcome = series.run(&mut |told| say(told, is_terminal));
    if is_terminal {
        console::print_error("\r\x1b[K");
    }
    // A run that could not be made tells nothing of the others.
    if let (Err(why), false) = (&outcome, series.has_ended()) {
        series.leave();
        return Err(Failure::new(why.clone()));
    }
    let has_failed = series.has_failed();
    let reproduced = series.reproduced();
    let report = series.report();
    series.leave();
    write(&report, &arguments.report);
    console::print(&hangdog_report::text(&report, &console::stdout_style()))
        .map_err(|error| Failure::new("the report cannot be printed").because(&error))?;
    if let Some(Reproduced { seed, rate, .. }) = reproduced {
        console::print_error(&format!(
            "hangdog: seed {seed} failed {} of {} times; `hangdog flake --seed {seed} -- …` does it again\n",
            rate.failed, rate.of
        ));
    }
    outcome.map_err(Failure::new)?;
    Ok(if has_failed { exit::NO } else { exit::OK })
}

/// Directories that no run is to share with the one before it.
fn own_views(asked: &[PathBuf], shared: &[PathBuf]) -> Vec<PathBuf> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let shared: Vec<PathBuf> = shared.iter().map(absolute).collect();
    let is_root = rustix::process::geteuid().is_root();
    let mut all = own::named(std::env::vars_os().filter(|_| is_root), &std::env::temp_dir(), std::path::Path::is_dir);
    all.extend(asked.iter().map(absolute));
    all.retain(|path| !shared.contains(path));
    own::outermost(&mut all);
    all
}

/// A place for captures that outlives the series.
fn default_captures() -> Option<PathBuf> {
    let state = default_place(|variable| std::env::var_os(variable))?;
    Some(state.join(format!("flake-{}", std::process::id())))
}

fn say(told: &Told<'_>, is_terminal: bool) {
    let rest = told.rest.map(|rest| format!(", at most {} s to go", rest.as_secs() + 1)).unwrap_or_default();
    let count = format!("{} runs, {} failed{rest}", told.runs, told.failed);
    if told.ending != Ending::Passed {
        let seed = told.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let clear = if is_terminal { "\r\x1b[K" } else { "" };
        console::print_error(&format!(
            "{clear}hangdog: run {} failed: {} after {:.1} s{seed}\n",
            told.number,
            escape::terminal(told.how),
            told.took.as_secs_f64()
        ));
    }
    if is_terminal {
        console::print_error(&format!("\r\x1b[Khangdog: {count}"));
    } else if told.runs.is_multiple_of(10) {
        console::print_error(&format!("hangdog: {count}\n"));
    }
}

fn write(report: &Report, files: &[ReportFile]) {
    for file in files {
        if let Err(why) = file.write(report) {
            let failure = Failure::new(format!("the report {} was not written: {why}", file.path().display()));
            console::print_error(&failure.advise("write it to a directory on a local disk with room").lay_out());
        }
    }
}
