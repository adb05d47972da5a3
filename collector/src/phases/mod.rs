//! What the command says it is doing: recorder files and phase lines in the run's directory, read at each
//! sample, and turned into opens and closes of one table.
//!
//! Phases that open and close between two looks are left to the recorder's ring, but for those that carry
//! `hang.op` or `hang.entity`: comparisons of runs and duplicate detection need every one of these.
//!
//! Not here: what a phase means for a wait (`hangdog-analysis`).

mod lines;
mod memfds;
mod recorders;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use hangdog_schemas::record::{Lost, PhaseClose, PhaseOpen};
use hangdog_schemas::{PhaseId, ProcessId, Record, RunNs, Tid, When};

pub use lines::Lines;
pub use memfds::Memfds;
pub use recorders::Recorders;

use crate::clock::RunClock;

/// Open phases that are kept; more than that are counted.
const MOST_OPEN: usize = 16 << 10;
/// Kinds of phases that are remembered, to tell something new from a repeat.
const MOST_KINDS: usize = 8 << 10;

/// Finds processes of the run.
pub trait Processes {
    /// By number, in the observer's pid namespace.
    fn by_pid(&self, pid: u32) -> Option<ProcessId>;
    /// By start time: for a process that knows itself under another number, in a nested pid namespace.
    fn by_start(&self, start: u64) -> Option<ProcessId>;
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
}

/// The table of open phases.
#[derive(Debug, Default)]
pub struct Phases {
    open: BTreeMap<PhaseId, PhaseOpen>,
    kinds: HashSet<u64>,
    refused: u64,
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
        if self.open.get(&phase.id).is_some_and(|known| *known == phase) {
            return;
        }
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&phase.id) {
            self.refused += 1;
            return;
        }
        found.is_new |= self.is_new_kind(&phase);
        found.records.push(Record::PhaseOpen(Box::new(phase.clone())));
        self.open.insert(phase.id, phase);
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
