//! What no recorder can save: the words that make an open phase readable from outside, written and nothing else.
//!
//! A slot has what a slot of the recorder has: commit word, start, what is around it, call site, three words of values.
//! It is found by the lower bits of the span's id, whoever had it before; the thread is the only one there is; nobody
//! asks whether the process was forked, a panic is on its way, another thread has polled it, or which task that was.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

const SLOTS: usize = 1024;
const COMMIT: usize = 0;
const START: usize = 1;
const PARENT: usize = 2;
const SITE: usize = 3;
/// What the thread was in before.
const BEFORE: usize = 4;
const VALUES: usize = 5;
/// Being polled, and one poll, beside the number of what is around it.
const INSIDE: u64 = 1 << 42;
const POLL: u64 = 1 << 43;

#[repr(align(64))]
struct Slot([AtomicU64; 8]);

static MEMORY: [Slot; SLOTS] = [const { Slot([const { AtomicU64::new(0) }; 8]) }; SLOTS];
/// The phase that the one thread is in.
static CURRENT: AtomicU64 = AtomicU64::new(0);
/// The clock: somebody else would write it.
static TICK: AtomicU64 = AtomicU64::new(1 << 40);

fn slot(id: u64) -> &'static [AtomicU64; 8] {
    &MEMORY[id as usize % SLOTS].0
}

/// The words of a phase of a thread that ends where it began.
pub(crate) struct Words(u64);

impl Words {
    #[inline]
    pub(crate) fn of(site: &'static str, depth: u64, number: u64, text: &str) -> Self {
        let words = slot(depth);
        words[START].store(TICK.load(Relaxed), Relaxed);
        words[PARENT].store(CURRENT.load(Relaxed), Relaxed);
        words[SITE].store(site.as_ptr().addr() as u64, Relaxed);
        words[VALUES].store(number, Relaxed);
        put(words, text);
        words[COMMIT].store(number << 19 | 1, Release);
        CURRENT.store(depth, Release);
        Self(depth)
    }
}

impl Drop for Words {
    #[inline]
    fn drop(&mut self) {
        let words = slot(self.0);
        words[COMMIT].store(0, Release);
        CURRENT.store(words[PARENT].load(Relaxed), Release);
    }
}

/// Up to 16 bytes as two words; longer ones are not seen here.
#[inline]
fn put(words: &[AtomicU64; 8], text: &str) {
    if let (Some(first), Some(last)) = (text.as_bytes().first_chunk(), text.as_bytes().last_chunk()) {
        words[VALUES + 1].store(u64::from_ne_bytes(*first), Relaxed);
        words[VALUES + 2].store(u64::from_ne_bytes(*last), Relaxed);
    }
}

fn open(id: u64, attributes: &Attributes<'_>) {
    let words = slot(id);
    words[START].store(TICK.load(Relaxed), Relaxed);
    words[PARENT].store(CURRENT.load(Relaxed) & (INSIDE - 1), Relaxed);
    words[SITE].store(std::ptr::from_ref(attributes.metadata()).addr() as u64, Relaxed);
    attributes.record(&mut Values(words));
    words[COMMIT].store(id << 19 | 1, Release);
}

fn enter(id: u64) {
    let words = slot(id);
    words[PARENT].store((words[PARENT].load(Relaxed) + POLL) | INSIDE, Release);
    words[BEFORE].store(CURRENT.load(Relaxed), Relaxed);
    CURRENT.store(id, Release);
}

fn exit(id: u64) {
    let words = slot(id);
    words[PARENT].store(words[PARENT].load(Relaxed) & !INSIDE, Release);
    words[SITE].store(words[SITE].load(Relaxed) & u64::from(u32::MAX) | TICK.load(Relaxed) >> 22 << 32, Relaxed);
    CURRENT.store(words[BEFORE].load(Relaxed), Release);
}

fn close(id: u64) {
    slot(id)[COMMIT].store(0, Release);
}

struct Values(&'static [AtomicU64; 8]);

impl Visit for Values {
    fn record_u64(&mut self, _field: &Field, value: u64) {
        self.0[VALUES].store(value, Relaxed);
    }

    fn record_str(&mut self, _field: &Field, value: &str) {
        put(self.0, value);
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// As a layer of a `Registry`.
pub(crate) struct WordsOfSpans;

impl<S: Subscriber> Layer<S> for WordsOfSpans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _context: Context<'_, S>) {
        open(id.into_u64(), attributes);
    }

    fn on_enter(&self, id: &Id, _context: Context<'_, S>) {
        enter(id.into_u64());
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        exit(id.into_u64());
    }

    fn on_close(&self, id: Id, _context: Context<'_, S>) {
        close(id.into_u64());
    }
}

/// As a subscriber, which makes ids and counts no clones.
#[derive(Default)]
pub(crate) struct OnlyWords {
    open: AtomicU64,
}

impl Subscriber for OnlyWords {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.open.load(Relaxed) + 1;
        self.open.store(id, Relaxed);
        open(id, attributes);
        Id::from_u64(id)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        enter(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        exit(span.into_u64());
    }

    fn try_close(&self, span: Id) -> bool {
        close(span.into_u64());
        self.open.store(self.open.load(Relaxed) - 1, Relaxed);
        true
    }
}
