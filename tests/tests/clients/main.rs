//! The clients of other languages, with the real runtimes: what their programs say stands in the capture, and without
//! hangdog the programs do the same.
//!
//! The programs lie beside the clients (`tracer/clients/*/tests`).

mod cases;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hangdog_schemas::file::Reader;
use hangdog_schemas::record::{PhaseMeaning, PhaseOpen};
use hangdog_schemas::{Big, PhaseId, ProcessId, Record};
use hangdog_tests::{Bench, Needs, programs, trial};
use libtest_mimic::{Arguments, Trial};

use crate::cases::{
    CASES,
    Runtime::{self, Bash, Dash, Go, Node, Python},
};

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = CASES
        .iter()
        .map(|(runtime, case, expected)| of(*runtime, case, move || phases_are(*runtime, case, expected)))
        .collect();
    for runtime in [Python, Node, Go] {
        trials.push(of(runtime, "thousand", move || a_thousand_at_once(runtime)));
        trials.push(of(runtime, "nobody reads", move || nobody_reads(runtime)));
    }
    for runtime in [Python, Node, Go, Dash, Bash] {
        trials.push(of(runtime, "huge", move || long_texts_are_cut(runtime)));
        trials.push(of(runtime, "nowhere to write", move || nowhere_to_write(runtime)));
        trials.push(of(runtime, "hang", move || a_hang_shows_what_is_open(runtime, "hang")));
    }
    for runtime in [Python, Node] {
        trials.push(of(runtime, "hang of tasks", move || a_hang_shows_what_is_open(runtime, "hang_of_tasks")));
    }
    trials.push(of(Go, "gofmt and vet", go_is_formatted_and_vetted));
    trials.push(trial("hangdog phase run: a closed stdin stays closed", Needs::Nothing, closed_stdin_stays_closed));
    libtest_mimic::run(&arguments, trials).exit();
}

fn of(runtime: Runtime, case: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let (program, argument) = match runtime {
        Python => ("python3", "--version"),
        Node => ("node", "--version"),
        Go => ("go", "version"),
        Dash => ("dash", "-c"),
        Bash => ("bash", "--version"),
    };
    let argument = if runtime == Dash { "/dev/null" } else { argument };
    trial(format!("{program}: {case}"), Needs::Program(program, argument), test)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/clients").canonicalize().expect("the clients")
}

/// The command line of a program.
fn line(bench: &Bench, runtime: Runtime, case: &str) -> Vec<OsString> {
    let clients = clients();
    let (program, script) = match runtime {
        Python => ("python3".into(), Some("python/tests/program.py")),
        Node => ("node".into(), Some("node/tests/program.mjs")),
        Go => (built(bench).into_os_string(), None),
        Dash => ("dash".into(), Some("shell/tests/program.sh")),
        Bash => ("bash".into(), Some("shell/tests/program.sh")),
    };
    let mut line = vec![program];
    line.extend(script.map(|script| clients.join(script).into_os_string()));
    line.push(case.into());
    line
}

fn built(bench: &Bench) -> PathBuf {
    let program = bench.path("program");
    if !program.exists() {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(&program).arg("./tests").current_dir(clients().join("go"));
        let ended = bench.end_of(&mut go);
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    program
}

/// The program in a directory of its own, with the client where its language looks for it.
fn prepared<'a>(bench: &Bench, command: &'a mut Command) -> &'a mut Command {
    command
        .env("PYTHONPATH", clients().join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(bench.path(""))
}

/// Runs a program under hangdog, compares what it does with what it does without, and gives the capture.
fn recorded(bench: &Bench, runtime: Runtime, case: &str) -> Vec<Record> {
    let line = line(bench, runtime, case);
    let without = bench.end_of(prepared(bench, &mut bench.unwatched(&line)));
    let with = bench.end_of(prepared(bench, &mut bench.watched(&[], &line)));
    assert_eq!(with.status.code(), Some(0), "{}", with.stderr);
    assert_eq!((with.status, &with.stdout), (without.status, &without.stdout), "{}", without.stderr);
    assert!(with.stdout.ends_with("done\n"), "{}", with.stdout);
    captured(bench)
}

fn captured(bench: &Bench) -> Vec<Record> {
    let bytes = fs::read(bench.capture_path()).expect("a capture");
    let (records, _) = Reader::from_bytes(&bytes).expect("a readable capture").read_all();
    let lost: Vec<&Record> = records.iter().filter(|record| matches!(record, Record::Lost(_))).collect();
    assert!(lost.is_empty(), "{lost:?}");
    records
}

/// The phases of a capture, each as it was last opened, in the order of their begins.
fn phases(records: &[Record]) -> BTreeMap<PhaseId, &PhaseOpen> {
    let opened = records.iter().filter_map(|record| match record {
        Record::PhaseOpen(open) => Some((open.id, &**open)),
        _ => None,
    });
    opened.collect()
}

