//! Two threads at once, and a reader beside: neither may slow the one that records.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hangdog_flight::Reader;
use hangdog_tracer::phase;
use tracing_subscriber::prelude::*;

use super::stacks;
use crate::clock::{Effort, cost, median, stay_on, warmed_up};
use crate::line::{Line, Measured, Target, Unit};
use crate::work::{pair, recorded, text};

const NOTHING: &str = "two threads: arithmetic";

pub(crate) const LINES: &[Line] = &[
    Line::new(NOTHING, |effort| {
        two_threads(effort, |rounds| {
            black_box((0..rounds).fold(1_u64, |sum, number| black_box(sum ^ number).wrapping_mul(3)));
        })
    })
    .in_unit(Unit::Times),
    Line::new("two threads: `phase!`", |effort| recorded(two_threads(effort, phases)?))
        .in_unit(Unit::Times)
        .beside(NOTHING)
        .wanted(Target::itself(1.03)),
    Line::new("two threads: Registry + no-op layer", |effort| {
        stacks::registry().init();
        two_threads(effort, spans)
    })
    .in_unit(Unit::Times)
    .beside(NOTHING),
    Line::new("two threads: Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(two_threads(effort, spans)?)
    })
    .in_unit(Unit::Times)
    .beside(NOTHING)
    .wanted(Target::itself(1.03)),
    Line::new("two threads: hangdog subscriber, alone", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(two_threads(effort, spans)?)
    })
    .in_unit(Unit::Times)
    .beside(NOTHING)
    .wanted(Target::itself(1.03)),
    Line::new("reader at 1 kHz: `phase!`", |effort| beside_a_reader(effort, phases))
        .in_unit(Unit::Percent)
        .wanted(Target::itself(2.0)),
    Line::new("reader at 1 kHz: Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        beside_a_reader(effort, spans)
    })
    .in_unit(Unit::Percent)
    .wanted(Target::itself(2.0)),
];

fn phases(rounds: u64) {
    let text = text();
    for number in 0..rounds {
        let _outer = phase!("outer", number, text);
        let _inner = phase!("inner", number, text);
    }
}

fn spans(rounds: u64) {
    let text = text();
    (0..rounds).for_each(|number| pair(number, text));
}

/// Cost for a thread while another does the same on another CPU, as a multiple of its cost alone. Batches alone and
/// together take turns.
fn two_threads(effort: Effort, work: impl Fn(u64) + Sync) -> Measured {
    let rounds = warmed_up(effort, &mut |rounds| work(rounds));
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let moved = stay_on(1);
            let of_this: Vec<f64> = (0..effort.batches())
                .map(|_| {
                    begin.wait();
                    let cost = cost(|| work(rounds));
                    end.wait();
                    cost
                })
                .collect();
            moved.map(|()| of_this)
        });
        let of_this: Vec<(f64, f64)> = (0..effort.batches())
            .map(|_| {
                let alone = cost(|| work(rounds));
                begin.wait();
                let together = cost(|| work(rounds));
                end.wait();
                (alone, together)
            })
            .collect();
        let of_other = other.join().map_err(|_| "the other thread panicked")??;
        Ok(median(of_this.iter().zip(of_other).map(|((alone, together), other)| (together + other) / 2.0 / alone)))
    })
}

/// How much more recording costs, in percent, while another CPU reads the recorder a thousand times a second.
/// Batches with the reader and without take turns.
fn beside_a_reader(effort: Effort, work: impl Fn(u64)) -> Measured {
    let rounds = warmed_up(effort, &mut |rounds| work(rounds));
    let recorder = hangdog_flight::current().ok_or(hangdog_tracer::status().to_string())?;
    let file = recorder.file().map_err(|error| error.to_string())?;
    let mut reader = Reader::from_file(file).map_err(|error| error.to_string())?;
    let (reads, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            stay_on(1)?;
            while !ended.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(1);
                if reads.load(Ordering::Relaxed) {
                    black_box(reader.read().map_err(|error| error.to_string())?);
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok::<(), String>(())
        });
        let more = median((0..effort.batches()).map(|_| {
            let without = cost(|| work(rounds));
            reads.store(true, Ordering::Relaxed);
            let with = cost(|| work(rounds));
            reads.store(false, Ordering::Relaxed);
            (with / without - 1.0) * 100.0
        }));
        ended.store(true, Ordering::Relaxed);
        other.join().map_err(|_| "the reader panicked")??;
        Ok(more)
    })
}
