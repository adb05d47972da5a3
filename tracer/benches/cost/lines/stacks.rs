//! Subscribers as services have them, installed for the whole process.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, Layered};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

/// A layer that does nothing. A Registry without any layer never frees its spans.
pub(crate) struct Nothing;

impl<S: Subscriber> Layer<S> for Nothing {}

/// A layer that has the fields of each new span handed to it, and does nothing with them: what `tracing` takes for that
/// no recorder can save.
pub(crate) struct Reads;

impl<S: Subscriber> Layer<S> for Reads {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        let mut read = Read(0);
        attributes.record(&mut read);
        black_box(read.0);
    }
}

struct Read(u64);

impl Visit for Read {
    fn record_u64(&mut self, _field: &Field, value: u64) {
        self.0 ^= value;
    }

    fn record_str(&mut self, _field: &Field, value: &str) {
        self.0 ^= value.len() as u64;
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// A subscriber that keeps nothing: what `tracing` itself costs.
pub(crate) struct Ignores(AtomicU64);

impl Ignores {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Subscriber for Ignores {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        Id::from_u64(self.0.load(Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// The base of comparison.
pub(crate) fn registry() -> Layered<Nothing, Registry> {
    tracing_subscriber::registry().with(Nothing)
}

/// A log that goes nowhere.
pub(crate) fn log<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer().with_writer(io::sink)
}

/// A log of `INFO` and above, by a filter of its own.
pub(crate) fn filtered_log<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    log().with_filter(LevelFilter::INFO)
}

/// Spans for OpenTelemetry, without a processor: what the layer itself costs.
pub(crate) fn telemetry<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let provider = SdkTracerProvider::builder().build();
    tracing_opentelemetry::layer().with_tracer(provider.tracer("cost"))
}

/// Starts a thread that only sleeps: with a second thread, the C library's heap costs more.
pub(crate) fn second_thread() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
}
