//! Deadlocks made of traced locks, channels and pools are told as waits between named phases.

use hangdog_schemas::Edge;
use hangdog_tests::{Bench, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};

/// Scenario, kind, and each wait of a named phase: `phase: resource, phase that could end it`.
pub(crate) const HANGS: &[(&str, &str, &[&str])] = &[
    ("traced-abba-std", "deadlock-cycle", ABBA),
    ("traced-abba-parking-lot", "deadlock-cycle", ABBA),
    ("traced-abba-tokio", "deadlock-cycle", ABBA),
    ("traced-reentrant", "self-deadlock", &["refresh > lock: lock:cache, refresh > lock"]),
    ("traced-read-then-write", "self-deadlock", &["reload > write: lock:settings, reload > write"]),
    ("traced-channel-ring-std", "deadlock-cycle", RING),
    ("traced-channel-ring-tokio", "deadlock-cycle", RING),
    (
        "traced-pool",
        "pool-exhausted",
        &["import > get: pool:db, export > get", "import > get: pool:db, import > get"],
    ),
    ("traced-select-holds", "self-deadlock", &["handler > lock: lock:cache, handler > lock"]),
    ("traced-select-granted", "self-deadlock", &["handler > lock: lock:cache, handler > lock"]),
    ("traced-notify-before-wait", "lost-wakeup", &["start up > wait: a notification at cond:ready, nobody"]),
    ("traced-notify-before-wait-tokio", "lost-wakeup", &["handler > wait: a notification at cond:ready, nobody"]),
    ("traced-permit-forgotten", "orphan-wait", &["handler > acquire: pool:uploads, nobody"]),
];

const ABBA: &[&str] = &["export > lock: lock:orders, import > lock", "import > lock: lock:stock, export > lock"];

const RING: &[&str] =
    &["export > send: room in chan:replies, import > send", "import > send: room in chan:requests, export > send"];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = HANGS
        .iter()
        .map(|(name, kind, waits)| trial(*name, Needs::Nothing, move || check(programs!(), name, kind, waits)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn check(programs: Programs, name: &str, kind: &str, expected: &[&str]) {
    let bench = Bench::new(programs);
    let line = bench.scenario(name, &[]);
    let ended = bench.end_of(&mut bench.watched(&[], line));
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(124), "{told}");
    let report = bench.report().expect("a report");
    let verdict = report.verdict.as_ref().expect("a verdict");
    assert_eq!(verdict.kind.name(), kind, "{told}");
    let mut waits: Vec<String> = verdict.edges.iter().filter_map(wait).collect();
    waits.sort();
    waits.dedup();
    assert_eq!(waits, expected, "{told}");
    assert_eq!(bench.alive(), Vec::<String>::new(), "left behind: {told}");
}

/// A wait of a named phase, on a line.
fn wait(edge: &Edge) -> Option<String> {
    let waiter = edge.waiter.phase.as_ref()?;
    let resolver = edge.resolver.as_ref().map_or("nobody", |actor| actor.phase.as_deref().unwrap_or("no phase"));
    Some(format!("{waiter}: {}, {resolver}", edge.resource.name))
}
