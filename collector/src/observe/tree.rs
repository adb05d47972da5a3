//! The cheap look, several times a second: who belongs to the run, and what did each thread do since.
//!
//! ```text
//! observer ─ children ─▶ run's processes ─ children ─▶ …     (the observer is child subreaper, so
//!    └ helpers, and children that are not the run's: left out  an orphan comes back to it)
//! ```
//!
//! Only reads that never block (`pulse.rs`) are done inline. A start time stands in `stat`
//! alone, and `stat` can block behind an exec; no other file has it, the times of the `/proc/PID`
//! directory are those of its first look-up, and taskstats needs privileges and says only seconds or
//! an age. So it is read once by a worker of this module's own; when that read gets stuck, the moment
//! of the first look stands for the start, once and for all: the open directory is what tells a
//! process from a later one with the same number, the start time is only its label.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::{Duration, Instant};

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::record::{ProcessChange, ProcessEnd, ProcessStart, Sample, ThreadSample};
use hangdog_schemas::{Big, Pid, ProcessId, Record, RunNs, ThreadId, Tid, When};

use super::parse::{stat, status};
use super::pulse::{Budget, Change, Dir, Thread};
use super::worker::{self, Ask, Hazard, Room, Worker};
use crate::clock::RunClock;
pub use tick::Tick;

/// Passes after which the children of a thread are looked at, though it did not run.
const ADOPTION: u64 = 4;
/// Passes after which a thread is looked at as a whole, though it did not run: another one may have named it.
const NAMES: u64 = 16;
/// Passes for which a new process's recorder may say nothing, and a thread is taken for its own by the name alone.
const BELIEVED: u64 = 8;
/// How long a pass waits for start times; those that take longer come with the next pass.
const START_TIMES: Duration = Duration::from_millis(3);

/// Which children of the observer are the run's; helpers never are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// All: the observer had none before the run.
    OfRun,
    /// Only these, the command among them: others came from elsewhere.
    Only(BTreeSet<Pid>),
}

impl Adopted {
    fn is_of_run(&self, pid: Pid) -> bool {
        match self {
            Self::OfRun => true,
            Self::Only(these) => these.contains(&pid),
        }
    }
}

/// What a pass found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// New processes.
    pub started: Vec<ProcessStart>,
    /// Those with a new name: mostly a new program.
    pub changed: Vec<ProcessChange>,
    /// Those that are gone.
    pub ended: Vec<ProcessEnd>,
    /// Threads that are new or changed, and those that are gone.
    pub sample: Sample,
}

impl Pass {
    /// As lines of a capture. An empty sample is left out.
    pub fn into_records(self) -> Vec<Record> {
        let mut out: Vec<Record> = self.started.into_iter().map(Record::ProcessStart).collect();
        out.extend(self.changed.into_iter().map(Record::ProcessChange));
        if !(self.sample.threads.is_empty() && self.sample.gone.is_empty()) {
            out.push(Record::Sample(self.sample));
        }
        out.extend(self.ended.into_iter().map(Record::ProcessEnd));
        out
    }
}

/// A thread as it was at the last pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadNow {
    /// Who.
    pub thread: ThreadId,
    /// State.
    pub state: TaskState,
    /// Voluntary switches so far.
    pub vol: u64,
    /// Involuntary switches so far.
    pub invol: u64,
    /// Time on a processor so far, ns.
    pub cpu_ns: Option<u64>,
}

struct Known {
    dir: Dir,
    /// `None` until its start time is known.
    id: Option<ProcessId>,
    /// Its number in its own pid namespace.
    inner_pid: Option<u32>,
    parent: Pid,
    raw_comm: Vec<u8>,
    threads: BTreeMap<Tid, Thread>,
    /// Which thread is the recorder's own; it is none of `threads`.
    tick: Tick,
    tick_thread: Option<(Tid, Thread)>,
    /// What was taken for the recorder's thread is none: it is among those that the next look has to find.
    has_put_back: bool,
    first_seen: RunNs,
    /// Number of the pass in which it was last looked at.
    looked: u64,
}

