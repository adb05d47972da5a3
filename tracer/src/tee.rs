//! The tee: a subscriber in front of another one, so that spans which the log drops are recorded at the price of
//! [`subscriber()`](crate::subscriber()), and the log sees what it sees without it.
//!
//! ```text
//!                    does the inner one take it?
//!   span ──▶ Tee ──┬── yes ──▶ Registry + fmt + filters      and a phase, found by the inner one's id
//!                  └── no ───▶ a phase alone                 with an id that the inner one never sees
//! ```
//!
//! The inner subscriber is asked as `tracing` asks it: once for a call site; and for each span where the answer was
//! "sometimes" (filters by field, filters of single layers, filters that are reloaded).
#![expect(unsafe_code, reason = "`downcast_raw` of the inner subscriber is handed on")]

use std::any::TypeId;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

use hangdog_flight::PhaseId;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::entered;
use crate::outward::Outward;
use crate::own::{Own, SLOTS};
use crate::recorded::{Parent, Recorded};
use crate::sites::{CallSite, PLACES};

/// What the inner subscriber said of a call site; 0 while it was not asked.
const NEVER: u8 = 1;
const SOMETIMES: u8 = 2;
const ALWAYS: u8 = 3;

/// The nearest span around an own one that the inner subscriber knows; 0 for none. 2 MiB, as in `own`.
static AROUND: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// Records spans in front of another subscriber; see [`tee`].
pub struct Tee<S> {
    inner: S,
    recorded: Recorded,
    outward: Outward,
    /// By the place of a call site.
    interest: Box<[AtomicU8]>,
    /// The most verbose level that the inner subscriber may take, as a number.
    inner_max: AtomicU8,
}

/// A subscriber in front of `inner` that records every span up to `DEBUG` as a phase, those that the filters of
/// `inner` drop too. Starts the recorder.
///
/// As a layer behind a filter, hangdog sees only what the filter lets through; in front of it, as a layer of a
/// `Registry` with a filter for each layer, it makes every span cost what the `Registry` takes. A tee records
/// what the log drops for a fraction of that, and the rest as [`layer()`](crate::layer()) does.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// let log = tracing_subscriber::registry()
///     .with(tracing_subscriber::fmt::layer())
///     .with(tracing::level_filters::LevelFilter::INFO);
/// hangdog_tracer::tee(log).init();
/// let _span = tracing::debug_span!("load settings", hang.wait = "path:/etc/app.toml").entered();
/// ```
///
/// The inner subscriber sees exactly what it would see without the tee, in which a span that is dropped is no span:
/// events and spans inside of one belong to the nearest span around it that the inner one knows, and
/// `Span::current()` is that one too. So what asks layers about spans by id (`tracing-error`, the `context()` of
/// `tracing-opentelemetry`) finds them. It must not be asked about a handle of a span that the log drops: for
/// programs that do, [`layer()`](crate::layer()) is the right one.
pub fn tee<S: Subscriber>(inner: S) -> Tee<S> {
    let tee = Tee {
        inner,
        recorded: Recorded::new(),
        outward: Outward::default(),
        interest: (0..PLACES).map(|_| AtomicU8::new(0)).collect(),
        inner_max: AtomicU8::new(0),
    };
    let _hint = tee.inner_hint();
    tee
}

