//! Locks of async tasks that nobody else wants, in one task on a runtime of one thread.

use std::sync::Arc;

use crate::line::{Line, Target};
use crate::work::{in_a_task, recorded};

const MUTEX: &str = "async lock: tokio `Mutex`";
const READ: &str = "async lock: tokio `RwLock`, to read";
const SEMAPHORE: &str = "async lock: tokio `Semaphore`";

pub(crate) const LINES: &[Line] = &[
    Line::new(MUTEX, |effort| {
        let lock = Arc::new(tokio::sync::Mutex::new(0_u64));
        in_a_task(effort, |rounds| {
            let lock = lock.clone();
            async move {
                for _ in 0..rounds {
                    *lock.lock().await += 1;
                }
            }
        })
    }),
    Line::new("async lock: hangdog `tokio::sync::Mutex`", |effort| {
        let lock = Arc::new(hangdog_tracer::tokio::sync::Mutex::new(0_u64));
        let cost = in_a_task(effort, |rounds| {
            let lock = lock.clone();
            async move {
                for _ in 0..rounds {
                    *lock.lock().await += 1;
                }
            }
        });
        recorded(cost?)
    })
    .beside(MUTEX)
    .wanted(Target::over(5.0)),
    Line::new(READ, |effort| {
        let lock = Arc::new(tokio::sync::RwLock::new(0_u64));
        in_a_task(effort, |rounds| {
            let lock = lock.clone();
            async move {
                for _ in 0..rounds {
                    std::hint::black_box(*lock.read().await);
                }
            }
        })
    }),
    Line::new("async lock: hangdog `tokio::sync::RwLock`, to read", |effort| {
        let lock = Arc::new(hangdog_tracer::tokio::sync::RwLock::new(0_u64));
        let cost = in_a_task(effort, |rounds| {
            let lock = lock.clone();
            async move {
                for _ in 0..rounds {
                    std::hint::black_box(*lock.read().await);
                }
            }
        });
        recorded(cost?)
    })
    .beside(READ),
    Line::new(SEMAPHORE, |effort| {
        let semaphore = Arc::new(tokio::sync::Semaphore::new(2));
        in_a_task(effort, |rounds| {
            let semaphore = semaphore.clone();
            async move {
                for _ in 0..rounds {
                    drop(semaphore.acquire().await);
                }
            }
        })
    }),
    Line::new("async lock: hangdog `tokio::sync::Semaphore`", |effort| {
        let semaphore = Arc::new(hangdog_tracer::tokio::sync::Semaphore::new(2));
        let cost = in_a_task(effort, |rounds| {
            let semaphore = semaphore.clone();
            async move {
                for _ in 0..rounds {
                    drop(semaphore.acquire().await);
                }
            }
        });
        recorded(cost?)
    })
    .beside(SEMAPHORE),
];
