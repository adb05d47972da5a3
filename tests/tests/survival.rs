//! What survives: the command when hangdog is killed, phases when their program is, the verdict when the disk is full.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use hangdog_schemas::Record;
use hangdog_schemas::file::Reader;
use hangdog_tests::{Bench, Disk, Ended, Needs, programs, trial, until};
use libtest_mimic::Arguments;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("the command goes on when hangdog is killed", Needs::Nothing, hangdog_is_killed),
        trial("phases of a program that was killed", Needs::Nothing, || phases_after("SIGKILL")),
        trial("phases of a program that is stopped", Needs::Nothing, || phases_after("SIGSTOP")),
        trial("a signal is passed on", Needs::Nothing, signal_is_passed_on),
        trial("a full disk costs neither verdict nor exit code", Needs::Mounts(programs!()), full_disk),
        trial("a frozen disk costs only the capture", Needs::That(Disk::missing), frozen_disk),
        trial("no room at all costs only the capture", Needs::Nothing, no_room_at_all),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Records of the capture as far as it goes, and what it says is missing.
fn captured(bench: &Bench) -> Option<(Vec<Record>, Vec<String>)> {
    let bytes = fs::read(bench.capture_path()).ok()?;
    let (records, summary) = Reader::from_bytes(&bytes).ok()?.read_all();
    let missing = summary.missing();
    Some((records, missing))
}

fn opened(records: &[Record], name: &str) -> bool {
    records.iter().any(|record| matches!(record, Record::PhaseOpen(open) if open.name == name))
}

fn closed(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record, Record::PhaseClose(_))).count()
}

/// Starts the program with open phases under hangdog and waits until its phases are in the capture.
fn start_traced(bench: &Bench) -> (std::process::Child, std::io::PipeWriter) {
    let (from, into) = std::io::pipe().expect("a pipe");
    let output = File::create(bench.path("out")).expect("a file");
    let child = bench
        .watched(&["--on-hang", "report"], bench.scenario("open-phases", &[]))
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(from)))
        .stdout(output)
        .spawn()
        .expect("hangdog");
    until("the phases in the capture", || {
        let (records, _) = captured(bench)?;
        (opened(&records, "import") && opened(&records, "lock table")).then_some(())
    });
    (child, into)
}

fn hangdog_is_killed() {
    let bench = Bench::new(programs!());
    let (mut hangdog, input) = start_traced(&bench);
    hangdog.kill().expect("our own child");
    let status = hangdog.wait().expect("our own child");
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    let (records, _) = captured(&bench).expect("a readable capture");
    assert!(opened(&records, "lock table"));
    assert!(!records.iter().any(|record| matches!(record, Record::RunEnd(_))), "nobody saw the run end");
    assert_eq!(bench.alive().len(), 1, "the command goes on");
    drop(input);
    until("the end of the command", || bench.alive().is_empty().then_some(()));
}

fn phases_after(signal: &str) {
    let bench = Bench::new(programs!());
    let line = bench.scenario("open-phases", &[OsStr::new(signal)]);
    let (from, into) = std::io::pipe().expect("a pipe");
    let mut command = bench.watched(&[], line);
    let ended = bench.end_of(command.stdin(Stdio::from(std::os::fd::OwnedFd::from(from))));
    drop(into);
    let expected = if signal == "SIGKILL" { (None, Some(9)) } else { (Some(124), None) };
    assert_eq!((ended.status.code(), ended.status.signal()), expected, "{}", ended.stderr);
    let (records, missing) = captured(&bench).expect("a capture");
    assert_eq!(missing, Vec::<String>::new());
    assert!(opened(&records, "import") && opened(&records, "lock table"), "the phases are not in the capture");
    assert_eq!(closed(&records), 0, "neither phase was closed by the program");
}

fn signal_is_passed_on() {
    let bench = Bench::new(programs!());
    let (mut hangdog, _input) = start_traced(&bench);
    kill(Pid::from_raw(i32::try_from(hangdog.id()).expect("a process number")), Signal::SIGTERM)
        .expect("our own child");
    let status = hangdog.wait().expect("our own child");
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "it ends like the command");
    assert_eq!(bench.alive(), Vec::<String>::new());
}

