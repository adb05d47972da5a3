//! What this machine takes for things that no recorder can do without, or had better do without.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "reads a register of the processor"))]

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::clock::{Effort, warm};
use crate::line::Line;
use crate::work::in_a_task;

pub(crate) const LINES: &[Line] = &[
    Line::new("an atomic word, loaded", |effort| {
        let word = AtomicU64::new(0);
        Ok(each(effort, || word.load(Ordering::Relaxed)))
    }),
    Line::new("an atomic word, added to", |effort| {
        let word = AtomicU64::new(0);
        Ok(each(effort, || word.fetch_add(1, Ordering::Relaxed)))
    }),
    #[cfg(target_arch = "x86_64")]
    Line::new("clock: time stamp counter", |effort| {
        // SAFETY: the instruction only reads a counter.
        Ok(each(effort, || unsafe { std::arch::x86_64::_rdtsc() }))
    }),
    Line::new("clock: `CLOCK_MONOTONIC_COARSE`", |effort| {
        Ok(each(effort, || clock_gettime(ClockId::MonotonicCoarse).tv_nsec))
    }),
    Line::new("clock: `Instant::now()`", |effort| Ok(each(effort, Instant::now))),
    Line::new("tokio: the task that the thread polls, asked for", |effort| {
        in_a_task(effort, |rounds| async move {
            for _ in 0..rounds {
                black_box(tokio::task::try_id());
            }
        })
    }),
];

fn each<T>(effort: Effort, work: impl Fn() -> T) -> f64 {
    warm(effort, |rounds| {
        for _ in 0..rounds {
            black_box(work());
        }
    })
}
