//! Spans that another subscriber keeps, as phases: what the layer and the tee have in common.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use hangdog_flight::{Opening, PhaseId};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};

use crate::fields::{LaterFields, NewFields};
use crate::sites::CallSite;
use crate::spans::Spans;

pub(crate) struct Recorded {
    spans: Spans,
    /// Whether a span's id alone tells its phase: of one subscriber of the process.
    is_first: bool,
    pub(crate) max_level: LevelFilter,
}

/// There is one already.
static ANOTHER: AtomicBool = AtomicBool::new(false);

/// Where the parent of a span is looked for.
#[derive(Clone, Copy)]
pub(crate) enum Parent {
    /// The phase that the thread is in, also when it is no span.
    Current,
    Known(Option<PhaseId>),
}

impl Recorded {
    /// Spans up to `DEBUG`. Starts the recorder.
    pub(crate) fn new() -> Self {
        let _started = hangdog_flight::current();
        let is_first = !ANOTHER.swap(true, Relaxed);
        Self { spans: Spans::new(), is_first, max_level: LevelFilter::DEBUG }
    }

    /// By what the recorder may know a span's phase again.
    #[inline]
    fn key(&self, span: &Id) -> u64 {
        if self.is_first { span.into_u64() } else { 0 }
    }

    #[inline]
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max_level
    }

    #[inline]
    pub(crate) fn phase(&self, span: &Id) -> Option<PhaseId> {
        self.spans.get(span.into_u64())
    }

    /// A phase for a new span.
    #[inline]
    pub(crate) fn open(&self, attributes: &Attributes<'_>, parent: Parent, span: &Id) {
        let Some(phase) = begin(CallSite::of(attributes.metadata()), attributes, parent) else { return };
        if !self.spans.insert(span.into_u64(), phase) {
            // Nobody could ever close it.
            hangdog_flight::abandon(phase);
        }
    }

    pub(crate) fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(phase) = self.phase(span) {
            values.record(&mut LaterFields(phase));
        }
    }

    #[inline]
    pub(crate) fn enter(&self, span: &Id) {
        hangdog_flight::enter_as(self.key(span), || self.phase(span), crate::phase::task);
    }

    #[inline]
    pub(crate) fn exit(&self, span: &Id) {
        hangdog_flight::exit_as(self.key(span), || self.phase(span));
    }

    /// The span is over.
    #[inline]
    pub(crate) fn close(&self, span: &Id) {
        // Taken out even when there is no recorder any more: ids are used again.
        if let Some(phase) = self.spans.remove(span.into_u64()) {
            hangdog_flight::close(phase);
        }
    }
}

/// Opens a phase for a span, with its fields.
#[inline]
pub(crate) fn begin(call_site: &'static CallSite, attributes: &Attributes<'_>, parent: Parent) -> Option<PhaseId> {
    let mut opening = match parent {
        Parent::Current => match hangdog_flight::begin_quickly(&call_site.site) {
            None => hangdog_flight::begin(&call_site.site),
            quickly => quickly,
        },
        Parent::Known(parent) => hangdog_flight::begin_in(&call_site.site, parent),
    }?;
    attributes.record(&mut NewFields(&mut opening));
    Some(Opening::publish(opening))
}

#[inline]
pub(crate) fn enter(phase: PhaseId) {
    hangdog_flight::enter(phase, crate::phase::task);
}
