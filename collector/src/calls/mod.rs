//! System calls that name something, held for a moment by seccomp user notification: read, told, let go on.
//!
//! ```text
//! a thread of the run ── openat("/x") ──▶ kernel holds it ──▶ helper: reads the words, notes a line, waits if the
//!        ▲                                                     seed says so
//!        └───────────────── goes on as if nothing had been ◀── "continue"
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which calls, and what their arguments mean | `table` |
//! | the filter, and how the command's process gets it | `filter` |
//! | calls without names, at which a thread can be made late | `places` |
//! | the words of a call | `words`, `visit` |
//! | who is held for how long | `chance` |
//! | the helper process, and why it never keeps anybody | `helper` |
//!
//! Invariants: every call goes on as the caller made it, whatever could be read of it, and is never answered in its
//! place. What is read may be changed by another thread of the caller before the kernel reads it again: it is evidence,
//! never a decision. The helper goes on until the last process under the filter has ended, also when hangdog has been
//! killed; if the helper itself is killed, the kernel fails the calls it would have held (ENOSYS) and nobody waits.
//!
//! Only `flake` asks for this. A call costs two switches: some 10 µs on an idle machine, and on one whose processors
//! are all taken a turn in the queue.

mod chance;
mod filter;
mod helper;
mod places;
mod table;
mod visit;
mod words;

pub(crate) use filter::Installer;
pub(crate) use helper::Calls;
pub(crate) use table::numbers;
