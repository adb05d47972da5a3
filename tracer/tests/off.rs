//! A program that can have no recorder works as before, and can say why.

use hangdog_tracer::{InPhaseExt, Outcome, Status, numbered, open_phase, phase, status};
use tracing_subscriber::prelude::*;

#[test]
fn without_any_place_everything_is_a_no_op_that_says_so() {
    // Not a single new descriptor, so no directory, no file and no memfd.
    let limit = rustix::process::Rlimit {
        current: Some(0),
        maximum: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    assert_eq!(status(), Status::NotStarted);
    let registry = || tracing_subscriber::registry().with(hangdog_tracer::layer());
    tracing::subscriber::with_default(registry(), everything);
    tracing::subscriber::with_default(hangdog_tracer::subscriber(), everything);
    tracing::subscriber::with_default(hangdog_tracer::tee(registry()), everything);
    let filtered = registry().with(tracing::level_filters::LevelFilter::WARN);
    tracing::subscriber::with_default(hangdog_tracer::tee(filtered), everything);
    let Status::Off { refusals } = status() else { panic!("{:?}", status()) };
    assert!(!refusals.is_empty() && status().to_string().starts_with("hangdog does not record: "), "{}", status());
}

fn everything() {
    let span = tracing::info_span!("request", hang.link = tracing::field::Empty).entered();
    span.record("hang.link", "a>b");
    tracing::info_span!("child").in_scope(|| drop((tracing::Span::current(), span.clone())));
    let phase = phase!("walk", depth = 1);
    phase.record("hang.hold", "lock:x");
    phase.outcome(Outcome::Ok);
    let mut future = std::pin::pin!(std::future::ready(7).in_phase(open_phase!("ready")));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(future.as_mut().poll(&mut context), std::task::Poll::Ready(7));
    let number = numbered::begin("by number");
    numbered::field(number, "n", 1);
    numbered::enter(number);
    numbered::exit(number);
    numbered::end(number, Some(Outcome::Failed));
    assert_eq!(number, 0);
}
