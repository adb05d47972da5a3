//! The layer: each span is a phase of the flight recorder.

use hangdog_flight::PhaseId;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::Fields;
use crate::sites::Sites;
use crate::spans::Spans;

/// Records spans; see [`layer()`].
pub struct HangdogLayer {
    spans: Spans,
    sites: Sites,
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
    HangdogLayer { spans: Spans::new(), sites: Sites::new(), max_level: LevelFilter::DEBUG }
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

    fn parent<S>(&self, attributes: &Attributes<'_>, context: &Context<'_, S>) -> Option<PhaseId>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if attributes.is_contextual() {
            // Also phases that are no spans.
            return hangdog_flight::current_phase();
        }
        let parent = attributes.parent()?;
        self.spans.get(parent.into_u64()).or_else(|| {
            // The parent itself may be below the level: then the nearest one that is recorded.
            context.span(parent)?.scope().find_map(|span| self.spans.get(span.id().into_u64()))
        })
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
        let parent = self.parent(attributes, &context);
        let Some(mut opening) = hangdog_flight::begin_in(self.sites.of(attributes.metadata()), parent) else {
            return;
        };
        attributes.record(&mut Fields::New(&mut opening));
        let phase = opening.publish();
        if !self.spans.insert(id.into_u64(), phase) {
            // Nobody could ever close it.
            hangdog_flight::abandon(phase);
        }
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        if let Some(phase) = self.spans.get(span.into_u64()) {
            values.record(&mut Fields::Open(phase));
        }
    }

    fn on_enter(&self, id: &Id, _context: Context<'_, S>) {
        if let Some(phase) = self.spans.get(id.into_u64()) {
            hangdog_flight::enter(phase, crate::phase::task);
        }
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        if let Some(phase) = self.spans.get(id.into_u64()) {
            hangdog_flight::exit(phase);
        }
    }

    fn on_close(&self, id: Id, _context: Context<'_, S>) {
        // Taken out even when there is no recorder any more: ids are used again.
        if let Some(phase) = self.spans.remove(id.into_u64()) {
            hangdog_flight::close(phase);
        }
    }
}
