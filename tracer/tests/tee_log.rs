//! A log says with the tee in front of it what it says without it.
//!
//! In a process of its own: other subscribers at the same time would change when `tracing` asks the filters.

mod log;

use hangdog_flight::Reader;
use log::{Log, to};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, Subscriber, debug, debug_span, info, info_span};
use tracing_subscriber::filter::{FilterExt, Targets, dynamic_filter_fn, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// A program with spans and events of all sorts.
fn program() {
    let outer = info_span!("program outer", n = 1);
    let in_outer = outer.enter();
    info!("in outer");
    let middle = debug_span!("program middle", path = "/x", late = tracing::field::Empty);
    middle.in_scope(|| {
        info!("in middle");
        debug!("too verbose");
        let leaf = info_span!("program leaf").entered();
        info!("in leaf: {:?}", Span::current().metadata().map(tracing::Metadata::name));
        info!(parent: &outer, "of outer");
        drop(leaf);
        Span::current().record("n", 2);
    });
    middle.record("late", 3);
    let clone = middle.clone();
    drop(middle);
    clone.follows_from(&outer);
    drop(in_outer);
    std::thread::scope(|scope| {
        let (clone, outer) = (clone.clone(), outer.clone());
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        scope.spawn(move || {
            let _default = tracing::dispatcher::set_default(&dispatch);
            clone.in_scope(|| info!("alone in middle"));
            let in_outer = outer.enter();
            clone.in_scope(|| info!("in middle, in outer"));
            drop(in_outer);
            drop((clone, outer));
        });
    });
    let root = info_span!(parent: None, "program root").entered();
    drop((root, clone, outer));
    info!(enabled = tracing::enabled!(Level::DEBUG), span = tracing::span_enabled!(Level::INFO), "done");
}

/// Runs the program with the log alone and with the tee in front of it: the log must say the same.
#[track_caller]
fn check<S: Subscriber + Send + Sync>(log_to: impl Fn(&Log) -> S) {
    let recorder = hangdog_flight::current().expect("a recorder");
    let (without, with) = (Log::default(), Log::default());
    tracing::subscriber::with_default(log_to(&without), program);
    tracing::subscriber::with_default(hangdog_tracer::tee(log_to(&with)), program);
    assert_eq!(with.text(), without.text());
    assert!(without.text().contains("alone in middle"), "{}", without.text());
    let recording = Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap();
    assert!(!recording.open.iter().any(|phase| phase.name.starts_with("program ")));
}

#[test]
fn the_log_says_what_it_says_without_it() {
    let registry = tracing_subscriber::registry;
    check(|log| registry().with(to(log)));
    check(|log| registry().with(to(log)).with(LevelFilter::INFO));
    check(|log| registry().with(to(log).with_filter(LevelFilter::INFO)));
    check(|log| registry().with(to(log)).with(Targets::new().with_target("tee_log", Level::INFO)));
    check(|log| registry().with(to(log).with_filter(Targets::new().with_default(Level::INFO))));
    // Filters that must be asked each time, of all and of one layer.
    macro_rules! dynamic {
        () => {
            dynamic_filter_fn(|metadata, _| *metadata.level() <= Level::INFO)
                .with_callsite_filter(|_| tracing::subscriber::Interest::sometimes())
        };
    }
    let other = || filter_fn(|metadata| metadata.name() != "program leaf");
    check(|log| registry().with(to(log)).with(dynamic!()));
    check(|log| registry().with(to(log).with_filter(dynamic!())));
    check(|log| registry().with(to(log).with_filter(dynamic!().and(other()))).with(to(log).with_filter(other())));
    // A subscriber of its own kind, with a hint and nothing else.
    check(|log| fmt().with_writer(log.clone()).without_time().with_max_level(Level::INFO).finish());
}