impl<S: Subscriber> Tee<S> {
    /// Records spans up to `level` only. The inner subscriber sees no difference.
    #[must_use]
    pub fn with_max_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.recorded.max_level = level.into();
        self
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && self.recorded.wants(metadata)
    }

    /// The hint of the inner subscriber, kept for [`Self::is_beyond`].
    fn inner_hint(&self) -> Option<LevelFilter> {
        let hint = self.inner.max_level_hint();
        let max = hint.map_or(u8::MAX, |hint| hint.into_level().map_or(0, verbosity));
        self.inner_max.store(max, Relaxed);
        hint
    }

    /// Whether the inner subscriber has said that it takes nothing so verbose. Without the tee it would not be asked.
    fn is_beyond(&self, metadata: &Metadata<'_>) -> bool {
        verbosity(*metadata.level()) > self.inner_max.load(Relaxed)
    }

    fn inner_enabled(&self, metadata: &Metadata<'_>) -> bool {
        !self.is_beyond(metadata) && self.inner.enabled(metadata)
    }

    #[inline]
    fn inner_takes(&self, metadata: &'static Metadata<'static>) -> bool {
        let place = usize::from(CallSite::of(metadata).place());
        match self.interest.get(place).map_or(0, |interest| interest.load(Relaxed)) {
            NEVER => false,
            ALWAYS => true,
            _ => self.inner_enabled(metadata),
        }
    }

    /// The phase of a span that is named as a parent, or else of the nearest recorded one around it.
    fn phase(&self, span: &Id) -> Option<PhaseId> {
        if let Some(own) = self.outward.own(span.into_u64()) {
            return own.phase();
        }
        self.recorded.phase(span).or_else(|| {
            // Only the `Registry` can be asked for what is around a span.
            let registry = (&self.inner as &dyn Subscriber).downcast_ref::<Registry>()?;
            registry.span(span)?.scope().find_map(|span| self.recorded.phase(&span.id()))
        })
    }

    /// The nearest span of the inner subscriber around one that is made now, 0 for none.
    #[inline]
    fn around(&self, attributes: &Attributes<'_>) -> u64 {
        let parent = if attributes.is_contextual() { entered::top() } else { attributes.parent().map(Id::into_u64) };
        let Some(parent) = parent else { return 0 };
        match self.outward.own(parent) {
            Some(own) => around(own).map_or(0, |around| around.load(Relaxed)),
            None => parent,
        }
    }

    /// A function of its own, because it opens a phase; see `recorded::begin`.
    #[inline(never)]
    fn open_own(&self, attributes: &Attributes<'_>) -> Id {
        let parent = match attributes.parent() {
            None if attributes.is_contextual() => Parent::Current,
            None => Parent::Known(None),
            Some(parent) => Parent::Known(self.phase(parent)),
        };
        let nearest = self.around(attributes);
        let own = Own::open(attributes, parent);
        if let Some(around) = around(own) {
            around.store(nearest, Relaxed);
        }
        Id::from_u64(self.outward.id(own).unwrap_or_else(|| self.another_id(own, attributes)))
    }

    #[cold]
    fn another_id(&self, own: Own, attributes: &Attributes<'_>) -> u64 {
        if let Some(phase) = own.phase() {
            hangdog_flight::abandon(phase);
        }
        let call_site = CallSite::of(attributes.metadata());
        loop {
            // Strangers are fewer than these ids.
            if let Some(id) = self.outward.id(Own::without_phase(call_site)) {
                return id;
            }
        }
    }

    fn open_inner(&self, attributes: &Attributes<'_>) -> Id {
        let Some(own) = attributes.parent().and_then(|parent| self.outward.own(parent.into_u64())) else {
            return self.inner.new_span(attributes);
        };
        let (metadata, values) = (attributes.metadata(), attributes.values());
        // The inner subscriber does not know the parent, but perhaps what is around it. Only while this thread is
        // in that one is it certain that it is still open.
        let around = around(own).map_or(0, |around| around.load(Relaxed));
        let known = self.inner.current_span().id().filter(|current| current.into_u64() == around).cloned();
        self.inner.new_span(&match known {
            Some(parent) => Attributes::child_of(parent, metadata, values),
            None => Attributes::new_root(metadata, values),
        })
    }
}

