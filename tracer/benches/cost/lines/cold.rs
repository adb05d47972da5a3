//! What is recorded now and then finds nothing of it in the caches.

use std::hint::black_box;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use hangdog_tracer::{open_phase, phase};
use tracing_subscriber::prelude::*;

use super::stacks::{self, Ignores};
use crate::clock::{Effort, cold};
use crate::line::{Line, Target};
use crate::work::{each_cold, pair, recorded};

const REGISTRY: &str = "cold: Registry + no-op layer";

pub(crate) const LINES: &[Line] = &[
    Line::new("cold: the words that a pair of `phase!` touches, half of them", |effort| Ok(words(effort) / 2.0)),
    Line::new("cold: `phase!`", |effort| {
        recorded(each_cold(effort, |number, text| {
            let _outer = phase!("outer", number, text);
            let _inner = phase!("inner", number, text);
        }))
    })
    .wanted(Target::itself(50.0)),
    Line::new("cold: `open_phase!`", |effort| {
        recorded(each_cold(effort, |number, text| {
            let _outer = open_phase!("outer", number, text);
            let _inner = open_phase!("inner", number, text);
        }))
    })
    .wanted(Target::itself(50.0)),
    Line::new("cold: tracing, subscriber that ignores all", |effort| {
        tracing::subscriber::set_global_default(Ignores::new()).map_err(|error| error.to_string())?;
        Ok(each_cold(effort, pair))
    }),
    Line::new(REGISTRY, |effort| {
        stacks::registry().init();
        Ok(each_cold(effort, pair))
    }),
    Line::new("cold: Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(each_cold(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("cold: hangdog subscriber, alone", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(each_cold(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("cold: Registry + fmt", |effort| {
        tracing_subscriber::registry().with(stacks::log()).init();
        Ok(each_cold(effort, pair))
    })
    .beside(REGISTRY),
];

/// Looks at words that lie like those which a pair of phases touches, counted with valgrind's lackey: 14 cache lines
/// on 8 pages, beside 23 of code. None waits for another.
fn words(effort: Effort) -> f64 {
    const LINES: usize = 14;
    const PAGES: usize = 8;
    const PAGE: usize = 4096 / size_of::<AtomicU64>();
    const LINE: usize = 64 / size_of::<AtomicU64>();
    let memory: Vec<AtomicU64> = (0..(PAGES + 1) * PAGE).map(|_| AtomicU64::new(0)).collect();
    let words: Vec<&AtomicU64> = (0..LINES).map(|at| &memory[at % PAGES * PAGE + at * 5 % 64 * LINE]).collect();
    let mut count = 0;
    cold(effort, || {
        count += 1;
        for word in &words {
            word.store(count, Relaxed);
        }
        black_box(words.iter().map(|word| word.load(Relaxed)).sum::<u64>());
    })
}
