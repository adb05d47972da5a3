//! The kernel's own recorder (tracefs): what it saw of the run, read when there is a reason to look back.
//!
//! ```text
//!   kernel ──▶ ring of an own instance ──(at a trigger)──▶ helper process ── lines ──▶ main loop ──▶ writer
//!              oldest events give way                      reads, decodes, keeps      passes on
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which events, and why no others | `events` |
//! | the instance: made, found again, removed | `tracefs`, `leftover` |
//! | what the kernel says an event looks like | `layout` |
//! | events out of the pages of the ring | `ring` |
//! | what an event says | `decode` |
//! | which events are the run's | `belonging` |
//! | the helper process | `process` |
//! | the main loop's side | `recorder` |
//!
//! Invariants: nothing is read before a trigger; the main loop touches no file of tracefs once the command runs; the
//! instance goes when its helper's socket ends, so also when hangdog is killed; when the helper was killed too, the
//! next run removes it.

mod belonging;
mod decode;
mod events;
mod layout;
mod leftover;
mod process;
mod recorder;
mod ring;
mod tracefs;

pub(crate) use recorder::Recorder;
pub use tracefs::{Missing, available};
