//! A tokio program read back while it runs: spans across awaits, blocking threads, panics, two layers together.
//!
//! All tests share the recorder of this process, so each looks only at phases of names of its own.

use hangdog_flight::{EventKind, OpenPhase, Outcome, Reader, Recording};
use hangdog_tracer::{InPhaseExt, open_phase, phase};
use tokio::sync::oneshot;
use tracing::Instrument;
use tracing_subscriber::prelude::*;

/// The recorder is made before any test records: while one thread makes it, others have none.
fn started() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| assert!(hangdog_flight::current().is_some(), "{}", hangdog_tracer::status()));
}

fn recording() -> Recording {
    let recorder = hangdog_flight::current().expect("a recorder");
    Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap()
}

#[track_caller]
fn find(recording: &Recording, name: &str) -> OpenPhase {
    let mut named = recording.open.iter().filter(|phase| phase.name == name);
    let phase = named.next().unwrap_or_else(|| panic!("{name} is not open"));
    assert!(named.next().is_none(), "{name} is open twice");
    phase.clone()
}

fn is_open(name: &str) -> bool {
    recording().open.iter().any(|phase| phase.name == name)
}

fn outcome_of(name: &str) -> Option<Outcome> {
    recording()
        .events
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Close { name: closed, outcome, .. } if closed == name => Some(*outcome),
            _ => None,
        })
        .unwrap_or_else(|| panic!("{name} was not closed"))
}

