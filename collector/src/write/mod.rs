//! The capture on its way to a disk that may be slow, full, or part of the hang.
//!
//! ```text
//! main loop ──▶ bounded queue ──▶ socket ──▶ writer process ──▶ capture.hang
//!                    │                            │
//!               Record::Lost                 opened / failed / done
//! ```
//!
//! The main loop never waits: what does not fit in the queue is counted and said. The writer sits in a
//! session of its own and ends at the end of its input, so a capture is whole after `kill -9` of hangdog.
//! Not here: the format (`hangdog_schemas::file`).

mod feed;
mod place;
mod process;
mod ration;

pub use feed::{Feed, Verdict};
pub use place::{Place, default_place, prune};
pub use process::Message;
