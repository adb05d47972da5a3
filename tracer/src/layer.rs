//! The layer: each span is a phase of the flight recorder.

use hangdog_flight::{PhaseId, Recorder};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::Fields;
use crate::spans::Spans;

/// Records spans; see [`layer()`].
pub struct HangdogLayer {
    spans: Spans,
    max_level: LevelFilter,
}

/// A layer that records every span up to `DEBUG` as a phase. Starts the recorder.
///
/// It stands beside other layers in any order and changes nothing for them.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
/// let _span = tracing::info_span!("load settings", hang.wait = "path:/etc/app.toml").entered();
/// ```
pub fn layer() -> HangdogLayer {
    let _started = hangdog_flight::current();
    HangdogLayer { spans: Spans::new(), max_level: LevelFilter::DEBUG }
}

impl HangdogLayer {
    /// Records spans up to `level` only. Cheaper than a per-layer filter, and other layers see no difference.
    #[must_use]
    pub fn with_max_level(self, level: impl Into<LevelFilter>) -> Self {
        Self { max_level: level.into(), ..self }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max_level
    }

    fn parent<S>(
        &self,
        recorder: &'static Recorder,
        attributes: &Attributes<'_>,
        context: &Context<'_, S>,
    ) -> Option<PhaseId>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if attributes.is_contextual() {
            // Also phases that are no spans.
            return recorder.current();
        }
        let parent = attributes.parent()?;
        self.spans.get(parent.into_u64()).or_else(|| {
            // The parent itself may be below the level: then the nearest one that is recorded.
            context.span(parent)?.scope().find_map(|span| self.spans.get(span.id().into_u64()))
        })
    }

    /// The recorder and the phase of a span, if it has one.
    fn phase_of(&self, span: &Id) -> Option<(&'static Recorder, PhaseId)> {
        Some((hangdog_flight::current()?, self.spans.get(span.into_u64())?))
    }
}

impl<S> Layer<S> for HangdogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !self.wants(attributes.metadata()) {
            return;
        }
        let Some(recorder) = hangdog_flight::current() else { return };
        let parent = self.parent(recorder, attributes, &context);
        let Some(mut opening) = recorder.begin(recorder.name(attributes.metadata().name()), parent) else { return };
        attributes.record(&mut Fields::New(recorder, &mut opening));
        let phase = opening.publish();
        if !self.spans.insert(id.into_u64(), phase) {
            // Nobody could ever close it.
            recorder.abandon(phase);
        }
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        if let Some((recorder, phase)) = self.phase_of(span) {
            values.record(&mut Fields::Open(recorder, phase));
        }
    }

    fn on_enter(&self, id: &Id, _context: Context<'_, S>) {
        if let Some((recorder, phase)) = self.phase_of(id) {
            enter(recorder, phase);
        }
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        if let Some((recorder, phase)) = self.phase_of(id) {
            recorder.exit(phase);
        }
    }

    fn on_close(&self, id: Id, _context: Context<'_, S>) {
        // Taken out even when there is no recorder any more: ids are used again.
        if let (Some(phase), Some(recorder)) = (self.spans.remove(id.into_u64()), hangdog_flight::current()) {
            recorder.close(phase);
        }
    }
}

/// Goes into a phase, and says for which async task.
pub(crate) fn enter(recorder: &'static Recorder, phase: PhaseId) {
    recorder.enter(phase);
    #[cfg(feature = "tokio")]
    if let Some(task) = task() {
        recorder.task(phase, task);
    }
}

/// The number of the tokio task that is being polled on this thread. 0 is taken for none by the recorder, and
/// tokio counts from 1.
#[cfg(feature = "tokio")]
fn task() -> Option<u64> {
    // `Id` shows its number by `Display` alone.
    struct Number(u64);

    impl std::fmt::Write for Number {
        fn write_str(&mut self, digits: &str) -> std::fmt::Result {
            for digit in digits.bytes() {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(std::fmt::Error)?;
                self.0 = self.0.wrapping_mul(10).wrapping_add(u64::from(digit));
            }
            Ok(())
        }
    }

    let mut number = Number(0);
    std::fmt::Write::write_fmt(&mut number, format_args!("{}", tokio::task::try_id()?)).ok()?;
    Some(number.0)
}
