//! A program whose exec closes a file of a dead FUSE mount holds the exec lock for ever: reading its
//! `stat`, `wchan`, `syscall` or any link blocks. (Seen on 6.18; older kernels take the lock less often.)
//! The look at it must end all the same, name the lock, and lose nothing else.
//!
//! A test program of its own: every process that it starts inherits the deadly descriptor.

mod dead_mount;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::{Adopted, Baseline, Request, Snapshotter, Tree};
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Observed, Pid, Record, SnapshotId};
use nix::mount::MntFlags;

/// The mount, gone with everybody who waits for it at the end.
struct Mount(tempfile::TempDir);

impl Drop for Mount {
    fn drop(&mut self) {
        // MNT_FORCE aborts the connection.
        let _ = nix::mount::umount2(self.0.path(), MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
    }
}

fn mount() -> Result<Mount, String> {
    let dir = tempfile::tempdir().unwrap();
    let device = Arc::new(dead_mount::mount(dir.path())?);
    std::thread::spawn(move || dead_mount::serve(&device));
    Ok(Mount(dir))
}

/// Children of this process that a thread of it started and nobody supervises.
fn child() -> Option<Pid> {
    let ours = hangdog_collector::observe::worker::ours();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<Pid> =
        lists.flat_map(|l| l.split_whitespace().map(|p| Pid(p.parse().unwrap())).collect::<Vec<_>>()).collect();
    pids.into_iter().find(|pid| !ours.contains(pid))
}

fn state(pid: Pid) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("State:\t")).unwrap().to_owned()
}

#[test]
fn an_exec_that_never_ends_stops_nobody_but_itself() {
    let mount = match mount() {
        Ok(mount) => mount,
        Err(why) => {
            println!("SKIPPED an_exec_that_never_ends: {why}");
            return;
        }
    };
    // Before the deadly file is open: workers let go of every descriptor, but not before they run.
    let clock = RunClock::start();
    let mut tree = Tree::new(clock, Pid(std::process::id()), Vec::new()).unwrap();
    let mut snapshotter = Snapshotter::new(clock).unwrap();
    let path = mount.0.path().join("file");
    let starter = std::thread::spawn(move || {
        let deadly = File::open(path).unwrap();
        // Opened with O_CLOEXEC, so the exec of the child closes its copy and waits for the FLUSH.
        let started = std::process::Command::new("sleep").arg("600").spawn();
        (deadly, started)
    });
    let limit = Instant::now() + Duration::from_secs(30);
    let pid = loop {
        // Of a process in an exec only files that never block may be read here: `status`.
        if let Some(pid) = child().filter(|pid| state(*pid).starts_with('S')) {
            break pid;
        }
        assert!(Instant::now() < limit, "the child never came");
    };
    let mut started = Vec::new();
    while started.is_empty() {
        started = tree.pass(clock.now(), &BTreeSet::new(), &Adopted::OfRun).started;
        assert!(Instant::now() < limit, "the tree never saw it");
    }
    assert_eq!(started[0].process.pid, pid);
    snapshotter.begin(Request {
        snapshot: SnapshotId(1),
        extent: SnapshotExtent::Full,
        reason: TriggerReason::Demand,
        observer: Pid(0),
        helpers: BTreeSet::new(),
        adopted: Adopted::OfRun,
        roots: [pid].into(),
        run: started.iter().map(|start| start.process).collect(),
        ticks: BTreeSet::new(),
        baseline: Baseline::default(),
        lock_files: Vec::new(),
    });
    let records = snapshotter.run_to_end(limit);
    let Some(Record::SnapshotEnd(end)) = records.last() else { panic!("it has no end") };
    let stuck = records.iter().find_map(|record| match record {
        Record::Gap(gap) if gap.pid == Some(pid) => match &gap.why {
            Observed::TimedOut(wchan) => Some(wchan.clone()),
            _ => None,
        },
        _ => None,
    });
    match stuck {
        Some(wchan) => assert!(end.stalls >= 1 && wchan.len() > 1, "{wchan}"),
        None => println!("SKIPPED the stall itself: this kernel does not take the exec lock for stat"),
    }
    let process = records.iter().find_map(|record| match record {
        Record::Process(fact) if fact.process.pid == pid => Some(fact),
        _ => None,
    });
    assert_eq!(process.unwrap().process, started[0].process, "the tree's name for it stays");
    assert!(state(pid).starts_with('S'), "{}", state(pid));
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.0 as i32), nix::sys::signal::Signal::SIGKILL);
    drop(mount);
    let (_, child) = starter.join().unwrap();
    if let Ok(mut child) = child {
        let _ = child.wait();
    }
}
