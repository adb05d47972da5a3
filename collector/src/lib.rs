//! Sees a run from outside, and never joins its hang.
//!
//! | to know | look in |
//! | --- | --- |
//! | how a command is started, followed and ended | [`mod@run`] |
//! | when to look closer, and when to act | [`watchdog`] |
//! | what is done to a hung run, and what never is | [`act`] |
//! | what the kernel's own recorder saw | [`ktrace`] |
//! | the names that system calls were given | `calls` |
//! | how the capture gets to a disk that may hang itself | [`mod@write`] |
//! | what the command says it is doing | [`phases`] |
//! | who thinks about the facts | [`judge`] |
//! | the time line | [`clock`] |
//! | what runs keep, whose it is, and removing it | [`store`] |
//!
//! Not here: conclusions (`hangdog-analysis`), words (`hangdog-report`), the terminal.

pub mod act;
mod calls;
pub mod clock;
pub mod judge;
mod kernel;
pub mod ktrace;
pub mod observe;
pub mod phases;
pub mod run;
mod spool;
pub mod store;
pub mod watchdog;
pub mod write;

pub use judge::{Judge, Moment};
pub use kernel::{is_first_pid_namespace, pidfd_fails, user_namespace_fails};
pub use run::{
    AttachError, AttachOptions, AttachOutcome, Ended, KeepCapture, KernelTrace, Left, NamedCalls, OnHang, Published,
    RunError, RunOptions, RunOutcome, Whom, attach, close_as_at_start, restore_sigpipe, run, run_directory_fails,
};
