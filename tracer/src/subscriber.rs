//! The subscriber for programs that run no other: a span is a phase and nothing else.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, SetGlobalDefaultError};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::entered;
use crate::own::Own;
use crate::recorded::Parent;

/// Records spans and nothing else; see [`subscriber()`].
#[derive(Debug)]
pub struct HangdogSubscriber {
    max_level: LevelFilter,
}

/// A subscriber that records every span up to `DEBUG` as a phase, for programs that run no other. Starts the recorder.
///
/// A span costs a third of what it costs with a `Registry` and no other layer, and no memory beside its phase. Events
/// go nowhere, and cost what a disabled one costs.
///
/// ```
/// hangdog_tracer::subscriber().init();
/// let _span = tracing::info_span!("load settings", hang.wait = "path:/etc/app.toml").entered();
/// ```
pub fn subscriber() -> HangdogSubscriber {
    let _started = hangdog_flight::current();
    HangdogSubscriber { max_level: LevelFilter::DEBUG }
}

impl HangdogSubscriber {
    /// Records spans up to `level` only.
    #[must_use]
    pub fn with_max_level(self, level: impl Into<LevelFilter>) -> Self {
        Self { max_level: level.into() }
    }

    /// Makes it the subscriber of all threads.
    ///
    /// # Panics
    ///
    /// When there is one already.
    #[inline]
    pub fn init(self) {
        self.try_init().expect("the program has no subscriber yet");
    }

    /// Makes it the subscriber of all threads, unless there is one already.
    // Inlined, as what makes, enters and ends spans: compiled with the program, see `Recorded::open`.
    #[inline]
    pub fn try_init(self) -> Result<(), SetGlobalDefaultError> {
        tracing::subscriber::set_global_default(self)
    }
}

impl Subscriber for HangdogSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= self.max_level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level)
    }

    #[inline]
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let parent = if attributes.is_contextual() {
            Parent::Current
        } else {
            Parent::Known(attributes.parent().and_then(|parent| Own(parent.into_u64()).phase()))
        };
        Id::from_u64(Own::open(attributes, parent).0)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        Own(span.into_u64()).record(values);
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    #[inline]
    fn enter(&self, span: &Id) {
        entered::push(span.into_u64());
        Own(span.into_u64()).enter();
    }

    #[inline]
    fn exit(&self, span: &Id) {
        Own(span.into_u64()).exit();
        entered::pop(span.into_u64());
    }

    fn clone_span(&self, span: &Id) -> Id {
        Own(span.into_u64()).clone_handle();
        span.clone()
    }

    #[inline]
    fn try_close(&self, span: Id) -> bool {
        Own(span.into_u64()).drop_handle()
    }

    fn current_span(&self) -> Current {
        let current = entered::top().and_then(|span| Some(Current::new(Id::from_u64(span), Own(span).metadata()?)));
        current.unwrap_or_else(Current::none)
    }
}