/// Runs a test with the layer beside fmt, before and behind it, and alone.
fn with_layers(test: impl Fn(&'static str)) {
    macro_rules! fmt {
        () => {
            tracing_subscriber::fmt::layer().with_writer(std::io::sink)
        };
    }
    let registry = tracing_subscriber::registry;
    tracing::subscriber::with_default(registry().with(hangdog_tracer::layer()), || test("alone"));
    tracing::subscriber::with_default(registry().with(fmt!()).with(hangdog_tracer::layer()), || test("behind"));
    tracing::subscriber::with_default(registry().with(hangdog_tracer::layer()).with(fmt!()), || test("before"));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

#[test]
fn spans_across_awaits_are_open_and_not_polled() {
    started();
    with_layers(|_| {
        runtime().block_on(async {
            let (answer, asked) = oneshot::channel::<()>();
            let (looking, look) = oneshot::channel::<()>();
            let span = tracing::info_span!(
                "request",
                route = "/new",
                hang.serve = "http:h:1",
                hang.link = tracing::field::Empty
            );
            let request = async move {
                tracing::Span::current().record("hang.link", "a>b");
                let ask = asked.in_phase(open_phase!("ask the backend", hang.wait = "http:h:2"));
                looking.send(()).unwrap();
                ask.await.unwrap();
            };
            let task = tokio::spawn(request.instrument(span));
            let id: u64 = task.id().to_string().parse().unwrap();
            look.await.unwrap();
            let recording = recording();
            let request = find(&recording, "request");
            assert_eq!((request.parent, request.task, request.polled_now), (None, Some(id), false));
            assert_eq!(request.fields, [("route".to_owned(), "/new".to_owned())]);
            assert_eq!(
                (request.hang.serve.as_deref(), request.hang.link.as_deref()),
                (Some("http:h:1"), Some("a>b"))
            );
            let ask = find(&recording, "ask the backend");
            assert_eq!((ask.parent, ask.task, ask.polled_now), (Some(request.id), Some(id), false));
            assert_eq!(ask.hang.wait.as_deref(), Some("http:h:2"));
            answer.send(()).unwrap();
            task.await.unwrap();
        });
        assert!(!is_open("request") && !is_open("ask the backend"));
    });
}

#[test]
fn a_blocking_thread_is_shown_inside_its_span_while_the_handler_waits() {
    started();
    with_layers(|_| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let handler = async {
            let span = tracing::info_span!("walk", hang.wait = "path:/tmp");
            tokio::task::spawn_blocking(move || {
                // The dispatcher of this test; a program has one for all threads.
                let _default = tracing::dispatcher::set_default(&dispatch);
                // Dropped before it: closing a span closes its parent through the thread's dispatcher.
                let span = span;
                span.in_scope(recording)
            })
            .await
            .unwrap()
        };
        let recording = runtime().block_on(handler.instrument(tracing::info_span!("handler")));
        let (handler, walk) = (find(&recording, "handler"), find(&recording, "walk"));
        assert_eq!((walk.parent, walk.polled_now), (Some(handler.id), true));
        assert_eq!(walk.hang.wait.as_deref(), Some("path:/tmp"));
        assert_ne!(walk.tid, handler.tid);
        let thread = recording.threads.iter().find(|thread| thread.tid == walk.tid).unwrap();
        assert_eq!(thread.current, Some(walk.id));
        assert!(!is_open("handler") && !is_open("walk"));
    });
}

#[test]
fn panics_and_dropped_futures_mark_their_phases() {
    started();
    let quiet = std::panic::catch_unwind(|| {
        let _phase = phase!("panics");
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(quiet.is_err());
    assert_eq!(outcome_of("panics"), Some(Outcome::Panicked));
    with_layers(|how| {
        let (span, name) = match how {
            "alone" => (tracing::info_span!("panics alone"), "panics alone"),
            "behind" => (tracing::info_span!("panics behind"), "panics behind"),
            _ => (tracing::info_span!("panics before"), "panics before"),
        };
        runtime().block_on(async {
            let task = tokio::spawn(async { std::panic::resume_unwind(Box::new("on purpose")) }.instrument(span));
            assert!(task.await.is_err_and(|error: tokio::task::JoinError| error.is_panic()));
        });
        assert_eq!(outcome_of(name), Some(Outcome::Panicked));
    });
    drop(std::future::pending::<()>().in_phase(open_phase!("dropped")));
    assert_eq!(outcome_of("dropped"), Some(Outcome::Cancelled));
    runtime().block_on(async {}.in_phase(open_phase!("done", hang.op = "done")));
    assert_eq!(outcome_of("done"), None);
    phase!("said").outcome(Outcome::Failed);
    assert_eq!(outcome_of("said"), Some(Outcome::Failed));
}

#[test]
fn a_destructor_that_works_during_a_panic_is_no_panic() {
    struct CleansUp;
    impl Drop for CleansUp {
        fn drop(&mut self) {
            let _phase = phase!("clean up", hang.op = "clean up");
        }
    }
    started();
    let _caught = std::panic::catch_unwind(|| {
        let _cleans_up = CleansUp;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert_eq!(outcome_of("clean up"), None);
}

#[test]
fn every_way_to_write_a_field() {
    #[derive(Debug)]
    struct Path;
    started();
    let (count, path) = (3_usize, "/x".to_owned());
    let _phase =
        phase!("fields", count, path, list = ?[1, 2], %path, a.b.c = -1, debug = ?Path, ratio = 0.5, yes = true,);
    let fields = find(&recording(), "fields").fields;
    let expected = [
        ("count", "3"),
        ("path", "/x"),
        ("list", "[1, 2]"),
        ("a.b.c", "-1"),
        ("debug", "Path"),
        ("ratio", "0.5"),
        ("yes", "true"),
    ];
    let mut seen: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut expected = expected.to_vec();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn a_phase_may_go_to_another_thread_and_end_there() {
    started();
    let phase = open_phase!("moved", hang.op = "register ws-1");
    let before = find(&recording(), "moved");
    assert!(!before.polled_now);
    std::thread::spawn(move || {
        let _entered = phase.entered();
        let now = find(&recording(), "moved");
        assert!(now.polled_now && now.tid != before.tid);
    })
    .join()
    .unwrap();
    assert!(!is_open("moved"));
}

#[test]
fn parents_are_followed_past_spans_below_the_level() {
    started();
    let layer = hangdog_tracer::layer().with_max_level(tracing::Level::INFO);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let top = tracing::info_span!("top");
        let below = tracing::debug_span!(parent: &top, "below");
        let leaf = tracing::info_span!(parent: &below, "leaf");
        let root = tracing::info_span!(parent: None, "root");
        let recording = recording();
        assert!(!recording.open.iter().any(|phase| phase.name == "below"));
        assert_eq!(find(&recording, "leaf").parent, Some(find(&recording, "top").id));
        assert_eq!(find(&recording, "root").parent, None);
        drop((top, below, leaf, root));
    });
    assert!(!is_open("top"));
}

#[test]
fn ten_thousand_spans_leave_nothing_behind() {
    started();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(hangdog_tracer::layer()), || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let dispatch = tracing::dispatcher::get_default(Clone::clone);
                scope.spawn(move || {
                    let _default = tracing::dispatcher::set_default(&dispatch);
                    for n in 0..2500 {
                        let outer = tracing::info_span!("many", n).entered();
                        tracing::info_span!("many", hang.op = "x").in_scope(|| ());
                        // Closed on another thread now and then.
                        if n % 500 == 0 {
                            let span = outer.exit();
                            std::thread::spawn(move || drop(span)).join().unwrap();
                        }
                    }
                });
            }
        });
    });
    let recording = recording();
    assert!(!recording.open.iter().any(|phase| phase.name == "many"));
    assert_eq!((recording.dropped, recording.torn), (0, 0), "{:?}", recording.losses);
}
