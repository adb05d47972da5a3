//! Flakes that really fail by chance, from real parts: named with their cause in the first sentence. Runs that pass
//! accuse nobody.

mod by_hand;
mod flakes;
mod incidents;

use std::fs;
use std::path::Path;

use hangdog_schemas::file::Reader;
use hangdog_schemas::{Aim, Confidence, FindingKind, Hold, Place, Record, Report};
use hangdog_tests::{Bench, Ended, Needs, Programs, programs, root, trial, until};
use libtest_mimic::{Arguments, Trial};

/// More than these need: the series ends when what differs is established.
const RUNS: &str = "40";

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = flakes::ALL
        .iter()
        .map(|flake| trial(format!("named: {}", flake.name), Needs::That(missing), move || named(programs!(), flake)))
        .collect();
    trials.extend(incidents::ALL.iter().map(|incident| {
        let missing = if incident.program.len() > 2 { no_fuse } else { missing };
        trial(format!("incident: {}", incident.name), Needs::That(missing), move || happened(programs!(), incident))
    }));
    trials.push(trial("neighbours of a gate are accused of nothing", Needs::That(missing), neighbours));
    trials.push(trial("a hang among the runs names itself", Needs::That(missing), hang));
    trials.push(trial("runs that pass accuse nobody, alone or two by two", Needs::That(missing), passes));
    trials.push(trial("any two runs that pass differ in no cause", Needs::That(missing), pairs));
    trials.push(trial("what cannot be started is told", Needs::Nothing, not_found));
    trials.push(trial(
        "what a killed series leaves is taken away, when nobody is in it",
        Needs::That(missing),
        killed,
    ));
    let by_hand = trial("programs by hand are found, and fail ten times as often", Needs::That(missing), || {
        by_hand::found(&programs!());
    });
    // Takes an hour.
    trials.push(by_hand.with_ignored_flag(true));
    trials.push(trial("a thread is late where a phase begins and ends", Needs::That(missing), phases));
    trials.push(trial("nothing is left behind", Needs::That(missing), nothing_left));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Names of files in system calls are for root, and these programs are Python.
fn missing() -> Option<String> {
    let python = std::process::Command::new("python3").arg("--version").output();
    root().or_else(|| python.is_err().then(|| "needs python3".to_owned()))
}

/// The machine's own, where there is one: a wrapper in front of it takes longer than the program.
fn python() -> &'static str {
    let own = "/usr/bin/python3";
    if std::path::Path::new(own).exists() { own } else { "python3" }
}

fn no_fuse() -> Option<String> {
    missing().or_else(|| fs::File::open("/dev/fuse").err().map(|error| format!("needs /dev/fuse ({error})")))
}

fn series(bench: &Bench, options: &[&str], program: &str) -> (Ended, Report) {
    series_within(bench, options, &[], program)
}

fn series_within(bench: &Bench, options: &[&str], within: &[&str], program: &str) -> (Ended, Report) {
    let path = bench.path("flake.py");
    fs::write(&path, program).unwrap();
    let report = bench.path("flake.json");
    let captures = bench.path("captures");
    let mut arguments = vec![
        "flake",
        "--timeout",
        "100s",
        "--report",
        report.to_str().unwrap(),
        "--captures",
        captures.to_str().unwrap(),
    ];
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(within);
    arguments.extend([python(), "-S", "-E", path.to_str().unwrap()]);
    // A series takes as long as its runs, and each of these has an end.
    let output = bench.hangdog(&arguments).output().unwrap();
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended { status: output.status, stdout: words(&output.stdout), stderr: words(&output.stderr) };
    let text =
        fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}\n{}{}", ended.stdout, ended.stderr));
    (ended, serde_json::from_str(&text).unwrap())
}

fn named(programs: Programs, flake: &flakes::Flake) {
    let bench = Bench::new(programs);
    let told = series(&bench, &["--runs", RUNS], flake.program);
    check_named(told, flake.parts);
}

fn happened(programs: Programs, incident: &incidents::Incident) {
    let bench = Bench::new(programs);
    let told = series_within(&bench, &["--runs", RUNS], incident.within, &incident.program.concat());
    let report = check_named(told, incident.parts);
    if let Some(finding) = incident.finding {
        incidents::check_finding(&report, finding);
    }
}

/// A gate that is used rightly, in ways that look like a second time.
fn neighbours() {
    let bench = Bench::new(programs!());
    let (ended, report) = series(&bench, &["--runs", "2", "--all-runs"], &incidents::NEIGHBOURS.concat());
    assert_eq!((ended.status.code(), report.findings.len()), (Some(0), 0), "{}{}", ended.stdout, ended.stderr);
    for capture in captures(&bench) {
        let ended = bench.end_of(&mut bench.hangdog(["report", capture.as_str(), "--format", "json"]));
        let report: Report = serde_json::from_str(&ended.stdout).unwrap();
        let told: Vec<&String> = report.findings.iter().map(|finding| &finding.sentence).collect();
        assert!(told.is_empty(), "{told:#?}");
    }
}

