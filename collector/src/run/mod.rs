//! Starts a command, follows it, and hands its end to the caller.
//!
//! ```text
//!            signals ─┐                              ┌─▶ writer process ─▶ capture
//!  the command's end ─┤                              ├─▶ spool (tmpfs)
//!         every 250 ms ┼─▶ main loop ─▶ watchdog ─────┼─▶ snapshots by guarded workers
//!      judge's answers ┤   (one thread,              ├─▶ judge
//!     snapshot's facts ┘    never waits)             └─▶ act
//! ```
//!
//! Invariants: the main loop issues only reads that never block, and touches no disk; hangdog's own
//! trouble after the start becomes a note and never changes the command's result; nothing is killed after
//! a normal end; a hangdog that is killed leaves the command running.

mod command;
mod directory;
mod ending;
mod header;
mod main_loop;
mod options;
mod output;
mod question;
mod records;
mod signals;
mod start;
mod stdio;
mod stillness;
mod tee;

pub(crate) use directory::names;
pub use options::{Ended, KeepCapture, KernelTrace, OnHang, RunError, RunOptions, RunOutcome};
pub use start::run;
pub use stdio::{close_as_at_start, restore_sigpipe};
