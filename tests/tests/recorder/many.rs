//! Very many phases and threads: all show, in the memory that they were said to take, and nothing of it grows.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;

use hangdog_flight::{Loss, OpenPhase, Recording};
use hangdog_tests::until;
use nix::sys::signal::Signal;

use crate::traced::{Traced, number, phase};

/// Bytes of an open phase.
const SLOT: u64 = 64;
const TASKS: u64 = 100_000;

/// Those of this name, in the order in which the recorder gives them.
fn named<'a>(recording: &'a Recording, name: &str) -> Vec<&'a OpenPhase> {
    recording.open.iter().filter(|phase| phase.name == name).collect()
}

/// Exactly these are open, the oldest first: where the clock can tell two apart, they are in the order in which
/// they were opened.
#[track_caller]
fn check_oldest_first(recording: &Recording, expected: impl Iterator<Item = u64>) {
    let waits = named(recording, "wait for a reply");
    let numbers = |phase: &&OpenPhase| number(phase, "n").expect("a number");
    let seen: BTreeSet<u64> = waits.iter().map(numbers).collect();
    assert_eq!(seen.len(), waits.len(), "each once");
    assert!(seen.iter().copied().eq(expected), "{} are open", seen.len());
    for pair in waits.windows(2) {
        let [one, next] = [pair[0], pair[1]].map(|phase| (phase.start_monotonic_ns, number(phase, "n")));
        assert!(one.0 == next.0 || (one.0 < next.0 && one.1 < next.1), "{one:?} stands before {next:?}");
    }
    assert_eq!((recording.torn, recording.dropped), (0, 0), "{:?}", recording.losses);
}

pub(crate) fn open_async_phases() {
    let mut traced = Traced::start(&["phases-crowd"]);
    let before = traced.recorder_bytes();
    assert_eq!(traced.ask(&format!("tasks {TASKS}")), format!("{TASKS} tasks"));
    let taken = traced.recorder_bytes() - before;
    // Slots are asked for many at once, and the last of these need not be full.
    assert!((TASKS * SLOT..TASKS * SLOT * 105 / 100).contains(&taken), "{taken} bytes for {TASKS} phases");
    let recording = traced.recording();
    check_oldest_first(&recording, 0..TASKS);
    for wait in named(&recording, "wait for a reply") {
        assert!(wait.task.is_some() && !wait.polled_now && wait.polls == 1, "{wait:?}");
    }
    let tasks: BTreeSet<_> = recording.open.iter().filter_map(|phase| phase.task).collect();
    assert_eq!(tasks.len() as u64, TASKS, "a task each");
    // Every second ends, and as many others begin, in the same memory.
    assert_eq!(traced.ask("end-every 2"), format!("{} tasks", TASKS / 2));
    check_oldest_first(&traced.recording(), (0..TASKS).filter(|n| n % 2 == 1));
    traced.ask(&format!("tasks {}", TASKS / 2));
    let now: Vec<u64> = (0..TASKS).filter(|n| n % 2 == 1).chain(TASKS..TASKS + TASKS / 2).collect();
    check_oldest_first(&traced.recording(), now.iter().copied());
    assert_eq!(traced.recorder_bytes() - before, taken);
    // And they show when nobody is left to ask.
    traced.signal(Signal::SIGKILL);
    assert_eq!(traced.ended().signal(), Some(9));
    check_oldest_first(&traced.recording(), now.iter().copied());
}

/// What a future takes more for its phase.
pub(crate) fn size_of_a_future() {
    let mut traced = Traced::start(&["phases-crowd"]);
    let more: usize = traced.ask("future-size").parse().expect("a number");
    assert!(more <= 24, "{more} bytes");
}

pub(crate) fn short_threads() {
    const AT_ONCE: u64 = 8;
    let mut traced = Traced::start(&["phases-churn", &AT_ONCE.to_string()]);
    // More at once than ever after, and those whose places are kept for their history: from now on there are enough.
    traced.ask(&format!("together {}", 5 * AT_ONCE));
    assert_eq!(traced.ask("churn 2000"), "2000 threads ended");
    let taken = |traced: &Traced| {
        // The kernel counts a thread a moment longer than it can be joined. The other one is the clock's.
        until("the threads that stay", || (traced.counted(None, "Threads") == 2).then_some(()));
        (traced.recorder_bytes(), traced.descriptors())
    };
    let (before, resident) = (taken(&traced), traced.counted(None, "VmRSS"));
    assert_eq!(traced.ask("churn 100000"), "100000 threads ended");
    assert_eq!(taken(&traced), before, "bytes of the recorder, descriptors");
    let grown = traced.counted(None, "VmRSS").saturating_sub(resident);
    assert!(grown < 1_000, "{grown} KiB more for 100,000 threads that are gone");
    let recording = traced.recording();
    assert_eq!(recording.losses, []);
    assert_eq!(recording.open.len(), 1, "{:?}", recording.open);
    phase(&recording, "listen");
}

