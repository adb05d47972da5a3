//! Snapshots of 2,000 processes with 50,000 descriptors.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::worker::{Ask, Hazard, Room, What, Worker};
use hangdog_collector::observe::{Adopted, Baseline, Request, Snapshotter};
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Pid, Record, SnapshotId};

use crate::apart::on_one_cpu;
use crate::row::{Row, best_ms, ms};
use crate::{crowd, dead};

const PROCESSES: usize = 2000;
const ROUNDS: usize = 15;

/// Of this process' children, or of the one that is named.
pub(crate) fn request(only: Option<u32>) -> Request {
    Request {
        snapshot: SnapshotId(1),
        extent: SnapshotExtent::Full,
        reason: TriggerReason::Demand,
        observer: Pid(std::process::id()),
        helpers: BTreeSet::new(),
        adopted: only.map_or(Adopted::OfRun, |pid| Adopted::Only(BTreeSet::from([Pid(pid)]))),
        roots: only.map(Pid).into_iter().collect(),
        run: Vec::new(),
        ticks: BTreeSet::new(),
        lock_files: Vec::new(),
        baseline: Baseline::default(),
    }
}

pub(crate) fn look(snapshotter: &mut Snapshotter, only: Option<u32>) -> io::Result<Vec<Record>> {
    snapshotter.begin(request(only));
    let records = snapshotter.run_to_end(Instant::now() + Duration::from_mins(1));
    let is_whole = matches!(records.last(), Some(Record::SnapshotEnd(_)));
    let was_cut = records.iter().any(|r| matches!(r, Record::Gap(gap) if gap.what == "the rest of the snapshot"));
    if is_whole && !was_cut { Ok(records) } else { Err(io::Error::other("the snapshot is not whole")) }
}

fn children() -> Vec<u32> {
    let text = std::fs::read_to_string("/proc/self/task/1/children").unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

pub(crate) fn snapshot() -> io::Result<Vec<Row>> {
    crowd::start(PROCESSES)?;
    let one = crowd::child(|| {
        loop {
            nix::unistd::pause();
        }
    })?;
    let mut rows = Vec::new();
    for (cpus, is_one, most) in [("one core", true, 250.0), ("two cores", false, 150.0)] {
        on_one_cpu(is_one)?;
        let mut snapshotter = Snapshotter::new(RunClock::start())?;
        let all = best_ms(ROUNDS, || look(&mut snapshotter, None).map(drop))?;
        rows.push(Row::new(format!("snapshot, all 2,000 of the run, {cpus}"), all, "ms").at_most(most));
        let others = best_ms(ROUNDS, || look(&mut snapshotter, Some(one)).map(drop))?;
        rows.push(Row::new(format!("snapshot, one of the run, 2,000 beside it, {cpus}"), others, "ms").at_most(most));
    }
    Ok(rows)
}

pub(crate) fn memory() -> io::Result<Vec<Row>> {
    crowd::start(PROCESSES)?;
    let before = peak();
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    let one = children()[0];
    look(&mut snapshotter, Some(one))?;
    let beside = peak();
    let records = look(&mut snapshotter, None)?;
    let all = peak();
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(vec![
        Row::new("memory at most, 2,000 beside the run", mib(beside), "MiB").at_most(10.0),
        Row::new(format!("memory at most, all of the run: {} records", records.len()), mib(all), "MiB").at_most(10.0),
        Row::new("of this the benchmark itself", mib(before), "MiB"),
    ])
}

/// Most memory that this process had at a time, KiB: with what it shares with its worker.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What every reader of `/proc` needs of each process.
fn asks() -> io::Result<Vec<Ask>> {
    let mut asks = Vec::new();
    for pid in children() {
        asks.extend(["status", "stat", "wchan", "syscall"].map(|name| Ask::file(Pid(pid), Hazard::Exec, name)));
        for fd in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
            let fd = fd?.file_name().to_string_lossy().into_owned();
            asks.push(Ask::link(Pid(pid), &format!("fd/{fd}")));
        }
    }
    Ok(asks)
}

