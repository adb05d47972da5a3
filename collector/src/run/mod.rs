//! Starts a command, follows it, and hands its end to the caller; or follows processes that ran already (`attach`).
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

mod aside;
mod attach;
mod command;
mod directory;
mod ending;
mod foreign;
mod header;
mod lock_files;
mod main_loop;
mod new_hangs;
mod options;
mod others;
mod output;
mod question;
mod records;
mod signals;
mod start;
mod stdio;
mod stillness;
mod subject;
mod tee;
mod watched;

pub use aside::Published;
pub use attach::{AttachError, AttachOptions, AttachOutcome, Left, Whom, attach};
pub use directory::run_directory_fails;
pub(crate) use directory::{
    ASKED, CONNECTIONS_BEFORE, DIRECTORY, KEPT_OWNER, NOTED_MOUNTS, OWNER, SPOOL, bases, claim_of_half, names,
    open_private,
};
pub use options::{Ended, KeepCapture, KernelTrace, NamedCalls, OnHang, RunError, RunOptions, RunOutcome};
pub(crate) use signals::DUMP;
pub use start::run;
pub use stdio::{close_as_at_start, restore_sigpipe};
