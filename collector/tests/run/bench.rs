//! The bench of these tests: the runner, which is this program once more, and what it leaves.

use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hangdog_collector::{Ended, Judge, KeepCapture, Moment, OnHang, RunOptions, run};
use hangdog_schemas::file::Reader;
use hangdog_schemas::{
    Actor, Confidence, Edge, Finding, FindingKind, REPORT_VERSION, Record, Report, Resource, RunNs, RunSummary, Tid,
};
use libtest_mimic::Failed;

/// Runs the arguments as a command and ends as it ended; what else came of it goes to the file that
/// `HANGDOG_TEST_RUNNER` names.
pub(crate) fn runner() -> ! {
    let mut options = RunOptions::new(std::env::args_os().skip(1).collect());
    options.quiet_after = Duration::from_secs(2);
    if let Some(path) = std::env::var_os("HANGDOG_TEST_CAPTURE") {
        options.capture = KeepCapture::In(path.into());
    }
    if std::env::var_os("HANGDOG_TEST_KILL").is_some() {
        options.on_hang = OnHang::Kill;
    }
    options.tee = std::env::var_os("HANGDOG_TEST_TEE").is_some();
    let mut judge = PipeJudge::default();
    let notes = PathBuf::from(std::env::var_os("HANGDOG_TEST_RUNNER").unwrap());
    match run(options, &mut judge) {
        Ok(outcome) => {
            let mut text = outcome.notes.join("\n");
            if let Some(report) = &outcome.report {
                text.push_str("\nactions: ");
                text.push_str(&report.run.actions.join("; "));
            }
            std::fs::write(notes, text).unwrap();
            match outcome.end {
                Ended::Code(code) => std::process::exit(code),
                Ended::HangEnded => std::process::exit(124),
                Ended::Signal(signal) => die(signal),
            }
        }
        Err(error) => {
            std::fs::write(notes, format!("{error}; {}", error.advice())).unwrap();
            std::process::exit(error.exit_code());
        }
    }
}

fn die(signal: i32) -> ! {
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    // SAFETY: the default action installs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: any signal number is allowed.
    unsafe { libc::raise(signal) };
    unreachable!("signal {signal} ends a process")
}

/// Proves one thing: all processes of the run wait in a pipe, and did not move between two looks.
#[derive(Default)]
struct PipeJudge {
    answer: Option<Report>,
}

impl Judge for PipeJudge {
    fn ask(&mut self, records: &[Cow<'_, Record>]) {
        let records: Vec<Record> = records.iter().map(|record| Record::clone(record)).collect();
        self.answer = Some(judge(&records));
    }

    fn answer(&mut self) -> Option<Report> {
        self.answer.take()
    }

    fn is_busy(&self) -> bool {
        self.answer.is_some()
    }

    fn helpers(&self) -> Vec<u32> {
        Vec::new()
    }

    fn announce(&mut self, report: &Report, moment: Moment) {
        eprintln!("{moment:?}: {}", report.verdict.as_ref().map_or("nothing", |verdict| verdict.sentence.as_str()));
    }
}

fn judge(records: &[Record]) -> Report {
    let Record::Run(header) = &records[0] else { panic!("the first record is the header") };
    let mut looks: Vec<Vec<(Tid, u64, bool)>> = Vec::new();
    for record in records {
        match record {
            Record::SnapshotBegin(_) => looks.push(Vec::new()),
            Record::Thread(thread) => looks.last_mut().unwrap().push((
                thread.thread.tid,
                thread.voluntary_switches,
                thread.syscall.seen().and_then(|call| call.name()).is_some_and(|name| name == "read"),
            )),
            _ => {}
        }
    }
    let ours = |look: &[(Tid, u64, bool)]| {
        let of_run = records.iter().filter_map(|record| match record {
            Record::ProcessStart(start) => Some(start.process.pid.0),
            _ => None,
        });
        let of_run: Vec<u32> = of_run.collect();
        let mut look: Vec<_> = look.iter().filter(|(tid, ..)| of_run.contains(&tid.0)).copied().collect();
        look.sort_unstable();
        look
    };
    let is_dead = looks.len() == 2
        && ours(&looks[0]) == ours(&looks[1])
        && ours(&looks[0]).len() >= 2
        && ours(&looks[0]).iter().all(|(_, _, reads)| *reads);
    let tid = Tid(header.root.pid.0);
    let actor = Actor { pid: header.root.pid, tid, task: None, comm: "x".to_owned(), phase: None };
    let resource = Resource { kind: "pipe-data".to_owned(), name: "a pipe".to_owned(), call: None };
    let edge = Edge {
        waiter: actor.clone(),
        resource,
        resolver: Some(actor.clone()),
        confidence: Confidence::Certain,
        evidence: Vec::new(),
    };
    let verdict = is_dead.then(|| Finding {
        kind: FindingKind::DeadlockCycle,
        confidence: Confidence::Certain,
        sentence: "everybody reads from a pipe".to_owned(),
        culprits: vec![actor],
        edges: vec![edge],
        advice: Vec::new(),
        rescue: Vec::new(),
        unknown: Vec::new(),
        id: "deadlock-cycle-1".to_owned(),
        signature: "0123456789abcdef".to_owned(),
    });
    let run = RunSummary {
        id: header.run.clone(),
        command: header.command.clone(),
        host: header.host.clone(),
        at: RunNs(0),
        last_progress: None,
        progress: None,
        capture: None,
        actions: Vec::new(),
        missing: Vec::new(),
    };
    Report { findings: verdict.iter().cloned().collect(), verdict, run, comparison: None, schema: REPORT_VERSION }
}

/// One test's folder.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The runner with a command.
    pub(crate) fn runner(&self, command: &[&str]) -> Command {
        let mut runner = Command::new(std::env::current_exe().unwrap());
        runner.args(command);
        runner.env("HANGDOG_TEST_RUNNER", self.path("notes")).env("XDG_STATE_HOME", self.path("state"));
        runner.stdin(Stdio::null());
        // A test's own group, so that nothing here depends on a terminal of whoever runs the tests.
        // SAFETY: setsid is a system call and nothing else.
        unsafe { runner.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
        runner
    }

    pub(crate) fn shell(&self, script: &str) -> Command {
        self.runner(&["sh", "-c", script])
    }

    /// The same with `--tee`.
    pub(crate) fn tee(&self, script: &str) -> Command {
        let mut runner = self.shell(script);
        runner.env("HANGDOG_TEST_TEE", "1");
        runner
    }

    pub(crate) fn notes(&self) -> String {
        std::fs::read_to_string(self.path("notes")).unwrap_or_default()
    }

    pub(crate) fn captures(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("state/hangdog")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

pub(crate) fn records(path: &Path) -> Vec<Record> {
    let bytes = std::fs::read(path).unwrap();
    let (records, summary) = Reader::from_bytes(&bytes).unwrap().read_all();
    assert!(summary.is_complete(), "{:?}", summary.missing());
    records
}

/// Waits for a condition; a test that waits this long has failed.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), Failed> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_mins(1) {
            return Err(format!("it never came to this: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    !status.lines().any(|line| line.starts_with("State:\tZ") || line.starts_with("State:\tX"))
}

pub(crate) fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
}

pub(crate) fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// The first line that a runner's command writes.
pub(crate) fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[track_caller]
pub(crate) fn check_code(status: ExitStatus, code: i32) {
    assert_eq!((status.code(), status.signal()), (Some(code), None));
}