/// Two pages of disk: the first frames fit, not those of a hang that is watched for a while.
fn full_disk() {
    let bench = Bench::new(programs!());
    let capture = bench.path("disk/run.hang");
    let hangdog = bench.hangdog(["run"]);
    let script = "\"$0\" run --quiet-after 2s --on-hang report --timeout 8s --report \"$1\" -o \"$2\" -- \"$3\" pipe-full-cycle\n\
                  echo \"run: $?\"\n\
                  \"$0\" report \"$2\" > /dev/null\n\
                  echo \"report: $?\"";
    let report = bench.report_path();
    let scenario = bench.scenario("pipe-full-cycle", &[]);
    let line = bench.scenario(
        "on-small-disk",
        &[
            bench.path("disk").as_ref(),
            OsStr::new("sh"),
            OsStr::new("-c"),
            OsStr::new(script),
            hangdog.get_program(),
            report.as_ref(),
            capture.as_ref(),
            &scenario[0],
        ],
    );
    let ended = bench.end_of(&mut bench.unwatched(line));
    assert!(ended.stdout.contains("run: 124"), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.to_lowercase().contains("no space left on device"), "{}", ended.stderr);
    let kind = bench.report().and_then(|report| report.verdict).map(|verdict| verdict.kind.name());
    assert_eq!(kind.as_deref(), Some("deadlock-cycle"), "{}", ended.stderr);
    check_first_facts(&take_first_facts(&ended));
    assert!(ended.stdout.contains("report: 0"), "what was whole is readable: {}{}", ended.stdout, ended.stderr);
}

/// Nothing of the capture comes to a disk that takes no writes; what the blocked threads waited in is on record.
fn frozen_disk() {
    let bench = Bench::new(programs!());
    let disk = Disk::new();
    let capture = disk.path().join("run.hang");
    let report = bench.report_path();
    let thaw = disk.freeze();
    let mut command =
        bench.hangdog(["run", "--quiet-after", "2s", "--on-hang", "report", "--timeout", "8s", "--report"]);
    command.args([report.as_os_str(), OsStr::new("-o"), capture.as_os_str(), OsStr::new("--")]);
    let ended = bench.end_of(command.args(bench.scenario("pipe-full-cycle", &[])));
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    assert!(ended.stderr.contains("the disk does not answer"), "{}", ended.stderr);
    let kind = bench.report().and_then(|report| report.verdict).map(|verdict| verdict.kind.name());
    assert_eq!(kind.as_deref(), Some("deadlock-cycle"), "{}", ended.stderr);
    check_first_facts(&take_first_facts(&ended));
    // The writer goes on now, and ends.
    drop(thaw);
    until("the capture on the disk", || {
        let bytes = fs::read(&capture).ok()?;
        let (_, summary) = Reader::from_bytes(&bytes).ok()?.read_all();
        summary.is_complete().then_some(())
    });
}

/// After a trigger comes at once what threads wait in, before anything else of the look that follows.
#[track_caller]
fn check_first_facts(spool: &str) {
    let records: Vec<Record> = spool.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let trigger = records.iter().position(|record| matches!(record, Record::Trigger(_))).expect("a trigger");
    let first: Vec<_> = records[trigger + 1..]
        .iter()
        .map_while(|record| if let Record::Thread(thread) = record { Some(thread) } else { None })
        .collect();
    assert!(!first.is_empty(), "{:?}", records.get(trigger + 1));
    let is_blocked = first.iter().any(|thread| {
        thread.wchan.seen().is_some_and(|wchan| wchan.contains("pipe")) && thread.syscall.seen().is_some()
    });
    assert!(is_blocked, "{first:?}");
}

fn no_room_at_all() {
    let bench = Bench::new(programs!());
    let mut command = bench.hangdog(["run", "-o", "/dev/full", "--"]);
    let ended = bench.end_of(command.args(bench.scenario("exit", &[OsStr::new("7")])));
    assert_eq!(ended.status.code(), Some(7), "{}", ended.stderr);
    assert!(ended.stderr.contains("/dev/full"), "the message names the place: {}", ended.stderr);
    take_first_facts(&ended);
}

/// What could not be written is kept in memory, and the message says where; it is for the user to remove.
fn take_first_facts(ended: &Ended) -> String {
    let place =
        ended.stderr.split_whitespace().find(|word| word.ends_with("spool.jsonl")).expect("where the facts are");
    let facts = fs::read_to_string(place).expect("the first facts");
    assert!(facts.starts_with("{\"kind\":\"run\""), "{place} begins with {:?}", facts.lines().next());
    fs::remove_dir_all(std::path::Path::new(place).parent().expect("the run's directory")).expect("to remove it");
    facts
}
