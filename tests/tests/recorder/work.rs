//! How threads at work are judged from outside: by the rounds that they make, and by whether they ever sleep.

use std::collections::BTreeMap;

use hangdog_flight::Reader;
use hangdog_tests::until;

use crate::traced::{Traced, read, rounds};

/// Kinds of threads that never sleep by themselves.
pub(crate) const SLEEPLESS: [&str; 4] = ["nested", "crossed", "spans", "future"];

/// Rounds after which a thread has touched all that it is going to touch.
const WARM: u64 = 200;
/// Rounds that are looked at, of a hundred phases each.
const MANY: u64 = 1_000;

/// A program with a thread of each sleepless kind.
pub(crate) fn line() -> Vec<&'static str> {
    std::iter::once("phases-at-work").chain(SLEEPLESS).collect()
}

/// Waits until each of these threads has made `count` rounds from now, seen through the recorder.
#[track_caller]
pub(crate) fn make_rounds(reader: &mut Reader, kinds: &[&str], count: u64) {
    let mut first: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = BTreeMap::new();
    until("progress of all threads", || {
        for (kind, n) in rounds(&read(reader)) {
            first.entry(kind.clone()).or_insert(n);
            last.insert(kind, n);
        }
        let made = |kind: &&str| Some(last.get(*kind)? - first.get(*kind)?);
        kinds.iter().all(|kind| made(kind).is_some_and(|made| made >= count)).then_some(())
    });
}

/// Each of these sleepless threads makes a hundred thousand phases, and none gives up its processor by itself meanwhile:
/// it was not held up, neither by the recorder nor by anything else.
#[track_caller]
pub(crate) fn check_never_held_up(traced: &Traced, reader: &mut Reader, kinds: &[&str]) {
    make_rounds(reader, kinds, WARM);
    let threads: Vec<_> = kinds.iter().map(|kind| (kind, traced.thread(kind))).collect();
    let slept = |(kind, thread): &(_, u32)| (*kind, traced.counted(Some(*thread), "voluntary_ctxt_switches"));
    let before: Vec<_> = threads.iter().map(slept).collect();
    make_rounds(reader, kinds, MANY);
    let after: Vec<_> = threads.iter().map(slept).collect();
    assert_eq!(after, before, "how often each gave up its processor");
}

/// All its threads make progress, by what it says itself.
#[track_caller]
pub(crate) fn check_works(traced: &mut Traced) {
    let mut worked = || -> Vec<u64> {
        let said = traced.ask("worked");
        said.split(' ').map(|kind| kind.split('=').nth(1).and_then(|n| n.parse().ok()).expect("a number")).collect()
    };
    let before = worked();
    until("progress of all threads", || worked().iter().zip(&before).all(|(now, then)| now > then).then_some(()));
}