impl<S> Tee<S>
where
    S: Subscriber + Send + Sync + 'static,
{
    /// Makes it the subscriber of all threads.
    ///
    /// # Panics
    ///
    /// When there is one already.
    pub fn init(self) {
        SubscriberInitExt::init(self);
    }

    /// Makes it the subscriber of all threads, unless there is one already.
    pub fn try_init(self) -> Result<(), TryInitError> {
        SubscriberInitExt::try_init(self)
    }
}

#[inline]
fn around(own: Own) -> Option<&'static AtomicU64> {
    AROUND.get(own.slot()?)
}

/// A level as a number: the more verbose, the larger.
fn verbosity(level: Level) -> u8 {
    [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].iter().take_while(|known| **known < level).count() as u8
        + 1
}

impl<S: Subscriber> Subscriber for Tee<S> {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.inner.on_register_dispatch(dispatch);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let inner = self.inner.register_callsite(metadata);
        let _hint = self.inner_hint();
        let inner = if self.is_beyond(metadata) { Interest::never() } else { inner };
        if !self.wants(metadata) {
            return inner;
        }
        let said = match &inner {
            inner if inner.is_never() => NEVER,
            inner if inner.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        if let Some(interest) = self.interest.get(usize::from(CallSite::of(metadata).place())) {
            interest.store(said, Relaxed);
        }
        Interest::always()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The inner one is asked in any case: filters of single layers remember their last answer.
        let inner = self.inner_enabled(metadata);
        inner || self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.inner_hint()?.max(self.recorded.max_level))
    }

    #[inline]
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let wants = self.wants(attributes.metadata());
        if wants && !self.inner_takes(attributes.metadata()) {
            return self.open_own(attributes);
        }
        let id = self.open_inner(attributes);
        self.outward.opened(id.into_u64());
        if wants {
            let parent = match attributes.parent() {
                None if attributes.is_contextual() => Parent::Current,
                None => Parent::Known(None),
                Some(parent) => Parent::Known(self.phase(parent)),
            };
            self.recorded.open::<S>(attributes, parent, &id);
        }
        id
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(own) = self.outward.own(span.into_u64()) {
            return own.record(values);
        }
        self.inner.record(span, values);
        self.recorded.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        let is_own = |span: &Id| self.outward.own(span.into_u64()).is_some();
        if !is_own(span) && !is_own(follows) {
            self.inner.record_follows_from(span, follows);
        }
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        self.inner.event_enabled(event)
    }

    fn event(&self, event: &Event<'_>) {
        self.inner.event(event);
    }

    #[inline]
    fn enter(&self, span: &Id) {
        entered::push(span.into_u64());
        if let Some(own) = self.outward.own(span.into_u64()) {
            return own.enter();
        }
        self.inner.enter(span);
        self.recorded.enter(span);
    }

    #[inline]
    fn exit(&self, span: &Id) {
        entered::pop(span.into_u64());
        if let Some(own) = self.outward.own(span.into_u64()) {
            return own.exit();
        }
        self.recorded.exit(span);
        self.inner.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        match self.outward.own(span.into_u64()) {
            Some(own) => {
                own.clone_handle();
                span.clone()
            }
            None => self.inner.clone_span(span),
        }
    }

    fn drop_span(&self, span: Id) {
        let _is_last = self.try_close(span);
    }

    #[inline]
    fn try_close(&self, span: Id) -> bool {
        if let Some(own) = self.outward.own(span.into_u64()) {
            return own.drop_handle();
        }
        let closed = self.inner.try_close(span.clone());
        if closed {
            self.recorded.close(&span);
            self.outward.closed(span.into_u64());
        }
        closed
    }

    fn current_span(&self) -> Current {
        self.inner.current_span()
    }

    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        if id == TypeId::of::<Self>() {
            return Some(std::ptr::from_ref(self).cast());
        }
        // SAFETY: the caller keeps the contract of `downcast_raw`, which is the inner subscriber's too; the pointer is
        // valid as long as the inner one, which lives as long as this.
        unsafe { self.inner.downcast_raw(id) }
    }
}
