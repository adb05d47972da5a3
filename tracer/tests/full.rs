//! More open spans than a recorder has room for: they work as any other, leave nothing behind, and each that is not
//! recorded is counted once.

use hangdog_flight::{Loss, Reader};
use tracing::{Span, Subscriber, debug_span};
use tracing_subscriber::prelude::*;

const TOO_MANY: usize = 10;

#[track_caller]
fn check(whose: &str, subscriber: impl Subscriber + Send + Sync) {
    let recorder = hangdog_flight::current().expect("a recorder");
    let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
    let lost = |reader: &mut Reader| {
        let recording = reader.read().unwrap();
        let lost = recording.losses.iter().find(|(loss, _)| *loss == Loss::Slot).map_or(0, |(_, count)| *count);
        (recording.open.len(), lost)
    };
    let (open_before, lost_before) = lost(&mut reader);
    assert_eq!(open_before, 0, "{whose}");
    tracing::subscriber::with_default(subscriber, || {
        let room = recorder.size().slots;
        let spans: Vec<Span> = (0..room + TOO_MANY).map(|n| debug_span!("full", n)).collect();
        let last = spans.last().unwrap();
        last.in_scope(|| {
            last.record("n", 5);
            let current = Span::current().id();
            let below = debug_span!(parent: last, "none");
            below.in_scope(|| drop((Span::current(), below.clone())));
            assert_eq!(Span::current().id(), current, "{whose}");
        });
        assert_eq!(lost(&mut reader), (room, lost_before + TOO_MANY as u64 + 1), "{whose}");
        drop(spans);
        assert_eq!(lost(&mut reader).0, 0, "{whose}");
    });
}

#[test]
fn spans_without_room_work_as_any_other_and_are_counted() {
    let registry = tracing_subscriber::registry;
    check("the subscriber's", hangdog_tracer::subscriber());
    check("the layer's", registry().with(hangdog_tracer::layer()));
    check("the tee's, dropped", hangdog_tracer::tee(registry().with(tracing::level_filters::LevelFilter::INFO)));
}
