//! Wait graph, liveness and findings. Pure: no clock, no file, no environment; the same capture gives the same
//! findings in the same order, on every machine, at any later date.
//!
//! ```text
//! timeline ──▶ view ──▶ wait/ ──▶ graph ──▶ cause ──▶ detect/, explain ──▶ report
//!           snapshot   who waits   who is    why        in words
//!           + phases   for what    alive
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which phases a thread is in, and which async tasks nobody polls | `phases.rs` |
//! | what a system call waits for, and who could end it | `wait/` |
//! | what an async task waits for, and how traced locks and channels work | `wait/task.rs`, `wait/primitive.rs` |
//! | live, idle, dead | `liveness.rs` |
//! | waits with a time limit, over and over | `repeated.rs` |
//! | rings, orphans, idle and stopped holders | `cause.rs` |
//! | a finding's sentence and advice | `detect/` |
//! | how Go, Java, Node, Python, Ruby are asked for what only they know | `runtime.rs` |
//! | what was left behind or could not be taken away | `leftover/` |
//! | what was done twice, owned twice, held too long | `history/` |
//! | what failing runs have in common and passing ones have not | `compare/` |
//! | where somebody has to be late so that another overtakes | `contended/` |
//! | all waits of a moment, to be walked by hand | [`waits`] |

mod cause;
mod compare;
mod contended;
mod detect;
mod explain;
mod graph;
mod history;
mod key;
mod leftover;
mod liveness;
mod phases;
mod repeated;
mod runtime;
mod signature;
mod verdict;
mod view;
mod wait;
mod waits;
mod words;

#[cfg(test)]
mod tests;

pub use compare::{Compared, Ending, Parting, Sketch, compare, errno_name, part, rate};
pub use contended::{Contended, What, Why, contended, disturbed};
pub use verdict::{Options, analyse};
pub use waits::{Otherwise, Prospect, Waiting, Way, waits, waits_of_phases};
