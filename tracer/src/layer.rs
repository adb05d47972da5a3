//! The layer: each span is a phase of the flight recorder.

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::recorded::{Parent, Recorded};

/// Records spans; see [`layer()`].
pub struct HangdogLayer {
    recorded: Recorded,
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
    HangdogLayer { recorded: Recorded::new() }
}

impl HangdogLayer {
    /// Records spans up to `level` only. Cheaper than a per-layer filter, and other layers see no difference.
    #[must_use]
    pub fn with_max_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.recorded.max_level = level.into();
        self
    }

    fn parent<S>(&self, parent: Option<&Id>, context: &Context<'_, S>) -> Parent
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let known = parent.and_then(|parent| {
            self.recorded.phase(parent).or_else(|| {
                // The parent itself may be below the level: then the nearest one that is recorded.
                context.span(parent)?.scope().find_map(|span| self.recorded.phase(&span.id()))
            })
        });
        Parent::Known(known)
    }
}

impl<S> Layer<S> for HangdogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    #[inline]
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if self.recorded.wants(attributes.metadata()) {
            let parent =
                if attributes.is_contextual() { Parent::Current } else { self.parent(attributes.parent(), &context) };
            self.recorded.open::<S>(attributes, parent, id);
        }
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        self.recorded.record(span, values);
    }

    #[inline]
    fn on_enter(&self, id: &Id, _context: Context<'_, S>) {
        self.recorded.enter(id);
    }

    #[inline]
    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        self.recorded.exit(id);
    }

    #[inline]
    fn on_close(&self, id: Id, _context: Context<'_, S>) {
        self.recorded.close(&id);
    }
}
