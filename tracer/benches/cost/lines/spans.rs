//! Spans of `tracing`, warm.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::prelude::*;

use super::floors::{OnlyWords, WordsOfSpans};
use super::stacks::{self, Ignores, Reads};
use crate::line::{Line, Target};
use crate::work::{debug_pair, each, meaning_pair, pair, recorded};

const REGISTRY: &str = "Registry + no-op layer";
const FMT: &str = "Registry + fmt, 2 threads";
const OTEL: &str = "Registry + OpenTelemetry, 2 threads";
const FILTERED: &str = "spans the log drops: Registry + hangdog layer + filtered fmt";

pub(crate) const LINES: &[Line] = &[
    Line::new("tracing without subscriber", |effort| Ok(each(effort, pair))),
    Line::new("tracing, subscriber that ignores all", |effort| {
        tracing::subscriber::set_global_default(Ignores::new()).map_err(|error| error.to_string())?;
        Ok(each(effort, pair))
    }),
    Line::new(REGISTRY, |effort| {
        stacks::registry().init();
        Ok(each(effort, pair))
    }),
    Line::new("Registry + layer that only has the fields handed to it", |effort| {
        tracing_subscriber::registry().with(Reads).init();
        Ok(each(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("Registry + layer that only writes the words", |effort| {
        tracing_subscriber::registry().with(WordsOfSpans).init();
        Ok(each(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(each(effort, pair))
    })
    .beside(REGISTRY)
    .wanted(Target::over(20.0).and_times(1.15)),
    Line::new("Registry + hangdog layer, spans that say `hang.serve`", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(each(effort, meaning_pair))
    })
    .beside(REGISTRY),
    Line::new("Registry + hangdog layer, TSC", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(each(effort, pair))
    })
    .with(&[("HANGDOG_CLOCK", "tsc")])
    .beside(REGISTRY)
    .wanted(Target::over(60.0)),
    Line::new(FMT, |effort| {
        stacks::second_thread();
        tracing_subscriber::registry().with(stacks::log()).init();
        Ok(each(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("Registry + fmt + layer that only has the fields handed to it", |effort| {
        stacks::second_thread();
        tracing_subscriber::registry().with(stacks::log()).with(Reads).init();
        Ok(each(effort, pair))
    })
    .beside(FMT),
    Line::new("Registry + fmt + layer that only writes the words", |effort| {
        stacks::second_thread();
        tracing_subscriber::registry().with(stacks::log()).with(WordsOfSpans).init();
        Ok(each(effort, pair))
    })
    .beside(FMT),
    Line::new("Registry + fmt + hangdog layer", |effort| {
        tracing_subscriber::registry().with(stacks::log()).with(hangdog_tracer::layer()).init();
        recorded(each(effort, pair))
    })
    .beside(FMT)
    .wanted(Target::over(35.0)),
    Line::new(OTEL, |effort| {
        stacks::second_thread();
        tracing_subscriber::registry().with(stacks::telemetry()).init();
        Ok(each(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("Registry + OpenTelemetry + layer that only has the fields handed to it", |effort| {
        stacks::second_thread();
        tracing_subscriber::registry().with(stacks::telemetry()).with(Reads).init();
        Ok(each(effort, pair))
    })
    .beside(OTEL),
    Line::new("Registry + OpenTelemetry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(stacks::telemetry()).with(hangdog_tracer::layer()).init();
        recorded(each(effort, pair))
    })
    .beside(OTEL)
    .wanted(Target::over(35.0)),
    Line::new("subscriber that only writes the words", |effort| {
        tracing::subscriber::set_global_default(OnlyWords::default()).map_err(|error| error.to_string())?;
        Ok(each(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("hangdog subscriber, alone", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(each(effort, pair))
    })
    .beside(REGISTRY)
    .wanted(Target::itself(35.0).and_times(0.25)),
    Line::new("hangdog subscriber, alone, TSC", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(each(effort, pair))
    })
    .with(&[("HANGDOG_CLOCK", "tsc")])
    .beside(REGISTRY),
    Line::new(FILTERED, |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).with(stacks::filtered_log()).init();
        recorded(each(effort, debug_pair))
    }),
    Line::new("spans the log drops: hangdog tee in front of fmt", |effort| {
        hangdog_tracer::tee(tracing_subscriber::registry().with(LevelFilter::INFO).with(stacks::log())).init();
        recorded(each(effort, debug_pair))
    })
    .beside(FILTERED)
    .wanted(Target::itself(45.0)),
    Line::new("spans the log takes: hangdog tee in front of fmt", |effort| {
        hangdog_tracer::tee(tracing_subscriber::registry().with(LevelFilter::INFO).with(stacks::log())).init();
        recorded(each(effort, pair))
    })
    .beside(FMT),
];