fn root(records: &[Record]) -> ProcessId {
    let header = records.iter().find_map(|record| match record {
        Record::Run(header) => Some(header.root),
        _ => None,
    });
    header.expect("the first line")
}

fn outcomes(records: &[Record]) -> BTreeMap<PhaseId, &str> {
    let closed = records.iter().filter_map(|record| match record {
        Record::PhaseClose(close) => Some((close.id, close.outcome.as_deref().unwrap_or("no outcome"))),
        _ => None,
    });
    closed.collect()
}

#[track_caller]
fn phases_are(runtime: Runtime, case: &str, expected: &[&str]) {
    let bench = Bench::new(programs!());
    let records = recorded(&bench, runtime, case);
    let (phases, outcomes, root) = (phases(&records), outcomes(&records), root(&records));
    let mut in_order: Vec<&PhaseOpen> = phases.values().copied().collect();
    in_order.sort_by_key(|phase| phase.id.phase);
    let mut tasks: Vec<Big> = Vec::new();
    let mut told: Vec<String> = in_order
        .into_iter()
        .map(|phase| {
            let whose = if phase.id.process == root { "" } else { "child's " };
            let outcome = outcomes.get(&phase.id).unwrap_or(&"open");
            let thread = match phase.tid {
                Some(tid) if tid.0 == phase.id.process.pid.0 => ", main thread",
                Some(_) => ", thread",
                None => "",
            };
            let task = phase.task.map(|task| format!(", task {}", number(&mut tasks, task))).unwrap_or_default();
            format!("{whose}{}: {outcome}{thread}{task}{}", path(&phases, phase), fields(phase))
        })
        .collect();
    told.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

/// Tasks are numbered as they come.
fn number(tasks: &mut Vec<Big>, task: Big) -> usize {
    if !tasks.contains(&task) {
        tasks.push(task);
    }
    tasks.iter().position(|known| *known == task).map_or(0, |at| at + 1)
}

fn path(phases: &BTreeMap<PhaseId, &PhaseOpen>, phase: &PhaseOpen) -> String {
    let outer = phase.parent.and_then(|parent| phases.get(&PhaseId { phase: parent, ..phase.id }));
    outer.map_or_else(|| phase.name.clone(), |outer| format!("{} > {}", path(phases, outer), phase.name))
}

fn fields(phase: &PhaseOpen) -> String {
    let PhaseMeaning { wait, hold, op, link, .. } = &phase.hang;
    let resource = |key: &Option<hangdog_schemas::ResourceKey>| key.as_ref().map(ToString::to_string);
    let hang = [
        ("hang.wait", resource(wait)),
        ("hang.hold", resource(hold)),
        ("hang.op", op.clone()),
        ("hang.link", link.clone()),
    ];
    let hang = hang.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let all: Vec<String> =
        hang.chain(phase.fields.iter().cloned()).map(|(key, value)| format!("{key}={value}")).collect();
    if all.is_empty() { String::new() } else { format!(" {{{}}}", all.join(" ")) }
}

fn a_thousand_at_once(runtime: Runtime) {
    let bench = Bench::new(programs!());
    let records = recorded(&bench, runtime, "thousand");
    let (phases, outcomes) = (phases(&records), outcomes(&records));
    let outer = phases.values().find(|phase| phase.name == "main").expect("the phase around");
    let waits: Vec<&&PhaseOpen> = phases.values().filter(|phase| phase.name == "wait").collect();
    assert_eq!(waits.len(), 1000);
    assert!(waits.iter().all(|wait| wait.parent == Some(outer.id.phase) && outcomes[&wait.id] == "ok"));
    let mut tasks: Vec<Big> = waits.iter().map(|wait| wait.task.expect("a task")).collect();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 1000);
}

fn long_texts_are_cut(runtime: Runtime) {
    let bench = Bench::new(programs!());
    let records = recorded(&bench, runtime, "huge");
    let phases = phases(&records);
    let texts = phases.values().flat_map(|phase| {
        let fields = phase.fields.iter().flat_map(|(key, value)| [key, value]);
        fields.chain([&phase.name])
    });
    let longest = texts.map(String::len).max();
    assert!(longest.is_some_and(|longest| (200..=256).contains(&longest)), "{longest:?}");
    let named = |name: &str| phases.values().find(|phase| phase.name == name);
    let letters = named("letters").expect("letters that JSON writes otherwise");
    let quoted = letters.fields.iter().find(|(key, _)| key == "quoted").map(|(_, value)| value.as_str());
    // A shell cannot hold a NUL, and what it says has spaces for control characters.
    let expected = if matches!(runtime, Dash | Bash) { "\"\\  " } else { "\"\\\n\t\0" };
    assert_eq!(quoted.map(str::trim_end), Some(expected.trim_end()));
    let cut = phases.values().find(|phase| phase.name.len() > 200).expect("the long name");
    assert!(cut.name.ends_with('…') && cut.hang.wait.is_none(), "a resource that was cut is none");
    if !matches!(runtime, Dash | Bash) {
        let many = named("many").expect("more fields than fit in a line");
        assert_eq!((many.hang.op.as_deref(), many.fields.len()), (Some("kept"), 0));
        assert!(named("good").is_some(), "a value that is no text costs at most its own phase");
    }
}

