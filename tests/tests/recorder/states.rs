//! A program that stands still, in every way there is, is read from outside; what it was in is what it is in.

use std::os::unix::process::ExitStatusExt as _;

use hangdog_flight::Recording;
use hangdog_tests::{Freezer, Group, until};
use nix::sys::signal::Signal;

use crate::traced::{Traced, phase, read, rounds};
use crate::work::{self, SLEEPLESS, make_rounds};

/// A program at work, seen to work.
#[track_caller]
fn at_work() -> Traced {
    let traced = Traced::start(&work::line());
    make_rounds(&mut traced.reader(), &SLEEPLESS, 10);
    traced
}

/// The first thread listens, and all others are in a round, or just between two.
#[track_caller]
fn check_is_at_work(recording: &Recording) {
    assert_eq!(phase(recording, "listen").hang.wait.as_deref(), Some("path:stdin"));
    // Each may have been stopped between two words of a slot.
    assert!(recording.torn as usize <= SLEEPLESS.len(), "{} are torn", recording.torn);
    let strange: Vec<_> =
        recording.open.iter().filter(|phase| !["listen", "round", "step"].contains(&phase.name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// It stands still: two looks see the same, and all threads in what they were in.
#[track_caller]
fn check_stands_still(traced: &Traced) {
    let mut reader = traced.reader();
    let (one, two) = (read(&mut reader), read(&mut reader));
    check_is_at_work(&one);
    assert_eq!(one.open, two.open);
    assert!(one.attached);
}

pub(crate) fn killed() {
    let mut traced = at_work();
    let before = rounds(&traced.recording());
    traced.signal(Signal::SIGKILL);
    assert_eq!(traced.ended().signal(), Some(9));
    let after = traced.recording();
    check_is_at_work(&after);
    assert!(!after.attached, "nobody writes any more");
    for (kind, n) in rounds(&after) {
        assert!(before.get(&kind).is_none_or(|before| n >= *before), "{kind} fell back to {n}");
    }
}

pub(crate) fn stopped() {
    let traced = at_work();
    traced.signal(Signal::SIGSTOP);
    until("all threads to stop", || {
        SLEEPLESS.iter().all(|kind| traced.state(traced.thread(kind)) == 'T').then_some(())
    });
    check_stands_still(&traced);
    traced.signal(Signal::SIGCONT);
    make_rounds(&mut traced.reader(), &SLEEPLESS, 10);
}

pub(crate) fn in_a_frozen_group(freezer: Freezer) {
    let traced = at_work();
    let group = Group::of(freezer, traced.pid());
    group.freeze();
    check_stands_still(&traced);
    group.thaw();
    make_rounds(&mut traced.reader(), &SLEEPLESS, 10);
}
