//! For programs that run on tokio (feature `tokio`).
//!
//! | module | is |
//! | --- | --- |
//! | `task` | the task that a thread polls |

mod task;

pub(crate) use task::{now_in_its_task, task_of_thread};