/// A directory that has gone, a device, a pipe that nobody reads: the program does not notice.
fn nowhere_to_write(runtime: Runtime) {
    let bench = Bench::new(programs!());
    let fifo = bench.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    for place in [Path::new("/no/such/place"), Path::new("/dev/full"), &fifo, bench.path("").as_path()] {
        let line = line(&bench, runtime, "nested");
        let mut command = bench.unwatched(line);
        let ended = bench.end_of(prepared(&bench, &mut command).env("HANGDOG_PHASES", place));
        let told = (ended.status.code(), ended.stdout.as_str(), ended.stderr.as_str());
        assert_eq!(told, (Some(0), "done\n", ""), "{}", place.display());
    }
}

/// What is not read takes memory: a file with much of it gets no phase more.
fn nobody_reads(runtime: Runtime) {
    let bench = Bench::new(programs!());
    let file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file in memory");
    let line = line(&bench, runtime, "nested");
    for (unread, grows) in [(17 << 20, false), (0, true)] {
        fs::write(file.path(), vec![b'\n'; unread]).expect("room in memory");
        let mut command = bench.unwatched(&line);
        let ended = bench.end_of(prepared(&bench, &mut command).env("HANGDOG_PHASES", file.path()));
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "done\n"), "{}", ended.stderr);
        let len = file.as_file().metadata().expect("its length").len();
        assert_eq!(len > unread as u64, grows, "{len} bytes, {unread} before");
    }
}

/// A program that waits for good: what it is in stands in the capture, and in the report where a thread is in it.
fn a_hang_shows_what_is_open(runtime: Runtime, case: &str) {
    let bench = Bench::new(programs!());
    let queue = bench.path("queue");
    nix::unistd::mkfifo(&queue, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let line = line(&bench, runtime, case);
    let mut command = bench.hangdog(["run", "--quiet-after", "2s", "--timeout", "6s", "--report"]);
    command.arg(bench.report_path()).arg("-o").arg(bench.capture_path()).arg("--").args(line);
    let ended = bench.end_of(prepared(&bench, &mut command));
    assert_eq!(ended.status.code(), Some(124), "{}{}", ended.stdout, ended.stderr);
    let records = captured(&bench);
    let (phases, outcomes) = (phases(&records), outcomes(&records));
    let mut open: Vec<String> = phases
        .values()
        .filter(|phase| !outcomes.contains_key(&phase.id))
        .map(|phase| format!("{}{}", path(&phases, phase), fields(phase)))
        .collect();
    open.sort();
    let place = fs::canonicalize(bench.path("")).expect("the directory");
    let waits_for_queue = format!("wait for the queue {{hang.wait=path:{}/queue}}", place.display());
    let expected: &[&str] = match runtime {
        Dash | Bash => &[&waits_for_queue],
        Node if case == "hang" => &["wait for the child {hang.op=child}"],
        _ => &[
            "book > take the second lock {hang.wait=lock:orders}",
            "book > take the second lock {hang.wait=lock:stock}",
            "book {hang.hold=lock:orders}",
            "book {hang.hold=lock:stock}",
        ],
    };
    assert_eq!(open, expected);
    let report = bench.report().expect("a report");
    let verdict = report.verdict.as_ref();
    let kind = verdict.map(|verdict| verdict.kind.name());
    match (runtime, case) {
        (Python, "hang") => assert_eq!(kind.as_deref(), Some("deadlock-cycle"), "{}", ended.stderr),
        (Dash | Bash, _) => assert_eq!(kind.as_deref(), Some("orphan-wait"), "{}", ended.stderr),
        _ => {}
    }
    let is_in_a_thread = matches!((runtime, case), (Python | Node | Dash | Bash, "hang"));
    let name = open[0].split([' ', '>']).next().expect("a name");
    assert!(!is_in_a_thread || ended.stderr.contains(name), "{}", ended.stderr);
}

fn go_is_formatted_and_vetted() {
    let bench = Bench::new(programs!());
    for line in [["gofmt", "-l", "."], ["go", "vet", "./..."]] {
        let ended = bench.end_of(bench.unwatched(line).current_dir(clients().join("go")));
        assert!(ended.status.success() && ended.stdout.is_empty(), "{line:?}: {}{}", ended.stdout, ended.stderr);
    }
}

fn closed_stdin_stays_closed() {
    let bench = Bench::new(programs!());
    let hangdog = bench.hangdog(["phase"]);
    let mut shell = bench.unwatched(["sh", "-c", "exec \"$@\" <&-", "sh"]);
    shell.arg(hangdog.get_program()).args(["phase", "run", "look", "--", "sh", "-c"]);
    shell.arg("for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; true");
    let ended = bench.end_of(&mut shell);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "1\n2\n"), "{}", ended.stderr);
}