/// The captures that were kept.
fn captures(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path("captures")).unwrap().map(|entry| entry.unwrap().path());
    let captures = entries.filter(|path| path.extension().is_some_and(|ending| ending == "hang"));
    captures.map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn check_named((ended, report): (Ended, Report), parts: &[&str]) -> Report {
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let verdict = report.verdict.as_ref().unwrap_or_else(|| panic!("no verdict\n{}", ended.stdout));
    assert_eq!((verdict.kind, verdict.confidence), (FindingKind::Diverged, Confidence::Likely), "{}", ended.stdout);
    for part in parts {
        assert!(verdict.sentence.contains(part), "{part:?} is not in: {}\n{}", verdict.sentence, ended.stdout);
    }
    let comparison = report.comparison.as_ref().unwrap();
    assert!(comparison.failed >= 2 && comparison.passed >= 2, "{}", ended.stdout);
    report
}

fn hang() {
    let bench = Bench::new(programs!());
    let program = "
import os, time
if os.getpid() % 3 == 0:
    r, w = os.pipe()
    os.read(r, 1)
time.sleep(0.05)
";
    let (ended, report) =
        series(&bench, &["--runs", "8", "--all-runs", "--perturb", "never", "--quiet-after", "2s"], program);
    let comparison = report.comparison.unwrap();
    assert_eq!((comparison.hung + comparison.passed, comparison.failed), (8, 0), "{}", ended.stdout);
    if comparison.hung > 0 {
        assert!(report.verdict.is_some(), "{}", ended.stdout);
        assert_eq!(ended.status.code(), Some(1));
        assert!(report.findings.iter().any(|finding| finding.kind == FindingKind::SelfDeadlock), "{}", ended.stdout);
    }
}

fn passes() {
    let bench = Bench::new(programs!());
    let (ended, report) = series(&bench, &["--runs", "14", "--all-runs"], flakes::NOISY);
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!((report.verdict, report.findings.len()), (None, 0));
    let captures = captures(&bench);
    assert_eq!(captures.len(), 2, "two passes are kept");
    let (a, b) = (captures[0].as_str(), captures[1].as_str());
    let ended = bench.end_of(&mut bench.hangdog(["diff", a, b, "--format", "json", "--exit-code"]));
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let report: Report = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report.verdict, None);
    assert!(report.comparison.unwrap().differences.is_empty());
}

/// A few runs, each held against each; with `HANGDOG_ALL_PAIRS=1` fifty, which takes a minute or two.
fn pairs() {
    let bench = Bench::new(programs!());
    let count = if std::env::var_os("HANGDOG_ALL_PAIRS").is_some() { 50 } else { 5 };
    let program = bench.path("noisy.py");
    fs::write(&program, flakes::NOISY).unwrap();
    let made = (1..=count).map(|n| {
        let temporary = bench.path(format!("hangdog-flake-1-0/{n:05}/tmp"));
        fs::create_dir_all(&temporary).unwrap();
        let capture = bench.path(format!("run-{n}.hang"));
        let words = ["internal-trial", "--quiet-after=60s", "--capture", capture.to_str().unwrap(), "--", python()];
        let mut command = bench.hangdog(words);
        command.args(["-S", "-E"]).arg(&program).env("TMPDIR", &temporary).env("HANGDOG_CLOCK", "tsc");
        let ended = bench.end_of(&mut command);
        assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
        capture.to_str().unwrap().to_owned()
    });
    let captures: Vec<String> = made.collect();
    let found = |words: &[&str]| {
        let ended = bench.end_of(&mut bench.hangdog([words, &["--format", "json"]].concat()));
        assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
        let report: Report = serde_json::from_str(&ended.stdout).unwrap();
        let told: Vec<String> = report.findings.into_iter().map(|finding| finding.sentence).collect();
        assert!(report.verdict.is_none() && told.is_empty(), "{words:?}: {told:#?}");
    };
    for (n, one) in captures.iter().enumerate() {
        found(&["report", one]);
        for other in &captures[n + 1..] {
            found(&["diff", one, other]);
        }
    }
}

fn not_found() {
    let bench = Bench::new(programs!());
    let ended = bench.end_of(&mut bench.hangdog(["flake", "--runs", "3", "--", "/no/such/program"]));
    assert_eq!(ended.status.code(), Some(2), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("/no/such/program") && ended.stderr.contains("not found"), "{}", ended.stderr);
}

/// By a seed that says so, whatever language the phases are in: the second process that comes by is held, at its second
/// phase.
fn phases() {
    let bench = Bench::new(programs!());
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/clients/python");
    let program = bench.path("phases.py");
    let text = "
import os, sys
sys.path.insert(0, sys.argv[1])
import hangdog
open('/proc/self/comm', 'w').write('worker')
for child in (0, 1):
    if os.fork() == 0:
        for step in (1, 2):
            with hangdog.phase('step'):
                pass
        os._exit(0)
    os.wait()
";
    fs::write(&program, text).unwrap();
    let python = [python(), "-B", "-S", "-E", program.to_str().unwrap(), client.to_str().unwrap()].map(String::from);
    check_late(&bench, "worker", &python, "step", (1, 2), &[0, 0, 0, 1]);
    let rust = [programs!().scenario.to_str().unwrap(), "open-phases"].map(String::from);
    check_late(&bench, "traced", &rust, "lock table", (0, 1), &[1]);
}

