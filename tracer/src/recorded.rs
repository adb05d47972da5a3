//! Spans that another subscriber keeps, as phases: what the layer and the tee have in common.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use hangdog_flight::PhaseId;
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

    #[inline]
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max_level
    }

    #[inline]
    pub(crate) fn phase(&self, span: &Id) -> Option<PhaseId> {
        self.spans.get(span.into_u64())
    }

    /// A phase for a new span.
    #[inline(never)]
    pub(crate) fn open(&self, attributes: &Attributes<'_>, parent: Parent, span: &Id) {
        let call_site = CallSite::of(attributes.metadata());
        let span = span.into_u64();
        let key = if self.is_first { Key::Span(span) } else { Key::None };
        let Some(phase) = begin(call_site, attributes, parent, key) else { return };
        if !self.spans.insert(span, phase) {
            // Nobody could ever close it.
            hangdog_flight::abandon(phase);
        }
    }

    pub(crate) fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(phase) = self.phase(span) {
            values.record(&mut LaterFields(phase));
        }
    }

    /// A function of its own, as the next one: within that of a subscriber with more to do it would have to save
    /// registers.
    #[inline(never)]
    pub(crate) fn enter(&self, span: &Id) {
        let key = span.into_u64();
        if self.is_first {
            hangdog_flight::enter_as(key, move || self.spans.get(key), crate::phase::task);
        } else {
            self.enter_unknown(key);
        }
    }

    #[cold]
    #[inline(never)]
    fn enter_unknown(&self, span: u64) {
        if let Some(phase) = self.spans.get(span) {
            hangdog_flight::enter(phase, crate::phase::task);
        }
    }

    #[inline(never)]
    pub(crate) fn exit(&self, span: &Id) {
        let key = span.into_u64();
        if self.is_first {
            hangdog_flight::exit_as(key, move || self.spans.get(key));
        } else {
            self.exit_unknown(key);
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_unknown(&self, span: u64) {
        if let Some(phase) = self.spans.get(span) {
            hangdog_flight::exit(phase);
        }
    }

    /// The span is over.
    #[inline(never)]
    pub(crate) fn close(&self, span: &Id) {
        // Taken out even when there is no recorder any more: ids are used again.
        match self.spans.remove_from_its_place(span.into_u64()) {
            Some(phase) => hangdog_flight::close(phase),
            None => self.close_elsewhere(span.into_u64()),
        }
    }

    #[cold]
    #[inline(never)]
    fn close_elsewhere(&self, span: u64) {
        if let Some(phase) = self.spans.remove(span) {
            hangdog_flight::close(phase);
        }
    }
}

/// By what a phase will be entered.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    None,
    Number,
    Span(u64),
}

/// Opens a phase for a span, with its fields. In one piece with what calls it, which is a function of its own: an
/// opening that is handed on is copied through memory.
#[expect(clippy::inline_always, reason = "4 ns a span: measured")]
#[inline(always)]
pub(crate) fn begin(
    call_site: &'static CallSite,
    attributes: &Attributes<'_>,
    parent: Parent,
    key: Key,
) -> Option<PhaseId> {
    let opening = match parent {
        Parent::Current => match hangdog_flight::begin_quickly(&call_site.site) {
            None => hangdog_flight::begin(&call_site.site),
            quickly => quickly,
        },
        Parent::Known(parent) => hangdog_flight::begin_in(&call_site.site, parent),
    }?;
    let mut fields = NewFields(opening);
    attributes.record(&mut fields);
    let opening = fields.0;
    Some(match key {
        Key::None => opening.publish(),
        Key::Number => opening.publish_as_itself(),
        Key::Span(span) => opening.publish_as(span),
    })
}

#[inline]
pub(crate) fn enter(phase: PhaseId) {
    hangdog_flight::enter(phase, crate::phase::task);
}
