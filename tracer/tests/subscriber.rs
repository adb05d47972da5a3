//! Spans of the stand-alone subscriber, read back.

mod look;

use hangdog_flight::Outcome;
use look::{find, is_open, outcome_of, started};
use tracing::field::Empty;
use tracing::{Span, info_span};

fn with_subscriber(test: impl FnOnce()) {
    started();
    tracing::subscriber::with_default(hangdog_tracer::subscriber(), test);
}

fn name_of(span: &Span) -> Option<&'static str> {
    span.metadata().map(tracing::Metadata::name)
}

#[test]
fn a_span_is_a_phase_with_its_fields_and_its_parent() {
    with_subscriber(|| {
        let request =
            info_span!("sub request", route = "/new", hang.serve = "http:h:1", hang.link = Empty, n = Empty);
        let inside = request.enter();
        request.record("hang.link", "a>b");
        request.record("n", 7);
        let ask = info_span!("sub ask", hang.wait = "http:h:2");
        let seen = find("sub request");
        assert_eq!((seen.parent, seen.polls, seen.polled_now), (None, 1, true));
        assert_eq!(seen.fields, [("route".to_owned(), "/new".to_owned()), ("n".to_owned(), "7".to_owned())]);
        assert_eq!((seen.hang.serve.as_deref(), seen.hang.link.as_deref()), (Some("http:h:1"), Some("a>b")));
        assert_eq!((find("sub ask").parent, find("sub ask").polled_now), (Some(seen.id), false));
        drop(inside);
        assert!(!find("sub request").polled_now);
        drop((request, ask));
        assert!(!is_open("sub request") && !is_open("sub ask"));
    });
}

#[test]
fn parents_are_the_phase_around_another_span_or_none() {
    with_subscriber(|| {
        let top = info_span!("sub top");
        let phase = hangdog_tracer::phase!("sub phase");
        let within = info_span!("sub within");
        let below = info_span!(parent: &top, "sub below");
        let root = info_span!(parent: None, "sub root");
        assert_eq!(find("sub within").parent, Some(phase.id().unwrap().word()));
        assert_eq!(find("sub below").parent, Some(find("sub top").id));
        assert_eq!(find("sub root").parent, None);
        drop((top, phase, within, below, root));
    });
}

#[test]
fn the_current_span_is_the_innermost_that_was_entered() {
    with_subscriber(|| {
        assert!(Span::current().is_none());
        let (outer, inner) = (info_span!("sub outer"), info_span!("sub inner"));
        let in_outer = outer.enter();
        let _phase = hangdog_tracer::phase!("no span");
        assert_eq!(name_of(&Span::current()), Some("sub outer"));
        let in_inner = inner.enter();
        assert_eq!(Span::current(), inner);
        // Not in the order in which they were entered.
        drop(in_outer);
        assert_eq!(Span::current(), inner);
        drop(in_inner);
        assert!(Span::current().is_none());
    });
}

#[test]
fn a_span_is_open_until_its_last_handle_is_dropped() {
    with_subscriber(|| {
        let span = info_span!("sub cloned");
        let clones: Vec<Span> = (0..5).map(|_| span.clone()).collect();
        let current = span.in_scope(Span::current);
        drop(span);
        std::thread::scope(|scope| {
            for clone in clones {
                assert!(is_open("sub cloned"));
                scope.spawn(|| drop(clone)).join().unwrap();
            }
        });
        assert!(is_open("sub cloned"));
        std::thread::spawn(move || drop(current)).join().unwrap();
        assert!(!is_open("sub cloned"));
    });
}

#[test]
fn many_threads_drop_the_handles_of_one_span() {
    with_subscriber(|| {
        for _ in 0..200 {
            let span = info_span!("sub shared");
            std::thread::scope(|scope| {
                for clone in [span.clone(), span.clone(), span.clone()] {
                    scope.spawn(move || drop((clone.clone(), clone)));
                }
                drop(span);
            });
        }
        assert!(!is_open("sub shared"));
    });
}

#[test]
fn spans_beyond_the_level_and_events_go_nowhere() {
    started();
    let subscriber = hangdog_tracer::subscriber().with_max_level(tracing::Level::INFO);
    tracing::subscriber::with_default(subscriber, || {
        let top = info_span!("sub level").entered();
        let below = tracing::debug_span!("sub too deep").entered();
        tracing::info!("to nobody");
        assert!(below.is_disabled() && !tracing::enabled!(tracing::Level::INFO));
        assert_eq!(name_of(&Span::current()), Some("sub level"));
        assert!(!is_open("sub too deep"));
        drop((below, top));
    });
}

#[test]
fn a_panic_that_goes_through_a_span_is_its_outcome() {
    with_subscriber(|| {
        let quiet = std::panic::catch_unwind(|| {
            let _span = info_span!("sub panics").entered();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(quiet.is_err());
        assert_eq!(outcome_of("sub panics"), Some(Outcome::Panicked));
    });
}
