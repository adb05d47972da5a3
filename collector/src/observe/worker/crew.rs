//! Workers that share the reads of a snapshot: two, also where there is one processor.
//!
//! While one reads, what another has read is understood; while one is stuck, the other goes on. What one got stuck in is
//! spared both of them.

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

/// Workers with one supervisor.
pub struct Crew {
    workers: Vec<Worker>,
    held: Rc<RefCell<Held>>,
    doorbell: Rc<Doorbell>,
}

impl Crew {
    /// Forks the workers. Do it early: a fork of a small process is quick.
    pub fn spawn(room: Room) -> io::Result<Self> {
        let held = Rc::new(RefCell::new(Held::default()));
        let doorbell = Rc::new(Doorbell::new()?);
        let workers = (0..WORKERS).map(|_| Worker::sharing(room, Rc::clone(&held), Rc::clone(&doorbell)));
        Ok(Self { workers: workers.collect::<io::Result<_>>()?, held, doorbell })
    }

    /// How many workers there are.
    pub fn size(&self) -> usize {
        self.workers.len()
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

    /// Forgets which processes are skipped: their locks may be free by now.
    pub fn forget(&mut self) {
        self.held.borrow_mut().forget();
    }
}
