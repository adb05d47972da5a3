//! A capture as state over time: ids joined and indexed, "what was so at t".
//!
//! Used by all that think or draw. Knows no `/proc` and no terminal, and draws no conclusion.

mod snapshot;
mod timeline;

pub use snapshot::Snapshot;
pub use timeline::{BuildError, Moment, Phase, Process, ThreadAt, Timeline};
