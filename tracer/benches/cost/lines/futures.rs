//! Futures that are polled three times, in one task on a runtime of one thread; what is beside is the same future bare.

use await_tree::InstrumentAwait as _;
use fastrace::collector::{Config, SpanContext};
use fastrace::future::FutureExt as _;
use hangdog_tracer::{InPhaseExt as _, open_phase};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::prelude::*;

use super::floors::WordsOfSpans;
use super::phases::Forgets;
use super::stacks::{self, Ignores, Reads};
use crate::clock::{Effort, off_this_cpu};
use crate::line::{Line, Measured, Target};
use crate::work::{ThreePolls, in_a_task, recorded, text};

const PLAIN: &str = "future: plain";
const REGISTRY: &str = "future: Registry + no-op layer";

pub(crate) const LINES: &[Line] = &[
    Line::new(PLAIN, |effort| {
        in_a_task(effort, |rounds| async move {
            for _ in 0..rounds {
                ThreePolls::default().await;
            }
        })
    }),
    Line::new("future: `.in_phase()`", in_phase).beside(PLAIN).wanted(Target::over(10.0)),
    Line::new("future: async-backtrace", |effort| {
        in_a_task(effort, |rounds| {
            async_backtrace::location!().frame(async move {
                for _ in 0..rounds {
                    async_backtrace::location!().frame(ThreePolls::default()).await;
                }
            })
        })
    })
    .beside(PLAIN),
    Line::new("future: await-tree, constant name", |effort| {
        in_a_task(effort, |rounds| {
            await_tree::Registry::new(await_tree::Config::default()).register((), "task").instrument(async move {
                for _ in 0..rounds {
                    ThreePolls::default().instrument_await("future").await;
                }
            })
        })
    })
    .beside(PLAIN),
    Line::new("future: await-tree, name with a number", |effort| {
        in_a_task(effort, |rounds| {
            await_tree::Registry::new(await_tree::Config::default()).register((), "task").instrument(async move {
                for number in 0..rounds {
                    ThreePolls::default().instrument_await(await_tree::span!("future {number}")).await;
                }
            })
        })
    })
    .beside(PLAIN),
    Line::new("future: fastrace `in_span`", |effort| {
        off_this_cpu(|| fastrace::set_reporter(Forgets, Config::default()));
        in_a_task(effort, |rounds| async move {
            let text = text();
            for first in (0..rounds).step_by(100) {
                let root = fastrace::Span::root("root", SpanContext::random());
                for number in first..rounds.min(first + 100) {
                    let fields = || [("number", number.to_string()), ("text", text.to_string())];
                    let span = fastrace::Span::enter_with_parent("future", &root).with_properties(fields);
                    ThreePolls::default().in_span(span).await;
                }
            }
        })
    })
    .beside(PLAIN),
    Line::new("future: tracing, subscriber that ignores all", |effort| {
        tracing::subscriber::set_global_default(Ignores::new()).map_err(|error| error.to_string())?;
        instrumented(effort)
    })
    .beside(PLAIN),
    Line::new(REGISTRY, |effort| {
        stacks::registry().init();
        instrumented(effort)
    })
    .beside(PLAIN),
    Line::new("future: Registry + layer that only has the fields handed to it", |effort| {
        tracing_subscriber::registry().with(Reads).init();
        instrumented(effort)
    })
    .beside(REGISTRY),
    Line::new("future: Registry + layer that only writes the words", |effort| {
        tracing_subscriber::registry().with(WordsOfSpans).init();
        instrumented(effort)
    })
    .beside(REGISTRY),
    Line::new("future: Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(instrumented(effort)?)
    })
    .beside(REGISTRY)
    .wanted(Target::over(25.0)),
    Line::new("future: hangdog subscriber, alone", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(instrumented(effort)?)
    })
    .beside(PLAIN),
    Line::new("future: Registry + fmt", |effort| {
        tracing_subscriber::registry().with(stacks::log()).init();
        instrumented(effort)
    })
    .beside(PLAIN),
];

fn in_phase(effort: Effort) -> Measured {
    let cost = in_a_task(effort, |rounds| async move {
        let text = text();
        for number in 0..rounds {
            ThreePolls::default().in_phase(open_phase!("future", number, text)).await;
        }
    });
    recorded(cost?)
}

fn instrumented(effort: Effort) -> Measured {
    in_a_task(effort, |rounds| async move {
        let text = text();
        for number in 0..rounds {
            ThreePolls::default().instrument(info_span!("future", number, text)).await;
        }
    })
}
