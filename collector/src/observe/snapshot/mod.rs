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

mod detail;
mod emit;
mod ipc;
mod join;
mod limits;
mod memory;
mod reader;
mod scan;
mod scene;
mod tables;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hangdog_schemas::record::{SnapshotBegin, SnapshotExtent, TriggerReason};
use hangdog_schemas::{Device, Inode, Observed, Pid, ProcessId, Record, SnapshotId, ThreadId, When};

use self::reader::Reader;
use self::scene::{Scene, Seen};
use super::baseline::Baseline;
use super::parse::fdinfo::FdInfo;
use super::parse::mountinfo::MountLine;
use super::parse::stat::Stat;
use super::parse::status::Status;
use super::tree::Adopted;
use super::worker::{Room, Worker};
use crate::clock::RunClock;

/// How far holders of holders are followed outside the run.
const DEPTH: usize = 3;

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
}

/// How far a snapshot is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// There is none going on.
    Idle,
    /// It goes on: call again soon.
    Working,
    /// Here it is, from `snapshot_begin` to `snapshot_end`.
    Done(Vec<Record>),
}

/// Takes snapshots, one at a time, and never blocks whoever polls it.
///
/// Lives in the thread that made it; its worker dies with that thread.
pub struct Snapshotter {
    reader: Reader,
    clock: RunClock,
    going_on: Option<Pin<Box<dyn Future<Output = Vec<Record>>>>>,
}

impl Snapshotter {
    /// Starts the worker. Do it early, while the process is small and alone.
    pub fn new(clock: RunClock) -> io::Result<Self> {
        let worker = Rc::new(RefCell::new(Worker::spawn(Room::Large)?));
        let now = Rc::new(Cell::new(Instant::now()));
        let reader = Reader { worker, now, cut: Rc::new(Cell::new(false)) };
        Ok(Self { reader, clock, going_on: None })
    }

    /// Processes of ours that are no part of the run.
    pub fn helpers(&self) -> Vec<Pid> {
        self.reader.worker.borrow().pids().collect()
    }

    /// Begins a snapshot.
    ///
    /// # Panics
    /// When one is going on: that is a mistake of the caller.
    pub fn begin(&mut self, request: Request) {
        assert!(self.going_on.is_none(), "a snapshot is going on");
        self.reader.worker.borrow_mut().forget();
        self.reader.cut.set(false);
        let begin = SnapshotBegin {
            when: When::exactly(self.clock.now()),
            snapshot: request.snapshot,
            extent: request.extent,
            reason: request.reason,
        };
        let taking = Taking {
            reader: self.reader.clone(),
            clock: self.clock,
            request,
            scene: Scene::default(),
            own_mounts: None,
            own_network: None,
            own_ipc: None,
            mounts_here: Vec::new(),
            shared_memory: memory::shared_memory_device(),
        };
        self.going_on = Some(Box::pin(taking.take(begin)));
    }

    /// Goes on with it, without waiting for anything.
    pub fn poll(&mut self, now: Instant) -> Progress {
        let Some(going_on) = &mut self.going_on else { return Progress::Idle };
        self.reader.now.set(now);
        match going_on.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Progress::Working,
            Poll::Ready(records) => {
                self.going_on = None;
                Progress::Done(records)
            }
        }
    }

    /// Polls until it is done or `until` is reached. In between it sleeps, at most a millisecond at a time.
    pub fn work(&mut self, until: Instant) -> Progress {
        loop {
            let now = Instant::now();
            let progress = self.poll(now);
            if progress != Progress::Working || now >= until {
                return progress;
            }
            self.reader.worker.borrow().doze((until - now).min(Duration::from_millis(1)));
        }
    }

    /// Reads nothing more: what is there comes with the next polls, the rest is marked as not looked at.
    pub fn cut(&mut self) {
        if self.going_on.is_some() {
            self.reader.cut.set(true);
            self.reader.worker.borrow_mut().cut();
        }
    }

    /// The snapshot, whole by `deadline`, or else what there was by then. Comes back some 5 ms after it at the latest.
    pub fn run_to_end(&mut self, deadline: Instant) -> Vec<Record> {
        let mut progress = self.work(deadline);
        if progress == Progress::Working {
            self.cut();
            while progress == Progress::Working {
                progress = self.work(Instant::now() + Duration::from_millis(20));
            }
        }
        match progress {
            Progress::Done(records) => records,
            Progress::Idle | Progress::Working => Vec::new(),
        }
    }
}

/// A snapshot while it is taken.
struct Taking {
    reader: Reader,
    clock: RunClock,
    request: Request,
    scene: Scene,
    own_mounts: Option<Inode>,
    own_network: Option<Inode>,
    own_ipc: Option<Inode>,
    mounts_here: Vec<MountLine>,
    shared_memory: Option<Device>,
}

impl Taking {
    async fn take(mut self, begin: SnapshotBegin) -> Vec<Record> {
        self.read_own().await;
        self.scan().await;
        let mut next: Vec<Pid> = self.scene.kept().map(|(pid, _)| pid).collect();
        self.detail(&next).await;
        self.read_locks().await;
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
        self.records(begin)
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
