//! What the command says it is doing: recorder files and phase lines in the run's directory, read at each
//! sample, and turned into opens and closes of one table.
//!
//! Phases that open and close between two looks are told when something is to be found out, from the recorder's
//! rings; those that carry `hang.op` or `hang.entity` at once: comparisons of runs and duplicate detection need every
//! one of these.
//!
//! Not here: what a phase means for a wait (`hangdog-analysis`).

mod lines;
mod memfds;
mod recorders;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use hangdog_schemas::record::{Lost, PhaseClose, PhaseOpen, PhaseState};
use hangdog_schemas::{PhaseId, ProcessId, Record, RunNs, Tid, When};

pub use lines::Lines;
pub use memfds::Memfds;
pub use recorders::{Around, Directories, Recorders, Way};

use crate::clock::RunClock;
use crate::observe::Tick;

/// Open phases that are kept; more than that are counted.
const MOST_OPEN: usize = 16 << 10;
/// Of these, phases of each rank get so much: what matters finds room when there is much that does not.
const ROOM: [usize; 3] = [12 << 10, 15 << 10, MOST_OPEN];
/// Open phases of processes that are gone. Nothing closes them any more; the capture keeps them all.
const MOST_GONE: usize = 1 << 10;
/// Kinds of phases that are remembered, to tell something new from a repeat.
const MOST_KINDS: usize = 8 << 10;

/// Finds processes of the run.
pub trait Processes {
    /// By number, in the observer's pid namespace.
    fn by_pid(&self, pid: u32) -> Option<ProcessId>;
    /// Whether the run has a process with this number of which nothing more is known yet.
    fn is_awaited(&self, pid: u32) -> bool;
    /// By start time: for a process that knows itself under another number, in a nested pid namespace.
    fn by_start(&self, start: u64) -> Option<ProcessId>;
    /// By number and start time in its own pid namespace, the start give or take `slack`; `None` when there are several.
    fn by_inner(&self, pid: u32, start: u64, slack: u64) -> Option<ProcessId>;
    /// Whether it was there at the last sample, dead and not waited for included.
    fn is_there(&self, process: ProcessId) -> bool;
    /// A number that stays the same as long as none of its threads runs; `None` when that is not known.
    fn ran(&self, process: ProcessId) -> Option<u64>;
    /// Whether it is alive and not on its way out: then a recorder that nobody writes any more was left by an exec.
    fn runs(&self, process: ProcessId) -> bool;
    /// Its thread, when the last sample saw that it has but one.
    fn only_thread(&self, process: ProcessId) -> Option<Tid>;
}

/// The times that a look is made with.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Converts the phases' times.
    pub clock: RunClock,
    /// Now.
    pub now: RunNs,
    /// When the look before was.
    pub before: RunNs,
    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC`, ns.
    pub asleep: u64,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Opens, closes and losses.
    pub records: Vec<Record>,
    /// Whether a phase was opened whose like was not there before.
    pub is_new: bool,
    /// How open phases stand, when that was asked for.
    pub states: Vec<PhaseState>,
    /// Which threads are the recorders' own, of processes where that is news.
    pub ticks: Vec<(ProcessId, Tick)>,
}

/// How much it matters that a phase is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It has a name.
    Plain,
    /// It says by `hang.*` what it is about.
    Meaning,
    /// A thread is inside.
    Inside,
}

/// The table of open phases.
#[derive(Debug, Default)]
pub struct Phases {
    open: BTreeMap<PhaseId, PhaseOpen>,
    kinds: HashSet<u64>,
    refused: u64,
    gone: VecDeque<PhaseId>,
}

impl Phases {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The phases that are open now.
    pub fn open(&self) -> impl Iterator<Item = &PhaseOpen> {
        self.open.values()
    }

    fn opened(&mut self, phase: PhaseOpen, found: &mut Found) {
        let known = self.open.get(&phase.id);
        if known.is_some_and(|known| *known == phase) {
            return;
        }
        let rank = if phase.hang.is_empty() { Rank::Plain } else { Rank::Meaning };
        if known.is_none() && !self.has_room(rank) {
            self.refused += 1;
            return;
        }
        self.put(phase, found);
    }

    fn has_room(&self, rank: Rank) -> bool {
        self.open.len() < ROOM[rank as usize]
    }

    /// Notes a phase that is new or says something new. When it began stays as it was first told.
    fn put(&mut self, mut phase: PhaseOpen, found: &mut Found) {
        if let Some(known) = self.open.get(&phase.id) {
            phase.when = known.when;
        }
        found.is_new |= self.is_new_kind(&phase);
        found.records.push(Record::PhaseOpen(Box::new(phase.clone())));
        self.open.insert(phase.id, phase);
    }

    /// Notes a phase that has ended already.
    fn came_and_went(&mut self, open: PhaseOpen, close: PhaseClose, found: &mut Found) {
        found.is_new |= self.is_new_kind(&open);
        found.records.push(Record::PhaseOpen(Box::new(open)));
        found.records.push(Record::PhaseClose(close));
    }

    /// The process of these phases is gone.
    fn went(&mut self, phases: impl Iterator<Item = PhaseId>) {
        self.gone.extend(phases);
        let too_many = self.gone.len().saturating_sub(MOST_GONE);
        for id in self.gone.drain(..too_many) {
            self.open.remove(&id);
        }
    }

    fn closed(&mut self, id: PhaseId, when: When, outcome: Option<String>, found: &mut Found) {
        if self.open.remove(&id).is_some() {
            found.records.push(Record::PhaseClose(PhaseClose { when, id, outcome }));
        }
    }

    /// Says how many phases did not fit, since the last time.
    fn losses(&mut self, now: RunNs, found: &mut Found) {
        let records = std::mem::take(&mut self.refused);
        if records > 0 {
            let at = format!("open phases ({MOST_OPEN} are kept)");
            found.records.push(Record::Lost(Lost { when: When::exactly(now), at, records }));
        }
    }

    /// A phase is a repeat when one of the same name and fields was there; numbers do not count, or the
    /// attempts of a retry loop would each be something new.
    fn is_new_kind(&mut self, phase: &PhaseOpen) -> bool {
        // Who holds or serves something does nothing by that.
        if phase.hang.primitive.is_some() && phase.hang.wait.is_none() {
            return false;
        }
        let mut hash = DefaultHasher::new();
        phase.name.hash(&mut hash);
        phase.hang.op.hash(&mut hash);
        phase.hang.entity.hash(&mut hash);
        for (key, value) in phase.fields.iter().filter(|(_, value)| value.parse::<f64>().is_err()) {
            (key, value).hash(&mut hash);
        }
        self.kinds.len() < MOST_KINDS && self.kinds.insert(hash.finish())
    }
}
