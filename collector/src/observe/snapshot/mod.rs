//! The full look: who is in what system call, holds what, and where it leads.
//!
//! ```text
//! connections' `waiting` ─▶ status, stat and links of everybody ─▶ the run in full ─▶ locks
//!                                   ▲                                                  │
//!                                   └── those outside who hold what is waited for ◀────┘   3 rounds
//! ```
//!
//! All reads go through the guarded worker; the order is that of what can block least. Denied,
//! vanished and stuck reads are part of the result, never an error. Not here: what it means.

mod awaited;
mod detail;
mod emit;
mod first;
mod ipc;
mod join;
mod limits;
mod links;
mod lock_files;
mod memory;
mod out;
mod reader;
mod scan;
mod scene;
mod tables;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use hangdog_schemas::record::{SnapshotBegin, SnapshotExtent, TriggerReason};
use hangdog_schemas::{Device, Inode, Observed, Pid, ProcessId, Record, SnapshotId, ThreadId, When};

use self::first::first_facts;
pub use self::lock_files::LockCandidate;
use self::out::Out;
use self::reader::Reader;
use self::scene::{Scene, Seen};
use super::baseline::Baseline;
use super::parse::mountinfo::MountLine;
use super::parse::stat::Stat;
use super::parse::status::Status;
use super::tree::Adopted;
use super::worker::{Crew, Infos, Room};
use crate::clock::RunClock;

/// How far holders of holders are followed outside the run.
const DEPTH: usize = 3;

/// So many descriptors of the run are looked at in full. Of further ones of plain files `fdinfo` is read where somebody
/// waits for one, and else left out: that would be a fifth of the time that a snapshot of 50,000 takes.
const MOST_IN_FULL: usize = 4096;

/// What a snapshot is to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its number.
    pub snapshot: SnapshotId,
    /// How much.
    pub extent: SnapshotExtent,
    /// Why.
    pub reason: TriggerReason,
    /// The process whose descendants are the run.
    pub observer: Pid,
    /// Processes of the observer that are no part of the run. Workers need not be named.
    pub helpers: BTreeSet<Pid>,
    /// Which of the observer's children are the run's.
    pub adopted: Adopted,
    /// The command, or processes that were named.
    pub roots: BTreeSet<Pid>,
    /// Processes that are known to be of the run, with the ids they were given.
    pub run: Vec<ProcessId>,
    /// Threads that recorders have for themselves: no part of what the programs do.
    pub ticks: BTreeSet<ThreadId>,
    /// What was there before the run.
    pub baseline: Baseline,
    /// Files that may be locks, by file events.
    pub lock_files: Vec<LockCandidate>,
}

/// How far a snapshot is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// There is none going on.
    Idle,
    /// It goes on: call again soon.
    Working,
    /// Here are first facts: see [`Snapshotter::begin_first`].
    First(Vec<Record>),
    /// Here is a piece of it; more comes.
    Piece(Vec<Record>),
    /// Here is the last piece, up to `snapshot_end`; the first began with `snapshot_begin`.
    Done(Vec<Record>),
}

type Steps = Pin<Box<dyn Future<Output = ()>>>;

/// What a snapshotter does.
enum GoingOn {
    /// It reads first facts.
    First(Steps),
    /// It takes a snapshot, after first facts if they were begun.
    Snapshot(Steps),
    /// All is read, and the last piece was not given away yet.
    Read,
}

/// Takes snapshots, one at a time, and never blocks whoever polls it.
///
/// Lives in the thread that made it; its workers die with that thread.
pub struct Snapshotter {
    reader: Reader,
    clock: RunClock,
    out: Out,
    first: Out,
    most_in_full: usize,
    going_on: Option<GoingOn>,
}

impl Snapshotter {
    /// Starts the workers. Do it early, while the process is small and alone.
    pub fn new(clock: RunClock) -> io::Result<Self> {
        let crew = Rc::new(RefCell::new(Crew::spawn(Room::Large)?));
        let now = Rc::new(Cell::new(Instant::now()));
        let reader = Reader { crew, now, cut: Rc::new(Cell::new(false)) };
        let (out, first) = (Out::default(), Out::default());
        Ok(Self { reader, clock, out, first, most_in_full: MOST_IN_FULL, going_on: None })
    }

    /// Processes of ours that are no part of the run.
    pub fn helpers(&self) -> Vec<Pid> {
        self.reader.crew.borrow().pids()
    }

    /// Begins to read what these threads wait in, the first of them. That takes some milliseconds; each piece of it
    /// comes when it is there. A snapshot that is begun meanwhile follows it.
    ///
    /// # Panics
    /// When something is going on: that is a mistake of the caller.
    pub fn begin_first(&mut self, snapshot: SnapshotId, threads: Vec<ThreadId>) {
        assert!(self.going_on.is_none(), "a snapshot is going on");
        self.begins();
        let (reader, out) = (self.reader.clone(), self.first.clone());
        self.going_on = Some(GoingOn::First(Box::pin(first_facts(reader, self.clock, out, snapshot, threads))));
    }

    fn begins(&self) {
        self.reader.crew.borrow_mut().forget();
        self.reader.cut.set(false);
    }

