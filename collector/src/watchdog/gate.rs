//! Which triggers share a snapshot. Pure: the times at which triggers came in and snapshots were over go in, and what
//! becomes of a trigger comes out.
//!
//! ```text
//! a trigger ─▶ came in before a snapshot of its extent completed well? ── yes ─▶ covered: nothing is left to do
//!                 │ no
//!              a peer takes a snapshot? ── yes ─▶ goes away; when that completes well, it is covered
//!                 │ no
//!              within the backoff of a failure, and no deadline? ── yes ─▶ not before its end
//!                 │ no
//!              begins
//! ```
//!
//! What counts is when a trigger *came in*, never when it had its turn: one that was held up and has its turn when
//! the snapshot of its wave is over would take a second one of the same moment. One that came in later is a new
//! event, even if it looks the same. A failed snapshot covers nobody; its backoff grows with each failure in a row.
//! One that was cut short on purpose covers nobody either, and nobody has to wait because of it. Who has a deadline
//! (a signal, `--timeout`) does not wait for the end of a backoff: it would be too late.

#[cfg(test)]
mod tests;

use std::time::Duration;

use hangdog_schemas::RunNs;
use hangdog_schemas::record::SnapshotExtent;

/// After the first failure; it doubles with each further one in a row.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// The longest backoff.
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// What becomes of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pass {
    /// A snapshot shows what it asked for.
    Covered,
    /// A peer takes a snapshot: whoever asks goes away and asks again when it is over.
    Held,
    /// Its turn does not come before this time.
    NotBefore(RunNs),
    /// It takes a snapshot.
    Begins,
}

/// Whether a trigger can wait for the end of a backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurry {
    /// It can.
    No,
    /// What it is for happens soon, with or without a snapshot.
    Deadline,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has all that it was to have.
    Well,
    /// It was cut short on purpose, for somebody who could not wait.
    Short,
    /// It ran out of time, or came to nothing.
    Failed,
}

/// The snapshots so far, as far as they matter to triggers.
#[derive(Debug, Default)]
pub struct Gate {
    going: Option<SnapshotExtent>,
    /// When the last light or full one completed well, and the last full one.
    well: Option<RunNs>,
    full_well: Option<RunNs>,
    failures: u32,
    not_before: RunNs,
}

impl Gate {
    /// What becomes at `now` of a trigger that came in at `entered` and wants at least this extent.
    pub fn pass(&self, now: RunNs, entered: RunNs, extent: SnapshotExtent, hurry: Hurry) -> Pass {
        let well = match extent {
            SnapshotExtent::Light => self.well,
            SnapshotExtent::Full => self.full_well,
        };
        if well.is_some_and(|completed| entered < completed) {
            Pass::Covered
        } else if self.going.is_some() {
            Pass::Held
        } else if now < self.not_before && hurry == Hurry::No {
            Pass::NotBefore(self.not_before)
        } else {
            Pass::Begins
        }
    }

    /// A snapshot begins.
    ///
    /// # Panics
    /// When one is going on: that is a mistake of the caller.
    pub fn begin(&mut self, extent: SnapshotExtent) {
        assert!(self.going.is_none(), "two snapshots at once");
        self.going = Some(extent);
    }

    /// The one that was begun is over.
    pub fn complete(&mut self, now: RunNs, outcome: Outcome) {
        let Some(extent) = self.going.take() else { return };
        match outcome {
            Outcome::Well => {
                self.well = Some(now);
                if extent == SnapshotExtent::Full {
                    self.full_well = Some(now);
                }
                (self.failures, self.not_before) = (0, RunNs(0));
            }
            Outcome::Short => {}
            Outcome::Failed => {
                let backoff = FIRST_BACKOFF.saturating_mul(1 << self.failures.min(16)).min(LONGEST_BACKOFF);
                self.failures += 1;
                self.not_before = now.plus(backoff.as_nanos() as u64);
            }
        }
    }
}
