//! Locks of async tasks that nobody else wants.

use std::sync::Arc;

use crate::line::Line;
use crate::work::in_a_task;

const TOKIO: &str = "async lock: tokio `Mutex`";

pub(crate) const LINES: &[Line] = &[Line::new(TOKIO, |effort| {
    let lock = Arc::new(tokio::sync::Mutex::new(0_u64));
    in_a_task(effort, |rounds| {
        let lock = lock.clone();
        async move {
            for _ in 0..rounds {
                *lock.lock().await += 1;
            }
        }
    })
})];
