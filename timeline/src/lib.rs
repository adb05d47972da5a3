//! A capture as state over time: ids joined and indexed, "what was so at t".
//!
//! ```text
//! records ──▶ Timeline ── at(t) ──▶ processes, thread states, open phases, newest snapshot
//! ```
//!
//! Used by all that think or draw. Records may come cut, doubled or in odd order: whatever order they
//! come in, the same facts give the same timeline where they do not contradict each other. Knows no `/proc`
//! and no terminal, and draws no conclusion.

mod build;
mod call;
mod files;
mod interval;
mod kernel_event;
mod moment;
mod phase;
mod phase_state;
mod process;
mod progress;
mod snapshot;
#[cfg(test)]
mod tests;
mod thread;
mod timeline;

pub use build::{BuildError, Builder};
pub use call::CallDone;
pub use moment::Moment;
pub use phase::{Lane, Phase};
pub use process::Process;
pub use progress::Progress;
pub use snapshot::Snapshot;
pub use thread::ThreadAt;
pub use timeline::Timeline;
