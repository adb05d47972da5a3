//! What other tools do beside the same stuck threads: a table, printed when it is asked for.
//!
//! ```console
//! $ cargo test -p hangdog-tests --test stuck -- --ignored tools
//! ```
//!
//! Each tool gets each situation anew, and some seconds; then it is killed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::{Adopted, Baseline, Request, Snapshotter};
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Observed, Pid, Record, SnapshotId};
use hangdog_tests::until;

use crate::situations::{self, Situation};
use crate::staged::Staged;

const SITUATIONS: [&str; 6] = ["open", "inside-mmap", "exec-lock", "epoll-page", "tcp-page", "close"];

/// A tool, and its arguments; `PID` and `PLACE` stand for the victim and the mount.
const TOOLS: &[&[&str]] = &[
    &["ps", "aux"],
    &["lsof", "-n", "-P", "-b", "-w"],
    &["fuser", "-v", "-m", "PLACE"],
    &["lsfd"],
    &["ss", "-tnip"],
    &["gdb", "-p", "PID", "-batch", "-ex", "bt"],
    &["py-spy", "dump", "--pid", "PID"],
    &["sh", "-c", PLAIN],
];

/// The plain loop that monitoring agents have.
const PLAIN: &str = "cat /proc/[0-9]*/status /proc/[0-9]*/stat /proc/[0-9]*/wchan /proc/[0-9]*/cmdline \
                     /proc/[0-9]*/fdinfo/*; readlink /proc/[0-9]*/fd/*";

/// How long a tool gets: the slowest takes a tenth of it beside nobody who is stuck.
const LIMIT: Duration = Duration::from_secs(3);
/// How long one that was killed may take to go.
const KILLED: Duration = Duration::from_millis(500);

pub(crate) fn table() {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().expect("a program of every machine");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let mut text =
        format!("{}, Linux {}\n\n| | {} |\n", said("date", "+%Y-%m-%d"), said("uname", "-r"), SITUATIONS.join(" | "));
    text.push_str(&"| --- ".repeat(SITUATIONS.len() + 1));
    text.push_str("|\n| **a snapshot of hangdog** |");
    let mut is_whole = true;
    for name in SITUATIONS {
        let cell = beside(situations::named(name), |_, victim| snapshot(victim));
        is_whole &= !cell.contains("not whole");
        let _ = write!(text, " {cell} |");
    }
    for tool in TOOLS {
        let shown =
            if tool[0] == "sh" { "a plain loop over `/proc`".to_owned() } else { format!("`{}`", tool.join(" ")) };
        let _ = write!(text, "\n| {shown} |");
        for name in SITUATIONS {
            let cell = beside(situations::named(name), |staged, victim| run(tool, staged, victim));
            let _ = write!(text, " {cell} |");
        }
    }
    println!("{text}");
    assert!(is_whole, "a snapshot of hangdog is not whole");
}

/// What becomes of this beside a situation, and what becomes of the victim.
fn beside(situation: &Situation, what: impl FnOnce(&Staged, u32) -> (String, Option<std::process::Child>)) -> String {
    if let Some(why) = (situation.needs)() {
        return format!("not built: {why}");
    }
    let staged = Staged::new(situation);
    let mut starter = staged.bench.unwatched(staged.line(situation)).spawn().expect("the scenario");
    let mut still = 0;
    let victim = until("the victim to be stuck", || {
        let victim = staged.bench.roles().iter().find_map(|(role, pid)| (role == "victim").then_some(*pid))?;
        still = if letter(victim) == Some(situation.letter) { still + 1 } else { 0 };
        (still > 10).then_some(victim)
    });
    let (mut cell, left) = what(&staged, victim);
    let after = letter(victim);
    if after != Some(situation.letter) {
        let _ = write!(cell, "; it went from {} to {}", situation.letter, after.unwrap_or('-'));
    }
    drop(staged);
    let _ = starter.wait();
    if let Some(mut left) = left {
        until("the end of a tool that was killed", || left.try_wait().expect("our own child"));
    }
    cell
}

fn letter(pid: u32) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("State:\t"))?.chars().next()
}

fn run(tool: &[&str], staged: &Staged, victim: u32) -> (String, Option<std::process::Child>) {
    let mut command = Command::new(tool[0]);
    for word in &tool[1..] {
        match *word {
            "PID" => command.arg(victim.to_string()),
            "PLACE" if staged.is_mounted() => command.arg(staged.place()),
            "PLACE" => command.arg("/tmp"),
            other => command.arg(other),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let Ok(mut child) = command.spawn() else { return ("not installed".to_owned(), None) };
    while began.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("our own child") {
            let failed = if tool[0] == "py-spy" && !status.success() { ", no Python" } else { "" };
            return (format!("{} ms{failed}", began.elapsed().as_millis()), None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("our own child");
    let killed = Instant::now();
    while killed.elapsed() < KILLED {
        if child.try_wait().expect("our own child").is_some() {
            return ("**hangs**".to_owned(), None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    ("**hangs, cannot be killed**".to_owned(), Some(child))
}

/// One snapshot, with the whole machine in view.
fn snapshot(victim: u32) -> (String, Option<std::process::Child>) {
    let mut snapshotter = Snapshotter::new(RunClock::start()).expect("a worker");
    let began = Instant::now();
    snapshotter.begin(Request {
        snapshot: SnapshotId(1),
        extent: SnapshotExtent::Full,
        reason: TriggerReason::Demand,
        observer: Pid(0),
        helpers: BTreeSet::new(),
        adopted: Adopted::OfRun,
        roots: [Pid(victim)].into(),
        run: Vec::new(),
        ticks: BTreeSet::new(),
        baseline: Baseline::default(),
        lock_files: Vec::new(),
    });
    let records = snapshotter.run_to_end(began + Duration::from_secs(20));
    let took = began.elapsed().as_millis();
    let stuck = records.iter().find_map(|record| match record {
        Record::Gap(gap) if gap.pid == Some(Pid(victim)) => match &gap.why {
            Observed::TimedOut(wchan) => Some(format!(", says `{wchan}`")),
            _ => None,
        },
        _ => None,
    });
    let is_whole = matches!(records.last(), Some(Record::SnapshotEnd(_)));
    let whole = if is_whole { "" } else { ", not whole" };
    (format!("{took} ms{}{whole}", stuck.unwrap_or_default()), None)
}
