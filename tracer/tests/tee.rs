//! The tee in front of a log: what the log drops is recorded, and what it takes.

mod log;
mod look;

use hangdog_flight::Outcome;
use log::{Log, to};
use look::{find, is_open, outcome_of, started};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, Subscriber, debug, debug_span, info, info_span};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

fn info_log(log: &Log) -> impl Subscriber + Send + Sync + use<> {
    tracing_subscriber::registry().with(to(log)).with(LevelFilter::INFO)
}

#[test]
fn spans_that_the_log_drops_are_phases_between_those_that_it_takes() {
    started();
    let log = Log::default();
    tracing::subscriber::with_default(hangdog_tracer::tee(info_log(&log)), || {
        let taken = info_span!("tee taken", n = 1).entered();
        let dropped = debug_span!("tee dropped", hang.wait = "lock:x", late = tracing::field::Empty).entered();
        dropped.record("late", "y");
        let below = info_span!("tee below").entered();
        let (seen, middle) = (find("tee taken"), find("tee dropped"));
        assert_eq!((middle.parent, middle.hang.wait.as_deref()), (Some(seen.id), Some("lock:x")));
        assert_eq!(middle.fields, [("late".to_owned(), "y".to_owned())]);
        assert_eq!(find("tee below").parent, Some(middle.id));
        assert!(seen.polled_now && middle.polled_now);
        // For the log the one around is the one that it knows.
        assert_eq!(Span::current(), *below);
        let below = below.exit();
        assert_eq!(Span::current(), *taken);
        let of_dropped = info_span!(parent: &*dropped, "tee of dropped");
        assert_eq!(find("tee of dropped").parent, Some(middle.id));
        of_dropped.in_scope(|| info!("said"));
        let dropped_again = debug_span!(parent: &below, "tee dropped again");
        assert_eq!(find("tee dropped again").parent, Some(find("tee below").id));
        drop((of_dropped, dropped_again, below, dropped));
        assert!(!is_open("tee dropped") && is_open("tee taken"));
        drop(taken);
    });
    assert!(log.text().contains("tee taken{n=1}:tee of dropped: tee: said"), "{}", log.text());
    assert!(!is_open("tee taken"));
}

#[test]
fn a_dropped_span_as_a_parent_elsewhere_is_none_for_the_log() {
    started();
    let log = Log::default();
    let dispatch = tracing::Dispatch::new(hangdog_tracer::tee(info_log(&log)));
    let middle = tracing::dispatcher::with_default(&dispatch, || {
        info_span!("tee far").in_scope(|| debug_span!("tee middle far"))
    });
    // What was around it is closed.
    assert!(!is_open("tee far"));
    tracing::dispatcher::with_default(&dispatch, || {
        info_span!(parent: &middle, "tee later").in_scope(|| info!("said"));
    });
    assert!(log.text().contains("INFO tee later: tee: said"), "{}", log.text());
}

#[test]
fn a_filter_that_is_reloaded_counts_from_then_on() {
    started();
    let log = Log::default();
    let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
    let inner = tracing_subscriber::registry().with(to(&log)).with(filter);
    tracing::subscriber::with_default(hangdog_tracer::tee(inner), || {
        let span = |n: u64| debug_span!("tee reloaded", n).in_scope(|| debug!("said {n}"));
        span(1);
        handle.reload(LevelFilter::DEBUG).unwrap();
        span(2);
        handle.reload(LevelFilter::OFF).unwrap();
        span(3);
        assert!(!is_open("tee reloaded"));
    });
    assert!(!log.text().contains("n=1") && !log.text().contains("n=3"), "{}", log.text());
    assert!(log.text().contains("tee reloaded{n=2}: tee: said 2"), "{}", log.text());
}

#[test]
fn what_is_inside_is_found_through_it() {
    started();
    let log = Log::default();
    let dispatch = tracing::Dispatch::new(hangdog_tracer::tee(info_log(&log)));
    assert!(dispatch.downcast_ref::<Registry>().is_some());
    assert!(dispatch.downcast_ref::<LevelFilter>().is_some());
    assert!(dispatch.downcast_ref::<String>().is_none());
}

#[test]
fn a_panic_is_the_outcome_of_taken_and_of_dropped_spans() {
    started();
    let log = Log::default();
    tracing::subscriber::with_default(hangdog_tracer::tee(info_log(&log)), || {
        let quiet = std::panic::catch_unwind(|| {
            let _taken = info_span!("tee panics taken").entered();
            let _dropped = debug_span!("tee panics dropped").entered();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(quiet.is_err());
    });
    assert_eq!(outcome_of("tee panics taken"), Some(Outcome::Panicked));
    assert_eq!(outcome_of("tee panics dropped"), Some(Outcome::Panicked));
}

#[test]
fn spans_beyond_its_own_level_are_the_logs_alone() {
    started();
    let log = Log::default();
    let inner = tracing_subscriber::registry().with(to(&log)).with(LevelFilter::DEBUG);
    let tee = hangdog_tracer::tee(inner).with_max_level(Level::INFO);
    tracing::subscriber::with_default(tee, || {
        let top = info_span!("tee level").entered();
        let below = debug_span!("tee deep").entered();
        let leaf = info_span!(parent: &below, "tee level leaf");
        assert!(!is_open("tee deep"));
        assert_eq!(find("tee level leaf").parent, Some(find("tee level").id));
        info!("said");
        drop((leaf, below, top));
    });
    assert!(log.text().contains("tee level:tee deep: tee: said"), "{}", log.text());
}

#[test]
fn ids_of_any_subscriber_may_be_behind_it() {
    /// Its ids look like the tee's own.
    struct Strange(std::sync::atomic::AtomicU64);
    impl Subscriber for Strange {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= Level::INFO
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tracing::span::Id::from_u64(0x1fff << 38 | count)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
        fn try_close(&self, _: tracing::span::Id) -> bool {
            true
        }
        fn current_span(&self) -> tracing_core::span::Current {
            tracing_core::span::Current::none()
        }
    }
    started();
    tracing::subscriber::with_default(hangdog_tracer::tee(Strange(1.into())), || {
        let strange = info_span!("tee strange").entered();
        let own = debug_span!("tee own").entered();
        assert_eq!(find("tee own").parent, Some(find("tee strange").id));
        assert!(find("tee strange").polled_now && find("tee own").polled_now);
        drop((own, strange));
        assert!(!is_open("tee strange") && !is_open("tee own"));
    });
}
