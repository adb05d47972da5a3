//! Snapshots of 2,000 processes with 50,000 descriptors.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::worker::{Ask, Infos, Room, Row, Worker};
use hangdog_collector::observe::{Adopted, Baseline, Progress, Request, Snapshotter};
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Big, Pid, ProcessId, Record, SnapshotId, ThreadId, Tid};

use crate::apart::on_one_cpu;
use crate::figure::{Figure, best_ms, ms};
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

/// Takes a snapshot and gives its records away piece by piece. Returns how many there were.
pub(crate) fn look(
    snapshotter: &mut Snapshotter,
    only: Option<u32>,
    mut take: impl FnMut(Vec<Record>),
) -> io::Result<usize> {
    snapshotter.begin(request(only));
    let limit = Instant::now() + Duration::from_mins(1);
    let mut count = 0;
    loop {
        let (piece, is_last) = match snapshotter.work(limit) {
            Progress::Piece(piece) => (piece, false),
            Progress::Done(piece) => (piece, true),
            Progress::First(_) => continue,
            Progress::Working | Progress::Idle => return Err(io::Error::other("the snapshot does not end")),
        };
        count += piece.len();
        take(piece);
        if is_last {
            return Ok(count);
        }
    }
}

/// Time on a processor so far, of this process and of the readers, ms.
fn processor_ms(snapshotter: &Snapshotter) -> f64 {
    let of = |pid: String| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
    };
    of("self".to_owned()) + snapshotter.helpers().iter().map(|pid| of(pid.to_string())).sum::<f64>()
}

/// The best of the rounds: on the clock, and on processors, ms.
fn best_look(snapshotter: &mut Snapshotter, only: Option<u32>) -> io::Result<(f64, f64)> {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let (began, before) = (Instant::now(), processor_ms(snapshotter));
        look(snapshotter, only, drop)?;
        let spent = (ms(began.elapsed()), processor_ms(snapshotter) - before);
        best = (best.0.min(spent.0), best.1.min(spent.1));
    }
    Ok(best)
}

fn children() -> Vec<u32> {
    let text = std::fs::read_to_string("/proc/self/task/1/children").unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

pub(crate) fn snapshot() -> io::Result<Vec<Figure>> {
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
        let looks = [("all 2,000 of the run", None), ("one of the run, 2,000 beside it", Some(one))];
        for (what, only) in looks {
            let (clock, processor) = best_look(&mut snapshotter, only)?;
            rows.push(Figure::new(format!("snapshot, {what}, {cpus}"), clock, "ms").at_most(most));
            rows.push(Figure::new("of this on processors, with its readers", processor, "ms"));
        }
    }
    Ok(rows)
}

pub(crate) fn memory() -> io::Result<Vec<Figure>> {
    crowd::start(PROCESSES)?;
    let before = peak();
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    let one = children()[0];
    look(&mut snapshotter, Some(one), drop)?;
    let beside = peak();
    let records = look(&mut snapshotter, None, drop)?;
    let all = peak();
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(vec![
        Figure::new("memory at most, 2,000 beside the run", mib(beside), "MiB").at_most(10.0),
        Figure::new(format!("memory at most, all of the run: {records} records"), mib(all), "MiB").at_most(10.0),
        Figure::new("of this the benchmark itself", mib(before), "MiB"),
    ])
}

/// Most memory that this process had at a time, KiB: with what it shares with its worker.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn first() -> io::Result<Vec<Figure>> {
    crowd::start(PROCESSES)?;
    let threads: Vec<ThreadId> = children()
        .into_iter()
        .map(|pid| ThreadId { process: ProcessId { pid: Pid(pid), start: Big(0) }, tid: Tid(pid) })
        .collect();
    let mut rows = Vec::new();
    for (cpus, is_one) in [("one core", true), ("two cores", false)] {
        on_one_cpu(is_one)?;
        let mut snapshotter = Snapshotter::new(RunClock::start())?;
        let (mut earliest, mut all, mut count) = (f64::INFINITY, f64::INFINITY, 0);
        for _ in 0..ROUNDS {
            let began = Instant::now();
            snapshotter.begin_first(SnapshotId(1), threads.clone());
            let mut seen = 0;
            // As the main loop does it, with a line for each.
            while let Progress::First(facts) = snapshotter.work(began + Duration::from_secs(10)) {
                for fact in &facts {
                    std::hint::black_box(serde_json::to_vec(fact)?);
                }
                if seen == 0 && !facts.is_empty() {
                    earliest = earliest.min(ms(began.elapsed()));
                }
                seen += facts.len();
            }
            all = all.min(ms(began.elapsed()));
            count = seen;
        }
        rows.push(
            Figure::new(format!("first facts of a trigger, {cpus}: the first of them"), earliest, "ms").at_most(20.0),
        );
        rows.push(Figure::new(format!("all {count} of them"), all, "ms").at_most(20.0));
    }
    Ok(rows)
}

