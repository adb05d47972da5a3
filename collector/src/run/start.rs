//! From the options to a running command and its main loop.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use hangdog_schemas::RunNs;

use rustix::process::set_child_subreaper;

use super::command::{Group, Plan, terminal};
use super::directory::RunDirectory;
use super::ending;
use super::header::{Header, chance, header, name_a_run};
use super::main_loop::{MainLoop, Parts, SAMPLE, Stop};
use super::options::{KeepCapture, KernelTrace, NamedCalls, RunError, RunOptions, RunOutcome};
use super::output::Outputs;
use super::question::Question;
use super::records::Records;
use super::signals::Signals;
use super::subject::Subject;
use super::tee::Tee;
use super::watched::directories;
use crate::act::Before;
use crate::calls::{Calls, Installer};
use crate::clock::RunClock;
use crate::judge::Judge;
use crate::kernel::{Children, raise_open_files};
use crate::ktrace::Recorder;
use crate::observe::files::Files;
use crate::observe::{Snapshotter, Tree, baseline};
use crate::spool::Spool;
use crate::watchdog::{Policy, Watch, Watchdog};
use crate::write::{Feed, Place, default_place};

/// How long the command waits for the reader of file events to be ready: it takes some milliseconds.
const FILES_READY: Duration = Duration::from_millis(500);

/// Runs a command under the watchdog until it ends or is ended.
///
/// The calling process should have no other thread: it forks, becomes child subreaper, and blocks the
/// signals that it passes on until this returns.
#[expect(clippy::needless_pass_by_value, reason = "a run uses its options up")]
pub fn run(options: RunOptions, judge: &mut dyn Judge) -> Result<RunOutcome, RunError> {
    if options.command.first().is_none_or(|program| program.is_empty()) {
        return Err(RunError::NoCommand);
    }
    let clock = RunClock::start();
    let name = name_a_run(clock.anchor().realtime.0, chance());
    let mut notes = Vec::new();
    let uid = rustix::process::geteuid().as_raw();
    let directory = match RunDirectory::create(&name, std::env::var_os("XDG_RUNTIME_DIR"), uid) {
        Ok(mut directory) => {
            notes.append(&mut directory.troubles);
            Some(directory)
        }
        Err(error) => {
            notes.push(format!("phases are not recorded: the run's directory cannot be made: {error}"));
            None
        }
    };
    let outcome = start(&options, clock, &name, directory.as_ref(), notes, judge);
    if let (Some(directory), Err(_)) = (&directory, &outcome) {
        directory.remove();
    }
    outcome
}

fn start(
    options: &RunOptions,
    clock: RunClock,
    name: &str,
    directory: Option<&RunDirectory>,
    mut notes: Vec<String>,
    judge: &mut dyn Judge,
) -> Result<RunOutcome, RunError> {
    set_child_subreaper(rustix::process::Pid::from_raw(1)).map_err(|error| {
        RunError::own("this process cannot become the one that orphans of the command come to")(error.into())
    })?;
    let mut children = Children::before_run(name);
    let signals = Signals::catch().map_err(RunError::own("signals cannot be caught"))?;
    let before = Before::look();
    if let Some(directory) = directory {
        directory.note_before(&before);
    }
    // Helpers are forked first: from a small process, and before there is anything of the command's.
    let feed = start_writer(options, name, &mut notes);
    let files = start_files(options, clock, directory, feed.as_ref(), &children);
    let mut ktrace = start_kernel_trace(options, clock, name, feed.as_ref(), &mut notes);
    let (tee, streams) = if options.tee { Tee::start() } else { Ok((Tee::default(), Vec::new())) }
        .map_err(RunError::own("no process can be started that passes the output on"))?;
    let (calls, filter) = start_calls(options, clock, feed.as_ref(), &mut notes).unzip();
    let outputs = Outputs::new(tee);
    let own = hangdog_schemas::Pid(std::process::id());
    let tree = Tree::new(clock, own, Vec::new()).map_err(RunError::own("the process tree cannot be read"))?;
    let snapshotter = Snapshotter::new(clock).map_err(RunError::own("snapshots cannot be taken"))?;
    let baseline = baseline().map_err(RunError::own("the mounts cannot be read"))?;

    let group = if terminal().is_some() { Group::Shared } else { Group::Own };
    let extra = environment(options, name, directory);
    let plan =
        Plan::new(&options.command, std::env::vars_os(), &extra, group, signals.mask_before(), streams, filter)
            .map_err(|source| cannot_run(options, source))?;
    let held = plan.fork().map_err(RunError::own("no process can be started for the command"))?;
    raise_open_files();
    children.set_root(held.process.pid.0);
    let recorded = if ktrace.is_some() { options.kernel_trace } else { KernelTrace::Off };
    let about = Header::of_command(options, held.process, recorded);
    let header = header(about, name, clock).map_err(RunError::own("/proc cannot be read"))?;
    if let Some(directory) = directory {
        directory.claim(held.process);
    }
    let spool = Spool::new(directory.and_then(|directory| directory.open("spool.jsonl").ok()));
    let mut records = Records::new(feed, spool, Question::new(header));
    let files = files.map(|mut files| {
        files.set_root(held.process.pid.0);
        // What the command does first is to be seen as well.
        files.wait(FILES_READY, |found| records.push_json(RunNs(0), found));
        files
    });
    if let Some(ktrace) = &mut ktrace {
        ktrace.follow(held.process.pid, options.kernel_trace);
    }
    let started = held.go();
    // A watchdog that competes with what it watches sees a hang late. Within one session only this counts:
    // the automatic group of a terminal's session holds the command too (KERNEL autogroup: both would rise).
    let _ = rustix::process::setpriority_process(None, -5);

    let parts = Parts {
        clock,
        directory,
        before,
        baseline,
        tree,
        snapshotter,
        outputs,
        records,
        files,
        ktrace,
        calls,
        signals,
        subject: Subject::Command(started, group),
        foreign: Vec::new(),
        pace: SAMPLE,
    };
    let policy = Policy { quiet_after: options.quiet_after, timeout: options.timeout, on_hang: options.on_hang };
    let watch = Watch::Command(Watchdog::new(policy));
    let mut main_loop = MainLoop::new(parts, watch, children, judge);
    match main_loop.run() {
        Stop::NotStarted(error) => {
            let outcome = cannot_run(options, error);
            main_loop.discard();
            Err(outcome)
        }
        stop => Ok(ending::finish(main_loop, &stop, options, notes)),
    }
}

