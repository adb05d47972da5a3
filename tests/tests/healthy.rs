//! Programs that only look as if they hung end by themselves: exit code 0, no verdict, nothing said.

use std::ffi::OsStr;

use hangdog_tests::{Bench, Needs, Programs, no_ipc_namespace, programs, trial};
use libtest_mimic::{Arguments, Trial};

pub(crate) const HEALTHY: &[&str] = &[
    "long-poll",
    "slow-compute",
    "flock-queue",
    "semaphore-queue",
    "shared-mutex-queue",
    "epoll-idle",
    "reaped-zombies",
    "slow-consumer",
    "traced-mutex-queue",
    "traced-lock-queue",
    "traced-task-queue",
    "traced-slow-receiver",
    "traced-busy-pool",
    "traced-late-notification",
    "traced-select-polled",
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = HEALTHY
        .iter()
        .map(|name| {
            let needs = if *name == "semaphore-queue" { Needs::That(no_ipc_namespace) } else { Needs::Nothing };
            trial(*name, needs, move || check(programs!(), name))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn check(programs: Programs, name: &str) {
    let bench = Bench::new(programs);
    let line = bench.scenario(name, &[OsStr::new(&bench.path("resource"))]);
    let ended = bench.end_of(&mut bench.watched(&[], line));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "hangdog has nothing to say");
    if let Some(report) = bench.report() {
        assert_eq!(report.verdict, None);
    }
}
