//! The demo does what it says: the loop closes every time, is named and freed; its twin ends by itself.

use hangdog_tests::{Bench, Ended, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials = vec![
        trial("the twin ends by itself", Needs::Nothing, || twin(programs!())),
        trial("without FUSE", Needs::Mounts(programs!()), || without_fuse(programs!())),
    ];
    for (name, threads) in [("mount", "1"), ("a name with blanks", "2"), ("m", "5")] {
        trials.push(fuse(name, threads));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

#[track_caller]
fn as_expected(bench: &Bench, ended: &Ended) {
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(ended.stdout.contains("As expected: "), "{told}");
    let left: Vec<_> = std::fs::read_dir(bench.path("tmp")).expect("the temp directory").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// `hangdog demo` with a temp directory of its own.
fn demo(bench: &Bench, arguments: &[&str]) -> std::process::Command {
    let temp = bench.path("tmp");
    std::fs::create_dir_all(&temp).expect("a directory");
    let mut command = bench.hangdog(["demo"]);
    command.args(arguments).env("TMPDIR", temp);
    command
}

fn fuse(mount_name: &'static str, threads: &'static str) -> Trial {
    trial(format!("{mount_name:?} with {threads} server threads"), Needs::Fuse, move || {
        let bench = Bench::new(programs!());
        let ended = bench.end_of(&mut demo(&bench, &["--mount-name", mount_name, "--threads", threads]));
        as_expected(&bench, &ended);
        assert!(!ended.stdout.contains("FUSE cannot be had"), "{}", ended.stdout);
        for word in ["indexd[", "fuse.test[", "openat", "POST /api/conversations/new", mount_name, "walk"] {
            // A line may be broken between its words.
            let told = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(word), "{word} is not in: {told}");
        }
    })
}

fn twin(programs: Programs) {
    let bench = Bench::new(programs);
    let ended = bench.end_of(&mut demo(&bench, &["--answer-first"]));
    as_expected(&bench, &ended);
    assert!(!ended.stderr.contains("deadlock"), "{}", ended.stderr);
}

fn without_fuse(programs: Programs) {
    let bench = Bench::new(programs);
    let inner = demo(&bench, &[]);
    let words: Vec<&std::ffi::OsStr> = std::iter::once(inner.get_program()).chain(inner.get_args()).collect();
    let line = bench.scenario("without-fuse", &words);
    let ended = bench.end_of(bench.unwatched(line).env("TMPDIR", bench.path("tmp")));
    as_expected(&bench, &ended);
    assert!(ended.stdout.contains("FUSE cannot be had"), "{}", ended.stdout);
    assert!(ended.stderr.contains("pipe") && ended.stderr.contains("lock"), "{}", ended.stderr);
}