/// The same read without a guard.
fn inline(ask: &Ask) -> io::Result<Vec<u8>> {
    if ask.what == What::Link {
        return Ok(rustix::fs::readlink(&ask.path, Vec::new())?.into_bytes());
    }
    let mut bytes = Vec::new();
    File::open(&ask.path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn guard() -> io::Result<Vec<Row>> {
    crowd::start(PROCESSES)?;
    on_one_cpu(true)?;
    let asks = asks()?;
    let mut worker = Worker::spawn(Room::Large)?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let answers: Vec<_> = asks.iter().map(inline).collect();
        without.push(ms(began.elapsed()));
        drop(answers);
        let copy = asks.clone();
        let began = Instant::now();
        worker.start(copy);
        let answers = worker.wait(Instant::now() + Duration::from_mins(1));
        with.push(ms(began.elapsed()));
        if answers.is_none_or(|answers| answers.iter().any(|answer| answer.seen().is_none())) {
            return Err(io::Error::other("a read is missing"));
        }
    }
    let best = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let (with, without) = (best(with), best(without));
    Ok(vec![
        Row::new(format!("{} reads, plain, one core", asks.len()), without, "ms"),
        Row::new("the same reads by the guarded worker", with, "ms"),
        Row::new("the guard over the plain reads", 100.0 * (with / without - 1.0), "%").at_most(5.0),
    ])
}

pub(crate) fn stuck() -> io::Result<Vec<Row>> {
    crowd::start(PROCESSES)?;
    on_one_cpu(true)?;
    // Before the deadly descriptors are there.
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    dead::start()?;
    let began = Instant::now();
    snapshotter.begin(request(None));
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    // As the main loop does it: 10 ms at a time.
    let records = loop {
        let progress = snapshotter.work(Instant::now() + Duration::from_millis(10));
        longest = longest.max(last.elapsed());
        last = Instant::now();
        if let hangdog_collector::observe::Progress::Done(records) = progress {
            break records;
        }
        if began.elapsed() > Duration::from_mins(1) {
            return Err(io::Error::other("it does not end"));
        }
    };
    let first = ms(began.elapsed());
    let stalls = records.iter().find_map(|r| if let Record::SnapshotEnd(end) = r { Some(end.stalls) } else { None });
    Ok(vec![
        Row::new(format!("snapshot with ten stuck, {} reads given up", stalls.unwrap_or(0)), first, "ms")
            .at_most(550.0),
        Row::new("longest pause of the loop meanwhile", ms(longest), "ms").at_most(50.0),
    ])
}

/// Reads what the crate offers of the same files.
fn by_procfs() -> io::Result<()> {
    for process in procfs::process::all_processes().map_err(io::Error::other)?.flatten() {
        let _ = (process.stat(), process.status(), process.wchan(), process.cmdline(), process.syscall());
        for fd in process.fd().into_iter().flatten() {
            std::hint::black_box(fd).ok();
        }
    }
    Ok(())
}

pub(crate) fn peers() -> io::Result<Vec<Row>> {
    crowd::start(PROCESSES)?;
    on_one_cpu(true)?;
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    let ours = best_ms(ROUNDS, || look(&mut snapshotter, None).map(drop))?;
    let crate_procfs = best_ms(ROUNDS, by_procfs)?;
    let mut rows = vec![
        Row::new("hangdog, all of the run, one core", ours, "ms"),
        Row::new("procfs crate: stat, status, wchan, cmdline, syscall, fd", crate_procfs, "ms"),
        Row::new("procfs crate, times hangdog's", crate_procfs / ours, "×"),
    ];
    let lsof = || Command::new("lsof").args(["-n", "-P", "-b", "-w"]).stdout(Stdio::null()).status();
    match lsof() {
        Ok(_) => {
            let lsof = best_ms(ROUNDS, || lsof().map(drop))?;
            rows.push(Row::new("lsof -n -P -b -w", lsof, "ms"));
            rows.push(Row::new("lsof, times hangdog's", lsof / ours, "×"));
        }
        Err(_) => eprintln!("SKIPPED lsof: it is not installed"),
    }
    Ok(rows)
}