/// The run's processes, from pass to pass.
pub struct Tree {
    clock: RunClock,
    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC`, ns.
    asleep: u64,
    monotonic_zero: u64,
    ticks: u64,
    observer: Pid,
    observer_dir: Dir,
    observer_threads: BTreeMap<Tid, Thread>,
    /// Further roots, when an existing process is watched.
    roots: Vec<Pid>,
    /// The observer and its helpers.
    left_out: BTreeSet<Pid>,
    known: BTreeMap<Pid, Known>,
    budget: Budget,
    worker: Worker,
    asked: Vec<Pid>,
    passes: u64,
    last: RunNs,
    tids: Vec<Tid>,
    /// Of processes that are not known yet.
    early_ticks: BTreeMap<ProcessId, Tick>,
}

impl Tree {
    /// Follows what descends from `observer` (a child subreaper) and from `roots`, these included.
    pub fn new(clock: RunClock, observer: Pid, roots: Vec<Pid>) -> io::Result<Self> {
        let anchor = clock.anchor();
        Ok(Self {
            clock,
            asleep: anchor.boottime.0.saturating_sub(anchor.monotonic.0),
            monotonic_zero: anchor.monotonic.0.saturating_sub(anchor.t.0),
            ticks: rustix::param::clock_ticks_per_second(),
            observer,
            observer_dir: Dir::open(observer)?,
            observer_threads: BTreeMap::new(),
            roots,
            left_out: BTreeSet::new(),
            known: BTreeMap::new(),
            budget: Budget::new(),
            worker: Worker::spawn(Room::Small)?,
            asked: Vec::new(),
            passes: 0,
            last: anchor.t,
            tids: Vec::new(),
            early_ticks: BTreeMap::new(),
        })
    }

    /// Follows other roots from the next pass on. Those that are no roots any more stay as long as they live.
    pub fn set_roots(&mut self, roots: Vec<Pid>) {
        self.roots = roots;
    }

    /// Whether nobody is followed.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Processes of ours that are no part of the run.
    pub fn helpers(&self) -> impl Iterator<Item = Pid> {
        self.worker.pids()
    }

    /// The run's processes, those that ended and were not waited for included.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.known.values().filter_map(|known| known.id)
    }

    /// The process with this number, when it is of the run.
    pub fn process(&self, pid: Pid) -> Option<ProcessId> {
        self.known.get(&pid)?.id
    }

    /// Whether a process with this number is of the run and its start time is not known yet.
    pub fn is_awaited(&self, pid: Pid) -> bool {
        self.known.get(&pid).is_some_and(|known| known.id.is_none())
    }

    /// The process that has this number and start time in its own pid namespace, if there is but one.
    pub fn by_inner(&self, pid: u32, start: u64, slack: u64) -> Option<ProcessId> {
        let of_that_number = self.known.values().filter(|known| known.inner_pid == Some(pid));
        let mut found = of_that_number.filter_map(|known| known.id).filter(|id| id.start.0.abs_diff(start) <= slack);
        found.next().filter(|_| found.next().is_none())
    }

    /// A number that stays the same from pass to pass as long as no thread of the process runs.
    pub fn ran(&self, process: ProcessId) -> Option<u64> {
        let known = self.known.get(&process.pid).filter(|known| known.id == Some(process))?;
        let mut hasher = DefaultHasher::new();
        for (tid, thread) in &known.threads {
            (tid.0, thread.cpu_ns?, thread.voluntary, thread.involuntary).hash(&mut hasher);
            if thread.state == TaskState::R {
                self.passes.hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }

    /// The thread of a process that had but one at the last pass.
    pub fn only_thread(&self, process: ProcessId) -> Option<Tid> {
        let threads = &self.known.get(&process.pid).filter(|known| known.id == Some(process))?.threads;
        threads.keys().next().copied().filter(|_| threads.len() == 1)
    }

    /// All threads of the run as of the last pass.
    pub fn threads(&self) -> impl Iterator<Item = ThreadNow> {
        self.known.values().filter_map(|known| Some((known.id?, &known.threads))).flat_map(|(process, threads)| {
            threads.iter().map(move |(&tid, thread)| ThreadNow {
                thread: ThreadId { process, tid },
                state: thread.state,
                vol: thread.voluntary,
                invol: thread.involuntary,
                cpu_ns: thread.cpu_ns,
            })
        })
    }

    /// Looks at everybody once. `helpers` are processes of the observer to leave out; workers need not be named.
    pub fn pass(&mut self, now: RunNs, helpers: &BTreeSet<Pid>, adopted: &Adopted) -> Pass {
        self.passes += 1;
        let mut out = Pass { sample: Sample { when: When::exactly(now), ..Sample::default() }, ..Pass::default() };
        let mut queue = self.first(helpers, adopted);
        let mut next = 0;
        while let Some(&pid) = queue.get(next) {
            next += 1;
            self.look(pid, now, &mut queue, &mut out);
        }
        // Those whose parent is gone, and who went to somebody else than the observer.
        let strays: Vec<Pid> =
            self.known.iter().filter(|(_, k)| k.looked != self.passes).map(|(&pid, _)| pid).collect();
        for pid in strays {
            let mut queue = vec![pid];
            while let Some(pid) = queue.pop() {
                self.look(pid, now, &mut queue, &mut out);
            }
        }
        self.name_newcomers(&mut out);
        out.sample.threads.sort_by_key(|sample| sample.thread);
        self.last = now;
        out
    }

    /// Where to begin: children of the observer that are the run's, and the roots.
    fn first(&mut self, helpers: &BTreeSet<Pid>, adopted: &Adopted) -> Vec<Pid> {
        let mut queue = Vec::new();
        if self.observer_dir.threads(&mut self.tids).is_ok() {
            self.observer_threads.retain(|tid, _| self.tids.contains(tid));
            for &tid in &self.tids {
                let thread = self.observer_threads.entry(tid).or_insert_with(Thread::new);
                thread.children(self.observer_dir.fd(), tid, &mut self.budget, &mut queue);
            }
        }
        self.left_out = worker::ours().into_iter().chain(helpers.iter().copied()).chain([self.observer]).collect();
        queue.retain(|pid| adopted.is_of_run(*pid));
        queue.extend(&self.roots);
        queue
    }

    fn look(&mut self, pid: Pid, now: RunNs, queue: &mut Vec<Pid>, out: &mut Pass) {
        // Whoever watches the shell that it was started from comes by itself.
        if self.left_out.contains(&pid) {
            return;
        }
        if self.known.get(&pid).is_some_and(|known| known.looked == self.passes) {
            return;
        }
        if self.known.contains_key(&pid) && self.look_again(pid, now, queue, out).is_err() {
            self.ended(pid, now, out);
        }
        if let Entry::Vacant(place) = self.known.entry(pid) {
            let Ok(dir) = Dir::open(pid) else { return };
            let Ok(status) = dir.status() else { return };
            place.insert(Known {
                dir,
                id: None,
                inner_pid: status.ns_pids.last().copied(),
                parent: status.parent,
                raw_comm: Vec::new(),
                threads: BTreeMap::new(),
                tick: Tick::Unsaid { until: self.passes + BELIEVED },
                tick_thread: None,
                has_put_back: false,
                first_seen: now,
                looked: 0,
            });
            if self.look_again(pid, now, queue, out).is_err() {
                self.ended(pid, now, out);
            }
        }
    }

    fn look_again(&mut self, pid: Pid, now: RunNs, queue: &mut Vec<Pid>, out: &mut Pass) -> io::Result<()> {
        let Some(known) = self.known.get_mut(&pid) else { return Ok(()) };
        let is_believed = known.believe_tick(self.passes, &mut self.budget);
        if is_believed && self.passes % NAMES != u64::from(pid.0) % NAMES && known.had_no_turn(&mut self.budget) {
            known.looked = self.passes;
            if self.passes % ADOPTION == u64::from(pid.0) % ADOPTION {
                for (&tid, thread) in &mut known.threads {
                    thread.children(known.dir.fd(), tid, &mut self.budget, queue);
                }
            }
            return Ok(());
        }
        known.dir.threads(&mut self.tids)?;
        if self.tids.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        known.looked = self.passes;
        known.look_at_tick(&mut self.tids, &mut self.budget);
        let gone: Vec<Tid> = known.threads.keys().filter(|tid| !self.tids.contains(tid)).copied().collect();
        for tid in gone {
            forget_thread(known, tid, &mut self.budget, out);
        }
        for &tid in &self.tids {
            let thread = known.threads.entry(tid).or_insert_with(Thread::new);
            let Ok(change) = thread.look(known.dir.fd(), tid, &mut self.budget) else {
                forget_thread(known, tid, &mut self.budget, out);
                continue;
            };
            // Who did not run started nobody, but may have been given somebody's orphans.
            if change != Change::Nothing
                || thread.state == TaskState::R
                || self.passes % ADOPTION == u64::from(pid.0) % ADOPTION
            {
                thread.children(known.dir.fd(), tid, &mut self.budget, queue);
            }
            if change == Change::Name && known.has_new_tick(tid) {
                // It may have been told before it had its name.
                out.sample.gone.extend(known.id.map(|process| ThreadId { process, tid }));
                continue;
            }
            let (Some(process), Some(thread)) = (known.id, known.threads.get(&tid)) else { continue };
            // The name of a new thread is new.
            if change != Change::Nothing {
                out.sample.threads.push(sample(ThreadId { process, tid }, thread, change));
            }
        }
        if let (Some(process), Some(first)) = (known.id, known.threads.get(&Tid(pid.0)))
            && first.raw_comm != known.raw_comm
        {
            known.raw_comm.clone_from(&first.raw_comm);
            let when = When { t: now, err: now.0.saturating_sub(self.last.0) };
            out.changed.push(ProcessChange { when, process, comm: status::comm(&known.raw_comm) });
        }
        Ok(())
    }

    fn ended(&mut self, pid: Pid, now: RunNs, out: &mut Pass) {
        let Some(mut known) = self.known.remove(&pid) else { return };
        while let Some(&tid) = known.threads.keys().next() {
            forget_thread(&mut known, tid, &mut self.budget, out);
        }
        known.forget_tick(&mut self.budget);
        if let Some(process) = known.id {
            let when = When { t: now, err: now.0.saturating_sub(self.last.0) };
            out.ended.push(ProcessEnd { when, process, how: None });
        }
    }

    /// Gets start times for those who have none, as far as they come quickly.
    fn name_newcomers(&mut self, out: &mut Pass) {
        let wall = Instant::now();
        if !self.asked.is_empty() {
            match self.worker.wait(wall + START_TIMES) {
                Some(answers) => self.take_start_times(answers, out),
                None => return,
            }
        }
        self.asked = self.known.iter().filter(|(_, known)| known.id.is_none()).map(|(&pid, _)| pid).collect();
        if self.asked.is_empty() {
            return;
        }
        self.worker.forget();
        self.worker.start(self.asked.iter().map(|&pid| Ask::file(pid, Hazard::Exec, "stat")).collect());
        if let Some(answers) = self.worker.wait(wall + START_TIMES) {
            self.take_start_times(answers, out);
        }
    }

    fn take_start_times(&mut self, answers: Vec<super::worker::Answer>, out: &mut Pass) {
        for (pid, answer) in std::mem::take(&mut self.asked).into_iter().zip(answers) {
            let Some(known) = self.known.get_mut(&pid) else { continue };
            let (start, err) = match answer.seen().and_then(|bytes| stat::stat(bytes)) {
                Some(stat) => (stat.start, 1_000_000_000 / self.ticks / 2),
                // It ended meanwhile: the next pass misses it.
                None if matches!(answer, hangdog_schemas::Observed::Vanished) => continue,
                None => {
                    let boot = known.first_seen.0 + self.monotonic_zero + self.asleep;
                    (boot / (1_000_000_000 / self.ticks), known.first_seen.0.saturating_sub(self.last.0))
                }
            };
            let process = ProcessId { pid, start: Big(start) };
            known.id = Some(process);
            if let Some(tick) = self.early_ticks.remove(&process) {
                known.tick = tick;
                known.confirm_tick(&mut self.budget);
                known.find_tick();
            }
            // The middle of the tick in which it began.
            let boot = start * (1_000_000_000 / self.ticks) + 500_000_000 / self.ticks;
            let t = self.clock.from_monotonic(boot.saturating_sub(self.asleep));
            if let Some(first) = known.threads.get(&Tid(pid.0)) {
                known.raw_comm.clone_from(&first.raw_comm);
            }
            let comm = status::comm(&known.raw_comm);
            out.started.push(ProcessStart { when: When { t, err }, process, parent: known.parent, comm });
            for (&tid, thread) in &known.threads {
                out.sample.threads.push(sample(ThreadId { process, tid }, thread, Change::Name));
            }
        }
    }
}

impl Known {
    /// Whether none of its threads had a turn on a processor since the last pass: then it has the same ones still.
    fn had_no_turn(&mut self, budget: &mut Budget) -> bool {
        let Self { id, dir, threads, .. } = self;
        id.is_some()
            && !threads.is_empty()
            && threads.iter_mut().all(|(&tid, thread)| thread.had_no_turn(dir.fd(), tid, budget))
    }
}

fn forget_thread(known: &mut Known, tid: Tid, budget: &mut Budget, out: &mut Pass) {
    if let Some(thread) = known.threads.remove(&tid) {
        thread.release(budget);
        out.sample.gone.extend(known.id.map(|process| ThreadId { process, tid }));
    }
}

/// A thread's line of a sample; the name is given only when it is new.
fn sample(thread: ThreadId, now: &Thread, change: Change) -> ThreadSample {
    ThreadSample {
        thread,
        comm: (change == Change::Name).then(|| status::comm(&now.raw_comm)),
        state: now.state,
        cpu_ns: now.cpu_ns,
        vol: now.voluntary,
        invol: now.involuntary,
    }
}

#[cfg(test)]
mod tests;
mod tick;
