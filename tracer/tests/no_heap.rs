//! Recording takes no heap memory: neither per phase nor per span, field or later value.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hangdog_tracer::{Outcome, phase};
use tracing_subscriber::prelude::*;

/// Counts what the calling thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[track_caller]
fn check(what: &str, work: impl Fn(u64)) {
    // The recorder, this thread's ring and the names of the call sites come with the first time.
    work(0);
    let before = ASKED.with(Cell::get);
    for n in 1..=1000 {
        work(n);
    }
    let asked = ASKED.with(Cell::get) - before;
    assert_eq!(asked, 0, "{what}: {asked} allocations for 1000 phases");
}

#[test]
fn a_phase_takes_no_heap_memory() {
    check("a phase", |n| {
        let _phase = phase!("work", n, text = "sixteen bytes ok");
    });
    check("a phase that says more", |n| {
        let phase = phase!("work", hang.wait = "http:127.0.0.1:8080", debug = ?(n, "formatted"), a = 1, b = 2, c = 3);
        phase.record("hang.link", "a>b");
        phase.outcome(Outcome::Ok);
    });
    spans("the layer's", tracing_subscriber::registry().with(hangdog_tracer::layer()));
    spans("the subscriber's", hangdog_tracer::subscriber());
    let log = tracing_subscriber::registry().with(Nothing).with(tracing::level_filters::LevelFilter::INFO);
    spans("the tee's", hangdog_tracer::tee(log));
}

/// Without any layer a `Registry` would never forget a span.
struct Nothing;

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Nothing {}

fn spans(whose: &str, subscriber: impl tracing::Subscriber + Send + Sync) {
    tracing::subscriber::with_default(subscriber, || {
        check(&format!("{whose} span"), |n| {
            let span = tracing::info_span!("request", n, hang.op = "x", hang.link = tracing::field::Empty).entered();
            span.record("hang.link", "a>b");
            let inner = tracing::debug_span!("inner", why = ?(n, "formatted")).entered();
            let clones = (span.clone(), inner.clone(), tracing::Span::current());
            drop((inner, clones));
        });
        check(&format!("{whose} hundred spans at once"), |n| {
            let spans: [tracing::Span; 100] = std::array::from_fn(|at| tracing::debug_span!("many", n, at));
            drop(spans);
        });
    });
}
