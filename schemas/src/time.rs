//! One time line: nanoseconds of the host's `CLOCK_MONOTONIC` since the run began.
//! Other clocks are converted once, at the door, with the [anchors](ClockAnchor) of the capture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moment on the capture's time line, in ns since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunNs(pub u64);

impl RunNs {
    /// Seconds, for people.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// How long since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `ns` later.
    #[must_use]
    pub fn plus(self, ns: u64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// When something was, and how far off that may be.
///
/// Order between two moments is claimed only where their intervals do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct When {
    /// The moment.
    pub t: RunNs,
    /// It was at most this many ns earlier or later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub err: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl When {
    /// A moment known to the clock's own resolution.
    pub fn exactly(t: RunNs) -> Self {
        Self { t, err: 0 }
    }

    /// Whether this surely was before `other`.
    pub fn surely_before(self, other: Self) -> bool {
        self.t.0.saturating_add(self.err) < other.t.0.saturating_sub(other.err)
    }
}

/// The clocks of the host read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockAnchor {
    /// On the capture's time line.
    pub t: RunNs,
    /// `CLOCK_MONOTONIC`, ns.
    pub monotonic: crate::Big,
    /// `CLOCK_BOOTTIME`, ns; start times of processes count on it.
    pub boottime: crate::Big,
    /// `CLOCK_REALTIME`, ns since 1970.
    pub realtime: crate::Big,
}