fn cannot_run(options: &RunOptions, source: std::io::Error) -> RunError {
    let program = options.command.first().cloned().unwrap_or_default();
    match source.kind() {
        ErrorKind::NotFound => RunError::NotFound { program },
        _ => RunError::CannotRun { program, source },
    }
}

fn environment(options: &RunOptions, name: &str, directory: Option<&RunDirectory>) -> Vec<(&'static str, OsString)> {
    let mut extra = vec![("HANGDOG", OsString::from("1")), ("HANGDOG_RUN_ID", name.into())];
    if let Some(directory) = directory {
        extra.push(("HANGDOG_RUN_DIR", directory.path.clone().into()));
        extra.push(("HANGDOG_PHASES", directory.path.join("phases.jsonl").into()));
    }
    // What led up to a hang is worth 6 ns a phase, unless somebody said that it is not.
    if std::env::var_os("HANGDOG_HISTORY").is_none() {
        extra.push(("HANGDOG_HISTORY", "all".into()));
    }
    if matches!(options.named_calls, NamedCalls::Perturbed(_)) {
        extra.push(("HANGDOG_LATE", "1".into()));
    }
    extra
}

/// Without a capture nobody would read of file events.
fn start_files(
    options: &RunOptions,
    clock: RunClock,
    directory: Option<&RunDirectory>,
    feed: Option<&Feed>,
    children: &Children,
) -> Option<Files> {
    let writer = feed?.writer();
    let temporary = std::env::var_os("TMPDIR").map(PathBuf::from);
    let run = directory.map(|directory| directory.path.as_path());
    let directories = directories(std::env::current_dir().ok(), temporary, run, &options.watch_dirs);
    Files::start(clock, &directories, &[writer], children.foreign()).ok()
}

fn start_writer(options: &RunOptions, name: &str, notes: &mut Vec<String>) -> Option<Feed> {
    let place = match &options.capture {
        KeepCapture::Never => return None,
        // The writer sits at `/`.
        KeepCapture::In(path) => Place::Named(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        KeepCapture::OnTrouble => {
            let Some(directory) = default_place(|variable| std::env::var_os(variable)) else {
                notes.push(
                    "no capture is written: neither XDG_STATE_HOME nor HOME is set; name a file with -o".into(),
                );
                return None;
            };
            Place::Default { directory, run: name.to_owned() }
        }
    };
    match Feed::start(&place) {
        Ok(feed) => Some(feed),
        Err(error) => {
            notes.push(format!("no capture is written: its process cannot be started: {error}"));
            None
        }
    }
}

/// The helper that hears of system calls that name something. Only for a capture.
fn start_calls(
    options: &RunOptions,
    clock: RunClock,
    feed: Option<&Feed>,
    notes: &mut Vec<String>,
) -> Option<(Calls, Installer)> {
    let seed = match options.named_calls {
        NamedCalls::Off => return None,
        NamedCalls::Noted => None,
        NamedCalls::Perturbed(seed) => Some(seed),
    };
    feed?;
    let started = Calls::start(clock, seed);
    started.map_err(|error| notes.push(format!("the names in system calls are not recorded: {error}"))).ok()
}

/// Only for a capture: nothing else takes the events. Who may not have the kernel's recorder is told by `doctor`, and
/// here only when it was asked for system calls, which is never so by default.
fn start_kernel_trace(
    options: &RunOptions,
    clock: RunClock,
    name: &str,
    feed: Option<&Feed>,
    notes: &mut Vec<String>,
) -> Option<Recorder> {
    if options.kernel_trace == KernelTrace::Off || feed.is_none() {
        return None;
    }
    match Recorder::start(options.kernel_trace, clock, name) {
        Ok(recorder) => Some(recorder),
        Err(why) => {
            if options.kernel_trace == KernelTrace::Syscalls {
                notes.push(format!("system calls are not recorded: {why}; `hangdog doctor` tells how to get them"));
            }
            None
        }
    }
}
