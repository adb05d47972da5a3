//! How open phases of async tasks stood at the looks: polled by a thread, or open and inside nobody.
//!
//! ```text
//! phase:   open ------------------------------>
//! polled:       ##    #
//! looks:        |        |        |
//! polls:        1+       2        2            polled now at the first; left, and not polled between the others
//! ```

use std::collections::HashMap;

use hangdog_schemas::record::PhaseState;
use hangdog_schemas::{PhaseId, RunNs};

/// All looks at phases of async tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseStates {
    /// By phase; ordered by time once [settled](Self::settle).
    looks: HashMap<PhaseId, Vec<PhaseState>>,
}

impl PhaseStates {
    pub(crate) fn add(&mut self, state: PhaseState) {
        self.looks.entry(state.id).or_default().push(state);
    }

    /// Puts looks in order. Of two at the same moment the one that saw more polls is the later one.
    pub(crate) fn settle(&mut self) {
        for looks in self.looks.values_mut() {
            looks.sort_by_key(|look| (look.when.t, look.polls, look.polled_now));
            looks.dedup_by(|later, earlier| {
                let same_moment = later.when.t == earlier.when.t;
                if same_moment {
                    *earlier = *later;
                }
                same_moment
            });
            looks.shrink_to_fit();
        }
    }

    /// The last look at or before a time.
    pub(crate) fn at(&self, id: PhaseId, t: RunNs) -> Option<&PhaseState> {
        let looks = self.looks.get(&id)?;
        let later = looks.partition_point(|look| look.when.t <= t);
        later.checked_sub(1).map(|i| &looks[i])
    }
}