/// More threads at once than a recorder has places for: what those that have none do is counted, phase by phase.
pub(crate) fn more_threads_than_places() {
    const THREADS: u64 = 1_100;
    let mut traced = Traced::start(&["phases-churn", "1"]);
    traced.ask(&format!("hold {THREADS}"));
    let recording = traced.recording();
    let lost =
        |which| recording.losses.iter().find_map(|(loss, count)| (*loss == which).then_some(*count)).unwrap_or(0);
    for name in ["held", "held too"] {
        let held = named(&recording, name);
        assert_eq!(held.len() as u64 + lost(Loss::Thread), THREADS, "{name}: {:?}", recording.losses);
        let seen: BTreeSet<_> = held.iter().filter_map(|phase| number(phase, "n")).collect();
        assert_eq!(seen.len(), held.len(), "{name}");
    }
    assert_eq!(lost(Loss::Slot), 2 * lost(Loss::Thread), "{:?}", recording.losses);
}

/// Children that are forked while all threads record: each has a recorder of its own, with its own phases alone, and
/// the parent's are the parent's.
pub(crate) fn forked_at_work() {
    const CHILDREN: usize = 50;
    let mut traced =
        Traced::start(&["phases-at-work", "nested", "crossed", "spans", "future", "handed-over", "short-threads"]);
    let children: BTreeSet<u32> =
        traced.ask(&format!("fork {CHILDREN}")).split(' ').map(|pid| pid.parse().expect("a number")).collect();
    assert_eq!(children.len(), CHILDREN);
    let recordings = traced.recordings();
    let (parents, others): (Vec<_>, Vec<_>) = recordings.iter().partition(|one| one.owner.pid == traced.pid());
    assert_eq!(others.iter().map(|one| one.owner.pid).collect::<BTreeSet<_>>(), children);
    let [parent] = &parents[..] else { panic!("{} recorders of the parent", parents.len()) };
    assert!(named(parent, "child").is_empty() && named(parent, "round").len() >= 3, "{:?}", parent.open);
    phase(parent, "listen");
    for one in &others {
        let [child] = &one.open[..] else { panic!("{:?}", one.open) };
        assert_eq!((child.name.as_str(), child.tid, child.parent), ("child", one.owner.pid, None));
        assert_eq!((one.dropped, one.torn), (0, 0), "{:?}", one.losses);
    }
    let numbers: BTreeSet<_> = others.iter().filter_map(|one| number(&one.open[0], "n")).collect();
    assert_eq!(numbers.len(), CHILDREN);
    assert_eq!(traced.ask("reap"), CHILDREN.to_string(), "all ended well");
    crate::work::check_works(&mut traced);
}

/// A program that becomes another one while all its threads record: what the old one was in stays to be read, and is
/// nobody's any more; the new one has a recorder of its own.
pub(crate) fn became_another_program() {
    let mut traced = Traced::start(&["phases-at-work", "nested", "crossed"]);
    let old = traced.file();
    traced.tell("exec");
    traced.status = traced.heard();
    let files = traced.files();
    let [new] = &files.iter().filter(|file| **file != old).collect::<Vec<_>>()[..] else { panic!("{files:?}") };
    let look = |file| crate::traced::read(&mut hangdog_flight::Reader::open(file).expect("a recorder"));
    let (before, after) = until("both at work", || {
        let (before, after) = (look(&old), look(new));
        (!named(&after, "round").is_empty()).then_some((before, after))
    });
    assert!(!before.attached && after.attached);
    assert_eq!(before.owner, after.owner, "an exec leaves pid and start time as they were");
    assert_eq!(look(&old).open, before.open);
    phase(&before, "listen");
    phase(&after, "listen");
    crate::work::check_works(&mut traced);
}
