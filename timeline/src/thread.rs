//! Threads, as the samples saw them.

use hangdog_schemas::RunNs;
use hangdog_schemas::fact::TaskState;

/// A thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadAt {
    /// Since when it is in this state without a change of its counters.
    pub since: RunNs,
    /// State.
    pub state: TaskState,
    /// CPU time so far, ns.
    pub cpu_ns: u64,
    /// Voluntary switches so far.
    pub vol: u64,
    /// Involuntary switches so far.
    pub invol: u64,
}

impl ThreadAt {
    /// Everything but the moment.
    fn what(&self) -> (TaskState, u64, u64, u64) {
        (self.state, self.cpu_ns, self.vol, self.invol)
    }
}

/// What samples said of one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadLife {
    /// The newest name.
    pub(crate) comm: String,
    comm_at: RunNs,
    /// Ordered by time once [settled](Self::settle).
    pub(crate) states: Vec<ThreadAt>,
    /// When it was missed. A number can come again in the same process, so this can be more than once.
    gone: Vec<RunNs>,
}

impl ThreadLife {
    pub(crate) fn name(&mut self, t: RunNs, comm: String) {
        if t >= self.comm_at {
            self.comm = comm;
            self.comm_at = t;
        }
    }

    pub(crate) fn missed(&mut self, t: RunNs) {
        self.gone.push(t);
    }

    /// Puts states in order. Of two for the same moment the later record counts; equal neighbours are one.
    pub(crate) fn settle(&mut self) {
        self.gone.sort_unstable();
        self.gone.dedup();
        self.states.sort_by_key(|state| state.since);
        self.states.dedup_by(|later, earlier| {
            let same_moment = later.since == earlier.since;
            if same_moment {
                *earlier = *later;
            }
            same_moment
        });
        let gone = &self.gone;
        self.states.dedup_by(|later, earlier| {
            later.what() == earlier.what() && !is_missed_between(gone, earlier.since, later.since)
        });
        self.states.shrink_to_fit();
    }

    /// The state at a time; `None` before the first and after the thread was missed.
    pub(crate) fn at(&self, t: RunNs) -> Option<ThreadAt> {
        let later = self.states.partition_point(|state| state.since <= t);
        let state = self.states[later.checked_sub(1)?];
        (!is_missed_between(&self.gone, state.since, t)).then_some(state)
    }

    /// When it was missed for good.
    pub(crate) fn gone(&self) -> Option<RunNs> {
        let last = self.states.last().map_or(RunNs(0), |state| state.since);
        self.gone.iter().find(|gone| **gone >= last).copied()
    }
}

/// Whether a thread that was seen at `seen` was missed since, up to `t`.
fn is_missed_between(gone: &[RunNs], seen: RunNs, t: RunNs) -> bool {
    let next = gone.partition_point(|gone| *gone < seen);
    gone.get(next).is_some_and(|gone| *gone <= t)
}
