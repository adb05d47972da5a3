//! The demo from outside: sets the stage, runs the case under `hangdog run`, compares what was said with
//! what was built, and looks at what is left.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, ExitStatus};

use hangdog_schemas::Report;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use super::expect::{self, Case, Wanted};
use super::mount::{self, Way};
use super::stage::Stage;
use super::{Answer, DemoArgs, DemoError};

/// How the demo went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Shown {
    /// The hang was named and freed (or the twin ran through), and nothing stayed behind.
    AsExpected,
    /// Something else; what was expected has been printed.
    Otherwise,
}

/// Shows the case that `args` ask for.
pub(crate) fn run(args: &DemoArgs) -> Result<Shown, DemoError> {
    let stage = Stage::new()?;
    let played = play(&stage, args);
    // What is held is for us to free, all else for `hangdog run`.
    let mut stuck = if args.hold { stage.detach_mounts() } else { Vec::new() };
    let left = stage.left_behind();
    stuck.extend(stage.strike());
    let mut surprises = played?;
    surprises.extend(left.into_iter().map(|what| format!("nothing to stay behind; {what} did")));
    surprises.extend(stuck.into_iter().map(|what| format!("everything to be removable; this is not: {what}")));
    Ok(conclude(args, &surprises))
}

/// A command that is one process of the demo.
pub(super) fn part(stage: &Stage, name: &str) -> Result<Command, DemoError> {
    let mut command = hangdog()?;
    command.args(["demo-part", name, "--base"]).arg(stage.base());
    Ok(command)
}

fn hangdog() -> Result<Command, DemoError> {
    std::env::current_exe().map(Command::new).map_err(|source| DemoError::Start { what: "hangdog", source })
}

/// Runs the case; returns what was not as expected.
fn play(stage: &Stage, args: &DemoArgs) -> Result<Vec<String>, DemoError> {
    let answer = Answer::from_flag(args.answer_first);
    let (case, test) = match mount::find_way(stage)? {
        Ok(way) => {
            introduce_fuse(stage, args, way);
            (Case::Fuse { mount_point: stage.mount_point(&args.mount_name) }, fuse_test(stage, args, way)?)
        }
        Err(refused) => {
            introduce_pipes(&refused);
            let mut test = part(stage, "pipe-test")?;
            test.args(answer.flag());
            (Case::Pipes { lock_file: stage.lock_file() }, test)
        }
    };
    let status = watch(under_hangdog(stage, args, &test)?)?;
    let report = read_report(stage)?;
    let wanted = match answer {
        Answer::First => Wanted::Nothing,
        Answer::Last if args.hold => Wanted::Named,
        Answer::Last => Wanted::Freed,
    };
    Ok(expect::surprises(stage, &case, wanted, status, report.as_ref()))
}

fn fuse_test(stage: &Stage, args: &DemoArgs, way: Way) -> Result<Command, DemoError> {
    let mut test = part(stage, "test")?;
    test.args(["--way", way.word(), "--mount-name", &args.mount_name])
        .args(["--threads", &args.threads.to_string()])
        .args(Answer::from_flag(args.answer_first).flag());
    Ok(test)
}

/// The `hangdog run` that watches `test`.
fn under_hangdog(stage: &Stage, args: &DemoArgs, test: &Command) -> Result<Command, DemoError> {
    let mut run = hangdog()?;
    run.args(["run", "--quiet-after", "3s"]);
    if args.hold {
        run.args(["--on-hang", "wait"]);
    } else {
        run.args(["--timeout", "20s"]);
    }
    run.arg("--report").arg(stage.report()).arg("--").arg(test.get_program()).args(test.get_args());
    Ok(run)
}

/// Waits for the run. Signals that would end the demo are for the run: it passes them on, frees what it
/// must and ends, and the demo clears up after it.
fn watch(mut run: Command) -> Result<ExitStatus, DemoError> {
    let mut ours = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        ours.add(signal);
    }
    ours.thread_block().map_err(DemoError::call("sigprocmask"))?;
    let mut child = spawn_unmasked(&mut run, ours)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|source| DemoError::Call { call: "waitpid", source })? {
            break status;
        }
        match ours.wait().map_err(DemoError::call("sigwait"))? {
            // Ctrl-C of a terminal reached the run as well.
            Signal::SIGCHLD | Signal::SIGINT => {}
            signal => pass_on(&child, signal),
        }
    };
    ours.thread_unblock().map_err(DemoError::call("sigprocmask"))?;
    Ok(status)
}

/// A child starts with the signal mask of the thread that starts it: so does this one, from a thread that holds
/// nothing back.
fn spawn_unmasked(run: &mut Command, held_back: SigSet) -> Result<Child, DemoError> {
    let starter = || {
        held_back.thread_unblock().map_err(DemoError::call("sigprocmask"))?;
        run.spawn().map_err(|source| DemoError::Start { what: "hangdog run", source })
    };
    std::thread::scope(|scope| scope.spawn(starter).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn pass_on(child: &Child, signal: Signal) {
    // The child has not been waited for, so the number is still its own.
    if let Err(errno) = kill(Pid::from_raw(child.id() as i32), signal) {
        eprintln!("hangdog demo: {signal} cannot be passed on: {errno}");
    }
}

fn read_report(stage: &Stage) -> Result<Option<Report>, DemoError> {
    let path = stage.report();
    let Ok(text) = fs::read(&path) else { return Ok(None) };
    serde_json::from_slice(&text).map(Some).map_err(|source| DemoError::Report { path, source })
}

fn introduce_fuse(stage: &Stage, args: &DemoArgs, way: Way) {
    say(&format!(
        "fuse.test serves a file system at {} ({}).\n\
         It writes `send` there and closes it; the file system asks indexd with POST /api/conversations/new.\n\
         indexd ({} worker threads) walks {}, where the mount lies, {}.\n",
        stage.mount_point(&args.mount_name).display(),
        way.explained(),
        args.threads,
        stage.temp().display(),
        if args.answer_first { "after it has answered" } else { "before it answers" },
    ));
}

fn introduce_pipes(refused: &[String]) {
    say("FUSE cannot be had here:");
    for reason in refused {
        say(&format!("  {reason}"));
    }
    say("\nInstead: a deadlock over a pipe and a file lock. reader holds the lock and waits for the pipe;\n\
         writer would write the pipe when it has the lock.\n");
}

fn conclude(args: &DemoArgs, surprises: &[String]) -> Shown {
    if surprises.is_empty() {
        say(if args.answer_first {
            "\nAs expected: it ended by itself, and hangdog found nothing."
        } else if args.hold {
            "\nAs expected: the loop was named, and nothing stayed behind after it was interrupted."
        } else {
            "\nAs expected: the loop was named and freed, and nothing stayed behind."
        });
        return Shown::AsExpected;
    }
    say("\nNot as expected:");
    for surprise in surprises {
        say(&format!("  expected {surprise}"));
    }
    Shown::Otherwise
}

/// Prints a line. A reader that has gone (`hangdog demo | head -1`) must not keep us from clearing up.
fn say(line: &str) {
    let _gone = writeln!(std::io::stdout(), "{line}");
}
