//! A hundred thousand open spans: all are seen, and none is left when they are closed.

use hangdog_flight::Reader;
use tracing::{Span, Subscriber, debug_span};
use tracing_subscriber::prelude::*;

const MANY: usize = 100_000;

#[track_caller]
fn check(whose: &str, subscriber: impl Subscriber + Send + Sync) {
    let recorder = hangdog_flight::current().expect("a recorder");
    let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let spans: Vec<Span> = (0..MANY).map(|n| debug_span!("many", n)).collect();
        let recording = reader.read().unwrap();
        let mut numbers: Vec<usize> =
            recording.open.iter().filter_map(|phase| phase.fields.first()?.1.parse().ok()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..MANY), "{whose}");
        assert_eq!(recording.losses, [], "{whose}");
        // From the outermost, from the middle, on another thread.
        let mut spans = spans.into_iter();
        drop(spans.by_ref().take(MANY / 2).collect::<Vec<_>>());
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let rest: Vec<Span> = spans.rev().collect();
        std::thread::spawn(move || {
            let _default = tracing::dispatcher::set_default(&dispatch);
            drop(rest);
        })
        .join()
        .unwrap();
        assert_eq!(reader.read().unwrap().open, [], "{whose}");
    });
}

#[test]
fn a_hundred_thousand_open_spans_are_all_seen() {
    let registry = tracing_subscriber::registry;
    check("the layer's", registry().with(hangdog_tracer::layer()));
    check("the subscriber's", hangdog_tracer::subscriber());
    check("the tee's, dropped", hangdog_tracer::tee(registry().with(tracing::level_filters::LevelFilter::INFO)));
    check("the tee's, taken", hangdog_tracer::tee(registry().with(tracing::level_filters::LevelFilter::DEBUG)));
}
