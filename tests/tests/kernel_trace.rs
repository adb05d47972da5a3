//! The kernel's own recorder: what a capture has of it, and what is left of it afterwards.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hangdog_schemas::file::Reader;
use hangdog_schemas::record::{KernelDeed, KernelEvent, LockOutcome};
use hangdog_schemas::{Pid, Record, RunHeader, Tid};
use hangdog_tests::{Bench, Needs, programs, trial, until};
use libtest_mimic::Arguments;
use nix::sys::signal::{Signal, kill};
use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

fn main() {
    hangdog_tests::as_in_the_foreground();
    let mut arguments = Arguments::from_args();
    // While an instance is removed the kernel lets nobody else have one.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("FUSE requests with operation and thread", Needs::That(no_recorder_or_fuse), fuse_requests),
        trial("locks, signals and exits", Needs::That(no_recorder), locks_signals_exits),
        trial("system calls, futexes and wake-ups", Needs::That(no_recorder), system_calls),
        trial("a failing command that is short", Needs::That(no_recorder), short_command),
        trial("the instance goes with the run", Needs::That(no_recorder), instance_goes),
        trial("the instance goes when hangdog is killed", Needs::That(no_recorder), hangdog_is_killed),
        trial("the next run clears what nobody is left to clear", Needs::That(no_recorder), leftover_is_cleared),
        trial("an instance that is somebody's stays", Needs::That(no_recorder), living_stay),
        trial("two runs at once have each its own", Needs::That(no_recorder), two_at_once),
        trial("off, nothing is recorded", Needs::Nothing, off),
        trial("where it cannot be had the run is the same", Needs::That(no_namespaces), in_a_namespace),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn no_recorder() -> Option<String> {
    hangdog_collector::ktrace::available().err().map(|why| format!("needs the kernel's recorder: {why}"))
}

fn no_recorder_or_fuse() -> Option<String> {
    let no_fuse = || File::options().read(true).write(true).open("/dev/fuse").err();
    no_recorder().or_else(|| no_fuse().map(|error| format!("needs access to /dev/fuse ({error})")))
}

fn no_namespaces() -> Option<String> {
    let made = std::process::Command::new("unshare").args(["--pid", "--fork", "true"]).stderr(Stdio::null()).status();
    (!made.is_ok_and(|status| status.success())).then(|| "needs root and unshare(1)".to_owned())
}

struct Captured {
    header: RunHeader,
    records: Vec<Record>,
}

impl Captured {
    #[track_caller]
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (records, summary) = Reader::from_bytes(&bytes).expect("a capture").read_all();
        assert!(summary.is_complete(), "{:?}", summary.missing());
        let Some(Record::Run(header)) = records.first() else { panic!("no header") };
        Self { header: (**header).clone(), records }
    }

    fn events(&self) -> impl Iterator<Item = &KernelEvent> {
        self.records.iter().filter_map(|record| match record {
            Record::KernelEvent(event) => Some(event),
            _ => None,
        })
    }

    /// Whether a thread did such a thing.
    fn has(&self, tid: u32, is: impl Fn(&KernelDeed) -> bool) -> bool {
        self.events().any(|event| event.tid == Tid(tid) && is(&event.what))
    }

    fn kernel_trace(&self) -> &str {
        let option = self.header.options.iter().find_map(|option| option.strip_prefix("--kernel-trace="));
        option.expect("the header says what is recorded")
    }
}

/// The demo's test closes a file whose server, which is to answer, hangs: the request stands there without an end.
fn fuse_requests() {
    wait_for_others();
    let bench = Bench::new(programs!());
    let ended = bench.end_of(&mut bench.hangdog(["demo"]));
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let place = fs::read_dir(bench.path("state/hangdog")).expect("captures").flatten().map(|entry| entry.path());
    let capture = place.into_iter().find(|path| path.extension() == Some(OsStr::new("hang"))).expect("a capture");
    let captured = Captured::read(&capture);
    let waits = captured.records.iter().find_map(|record| match record {
        Record::Thread(thread) if thread.syscall.seen().and_then(|call| call.name()) == Some("close") => {
            Some(thread.thread.tid)
        }
        _ => None,
    });
    let closer = waits.expect("a thread that waits in close");
    let unique = captured.events().find_map(|event| match &event.what {
        KernelDeed::FuseSend { unique, opcode, .. } if event.tid == closer && opcode == "FLUSH" => Some(*unique),
        _ => None,
    });
    let unique = unique.expect("the request of the thread that waits");
    let end = captured.events().find_map(|event| match &event.what {
        KernelDeed::FuseEnd { unique: ended, error, .. } if *ended == unique => Some(*error),
        _ => None,
    });
    // It ends when hangdog aborts the connection, which is not of the run; or not at all.
    assert_ne!(end, Some(0), "nobody answered it");
    let answered = captured.events().any(|event| matches!(event.what, KernelDeed::FuseEnd { error: 0, .. }));
    assert!(answered, "requests before it were answered");
}

