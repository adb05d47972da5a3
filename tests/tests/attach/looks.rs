//! One look at what already runs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hangdog_schemas::{Confidence, Report};
use hangdog_tests::{Bench, Ended, Programs, programs, until};

use crate::target::Target;

/// `hangdog attach` with a report in the bench's directory.
pub(crate) fn attach(bench: &Bench, words: &[&OsStr]) -> Ended {
    let mut command = bench.hangdog(["attach", "--exit-code", "--report"]);
    bench.end_of(command.arg(bench.report_path()).args(words))
}

/// Kind, signature and roles to blame.
fn cause(bench: &Bench, report: &Report) -> (String, String, Vec<String>) {
    let verdict = report.verdict.as_ref().expect("a verdict");
    let roles = bench.roles();
    let role = |pid: u32| roles.iter().find(|(_, of)| *of == pid).map_or("?".to_owned(), |(role, _)| role.clone());
    let mut blamed: Vec<String> = verdict.culprits.iter().map(|culprit| role(culprit.pid.0)).collect();
    blamed.sort();
    (verdict.kind.name(), verdict.signature.clone(), blamed)
}

/// What `run` says of a scenario, and what `attach` says of the same when it runs by itself.
pub(crate) fn same_cause(name: &str) {
    let watched = Bench::new(programs!());
    let place = if name == "flock-abba" { watched.path("") } else { watched.path("resource") };
    let line = watched.scenario(name, &[place.as_os_str()]);
    let ended = watched.end_of(&mut watched.watched(&[], line));
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    let expected = cause(&watched, &watched.report().expect("a report"));

    let bench = Bench::new(programs!());
    let target = Target::start(&bench, name);
    let ended = attach(&bench, &["-p".as_ref(), &target.pid()]);
    let report = bench.report().unwrap_or_else(|| panic!("a report: {}", ended.stderr));
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(cause(&bench, &report), expected, "{}", ended.stdout);
    let verdict = report.verdict.expect("a verdict");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&ended.stdout).contains(&words(&verdict.sentence)), "the sentence is printed: {}", ended.stdout);
    assert_eq!(ended.stderr, "");
    assert!(!bench.alive().is_empty(), "the target goes on");
}

pub(crate) fn healthy(name: &str) {
    let bench = Bench::new(programs!());
    let line = bench.scenario(name, &[bench.path("resource").as_os_str()]);
    let target = Target::of(&bench, &mut bench.unwatched(line));
    until("the scenario to be under way", || (!bench.roles().is_empty()).then_some(()));
    let ended = attach(&bench, &["--timeout".as_ref(), "4s".as_ref(), "-p".as_ref(), &target.pid()]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("no hang was seen"), "{}", ended.stdout);
    assert_eq!(bench.report().expect("a report").verdict, None);
}

pub(crate) fn nothing_changes() {
    let bench = Bench::new(programs!());
    let target = Target::start(&bench, "pipe-full-cycle");
    let before = target.state();
    let capture = bench.capture_path();
    let ended = attach(&bench, &["-p".as_ref(), &target.pid(), "-o".as_ref(), capture.as_ref()]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert_eq!(target.state(), before);
    assert!(!bench.path("state").exists(), "nothing is kept that nobody asked for");
    // The capture gives the same verdict later.
    let report = bench.report().expect("a report");
    let again = bench.end_of(bench.hangdog(["report", "-f", "json"]).arg(&capture));
    let again: Report =
        serde_json::from_str(&again.stdout).unwrap_or_else(|error| panic!("{error}: {}", again.stderr));
    assert_eq!(again.verdict, report.verdict);
}

pub(crate) fn killed_in_the_middle() {
    let bench = Bench::new(programs!());
    let target = Target::start(&bench, "fifo-no-writer");
    let before = target.state();
    let capture = bench.capture_path();
    // A FIFO that somebody may yet open is no certain hang, so the look takes two seconds and more.
    let mut command = bench.hangdog(["attach", "--watch", "-p"]);
    command.arg(target.pid()).arg("-o").arg(&capture).stdout(Stdio::null()).stderr(Stdio::null());
    let mut hangdog = command.spawn().expect("hangdog");
    until("the first bytes of a capture", || fs::metadata(&capture).ok().filter(|about| about.len() > 0).map(|_| ()));
    hangdog.kill().expect("our own child");
    hangdog.wait().expect("our own child");
    assert_eq!(target.state(), before);
    let ended = attach(&bench, &["-p".as_ref(), &target.pid()]);
    assert_eq!(ended.status.code(), Some(1), "it can be looked at again: {}{}", ended.stdout, ended.stderr);
}

/// Where control groups of version 2 are mounted.
fn hierarchy() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = text.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(PathBuf::from(line.split(' ').nth(4)?))
}

fn new_group() -> Option<PathBuf> {
    let group = hierarchy()?.join(format!("hangdog-tests-{}", std::process::id()));
    fs::create_dir_all(group.join("inner")).ok()?;
    Some(group)
}

