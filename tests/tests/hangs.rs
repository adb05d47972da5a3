//! Real hangs are named and ended: kind, who is to blame, each wait; exit code 124, and nobody is left.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;

use hangdog_tests::{Bench, Expected, Needs, Programs, Wait, no_ipc_namespace, programs, trial};
use libtest_mimic::{Arguments, Trial};

pub(crate) const HANGS: &[(&str, Expected)] = &[
    (
        "pipe-full-cycle",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["filler", "copier"],
            waits: &[
                Wait { waiter: "filler", over: &["pipe"], resolver: Some("copier") },
                Wait { waiter: "copier", over: &["pipe"], resolver: Some("filler") },
            ],
        },
    ),
    (
        "pipe-splice-cycle",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["filler", "copier"],
            waits: &[
                Wait { waiter: "filler", over: &["pipe"], resolver: Some("copier") },
                Wait { waiter: "copier", over: &["pipe"], resolver: Some("filler") },
            ],
        },
    ),
    (
        "pipe-own-writer",
        Expected {
            kinds: &["self-deadlock"],
            blamed: &["collector"],
            waits: &[Wait { waiter: "collector", over: &["pipe"], resolver: Some("collector") }],
        },
    ),
    (
        "pipe-eof-daemon",
        Expected {
            kinds: &["idle-holder"],
            blamed: &["daemon"],
            waits: &[Wait { waiter: "reader", over: &["pipe"], resolver: Some("daemon") }],
        },
    ),
    (
        "fifo-no-writer",
        Expected {
            kinds: &["orphan-wait"],
            blamed: &[],
            waits: &[Wait { waiter: "opener", over: &["fifo", "pipe"], resolver: None }],
        },
    ),
    (
        "flock-inherited",
        Expected {
            kinds: &["idle-holder"],
            blamed: &["daemon"],
            waits: &[Wait { waiter: "asker", over: &["lock"], resolver: Some("daemon") }],
        },
    ),
    (
        "flock-abba",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["taker-a", "taker-b"],
            waits: &[
                Wait { waiter: "taker-a", over: &["lock"], resolver: Some("taker-b") },
                Wait { waiter: "taker-b", over: &["lock"], resolver: Some("taker-a") },
            ],
        },
    ),
    (
        "semaphores-abba",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["taker-a", "taker-b"],
            waits: &[
                Wait { waiter: "taker-a", over: &["semaphore"], resolver: Some("taker-b") },
                Wait { waiter: "taker-b", over: &["semaphore"], resolver: Some("taker-a") },
            ],
        },
    ),
    (
        "semaphore-of-the-dead",
        Expected {
            kinds: &["orphan-wait"],
            blamed: &[],
            waits: &[Wait { waiter: "waiter", over: &["semaphore"], resolver: None }],
        },
    ),
    (
        "shared-mutex-of-the-dead",
        Expected {
            kinds: &["orphan-wait"],
            blamed: &[],
            waits: &[Wait { waiter: "waiter", over: &["mutex"], resolver: None }],
        },
    ),
    (
        "mutexes-abba-joined",
        Expected {
            kinds: &["orphan-wait"],
            blamed: &[],
            waits: &[Wait { waiter: "joiner", over: &["event"], resolver: Some("joiner") }],
        },
    ),
    (
        "tcp-unaccepted",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["asker", "answerer"],
            waits: &[
                Wait { waiter: "asker", over: &["tcp"], resolver: Some("answerer") },
                Wait { waiter: "answerer", over: &["tcp"], resolver: Some("asker") },
            ],
        },
    ),
    (
        "unix-cycle",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["one", "other"],
            waits: &[
                Wait { waiter: "one", over: &["unix", "socket"], resolver: Some("other") },
                Wait { waiter: "other", over: &["unix", "socket"], resolver: Some("one") },
            ],
        },
    ),
    (
        "stopped-child",
        Expected {
            kinds: &["stopped-holder"],
            blamed: &["stopper"],
            waits: &[Wait { waiter: "waiter", over: &["child", "exit"], resolver: Some("stopper") }],
        },
    ),
    (
        "tty-prompt",
        Expected {
            kinds: &["terminal-prompt"],
            blamed: &["prompter", "runner"],
            waits: &[Wait { waiter: "prompter", over: &["terminal", "tty"], resolver: None }],
        },
    ),
    (
        "traced-mutexes",
        Expected {
            kinds: &["deadlock-cycle"],
            blamed: &["booker"],
            waits: &[Wait { waiter: "booker", over: &["named-resource"], resolver: Some("booker") }],
        },
    ),
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = HANGS
        .iter()
        .map(|(name, expected)| {
            // Semaphores of System V outlive everybody: theirs go with a namespace.
            let needs = if name.starts_with("semaphore") { Needs::That(no_ipc_namespace) } else { Needs::Nothing };
            trial(*name, needs, move || check(programs!(), name, expected))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn check(programs: Programs, name: &str, expected: &Expected) {
    let bench = Bench::new(programs);
    let place = if name == "flock-abba" { bench.path("") } else { bench.path("resource") };
    let line = bench.scenario(name, &[OsStr::new(&place)]);
    let ended = bench.end_of(&mut bench.watched(&[], line));
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!((ended.status.code(), ended.status.signal()), (Some(124), None), "{told}");
    let report = bench.report().expect("a report");
    let verdict = report.verdict.as_ref().expect("a verdict");
    expected.check(&bench, verdict);
    // It may be broken over several lines.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&ended.stderr).contains(&words(&verdict.sentence)), "the sentence is printed: {told}");
    assert_eq!(bench.alive(), Vec::<String>::new(), "left behind: {told}");
}