    /// Begins a snapshot.
    ///
    /// # Panics
    /// When one is going on: that is a mistake of the caller.
    pub fn begin(&mut self, request: Request) {
        let first = match self.going_on.take() {
            None => None,
            Some(GoingOn::First(first)) => Some(first),
            Some(GoingOn::Snapshot(_) | GoingOn::Read) => panic!("a snapshot is going on"),
        };
        self.begins();
        let begin = SnapshotBegin {
            when: When::exactly(self.clock.now()),
            snapshot: request.snapshot,
            extent: request.extent,
            reason: request.reason,
        };
        let taking = Taking {
            reader: self.reader.clone(),
            clock: self.clock,
            out: self.out.clone(),
            request,
            most_in_full: self.most_in_full,
            scene: Scene::default(),
            own_mounts: None,
            own_network: None,
            own_ipc: None,
            mounts_here: Vec::new(),
            shared_memory: memory::shared_memory_device(),
        };
        self.going_on = Some(GoingOn::Snapshot(Box::pin(async {
            if let Some(first) = first {
                first.await;
                // What got stuck there gets stuck again, and is told then.
                taking.reader.crew.borrow_mut().take_stalls();
                taking.reader.crew.borrow_mut().forget();
            }
            taking.take(begin).await;
        })));
    }

    /// Goes on with it, without waiting for anything.
    pub fn poll(&mut self, now: Instant) -> Progress {
        self.reader.now.set(now);
        let is_over = |steps: &mut Steps| steps.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        match &mut self.going_on {
            None => return Progress::Idle,
            Some(GoingOn::First(steps)) => {
                if is_over(steps) {
                    self.going_on = None;
                    return Progress::First(self.first.take());
                }
            }
            Some(GoingOn::Snapshot(steps)) => {
                if is_over(steps) {
                    self.going_on = Some(GoingOn::Read);
                }
            }
            Some(GoingOn::Read) => {}
        }
        let (first, is_read) = (self.first.take(), matches!(self.going_on, Some(GoingOn::Read)));
        if !first.is_empty() {
            return Progress::First(first);
        }
        if is_read {
            self.going_on = None;
            return Progress::Done(self.out.take());
        }
        match self.out.take() {
            records if records.is_empty() => Progress::Working,
            records => Progress::Piece(records),
        }
    }

    /// Polls until there is a piece of it, it is done or `until` is reached. In between it sleeps, at most a
    /// millisecond at a time.
    pub fn work(&mut self, until: Instant) -> Progress {
        loop {
            let rings = self.reader.crew.borrow().rings();
            let now = Instant::now();
            let progress = self.poll(now);
            if progress != Progress::Working || now >= until {
                return progress;
            }
            self.reader.crew.borrow().doze(rings, (until - now).min(Duration::from_millis(1)));
        }
    }

    /// Reads nothing more: what is there comes with the next polls, the rest is marked as not looked at.
    pub fn cut(&mut self) {
        if self.going_on.is_some() {
            self.reader.cut.set(true);
            self.reader.crew.borrow_mut().cut();
        }
    }

    /// The snapshot, whole by `deadline`, or else what there was by then. Comes back some 5 ms after it at the latest.
    pub fn run_to_end(&mut self, deadline: Instant) -> Vec<Record> {
        let mut records = Vec::new();
        let mut until = deadline;
        loop {
            match self.work(until) {
                Progress::Working => {
                    self.cut();
                    until = Instant::now() + Duration::from_millis(20);
                }
                Progress::Piece(piece) => records.extend(piece),
                Progress::Done(piece) => {
                    records.extend(piece);
                    return records;
                }
                Progress::First(_) => {}
                Progress::Idle => return records,
            }
        }
    }
}

/// A snapshot while it is taken.
struct Taking {
    reader: Reader,
    clock: RunClock,
    out: Out,
    request: Request,
    /// So many descriptors of the run are looked at in full.
    most_in_full: usize,
    scene: Scene,
    own_mounts: Option<Inode>,
    own_network: Option<Inode>,
    own_ipc: Option<Inode>,
    mounts_here: Vec<MountLine>,
    shared_memory: Option<Device>,
}

impl Taking {
    /// Where below `/proc/PID` a file of a process is: see [`Seen::path`].
    fn path(&self, pid: Pid, name: &str) -> String {
        self.scene.processes.get(&pid).map_or_else(|| name.to_owned(), |seen| seen.path(name))
    }

    async fn take(mut self, begin: SnapshotBegin) {
        self.reader.crew.borrow_mut().shrink();
        self.read_own().await;
        self.scan().await;
        let mut next: Vec<Pid> = self.scene.kept().map(|(pid, _)| pid).collect();
        self.detail(&next).await;
        self.read_locks().await;
        self.read_lock_files().await;
        for _ in 0..DEPTH {
            next = self.holders().await;
            if next.is_empty() {
                break;
            }
            for &pid in &next {
                let belongs = self.outside(pid);
                if let Some(seen) = self.scene.processes.get_mut(&pid) {
                    seen.kept = Some(belongs);
                }
            }
            self.detail(&next).await;
        }
        self.read_limits().await;
        self.note_spared();
        self.tell(begin).await;
    }
}

impl Seen {
    fn new(id: ProcessId, when: When, status: Status, stat: Observed<Stat>) -> Self {
        Self {
            id,
            when,
            status,
            stat,
            kept: None,
            shown_by: None,
            infos: Infos::Servers,
            links: Vec::new(),
            no_links: None,
            tasks: Vec::new(),
            cmdline: Observed::NotAsked,
            exe: Observed::NotAsked,
            cwd: Observed::NotAsked,
            root: Observed::NotAsked,
            namespaces: Observed::NotAsked,
            cgroups: Observed::NotAsked,
            frozen: Observed::NotAsked,
            timers: Observed::NotAsked,
            io: Observed::NotAsked,
        }
    }
}

#[cfg(test)]
mod tests;