fn locks_signals_exits() {
    wait_for_others();
    let bench = Bench::new(programs!());
    let line = bench.scenario("flock-abba", &[bench.path("").as_ref()]);
    let ended = bench.end_of(&mut bench.watched(&[], line));
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    let captured = Captured::read(&bench.capture_path());
    assert_eq!(captured.kernel_trace(), "on");
    let killed = |what: &KernelDeed| matches!(what, KernelDeed::SignalTaken { signal: 9, .. });
    for taker in ["taker-a", "taker-b"] {
        let tid = bench.pid_of(taker);
        let lock = |outcome| move |what: &KernelDeed| matches!(what, KernelDeed::FileLock { outcome: o, .. } if *o == outcome);
        assert!(captured.has(tid, lock(LockOutcome::Done)), "{taker} got its first lock");
        assert!(captured.has(tid, lock(LockOutcome::Waits)), "{taker} waits for its second");
        assert!(captured.has(tid, |what| matches!(what, KernelDeed::Exit { .. })), "{taker} ended");
        let started = |what: &KernelDeed| matches!(what, KernelDeed::Fork { child, .. } if *child == Tid(tid));
        assert!(captured.has(bench.pid_of("starter"), started), "{taker} was started");
    }
    // Freed by the end of one, the other may end by itself before the signal is there.
    let takers = ["taker-a", "taker-b"].map(|taker| bench.pid_of(taker));
    assert!(takers.into_iter().any(|taker| captured.has(taker, killed)), "one of them was killed");
    let times: Vec<u64> = captured.events().map(|event| event.when.t.0).collect();
    assert!(times.is_sorted(), "{times:?}");
    let end = captured.records.iter().filter_map(Record::when).max().expect("an end");
    assert!(times.iter().all(|t| (1..=end.0).contains(t)), "on the time line of the run: {times:?}");
}

fn system_calls() {
    let bench = Bench::new(programs!());
    let line = bench.scenario("traced-abba-std", &[]);
    let ended = bench.end_of(&mut bench.watched(&["--kernel-trace", "syscalls"], line));
    assert_eq!(ended.status.code(), Some(124), "{}", ended.stderr);
    let captured = Captured::read(&bench.capture_path());
    assert_eq!(captured.kernel_trace(), "syscalls");
    let any = |is: fn(&KernelDeed) -> bool| captured.events().any(|event| is(&event.what));
    assert!(any(|what| matches!(what, KernelDeed::Futex { op, .. } if op.starts_with("WAIT"))));
    assert!(any(|what| matches!(what, KernelDeed::Wake { .. })));
    assert!(any(|what| matches!(what, KernelDeed::Syscall { name, .. } if name == "openat")));
    assert!(any(
        |what| matches!(what, KernelDeed::SyscallEnd { name, result, .. } if name == "openat" && *result >= 0)
    ));
}

/// The recorder is on before the command is.
fn short_command() {
    wait_for_others();
    let bench = Bench::new(programs!());
    let line = bench.scenario("die", &[OsStr::new("SIGSEGV")]);
    bench.end_of(&mut bench.watched(&[], line));
    let captured = Captured::read(&bench.capture_path());
    let root = captured.header.root.pid.0;
    assert!(captured.has(root, |what| matches!(what, KernelDeed::Exec { .. })));
    let sent =
        |what: &KernelDeed| matches!(what, KernelDeed::SignalSent { signal: 11, target, .. } if target.0 == root);
    assert!(captured.has(root, sent));
    assert!(captured.has(root, |what| matches!(what, KernelDeed::SignalTaken { signal: 11, .. })));
    assert!(captured.has(root, |what| matches!(what, KernelDeed::Exit { .. })));
}

/// tracefs, wherever it is or is not mounted.
fn instances() -> OwnedFd {
    let root = rustix::fs::open("/sys/kernel/tracing/instances", LISTING, Mode::empty());
    root.unwrap_or_else(|_| {
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).expect("tracefs");
        fsconfig_create(&context).expect("tracefs");
        let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).expect("tracefs");
        openat(root, "instances", LISTING, Mode::empty()).expect("instances")
    })
}

const LISTING: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Instances whose names begin so.
fn instances_like(begin: &str) -> Vec<String> {
    let names = rustix::fs::Dir::new(instances()).expect("instances").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(begin)).collect()
}

/// Instances of this hangdog.
fn instances_of(hangdog: u32) -> Vec<String> {
    instances_like(&format!("hangdog-{hangdog}-"))
}

/// A command is held until its recorder is on, but not for long: a run that was before may still keep the kernel busy.
fn wait_for_others() {
    until("the end of other runs' instances", || instances_like("hangdog-").is_empty().then_some(()));
}

/// A run that goes on until its input ends, once its instance is there.
struct Waiting {
    hangdog: Child,
    into: Option<io::PipeWriter>,
}

impl Waiting {
    fn start(bench: &Bench) -> Self {
        let (from, into) = io::pipe().expect("a pipe");
        let hangdog = bench
            .watched(&[], ["cat"])
            .stdin(Stdio::from(OwnedFd::from(from)))
            .stdout(Stdio::null())
            .spawn()
            .expect("hangdog");
        until("the instance", || (instances_of(hangdog.id()).len() == 1).then_some(()));
        until("the helper", || helper_of(hangdog.id()));
        Self { hangdog, into: Some(into) }
    }

