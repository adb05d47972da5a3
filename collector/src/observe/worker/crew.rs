//! Workers that share the reads of a snapshot: two, also where there is one processor.
//!
//! While one reads, what another has read is understood. One that waits in the kernel leaves its turn, and what else it was
//! to read, to another: so stuck reads are waited for side by side. What one got stuck in is spared all of them.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hangdog_schemas::Pid;

use super::held::Held;
use super::shared::Doorbell;
use super::{Answer, Ask, Room, Stall, Worker};

/// More readers of `/proc` than this wait for each other's locks.
const WORKERS: usize = 2;
/// With those that wait in the kernel.
const MOST: usize = 8;

/// Workers with one supervisor.
pub struct Crew {
    workers: Vec<Worker>,
    room: Room,
    held: Rc<RefCell<Held>>,
    doorbell: Rc<Doorbell>,
}

impl Crew {
    /// Forks the workers. Do it early: a fork of a small process is quick.
    pub fn spawn(room: Room) -> io::Result<Self> {
        let held = Rc::new(RefCell::new(Held::default()));
        let doorbell = Rc::new(Doorbell::new()?);
        let workers = (0..WORKERS).map(|_| Worker::sharing(room, Rc::clone(&held), Rc::clone(&doorbell)));
        Ok(Self { workers: workers.collect::<io::Result<_>>()?, room, held, doorbell })
    }

    /// How many workers there are.
    pub fn size(&self) -> usize {
        self.workers.len()
    }

    /// One more, in place of one that waits. Whether there is one.
    pub fn grow(&mut self) -> bool {
        if self.workers.len() >= MOST {
            return false;
        }
        let worker = Worker::sharing(self.room, Rc::clone(&self.held), Rc::clone(&self.doorbell));
        let grown = worker.map(|worker| self.workers.push(worker));
        grown.is_ok()
    }

    /// Whether there is a turn for worker `n` beside those of `others` that do not wait in the kernel.
    pub fn has_turn(&mut self, others: impl Iterator<Item = usize>, now: Instant) -> bool {
        others.filter(|&other| !self.workers[other].waits(now)).count() < WORKERS
    }

    /// What worker `n` was to read and others may, when it waits in the kernel: the last asks of its batch.
    pub fn hand_on(&mut self, n: usize, now: Instant) -> Vec<Ask> {
        if self.workers[n].waits(now) { self.workers[n].hand_on() } else { Vec::new() }
    }

    /// Begins a batch with worker `n`, which must have none.
    pub fn start(&mut self, n: usize, asks: Vec<Ask>) {
        self.workers[n].start(asks);
    }

    /// Looks how far the batch of worker `n` is: see [`Worker::poll`].
    pub fn poll(&mut self, n: usize, now: Instant) -> Option<Vec<Answer>> {
        self.workers[n].poll(now)
    }

    /// Gives up the rest of all batches.
    pub fn cut(&mut self) {
        self.workers.iter_mut().for_each(Worker::cut);
    }

    /// A count that changes when a worker has finished something.
    pub fn rings(&self) -> u32 {
        self.doorbell.count()
    }

    /// Sleeps until a worker has finished something since `rings` was taken, `limit` at most.
    pub fn doze(&self, rings: u32, limit: Duration) {
        // Nobody rings for a worker that was killed.
        let limit = if self.workers.iter().any(Worker::is_replaced) { Duration::from_micros(200) } else { limit };
        self.doorbell.wait(rings, limit);
    }

    /// Processes of ours: the workers and those that were left behind.
    pub fn pids(&self) -> Vec<Pid> {
        let abandoned: Vec<Pid> = self.held.borrow().abandoned().collect();
        self.workers.iter().filter_map(Worker::pid).chain(abandoned).collect()
    }

    /// Reads that got stuck since the last call.
    pub fn take_stalls(&mut self) -> Vec<Stall> {
        std::mem::take(&mut self.held.borrow_mut().stalls)
    }

    /// Files since the last call that were longer than there was room.
    pub fn take_truncated(&mut self) -> Vec<String> {
        std::mem::take(&mut self.held.borrow_mut().truncated)
    }

    /// Lets those go that came in place of others. Nothing may be going on.
    pub fn shrink(&mut self) {
        // One that is yet to be buried could not be waited for.
        while self.workers.len() > WORKERS && self.workers.last().is_some_and(Worker::is_idle) {
            self.workers.pop();
        }
    }

    /// Forgets which processes are skipped: their locks may be free by now.
    pub fn forget(&mut self) {
        self.held.borrow_mut().forget();
    }
}