pub(crate) fn no_cgroup() -> Option<String> {
    let Some(group) = new_group() else { return Some("needs a cgroup v2 hierarchy that can be written".to_owned()) };
    remove(&group);
    None
}

fn remove(group: &Path) {
    // The kernel takes a moment to empty a group whose processes were killed.
    until("an empty control group", || {
        let _ = fs::remove_dir(group.join("inner"));
        fs::remove_dir(group).is_ok().then_some(())
    });
}

pub(crate) fn control_group() {
    let bench = Bench::new(programs!());
    let group = new_group().expect("a control group, as just now");
    let script = "echo $$ > \"$1/inner/cgroup.procs\" && exec \"$0\" pipe-full-cycle";
    let scenario = bench.scenario("pipe-full-cycle", &[]);
    let mut command = bench.unwatched(["sh", "-c", script]);
    let target = Target::of(&bench, command.arg(&scenario[0]).arg(&group));
    until("both of them", || (bench.roles().len() == 2).then_some(()));
    let ended = attach(&bench, &["--cgroup".as_ref(), group.as_ref()]);
    let of_hierarchy = Path::new("/").join(group.file_name().expect("a name"));
    let named = attach(&bench, &["--cgroup".as_ref(), of_hierarchy.as_ref()]);
    let outside = attach(&bench, &["--cgroup".as_ref(), bench.path("").as_ref()]);
    drop(target);
    remove(&group);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("deadlock:"), "{}", ended.stdout);
    assert_eq!(named.status.code(), Some(1), "{}{}", named.stdout, named.stderr);
    assert_eq!(outside.status.code(), Some(2), "{}{}", outside.stdout, outside.stderr);
    assert!(outside.stderr.contains("no control group"), "{}", outside.stderr);
}

/// A bench of another user's when the tests run as root: programs may lie where nobody else may go.
fn bench_of(user: Option<u32>) -> (Bench, Bench) {
    let open = |bench: &Bench| {
        fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o777)).expect("our own directory");
    };
    let all = programs!();
    let place = Bench::new(all.clone());
    if user.is_none() {
        return (Bench::new(all), place);
    }
    open(&place);
    let copied = |program: PathBuf, name: &str| {
        let copy = place.path(name);
        fs::copy(&program, &copy).expect("a copy of a program");
        copy
    };
    let programs = Programs { hangdog: copied(all.hangdog, "hangdog"), scenario: copied(all.scenario, "scenario") };
    let bench = Bench::new(programs);
    open(&bench);
    (bench, place)
}

fn become_user(command: &mut Command, user: Option<u32>) {
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
}

/// As root, that user; else whoever runs the tests.
fn user(number: u32) -> Option<u32> {
    nix::unistd::geteuid().is_root().then_some(number)
}

/// All processes of a user who has no others.
pub(crate) fn everybody() {
    let user = user(60_999);
    let (bench, _place) = bench_of(user);
    let mut command = bench.unwatched(bench.scenario("unix-cycle", &[]));
    become_user(&mut command, user);
    let target = Target::of(&bench, &mut command);
    until("both of them", || (bench.roles().len() == 2).then_some(()));
    let mut command = bench.hangdog(["attach", "--exit-code", "--all", "-f", "json"]);
    become_user(&mut command, user);
    let ended = bench.end_of(&mut command);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    let report: Report = serde_json::from_str(&ended.stdout).expect("a report");
    let is_ours = |finding: &hangdog_schemas::Finding| {
        finding.confidence >= Confidence::Likely
            && finding.culprits.iter().any(|culprit| culprit.pid.0 == target.child.id())
    };
    assert!(report.findings.iter().any(is_ours), "{}", ended.stdout);
}

pub(crate) fn ordinary_user() {
    let user = user(65_534);
    let (bench, _place) = bench_of(user);
    let place = bench.path("");
    let mut command = bench.unwatched(bench.scenario("flock-abba", &[place.as_os_str()]));
    become_user(&mut command, user);
    let target = Target::of(&bench, &mut command);
    until("all of them", || (bench.roles().len() == 3).then_some(()));
    let attach = |words: &[&OsStr]| {
        let mut command = bench.hangdog(["attach", "--exit-code"]);
        become_user(command.args(words), user);
        bench.end_of(&mut command)
    };
    let ended = attach(&["-p".as_ref(), &target.pid()]);
    assert_eq!(ended.status.code(), Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("deadlock:"), "{}", ended.stdout);
    let others = attach(&["-p".as_ref(), "1".as_ref()]);
    assert_eq!(others.status.code(), Some(2), "{}{}", others.stdout, others.stderr);
    assert!(others.stderr.contains("belongs to user 0"), "{}", others.stderr);
}

pub(crate) fn nobody_there() {
    let bench = Bench::new(programs!());
    // Numbers go up to 4,194,304.
    for words in [&["-p", "4194305"][..], &["-p", "0"], &["--cgroup", "/no/such/group"], &["--cgroup", "/../etc"]] {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let ended = attach(&bench, &words);
        assert_eq!(ended.status.code(), Some(2), "{words:?}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains("try: "), "{}", ended.stderr);
    }
}
