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
//! | what a system call waits for, and who could end it | `wait/` |
//! | live, idle, dead | `liveness.rs` |
//! | rings, orphans, idle and stopped holders | `cause.rs` |
//! | a finding's sentence and advice | `detect/` |

mod cause;
mod detect;
mod explain;
mod graph;
mod liveness;
mod signature;
mod verdict;
mod view;
mod wait;
mod words;

#[cfg(test)]
mod tests;

pub use verdict::{Options, analyse};
