//! What is written is read: recorders in this process, each in a tmpfs directory of its own.
//!
//! Not here: recorders of other processes, which are killed, stopped, forked (`processes`).

mod clocks;
mod fields;
mod full;
mod history;
mod hostile;
mod movable;
mod resources;
mod stack;
mod support;
mod threads;
