//! When something new last happened, as far as the capture says it.

use hangdog_schemas::RunNs;

/// Something new that the run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When.
    pub at: RunNs,
    /// What: `output`, `a new process`, `a new program`, or what a trigger says of the time before it.
    pub what: String,
}

/// All progress, put in order once.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProgressLog {
    events: Vec<Progress>,
}

impl ProgressLog {
    pub(crate) fn add(&mut self, at: RunNs, what: impl Into<String>) {
        self.events.push(Progress { at, what: what.into() });
    }

    pub(crate) fn settle(&mut self) {
        self.events.sort_by_key(|progress| progress.at);
    }

    /// The last progress at or before a time.
    pub(crate) fn before(&self, t: RunNs) -> Option<&Progress> {
        let later = self.events.partition_point(|progress| progress.at <= t);
        later.checked_sub(1).map(|i| &self.events[i])
    }
}
