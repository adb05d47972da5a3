//! A program whose exec closes a file of a dead FUSE mount holds the exec lock for ever: reading its
//! `stat`, `wchan`, `syscall` or any link blocks. (Seen on 6.18; older kernels take the lock less often.)
//! The look at it must end all the same, name the lock, and lose nothing else.
//!
//! A test program of its own: every process that it starts inherits the deadly descriptor.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::{Adopted, Baseline, Request, Snapshotter, Tree};
use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Observed, Pid, Record, SnapshotId};
use nix::mount::{MntFlags, MsFlags};

/// Answers everything that an open needs, and no FLUSH.
fn serve(device: &File) {
    let mut request = vec![0; 1 << 20];
    while let Ok(n) = (&*device).read(&mut request) {
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        assert!(n >= 40, "a request has a header");
        let body = match word(4) {
            // INIT: version 7.31.
            26 => [7_u32, 31, 4096, 0, 0, 4096, 1].iter().flat_map(|n| n.to_ne_bytes()).chain([0; 36]).collect(),
            // LOOKUP: node 2, kept for an hour.
            1 => [words64(&[2, 0, 3600, 3600, 0]), attributes(2, 0o100_644)].concat(),
            // GETATTR of the root or of the file.
            3 if word(16) == 1 => [words64(&[3600, 0]), attributes(1, 0o040_755)].concat(),
            3 => [words64(&[3600, 0]), attributes(2, 0o100_644)].concat(),
            // OPEN.
            14 => words64(&[1, 0]),
            // FLUSH, and whatever comes after it.
            25 => continue,
            _ => Vec::new(),
        };
        let error: i32 = if body.is_empty() { -libc::ENOSYS } else { 0 };
        let mut reply = (16 + body.len() as u32).to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(&request[8..16]);
        reply.extend(body);
        // Whoever asked may be gone.
        let _ = (&*device).write_all(&reply);
    }
}

fn words64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `struct fuse_attr`.
fn attributes(inode: u64, mode: u32) -> Vec<u8> {
    let mut out = words64(&[inode, 0, 0, 0, 0, 0]);
    out.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0_u32].iter().flat_map(|word| word.to_ne_bytes()));
    out
}

/// The mount, gone with everybody who waits for it at the end.
struct Mount(tempfile::TempDir);

impl Drop for Mount {
    fn drop(&mut self) {
        // MNT_FORCE aborts the connection.
        let _ = nix::mount::umount2(self.0.path(), MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
    }
}

fn mount() -> Result<Mount, String> {
    let device = File::options().read(true).write(true).open("/dev/fuse").map_err(|e| format!("/dev/fuse: {e}"))?;
    let dir = tempfile::tempdir().unwrap();
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    nix::mount::mount(Some("dead"), dir.path(), Some("fuse.dead"), flags, Some(options.as_str()))
        .map_err(|e| format!("mount: {e}"))?;
    let device = Arc::new(device);
    std::thread::spawn(move || serve(&device));
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
