//! Processes of the run over their lives.

use hangdog_schemas::record::{ExitStatus, ProcessChange, ProcessEnd, ProcessStart};
use hangdog_schemas::{Pid, ProcessId, RunNs, When};

/// A process of the run over its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who.
    pub id: ProcessId,
    /// Who started it, as far as it was seen; 0 when that was not recorded.
    pub parent: Pid,
    /// When it was first seen.
    pub start: When,
    /// When it was missed.
    pub end: Option<When>,
    /// How it ended, when known.
    pub how: Option<ExitStatus>,
    /// Its names over time, the first at its start. Empty when none was recorded.
    pub comms: Vec<(RunNs, String)>,
}

impl Process {
    /// A process of which nothing but its being there at `seen` is known.
    pub(crate) fn seen(id: ProcessId, seen: When) -> Self {
        Self { id, parent: Pid(0), start: seen, end: None, how: None, comms: Vec::new() }
    }

    /// Its name at a time; `?` when none was recorded.
    pub fn comm_at(&self, t: RunNs) -> &str {
        let later = self.comms.partition_point(|(at, _)| *at <= t);
        self.comms.get(later.saturating_sub(1)).map_or("?", |(_, comm)| comm)
    }

    /// Whether it lived at a time.
    pub fn is_alive_at(&self, t: RunNs) -> bool {
        self.start.t <= t && self.end.is_none_or(|end| end.t > t)
    }

    pub(crate) fn began(&mut self, start: ProcessStart) {
        self.parent = start.parent;
        // A change or an end may have been read first.
        if self.comms.is_empty() || start.when.t < self.start.t {
            self.start = start.when;
        }
        self.comms.push((start.when.t, start.comm));
    }

    pub(crate) fn changed(&mut self, change: ProcessChange) {
        self.comms.push((change.when.t, change.comm));
    }

    /// The first end counts; a later one may still say how.
    pub(crate) fn ended(&mut self, end: &ProcessEnd) {
        self.end = Some(match self.end {
            Some(first) if first.t <= end.when.t => first,
            _ => end.when,
        });
        self.how = self.how.or(end.how);
    }

    /// Puts names in order, one for each change.
    pub(crate) fn settle(&mut self) {
        self.comms.sort_by_key(|(t, _)| *t);
        self.comms.dedup_by(|later, earlier| later.1 == earlier.1);
        if let Some((first, _)) = self.comms.first()
            && *first < self.start.t
        {
            self.start.t = *first;
        }
    }
}
