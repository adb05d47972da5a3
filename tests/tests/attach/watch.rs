//! A watch that stays.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use hangdog_tests::{Bench, programs, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::target::Target;

/// A shell that hangs in a child as soon as it is given a line.
fn later(bench: &Bench) -> Target<'_> {
    let scenario = bench.scenario("pipe-full-cycle", &[]);
    let mut command = bench.unwatched(["sh", "-c", "read line; \"$0\" pipe-full-cycle; exit"]);
    Target::of(bench, command.arg(&scenario[0]).stdin(Stdio::piped()))
}

fn watch(bench: &Bench, target: &Target<'_>, words: &[&str]) -> Child {
    let out = File::create(bench.path("out")).expect("a file");
    let mut command: Command = bench.hangdog(["attach", "--watch", "--exit-code", "-p"]);
    command.arg(target.pid()).args(words).stdout(out).stderr(Stdio::null()).spawn().expect("hangdog")
}

fn said(bench: &Bench) -> String {
    fs::read_to_string(bench.path("out")).unwrap_or_default()
}

fn captures(bench: &Bench) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(bench.path("state/hangdog")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "hang")).collect()
}

fn ask_to_end(hangdog: &mut Child) -> Option<i32> {
    kill(Pid::from_raw(hangdog.id() as i32), Signal::SIGTERM).expect("our own child");
    hangdog.wait().expect("our own child").code()
}

/// Asks a watch for two looks, and waits for them.
fn look_twice(bench: &Bench, hangdog: &Child) {
    until("an answer", || {
        let ended = bench.end_of(bench.hangdog(["dump", "-p"]).arg(hangdog.id().to_string()));
        // Until its directory is there, the watch itself is looked at.
        ended
            .stdout
            .contains("command: hangdog attach -p")
            .then_some(())
            .filter(|()| ended.stdout.contains("Capture"))
    });
}

pub(crate) fn tells_once() {
    let bench = Bench::new(programs!());
    let mut target = later(&bench);
    let mut hangdog = watch(&bench, &target, &[]);
    look_twice(&bench, &hangdog);
    assert_eq!(said(&bench), "", "nothing hangs yet");
    let asked_for = captures(&bench).len();
    target.child.stdin.take().expect("a pipe").write_all(b"go\n").expect("a shell that reads");
    until("the hang", || said(&bench).contains("deadlock-cycle, certain").then_some(()));
    let kept =
        until("its capture", || captures(&bench).into_iter().max().filter(|_| captures(&bench).len() > asked_for));
    look_twice(&bench, &hangdog);
    assert_eq!(ask_to_end(&mut hangdog), Some(1));
    assert_eq!(said(&bench).matches("deadlock-cycle, certain").count(), 1, "{}", said(&bench));
    assert_eq!(captures(&bench).len(), asked_for + 2, "one of the hang, one that was asked for");
    let again = bench.end_of(bench.hangdog(["report", "--exit-code"]).arg(&kept));
    assert_eq!(again.status.code(), Some(1), "{}{}", again.stdout, again.stderr);
    assert!(again.stdout.starts_with("deadlock:"), "{}", again.stdout);
    assert_eq!(bench.alive().len(), 2, "nothing was done to them");
}

pub(crate) fn keeps_few() {
    let bench = Bench::new(programs!());
    let target = Target::start(&bench, "pipe-full-cycle");
    let mut hangdog = watch(&bench, &target, &["--captures", "0"]);
    until("the hang", || said(&bench).contains("deadlock-cycle, certain").then_some(()));
    assert_eq!(ask_to_end(&mut hangdog), Some(1));
    assert_eq!(captures(&bench), Vec::<std::path::PathBuf>::new());
}

pub(crate) fn ends_with_them() {
    let bench = Bench::new(programs!());
    let mut target = Target::of(&bench, bench.unwatched(["cat"]).stdin(Stdio::piped()));
    let capture = bench.capture_path();
    let mut hangdog = watch(&bench, &target, &["-o", capture.to_str().expect("a plain path")]);
    until("the watch", || fs::metadata(&capture).ok().filter(|about| about.len() > 0).map(|_| ()));
    drop(target.child.stdin.take());
    target.child.wait().expect("our own child");
    let status = until("the end of the watch", || hangdog.try_wait().expect("our own child"));
    assert_eq!(status.code(), Some(0));
}
