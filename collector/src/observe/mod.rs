//! x
mod parse;
mod pulse;
pub mod tree;
pub mod worker;