/// What every reader of `/proc` needs of each process, as the guarded worker is asked for it.
fn asks() -> Vec<Ask> {
    let of_process =
        |pid: u32| [Ask::row(Pid(pid), None, Row::Identity), Ask::descriptors(Pid(pid), None, 0, Infos::Servers)];
    children().into_iter().flat_map(of_process).collect()
}

/// The same reads without a guard: how many there were.
fn plain(pid: u32) -> io::Result<usize> {
    let mut count = 2;
    for name in ["status", "stat"] {
        let mut bytes = Vec::new();
        File::open(format!("/proc/{pid}/{name}"))?.read_to_end(&mut bytes)?;
        std::hint::black_box(bytes);
    }
    for fd in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        std::hint::black_box(std::fs::read_link(fd?.path())?);
        count += 1;
    }
    Ok(count)
}

pub(crate) fn guard() -> io::Result<Vec<Figure>> {
    crowd::start(PROCESSES)?;
    on_one_cpu(true)?;
    let mut worker = Worker::spawn(Room::Large)?;
    let (mut with, mut without, mut count) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        count = children().into_iter().map(plain).sum::<io::Result<usize>>()?;
        without.push(ms(began.elapsed()));
        let began = Instant::now();
        worker.start(asks());
        let answers = worker.wait(Instant::now() + Duration::from_mins(1));
        with.push(ms(began.elapsed()));
        if answers.is_none_or(|answers| answers.iter().any(|answer| answer.seen().is_none())) {
            return Err(io::Error::other("a read is missing"));
        }
    }
    let best = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let (with, without) = (best(with), best(without));
    Ok(vec![
        Figure::new(format!("{count} reads, plain, one core"), without, "ms"),
        Figure::new("the same reads by the guarded worker", with, "ms"),
        Figure::new("the guard over the plain reads", 100.0 * (with / without - 1.0), "%").at_most(5.0),
    ])
}

pub(crate) fn stuck() -> io::Result<Vec<Figure>> {
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
        if let Progress::Done(records) = progress {
            break records;
        }
        if began.elapsed() > Duration::from_mins(1) {
            return Err(io::Error::other("it does not end"));
        }
    };
    let first = ms(began.elapsed());
    let stalls = records.iter().find_map(|r| if let Record::SnapshotEnd(end) = r { Some(end.stalls) } else { None });
    Ok(vec![
        Figure::new(format!("snapshot with ten stuck, {} reads given up", stalls.unwrap_or(0)), first, "ms")
            .at_most(550.0),
        Figure::new("longest pause of the loop meanwhile", ms(longest), "ms").at_most(50.0),
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

pub(crate) fn peers() -> io::Result<Vec<Figure>> {
    crowd::start(PROCESSES)?;
    on_one_cpu(true)?;
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    let ours = best_ms(ROUNDS, || look(&mut snapshotter, None, drop).map(drop))?;
    let crate_procfs = best_ms(ROUNDS, by_procfs)?;
    let mut rows = vec![
        Figure::new("hangdog, all of the run, one core", ours, "ms"),
        Figure::new("procfs crate: stat, status, wchan, cmdline, syscall, fd", crate_procfs, "ms"),
        Figure::new("procfs crate, times hangdog's", crate_procfs / ours, "×"),
    ];
    let lsof = || Command::new("lsof").args(["-n", "-P", "-b", "-w"]).stdout(Stdio::null()).status();
    match lsof() {
        Ok(_) => {
            let lsof = best_ms(ROUNDS, || lsof().map(drop))?;
            rows.push(Figure::new("lsof -n -P -b -w", lsof, "ms"));
            rows.push(Figure::new("lsof, times hangdog's", lsof / ours, "×"));
        }
        Err(_) => eprintln!("SKIPPED lsof: it is not installed"),
    }
    Ok(rows)
}
