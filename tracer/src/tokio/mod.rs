//! For programs that run on tokio (feature `tokio`).
//!
//! | module | is |
//! | --- | --- |
//! | `task` | the task that a thread polls |
//! | `runtime` | [`name_threads`]: the threads of a runtime |
//! | [`sync`] | traced locks and channels |

mod runtime;
pub mod sync;
mod task;

pub use runtime::{name_threads, thread_parks, thread_starts};
pub(crate) use task::task_of_thread;
