//! Programs that look like a hang and end well (`tests/scenarios/healthy`), written by somebody who knew what hangdog is
//! to do and not how it does it: nothing is said of them, as root or not.
//!
//! Each says in its head what it looks like, and who ends it after some six seconds.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hangdog_tests::{Bench, Needs, Programs, programs, trial};
use libtest_mimic::{Arguments, Trial};

/// At a time: they sleep nearly always.
const AT_ONCE: usize = 12;

/// What some need beside that which runs them.
const NEEDS: &[(&str, Needs)] = &[
    ("cgroup-frozen-thawed", Needs::That(no_namespaces)),
    ("fanotify-permission", Needs::That(no_namespaces)),
    ("go-afterfunc", Needs::Program("go", "version")),
    ("java-abba-interrupt", Needs::Program("java", "-version")),
    ("java-pool-long-holder", Needs::Program("java", "-version")),
    ("java-process-slow-child", Needs::Program("java", "-version")),
    ("netns-netlink-link-up", Needs::That(no_namespaces)),
    ("pidns-flock-holder", Needs::That(no_namespaces)),
    ("poll-mountinfo", Needs::That(no_namespaces)),
    ("socat-relay-chain", Needs::Program("socat", "-V")),
    ("tcp-keepalive", Needs::That(no_namespaces)),
    ("time-namespace-deadline", Needs::That(no_namespaces)),
    ("userfaultfd", Needs::That(no_namespaces)),
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/healthy");
    let files = fs::read_dir(&folder).expect("the folder of scenarios").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end != "h")).collect();
    files.sort();
    for (name, _) in NEEDS {
        assert!(files.iter().any(|file| stem(file) == *name), "no program is called {name}");
    }
    let trials: Vec<Trial> = files
        .into_iter()
        .map(|file| {
            let own = NEEDS.iter().find(|(name, _)| *name == stem(&file)).map(|(_, needs)| needs.clone());
            let needs = own.unwrap_or_else(|| runner(&file));
            trial(stem(&file), needs, move || check(programs!(), &file))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// Why no namespaces can be made here, if so: some are of their own kind, others make what only root may.
fn no_namespaces() -> Option<String> {
    let made = Command::new("unshare").args(["--user", "--map-root-user", "true"]).status();
    (!made.is_ok_and(|status| status.success())).then(|| "needs unshare and user namespaces".to_owned())
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn kind(file: &Path) -> &str {
    file.extension().and_then(OsStr::to_str).unwrap_or_default()
}

/// What runs a program, by the end of its name.
fn runner(file: &Path) -> Needs {
    match kind(file) {
        "c" => Needs::Program("cc", "--version"),
        "js" => Needs::Program("node", "--version"),
        "pl" => Needs::Program("perl", "-v"),
        "py" => Needs::Program("python3", "-V"),
        "sh" => Needs::Program("bash", "--version"),
        other => panic!("nothing is known that runs a .{other}"),
    }
}

fn line(bench: &Bench, file: &Path) -> Vec<OsString> {
    let Needs::Program(runner, _) = runner(file) else { unreachable!("a program runs it") };
    if runner != "cc" {
        return vec![runner.into(), file.into()];
    }
    let program = bench.path("program");
    let mut compiler = Command::new(runner);
    let built = compiler.args(["-O1", "-w", "-pthread", "-o"]).arg(&program).arg(file).arg("-lrt").status();
    assert!(built.is_ok_and(|status| status.success()), "{} does not compile", file.display());
    vec![program.into()]
}

fn check(programs: Programs, file: &Path) {
    let bench = Bench::new(programs);
    let line = line(&bench, file);
    let mut command = bench.hangdog(["run", "--quiet-after", "2s"]);
    command.arg("--report").arg(bench.report_path()).arg("--").args(line);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("TMPDIR", bench.path("")).current_dir(bench.path(""));
    let ended = bench.end_of(&mut command);
    let verdict = bench.report().and_then(|report| report.verdict);
    assert!(verdict.is_none(), "{verdict:#?}");
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
}
