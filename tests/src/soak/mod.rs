//! Healthy programs that pause, queue and wait, composed by a seed into trees of commands and run under hangdog: none
//! of them may be accused.
//!
//! ```text
//! tests/soak/*.sh ──▶ recipe ─┐
//!             seed ──▶ chance ─┴▶ tree ──▶ trial: hangdog run -- bash tree.sh ──▶ verdict? exit code? anything left?
//!                                   outside: who answers, unlocks and writes from outside of the run
//! ```
//!
//! The same count gives the same trees on every machine. What is not installed is skipped, said, and counted.

mod chance;
mod outside;
mod recipe;
mod tree;
mod trial;

pub use recipe::{Recipe, recipes};
pub use tree::Tree;
pub use trial::{Came, Fault, Keep, Trial};
