//! One run of a series: started in a process of its own, waited for, read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_analysis::{Contended, Ending, Sketch, contended, disturbed};
use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{Disturbance, Finding};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::load::Load;
use super::room::{House, Room};
use crate::capture;

/// What all runs of a series have in common.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) command: Vec<OsString>,
    pub(crate) quiet_after: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) thinking: Vec<OsString>,
    /// Directories of which each run has its own view.
    pub(crate) own: Vec<PathBuf>,
}

/// A run that goes on.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) number: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) room: Room,
    pub(crate) begun: Instant,
    child: Child,
    _load: Load,
}

/// A run that has ended, and what is kept of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) sketch: Sketch,
    /// How it ended, for people.
    pub(crate) how: String,
    /// Of a hang: why.
    pub(crate) hang: Option<Finding>,
    /// Where lateness would matter.
    pub(crate) contended: Vec<Contended>,
    /// What was done to it, in words.
    pub(crate) disturbed: Vec<String>,
    /// What it left behind.
    pub(crate) left: Vec<String>,
}

impl Trial {
    /// Starts a run.
    pub(crate) fn start(task: &Task, house: &House, number: u32, seed: Option<u64>) -> io::Result<Self> {
        let room = house.room(number)?;
        let output = File::create(&room.output)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("internal-trial").arg("--capture").arg(&room.capture);
        command.arg(format!("--quiet-after={}ms", task.quiet_after.as_millis()));
        command.args(task.timeout.map(|limit| format!("--timeout={}ms", limit.as_millis())));
        command.args(seed.map(|seed| format!("--seed={seed}")));
        for (n, directory) in task.own.iter().enumerate() {
            let mut view = OsString::from("--own=");
            view.push(directory);
            view.push("=");
            view.push(room.own(n));
            command.arg(view);
        }
        command.args(&task.thinking).arg("--").args(&task.command);
        command.env("TMPDIR", room.temporary()).stdin(Stdio::null());
        // Orders within a millisecond are what this is about.
        if std::env::var_os("HANGDOG_CLOCK").is_none() {
            command.env("HANGDOG_CLOCK", "tsc");
        }
        command.stdout(output.try_clone()?).stderr(output);
        let begun = Instant::now();
        let load = seed.map(Load::start).unwrap_or_default();
        let child = on_one_processor(seed, || command.spawn())?;
        Ok(Self { number, seed, room, begun, child, _load: load })
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Asks it to end.
    pub(crate) fn stop(&self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
    }

    /// Reads what came of it. The message of hangdog's own trouble where there is no capture.
    pub(crate) fn read(&mut self) -> Result<Ended, String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let capture = capture::open(&self.room.capture).map_err(|failure| {
            let said = std::fs::read_to_string(&self.room.output).unwrap_or_default();
            let own = said.lines().rev().find(|line| line.starts_with("hangdog: ")).unwrap_or_default();
            format!("run {} was not recorded ({status}): {}\n{own}", self.number, failure.lay_out())
        })?;
        let end = capture.timeline.run_end();
        if end.is_none() && matches!(status.code(), Some(125..=127)) {
            let said = std::fs::read_to_string(&self.room.output).unwrap_or_default();
            self.room.forget();
            self.room.clear();
            return Err(said.trim_start_matches("hangdog: ").trim_end().to_owned());
        }
        let sketch = Sketch::of(&capture.timeline);
        let how = match (sketch.ending(), end.and_then(|end| end.how)) {
            (Ending::Hung, _) => "hung".to_owned(),
            (_, Some(ExitStatus::Code(code))) => format!("exit code {code}"),
            (_, Some(ExitStatus::Signal(signal))) => format!("signal {signal}"),
            (_, None) => "an unknown end".to_owned(),
        };
        let hang = capture.timeline.report().and_then(|report| report.verdict.clone());
        let hang = hang.filter(|_| sketch.ending() == Ending::Hung);
        let contended = contended(&capture.timeline);
        let disturbed =
            self.seed.map(|seed| disturbed(&capture.timeline, &Disturbance::of(seed))).unwrap_or_default();
        Ok(Ended { sketch, how, hang, contended, disturbed, left: self.room.clear() })
    }
}

/// Runs `start` on one processor only, when the seed says so: whoever it starts stays there.
fn on_one_processor<T>(seed: Option<u64>, start: impl FnOnce() -> T) -> T {
    let own = Pid::from_raw(0);
    let before = seed.filter(|seed| Disturbance::of(*seed).one_processor()).and_then(|_| sched_getaffinity(own).ok());
    if let Some(all) = &before {
        let first = (0..CpuSet::count()).find(|cpu| all.is_set(*cpu).unwrap_or(false));
        let mut one = CpuSet::new();
        if let Some(first) = first
            && one.set(first).is_ok()
        {
            let _ = sched_setaffinity(own, &one);
        }
    }
    let started = start();
    if let Some(all) = before {
        let _ = sched_setaffinity(own, &all);
    }
    started
}