    /// Lets the command end.
    fn release(&mut self) {
        self.into = None;
    }

    fn kill(&mut self) {
        self.hangdog.kill().expect("our own child can be killed");
        self.hangdog.wait().expect("a child can be waited for");
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.release();
        let _ended = self.hangdog.wait();
    }
}

/// The process that has the instance.
fn helper_of(hangdog: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{hangdog}/task/{hangdog}/children")).ok()?;
    let pids = children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == "hangdog-ktrace")
    })
}

fn instance_goes() {
    let bench = Bench::new(programs!());
    let mut run = Waiting::start(&bench);
    run.release();
    assert!(run.hangdog.wait().expect("hangdog").success());
    until("the end of the instance", || instances_of(run.hangdog.id()).is_empty().then_some(()));
}

fn hangdog_is_killed() {
    let bench = Bench::new(programs!());
    let mut run = Waiting::start(&bench);
    run.kill();
    until("the end of the instance", || instances_of(run.hangdog.id()).is_empty().then_some(()));
}

fn leftover_is_cleared() {
    let bench = Bench::new(programs!());
    let mut run = Waiting::start(&bench);
    let helper = helper_of(run.hangdog.id()).expect("the helper");
    kill(nix::unistd::Pid::from_raw(helper as i32), Signal::SIGKILL).expect("the helper can be killed");
    // Waited for by hangdog or by nobody; it is over when it has no files any more.
    until("the end of the helper", || fs::read_link(format!("/proc/{helper}/cwd")).err());
    run.kill();
    let dead = run.hangdog.id();
    assert_eq!(instances_of(dead).len(), 1, "nobody is left to remove it");
    let next = Bench::new(programs!());
    assert!(next.end_of(&mut next.watched(&[], ["true"])).status.success());
    until("the end of what a dead run left", || instances_of(dead).is_empty().then_some(()));
}

fn living_stay() {
    let bench = Bench::new(programs!());
    let run = Waiting::start(&bench);
    let other = Bench::new(programs!());
    let mut other = Waiting::start(&other);
    other.release();
    assert!(other.hangdog.wait().expect("hangdog").success());
    until("the end of the other instance", || instances_of(other.hangdog.id()).is_empty().then_some(()));
    assert_eq!(instances_of(run.hangdog.id()).len(), 1, "its owner lives");
}

fn two_at_once() {
    let benches = [Bench::new(programs!()), Bench::new(programs!())];
    let mut runs = benches.each_ref().map(Waiting::start);
    runs.iter_mut().for_each(Waiting::release);
    for run in &mut runs {
        assert!(run.hangdog.wait().expect("hangdog").success());
    }
    let captured = benches.each_ref().map(|bench| Captured::read(&bench.capture_path()));
    let roots = captured.each_ref().map(|captured| captured.header.root.pid);
    for (own, captured) in roots.into_iter().zip(&captured) {
        assert!(captured.has(own.0, |what| matches!(what, KernelDeed::Exec { .. })), "its own command");
        assert!(captured.has(own.0, |what| matches!(what, KernelDeed::Exit { .. })), "its own command");
        let foreign = |pid: &Pid| *pid != own && captured.has(pid.0, |_| true);
        assert!(!roots.iter().any(foreign), "and not that of the other run");
    }
}

fn off() {
    let bench = Bench::new(programs!());
    let line = bench.scenario("exit", &[OsStr::new("7")]);
    let ended = bench.end_of(&mut bench.watched(&["--kernel-trace=off"], line));
    assert_eq!(ended.status.code(), Some(7), "{}", ended.stderr);
    let captured = Captured::read(&bench.capture_path());
    assert_eq!((captured.kernel_trace(), captured.events().count()), ("off", 0));
}

/// Another pid namespace has other numbers for its threads than the kernel's recorder.
fn in_a_namespace() {
    let bench = Bench::new(programs!());
    for (asked, notes) in [("on", 0), ("syscalls", 1)] {
        let watched = bench.watched(&["--kernel-trace", asked], bench.scenario("exit", &[OsStr::new("7")]));
        let words = [watched.get_program()].into_iter().chain(watched.get_args());
        let line: Vec<PathBuf> = ["unshare", "--pid", "--fork", "--mount-proc"].iter().map(PathBuf::from).collect();
        let line = line.iter().map(|word| word.as_os_str()).chain(words);
        let ended = bench.end_of(&mut bench.unwatched(line));
        assert_eq!(ended.status.code(), Some(7), "{}", ended.stderr);
        let told = ended.stderr.lines().filter(|line| line.contains("system calls are not recorded")).count();
        assert_eq!(told, notes, "{}", ended.stderr);
        let captured = Captured::read(&bench.capture_path());
        assert_eq!((captured.kernel_trace(), captured.events().count()), ("off", 0));
    }
}
