//! The scenarios of this package.

use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hangdog_tests::{Bench, Ended, Programs, no_ipc_namespace};

use crate::Wanted;
use crate::judged::{Judged, Truth};
use crate::{hangs, healthy, primitives};

/// Runs and judges all that are wanted.
pub(crate) fn all(programs: &Programs, wanted: &Wanted) -> Vec<Judged> {
    let is_wanted = |name: &&str| {
        let is_missing = name.starts_with("semaphore") && no_ipc_namespace().is_some();
        if is_missing {
            eprintln!("SKIPPED {name}: needs root");
        }
        name.contains(&wanted.only) && !is_missing
    };
    let mut all = Vec::new();
    for (name, expected) in hangs::HANGS.iter().filter(|(name, _)| is_wanted(name)) {
        let place = if *name == "flock-abba" { "" } else { "resource" };
        all.push(judge((programs, wanted), name, place, Truth::Hang, |bench, ended| {
            let report = bench.report().expect("a report");
            expected.check(bench, report.verdict.as_ref().expect("a verdict"));
            assert_eq!(ended.status.code(), Some(124));
        }));
    }
    for (name, kind, _) in primitives::HANGS.iter().filter(|(name, ..)| is_wanted(name)) {
        all.push(judge((programs, wanted), name, "resource", Truth::Hang, |bench, ended| {
            let verdict = bench.report().expect("a report").verdict.expect("a verdict");
            assert_eq!((verdict.kind.name().as_str(), ended.status.code()), (*kind, Some(124)));
        }));
    }
    for name in healthy::HEALTHY.iter().filter(|name| is_wanted(name)) {
        all.push(judge((programs, wanted), name, "resource", Truth::Healthy, |bench, ended| {
            assert_eq!(bench.report().and_then(|report| report.verdict), None);
            assert_eq!(ended.status.code(), Some(0));
        }));
    }
    all
}

fn judge(
    (programs, wanted): (&Programs, &Wanted),
    name: &str,
    place: &str,
    truth: Truth,
    check: impl Fn(&Bench, &Ended),
) -> Judged {
    let bench = Bench::new(programs.clone());
    let line = bench.scenario(name, &[OsStr::new(&bench.path(place))]);
    // Certain verdicts do not wait for the quiet time, and this one is longer than they need.
    let mut command = bench.hangdog(["run", "--quiet-after", &wanted.quiet, "--timeout", "25s"]);
    command.arg("--report").arg(bench.report_path()).arg("-o").arg(bench.capture_path()).arg("--").args(line);
    let ended = bench.end_of(&mut command);
    let is_right = catch_unwind(AssertUnwindSafe(|| check(&bench, &ended))).is_ok();
    Judged::new(name, truth, bench.report().as_ref(), is_right, &bench.capture_path())
}
