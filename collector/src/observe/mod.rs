//! What is so, seen from outside: samples of all threads several times a second, and snapshots.
//!
//! | to know | look in |
//! | --- | --- |
//! | who is of the run, and what each thread did since | [`tree`] |
//! | who waits in what, and who holds it | [`snapshot`] |
//! | how a read that can block for good is done | [`worker`] |
//! | what was mounted before the run | [`Baseline`] |
//!
//! It looks and does nothing else: no path of a watched program is looked up (but for files that may be locks, and
//! those on local file systems only), nothing is attached to, stopped, signalled, mounted or written. Not here: what
//! the facts mean, and when to look.

mod baseline;
pub mod files;
mod parse;
mod pulse;
pub mod snapshot;
pub(crate) mod syscalls;
pub mod tree;
pub mod worker;

pub(crate) use parse::argument::argument;
pub(crate) use parse::lock_file::is_lock_or_pid_name;
pub(crate) use parse::status::status;
pub(crate) use parse::text::text as printable;

pub use baseline::{Baseline, baseline};
pub use snapshot::{LockCandidate, Progress, Request, Snapshotter};
pub use tree::{Adopted, Pass, ThreadNow, Tick, Tree};
