//! For programs that run on tokio (feature `tokio`).
//!
//! | module | is |
//! | --- | --- |
//! | `task` | the task that a thread polls |
//! | [`sync`] | traced locks and channels |

pub mod sync;
mod task;

pub(crate) use task::task_of_thread;
