//! `hangdog dump`: a look at a run that goes on.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use hangdog_schemas::Report;
use hangdog_tests::{Bench, Ended, programs, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::target::Target;

fn dump(bench: &Bench, pid: u32) -> Ended {
    bench.end_of(bench.hangdog(["dump", "--exit-code", "-f", "json", "-p"]).arg(pid.to_string()))
}

fn report(ended: &Ended) -> Report {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

fn start(bench: &Bench, command: &mut Command) -> Child {
    let err = File::create(bench.path("err")).expect("a file");
    let child = command.stdout(Stdio::null()).stderr(err).spawn().expect("hangdog");
    until("the command", || (!bench.roles().is_empty()).then_some(()));
    child
}

fn check_capture(bench: &Bench, report: &Report) {
    let capture = report.run.capture.as_ref().expect("a place");
    assert!(capture.starts_with(bench.path("state").to_str().expect("a plain path")), "{capture}");
    let again = bench.end_of(&mut bench.hangdog(["report", "-f", "json", capture]));
    assert_eq!(self::report(&again).verdict, report.verdict);
}

/// Asked twice, by the number of hangdog and by that of the command; the command ends as it would have.
pub(crate) fn run_goes_on() {
    let bench = Bench::new(programs!());
    let mut command = bench.hangdog(["run", "--"]);
    command.args(bench.scenario("open-phases", &[])).stdin(Stdio::piped());
    let mut hangdog = start(&bench, &mut command);
    let first = dump(&bench, hangdog.id());
    assert_eq!((first.status.code(), first.stderr.as_str()), (Some(0), ""), "{}", first.stdout);
    let first = report(&first);
    assert_eq!(first.verdict, None);
    check_capture(&bench, &first);
    let (_, pid) = bench.roles()[0];
    let second = report(&dump(&bench, pid));
    assert_ne!(second.run.capture, first.run.capture);
    assert!(second.run.at > first.run.at);
    drop(hangdog.stdin.take());
    let status = hangdog.wait().expect("our own child");
    assert_eq!(status.code(), Some(0));
}

/// Who asks together is answered together; who asks later gets looks of their own.
pub(crate) fn one_wave() {
    let bench = Bench::new(programs!());
    let mut command = bench.hangdog(["run", "--"]);
    command.args(bench.scenario("open-phases", &[])).stdin(Stdio::piped());
    let mut hangdog = start(&bench, &mut command);
    let pid = Pid::from_raw(i32::try_from(hangdog.id()).expect("a process number"));
    kill(pid, Signal::SIGSTOP).expect("our own child");
    let ask = || {
        let mut command = bench.hangdog(["dump", "-f", "json", "-p"]);
        command.arg(hangdog.id().to_string()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("hangdog")
    };
    let wave: Vec<Child> = (0..5).map(|_| ask()).collect();
    for asker in &wave {
        until("the asking", || {
            let place = std::fs::read_to_string(format!("/proc/{}/wchan", asker.id())).ok()?;
            place.contains("nanosleep").then_some(())
        });
    }
    kill(pid, Signal::SIGCONT).expect("our own child");
    let answers = wave.into_iter().map(|asker| {
        let output = asker.wait_with_output().expect("our own child").stdout;
        let report: Report = serde_json::from_slice(&output).expect("a report");
        report.run.capture.expect("a place")
    });
    let mut captures: Vec<String> = answers.collect();
    captures.dedup();
    assert_eq!(captures.len(), 1, "{captures:?}");
    let later = report(&dump(&bench, hangdog.id()));
    assert_ne!(later.run.capture.as_ref(), captures.first());
    drop(hangdog.stdin.take());
    assert_eq!(hangdog.wait().expect("our own child").code(), Some(0));
}

pub(crate) fn hung_run() {
    let bench = Bench::new(programs!());
    let mut command = bench.hangdog(["run", "--on-hang", "wait", "--"]);
    command.args(bench.scenario("pipe-full-cycle", &[])).stdin(Stdio::null());
    let mut hangdog = start(&bench, &mut command);
    until("both of them", || (bench.roles().len() == 2).then_some(()));
    let ended = dump(&bench, hangdog.id());
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    let report = report(&ended);
    assert_eq!(report.verdict.as_ref().map(|verdict| verdict.kind.name()).as_deref(), Some("deadlock-cycle"));
    check_capture(&bench, &report);
    assert_eq!(bench.alive().len(), 2, "the run goes on");
    kill(Pid::from_raw(hangdog.id() as i32), Signal::SIGTERM).expect("our own child");
    hangdog.wait().expect("our own child");
    for (_, pid) in bench.roles() {
        // What SIGTERM did not reach: the copier is none of hangdog's to end.
        let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
    }
}

pub(crate) fn watch() {
    let bench = Bench::new(programs!());
    let target = Target::start(&bench, "flock-abba");
    let mut command = bench.hangdog(["attach", "--watch", "--captures", "0", "-p"]);
    let mut hangdog = start(&bench, command.arg(target.pid()).stdin(Stdio::null()));
    let ended = until("an answer", || {
        // It takes a moment until its directory is there; until then the process is hangdog's own to look at.
        let ended = dump(&bench, hangdog.id());
        serde_json::from_str::<Report>(&ended.stdout).ok().filter(|report| report.verdict.is_some()).map(|_| ended)
    });
    let report = report(&ended);
    assert_eq!(report.verdict.as_ref().map(|verdict| verdict.kind.name()).as_deref(), Some("deadlock-cycle"));
    check_capture(&bench, &report);
    kill(Pid::from_raw(hangdog.id() as i32), Signal::SIGTERM).expect("our own child");
    assert_eq!(hangdog.wait().expect("our own child").code(), Some(0));
}

pub(crate) fn nobody_watches() {
    let bench = Bench::new(programs!());
    let target = Target::start(&bench, "pipe-own-writer");
    let ended = dump(&bench, target.child.id());
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    let kind = report(&ended).verdict.map(|verdict| verdict.kind.name());
    assert_eq!(kind.as_deref(), Some("self-deadlock"));
    let none = bench.end_of(&mut bench.hangdog(["dump", "NOSUCHRUN"]));
    assert_eq!(none.status.code(), Some(2), "{}{}", none.stdout, none.stderr);
    assert!(none.stderr.contains("NOSUCHRUN") && none.stderr.contains("try: "), "{}", none.stderr);
}