/// Checks who is held where a phase begins and where it has ended: of all visits, in their order, those with 1.
#[track_caller]
fn check_late(bench: &Bench, comm: &str, command: &[String], phase: &str, (who, nth): (u8, u8), expected: &[u64]) {
    for what in ["begin", "end"] {
        let hold = Hold { place: Place::of(comm, what, phase), who, nth, late: 4 };
        let seed = format!("--seed={}", Aim { holds: [Some(hold), None], ..Aim::default() }.seed());
        let capture = bench.path(format!("{comm}-{what}.hang"));
        let mut words =
            vec!["internal-trial", "--quiet-after=60s", &seed, "--capture", capture.to_str().unwrap(), "--"];
        words.extend(command.iter().map(String::as_str));
        let ended = bench.end_of(&mut bench.hangdog(words));
        assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
        let (records, _) = Reader::open(fs::File::open(&capture).unwrap()).unwrap().read_all();
        let visits = records.iter().filter_map(|record| match record {
            Record::Visit(visit) if visit.what == what && visit.object == phase => Some(visit.held_ns),
            _ => None,
        });
        let expected: Vec<u64> = expected.iter().map(|is| is * hold.ns()).collect();
        assert_eq!(visits.collect::<Vec<u64>>(), expected, "{what} {phase}");
    }
}

fn nothing_left() {
    let bench = Bench::new(programs!());
    let program = "
import os, tempfile
d = tempfile.mkdtemp()
open(os.path.join(d, 'left'), 'w').write('x')
";
    let scratch = bench.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let path = bench.path("leaves.py");
    fs::write(&path, program).unwrap();
    let mut command =
        bench.hangdog(["flake", "--runs", "3", "--perturb", "always", "--", python(), path.to_str().unwrap()]);
    let ended = bench.end_of(command.env("TMPDIR", &scratch).env("XDG_STATE_HOME", bench.path("state")));
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "all temporary files are gone");
}

/// The run goes on when its series is killed: as long as it does, its directory stays.
fn killed() {
    let bench = Bench::new(programs!());
    let scratch = bench.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let program = bench.path("stays.py");
    let text = "import os, time\nopen(os.environ['TMPDIR'] + '/there', 'w').write('x')\ntime.sleep(1000)\n";
    fs::write(&program, text).unwrap();
    let mut command = bench.hangdog(["flake", "--runs", "1", "--", python(), program.to_str().unwrap()]);
    let quiet = || std::process::Stdio::null();
    command.env("TMPDIR", &scratch).env("XDG_STATE_HOME", bench.path("state")).stdout(quiet()).stderr(quiet());
    let mut series = command.spawn().unwrap();
    let house = until("a file of the run", || {
        let house = fs::read_dir(&scratch).ok()?.next()?.ok()?.path();
        house.join("00001/tmp/there").exists().then_some(house)
    });
    // Nobody else's dead runs are touched.
    let alone = r#"mount -t tmpfs tmpfs /dev/shm && exec "$@""#;
    let clean = |apply: &[&str]| {
        let clean = bench.hangdog([&["clean"], apply].concat());
        let words = ["unshare", "-m", "sh", "-c", alone, "sh"].map(std::ffi::OsStr::new).into_iter();
        let mut command = bench.unwatched(words.chain([clean.get_program()]).chain(clean.get_args()));
        bench.end_of(command.env("TMPDIR", &scratch).env("XDG_STATE_HOME", bench.path("state"))).stdout
    };
    let line = |word: &str| format!("{word:<12}  directory of flake     {}", house.display());
    let in_use = clean(&["--apply"]);
    assert!(in_use.contains(&format!("{}, by process {}", line("in use"), series.id())), "{in_use}");
    series.kill().unwrap();
    series.wait().unwrap();
    let goes_on = clean(&["--apply"]);
    assert!(goes_on.contains(&line("in use")) && house.join("00001/tmp/there").exists(), "{goes_on}");
    for pid in within(&scratch) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    until("the end of the run", || within(&scratch).is_empty().then_some(()));
    let listed = clean(&[]);
    assert!(listed.contains(&line("would remove")) && house.exists(), "{listed}");
    let removed = clean(&["--apply"]);
    assert!(removed.contains(&line("removed")) && !house.exists(), "{removed}");
}

/// Processes whose TMPDIR is in a directory.
fn within(place: &std::path::Path) -> Vec<i32> {
    let start = format!("TMPDIR={}/", place.display());
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_in = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(start.as_bytes()))
    };
    pids.filter(is_in).collect()
}
