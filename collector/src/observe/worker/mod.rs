//! Reads of `/proc` that can block for good, done by a process that may be lost.
//!
//! ```text
//!  supervisor (the watchdog's main loop)           worker (forked early, no descriptors, cwd /)
//!  start(batch) ── slots, paths, bell ───────────▶ reads one after the other
//!  poll(now)    ◀── done, progress, results ─────
//!     no progress for 20 ms and not runnable:
//!        read the worker's own wchan (that is the diagnosis)
//!        SIGKILL; reaped within 5 ms, else left behind (at most 8)
//!        a new worker goes on after the stuck read, without what takes the same lock
//! ```
//!
//! The supervisor itself never does such a read, never waits for an end of file, and never waits
//! for a process without a limit. Not here: what is read and what it means.
//!
//! | to know | look in |
//! | --- | --- |
//! | what can be asked for, and what could block it | `ask`, `row` |
//! | how several workers share the work, and what they learn from each other | `crew`, `handing_on`, `held` |
//! | the worker's own side | `child`, with `reads`, `several`, `elsewhere` |
//! | what lies in the shared memory | `shared`, `room`, `parts` |

mod ask;
mod child;
mod crew;
mod elsewhere;
mod handing_on;
mod held;
mod parts;
mod path;
mod process;
mod reads;
mod room;
mod row;
mod several;
mod shared;

pub use ask::{Ask, Hazard, Infos, What};
pub use crew::Crew;
pub use parts::{Kind, Part, parts};
pub use process::ours;
pub use reads::mapping_query_fails;
pub use row::Row;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hangdog_schemas::{Observed, Pid};
use rustix::thread::futex;

use self::held::Held;
use self::process::{fork, is_gone, kill, letter, wchan};
use self::shared::{Doorbell, SLOTS, Shared, Slot};

/// How long a read may take without a sign of life.
const PATIENCE: Duration = Duration::from_millis(20);
/// The same for tables of the whole system: `/proc/locks` waits for a grace period (16 ms seen).
const TABLE_PATIENCE: Duration = Duration::from_millis(250);
/// After so long in one read a worker that sleeps leaves what else it was to read to others.
const SOON: Duration = Duration::from_millis(3);
/// How long a worker that could run, but got no processor, is waited for.
const STARVED: Duration = Duration::from_secs(1);
/// How long a killed worker may take to go.
const REAP: Duration = Duration::from_millis(5);

/// Bytes of the arena that stay when a batch is over: most need less, and a large table comes once a snapshot.
const KEPT: usize = 256 << 10;

/// What a read gave: bytes, or why not.
pub type Answer = Observed<Vec<u8>>;

/// A read that did not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Which.
    pub ask: Ask,
    /// Where the worker was blocked in the kernel.
    pub wchan: String,
}

/// How much room a worker has for results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A few small files at a time.
    Small,
    /// Tables of a large machine.
    Large,
}

impl Room {
    /// Bytes for paths and results.
    fn arena(self) -> usize {
        match self {
            Self::Small => 64 << 10,
            Self::Large => 8 << 20,
        }
    }
}

enum State {
    /// Nothing is asked.
    Idle,
    /// The worker has asks `from..to` of the batch.
    Running {
        from: usize,
        to: usize,
        progress: u32,
        since: Instant,
        starved_since: Option<Instant>,
        /// It has slept in one read for longer than most reads take.
        waits: bool,
        /// It has more than that, which others read in its stead.
        handed_on: bool,
    },
    /// It was killed over ask `at`.
    Killed { at: usize, wchan: String, since: Instant },
    /// There is no worker, and there will be none.
    Broken,
}

/// The supervisor's end of a worker.
///
/// The worker dies with the thread that started it.
pub struct Worker {
    shared: Shared,
    room: Room,
    pid: Option<Pid>,
    bell: u32,
    state: State,
    asks: Vec<Ask>,
    answers: Vec<Answer>,
    /// Answers that are there, from the left.
    next: usize,
    /// How far into the arena the answers of this batch went.
    reach: usize,
    held: Rc<RefCell<Held>>,
    /// Not to be sent to another thread: the worker gets SIGKILL when its starter's thread ends.
    _here: std::marker::PhantomData<*const ()>,
}

