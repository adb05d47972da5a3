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

    /// A phase for a new span. A function of its own; see [`begin`]. And of the subscriber `S`, as all the others are by
    /// being inlined: so it is compiled with the program. In a library a look at a thread-local is a call, for which
    /// registers are saved, also when the linker takes the call out.
    #[expect(clippy::extra_unused_type_parameters, reason = "15 instructions less a span, counted")]
    #[inline(never)]
    pub(crate) fn open<S>(&self, attributes: &Attributes<'_>, parent: Parent, span: &Id) {
        let call_site = CallSite::of(attributes.metadata());
        let Some(phase) = begin(call_site, attributes, parent, || Key::Span(self.key(span))) else { return };
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

    /// What a span is entered and left by; 0 for nothing.
    #[inline]
    fn key(&self, span: &Id) -> u64 {
        if self.is_first { span.into_u64() } else { 0 }
    }

    /// What is rare is a function of its own that takes the same arguments: then no register has to be saved for it.
    #[expect(clippy::inline_always, reason = "a call takes a tenth of what is behind it")]
    #[inline(always)]
    pub(crate) fn enter(&self, span: &Id) {
        let is_in = self.is_first && hangdog_flight::enter_quickly(span.into_non_zero_u64(), crate::phase::task);
        if !is_in {
            self.enter_otherwise(span);
        }
    }

    #[inline(never)]
    fn enter_otherwise(&self, span: &Id) {
        hangdog_flight::enter_as(self.key(span), || self.phase(span), crate::phase::task);
    }

    #[expect(clippy::inline_always, reason = "the same")]
    #[inline(always)]
    pub(crate) fn exit(&self, span: &Id) {
        let is_out = self.is_first && hangdog_flight::exit_quickly(span.into_non_zero_u64());
        if !is_out {
            self.exit_otherwise(span);
        }
    }

    #[inline(never)]
    fn exit_otherwise(&self, span: &Id) {
        hangdog_flight::exit_as(self.key(span), || self.phase(span));
    }

    /// The span is over.
    #[inline]
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
    key: impl FnOnce() -> Key,
) -> Option<PhaseId> {
    let opening = match parent {
        Parent::Current => match hangdog_flight::begin_quickly(&call_site.site) {
            None => hangdog_flight::begin(&call_site.site),
            quickly => quickly,
        },
        Parent::Known(parent) => hangdog_flight::begin_in(&call_site.site, parent),
    }?;
    let opening = opening.with_fields(|fields| {
        let mut fields = NewFields(fields);
        attributes.record(&mut fields);
        fields.0
    });
    Some(match key() {
        Key::Number => opening.publish_as_itself(),
        Key::Span(span) => opening.publish_as(span),
    })
}

#[inline]
pub(crate) fn enter(phase: PhaseId) {
    hangdog_flight::enter(phase, crate::phase::task);
}
