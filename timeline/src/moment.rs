//! What a person steps through.

use hangdog_schemas::{RunNs, SnapshotId};

/// Something on the time line that can be stepped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A sample.
    Sample(RunNs),
    /// A snapshot's begin.
    Snapshot(RunNs, SnapshotId),
    /// A trigger.
    Trigger(RunNs),
    /// Output.
    Output(RunNs),
    /// Something was done to the run.
    Action(RunNs),
}

impl Moment {
    /// When it is.
    pub fn at(self) -> RunNs {
        match self {
            Self::Sample(t) | Self::Snapshot(t, _) | Self::Trigger(t) | Self::Output(t) | Self::Action(t) => t,
        }
    }
}