impl Worker {
    /// Forks a worker. Do it early: a fork of a small process is quick.
    pub fn spawn(room: Room) -> io::Result<Self> {
        Self::sharing(room, Rc::default(), Rc::new(Doorbell::new()?))
    }

    /// One that shares with others what is stuck, and the doorbell.
    fn sharing(room: Room, held: Rc<RefCell<Held>>, doorbell: Rc<Doorbell>) -> io::Result<Self> {
        let (shared, pid) = fork(room.arena(), doorbell)?;
        Ok(Self {
            shared,
            room,
            pid: Some(pid),
            bell: 0,
            state: State::Idle,
            asks: Vec::new(),
            answers: Vec::new(),
            next: 0,
            reach: 0,
            held,
            _here: std::marker::PhantomData,
        })
    }

    fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Whether it was killed, and the next one is not there yet.
    fn is_replaced(&self) -> bool {
        matches!(self.state, State::Killed { .. } | State::Broken)
    }

    /// Processes of ours: the worker and those that were left behind.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        let abandoned: Vec<Pid> = self.held.borrow().abandoned().collect();
        self.pid.into_iter().chain(abandoned)
    }

    /// Reads that got stuck since the last call.
    pub fn take_stalls(&mut self) -> Vec<Stall> {
        std::mem::take(&mut self.held.borrow_mut().stalls)
    }

    /// Forgets which processes are skipped: their locks may be free by now.
    pub fn forget(&mut self) {
        self.held.borrow_mut().forget();
    }

    /// Begins a batch.
    ///
    /// # Panics
    /// When the batch before it was not finished: that is a mistake of the caller.
    pub fn start(&mut self, asks: Vec<Ask>) {
        assert!(self.next == self.asks.len(), "a batch is running");
        self.answers = Vec::with_capacity(asks.len());
        self.answers.resize(asks.len(), Observed::NotAsked);
        self.asks = asks;
        self.next = 0;
    }

    /// Gives up the rest of the batch: it is answered as not asked. Never waits.
    pub fn cut(&mut self) {
        if let State::Running { to, .. } = self.state {
            self.collect(to);
            // The worker may be in the middle of something; a new one is certain to be free.
            if self.next < to {
                self.kill();
                let at = self.next;
                self.state = State::Killed { at, wchan: "cut".to_owned(), since: Instant::now() };
            }
        }
        self.next = self.asks.len();
    }

    /// Looks how far the batch is. All answers in order of the asks when it is complete. Takes well
    /// under a millisecond, but for a fork when a worker is lost.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<Answer>> {
        self.reap_abandoned();
        for _ in 0..64 {
            match &self.state {
                State::Broken => self.next = self.asks.len(),
                State::Idle => {}
                State::Running { .. } => {
                    if !self.watch(now) {
                        return None;
                    }
                }
                State::Killed { .. } => {
                    if !self.bury(now) {
                        return None;
                    }
                }
            }
            if self.next >= self.asks.len() {
                self.asks.clear();
                self.next = 0;
                return Some(std::mem::take(&mut self.answers));
            }
            if matches!(self.state, State::Idle) {
                self.submit(now);
            }
        }
        None
    }

    /// Waits for the batch, until `deadline` at most.
    pub fn wait(&mut self, deadline: Instant) -> Option<Vec<Answer>> {
        loop {
            let rings = self.shared.doorbell().count();
            let now = Instant::now();
            if let Some(answers) = self.poll(now) {
                return Some(answers);
            }
            if now >= deadline {
                return None;
            }
            let limit = Duration::from_millis(1).min(deadline - now);
            let limit = if self.is_replaced() { limit.min(Duration::from_micros(200)) } else { limit };
            self.shared.doorbell().wait(rings, limit);
        }
    }

    /// Hands the worker as much as fits, after what needs no asking.
    fn submit(&mut self, now: Instant) {
        let held = Rc::clone(&self.held);
        while let Some(answer) = self.asks.get(self.next).and_then(|ask| held.borrow().skip(ask)) {
            held.borrow_mut().note_again(&self.asks[self.next]);
            self.answers[self.next] = answer;
            self.next += 1;
        }
        let (from, mut to, mut end) = (self.next, self.next, 0_usize);
        // Paths may take a quarter of the arena; the results get the rest.
        while to < self.asks.len() && to - from < SLOTS - 1 {
            let ask = &self.asks[to];
            let message: &[u8] = if let What::SockDiag { request } = &ask.what { request } else { &[] };
            let need = ask.path.len() + 1 + message.len();
            if held.borrow().skip(ask).is_some() || end + need > self.shared.arena() / 4 {
                break;
            }
            let (number, size) = match ask.what {
                What::Mapping { address } => (address, 0),
                What::Memory { address, len } => (address, len),
                What::Head { len, largest } => (largest, len),
                What::Semaphore { set, number } => (u64::from(set), u32::from(number)),
                What::Row(row) => (row.number(), held.borrow().readable(ask.pid, row) as u32),
                What::Descriptors { from, infos } => (u64::from(from), infos.number()),
                _ => (0, message.len() as u32),
            };
            self.shared.put(end, ask.path.as_bytes());
            self.shared.put(end + ask.path.len(), &[0]);
            self.shared.put(end + ask.path.len() + 1, message);
            let slot = Slot {
                kind: ask.kind(),
                path_at: end as u32,
                path_len: ask.path.len() as u32,
                message_at: (end + ask.path.len() + 1) as u32,
                number,
                size,
                ..Slot::default()
            };
            self.shared.set_slot(to - from, slot);
            end += need;
            to += 1;
        }
        if from == to {
            return;
        }
        self.shared.set_slot(to - from, Slot::default());
        let first = Slot { at: end.next_multiple_of(8) as u32, ..self.shared.slot(0) };
        self.shared.set_slot(0, first);
        let control = self.shared.control();
        control.done.store(0, std::sync::atomic::Ordering::Relaxed);
        self.bell = self.bell.wrapping_add(1);
        control.bell.store(self.bell, std::sync::atomic::Ordering::Release);
        let _ = futex::wake(&control.bell, futex::Flags::empty(), 1);
        let progress = control.progress.load(std::sync::atomic::Ordering::Acquire);
        self.state =
            State::Running { from, to, progress, since: now, starved_since: None, waits: false, handed_on: false };
    }

    /// Takes over finished answers up to `to`.
    fn collect(&mut self, to: usize) {
        let State::Running { from, .. } = self.state else { return };
        let done = self.shared.control().done.load(std::sync::atomic::Ordering::Acquire) as usize;
        for n in self.next..to.min(from + done) {
            let slot = self.shared.slot(n - from);
            self.reach = self.reach.max(slot.at as usize + slot.len as usize);
            self.answers[n] = match slot.errno {
                0 => Observed::Seen(self.shared.copy(slot.at, slot.len)),
                number => why(number as i32),
            };
            // Descriptors say themselves that there are more.
            if slot.cut != 0 && !matches!(self.asks[n].what, What::Descriptors { .. }) {
                self.held.borrow_mut().truncated.push(self.asks[n].name());
            }
            self.next = n + 1;
        }
    }

    /// Looks at a running worker. Whether there is something to do next.
    fn watch(&mut self, now: Instant) -> bool {
        let State::Running { to, progress, since, starved_since, handed_on, .. } = self.state else { return true };
        let finished = self.shared.is_finished(self.bell);
        self.collect(to);
        if handed_on && !finished && self.next == to {
            // It would go on with what others read by now.
            self.kill();
            self.state = State::Killed { at: self.next, wchan: String::new(), since: now };
            return true;
        }
        if finished || self.next == to {
            // With the arena full it finished earlier: the rest is sent again.
            if finished {
                self.state = State::Idle;
                if std::mem::take(&mut self.reach) > KEPT {
                    self.shared.give_back(KEPT);
                }
            }
            return finished;
        }
        let seen = self.shared.control().progress.load(std::sync::atomic::Ordering::Acquire);
        let State::Running { progress: last, since: mark, starved_since: starved, waits, .. } = &mut self.state
        else {
            return true;
        };
        if seen != progress {
            (*last, *mark, *starved, *waits) = (seen, now, None, false);
            return false;
        }
        let patience = if self.asks[self.next].pid.is_none() { TABLE_PATIENCE } else { PATIENCE };
        if now.saturating_duration_since(since) < patience {
            return false;
        }
        let first = *starved.get_or_insert(now);
        let letter = self.pid.and_then(letter);
        let starving =
            matches!(letter, Some('R')) && now.saturating_duration_since(starved_since.unwrap_or(first)) < STARVED;
        if starving {
            *mark = now;
            return false;
        }
        let wchan = match letter {
            None | Some('Z' | 'X') => "the reader was killed".to_owned(),
            Some(_) => self.pid.map(wchan).unwrap_or_default(),
        };
        self.kill();
        self.state = State::Killed { at: self.next, wchan, since: now };
        true
    }

    fn kill(&self) {
        if let Some(pid) = self.pid {
            kill(pid);
        }
    }

    /// Waits for a killed worker, without blocking; then replaces it. Whether that is done.
    fn bury(&mut self, now: Instant) -> bool {
        let State::Killed { at, wchan, since } = &self.state else { return true };
        let (at, wchan, since) = (*at, wchan.clone(), *since);
        let gone = self.pid.is_none_or(is_gone);
        if !gone && now.saturating_duration_since(since) < REAP {
            return false;
        }
        // A batch that was cut has no ask left to blame.
        let stall = self.asks.get(at).filter(|_| at == self.next).cloned().map(|ask| self.stalled(&ask, wchan));
        if let Some((stall, answer)) = &stall {
            self.held.borrow_mut().note(stall);
            self.answers[at] = answer.clone();
            self.next = at + 1;
        }
        if let (false, Some(pid)) = (gone, self.pid) {
            let stall =
                stall.map_or_else(|| Stall { ask: Ask::table("-"), wchan: String::new() }, |(stall, _)| stall);
            self.held.borrow_mut().abandon(pid, stall);
        }
        self.pid = None;
        self.state = State::Broken;
        self.replace();
        true
    }

    /// What got stuck in an ask, and the answer to it: of several reads those that came back are there.
    fn stalled(&self, ask: &Ask, wchan: String) -> (Stall, Answer) {
        let (kind, number, at, len) = self.shared.control().where_it_is();
        match (&ask.what, Kind::from_number(kind)) {
            (What::Row(_) | What::Descriptors { .. }, Some(kind)) => {
                let mut bytes = self.shared.copy(at, len);
                parts::add_stuck(&mut bytes, kind, number, &wchan);
                (Stall { ask: ask.single(kind, number), wchan }, Observed::Seen(bytes))
            }
            _ => (Stall { ask: ask.clone(), wchan: wchan.clone() }, Observed::TimedOut(wchan)),
        }
    }

    /// Forks the next worker, unless too many are left behind.
    fn replace(&mut self) {
        let doorbell = Rc::clone(self.shared.doorbell());
        if self.held.borrow().has_room()
            && let Ok((shared, pid)) = fork(self.room.arena(), doorbell)
        {
            self.shared = shared;
            self.bell = 0;
            self.pid = Some(pid);
            self.state = State::Idle;
        }
    }

    fn reap_abandoned(&mut self) {
        self.held.borrow_mut().reap();
        if matches!(self.state, State::Broken) {
            self.replace();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        let until = Instant::now() + REAP;
        while self.pid.is_some_and(|pid| !is_gone(pid)) && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Why a read failed, by its errno.
fn why<T>(errno: i32) -> Observed<T> {
    match errno {
        libc::EACCES | libc::EPERM => Observed::Denied,
        libc::ENOENT | libc::ESRCH => Observed::Vanished,
        libc::ENOSYS | libc::ENOTTY | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT => {
            Observed::Unsupported
        }
        other => Observed::Garbled(io::Error::from_raw_os_error(other).to_string()),
    }
}

#[cfg(test)]
mod tests;
