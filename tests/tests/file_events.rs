//! File events of a run: who did what to which file, in the run's own directories, and nothing of anybody else.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use hangdog_schemas::file::Reader;
use hangdog_schemas::record::{FileEvent, FileOp, FileWatch, WatchedBy, Whose};
use hangdog_schemas::{Pid, Record};
use hangdog_tests::{Bench, Needs, programs, trial, until};
use libtest_mimic::Arguments;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Somebody without rights.
const NOBODY: u32 = 65534;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("who did what to which file", Needs::That(no_fanotify), who_did_what),
        trial("a file that is open for a moment", Needs::That(no_fanotify), open_for_a_moment),
        trial("strangers are left out where nobody asked", Needs::That(no_fanotify), strangers),
        trial("two runs at once see their own", Needs::That(no_fanotify), two_runs),
        trial("what had no room is counted", Needs::That(no_fanotify), overflow),
        trial("a command ends as it does, and its reader goes with it", Needs::Nothing, nothing_is_left),
        trial("the reader goes when hangdog is killed", Needs::Nothing, hangdog_is_killed),
        trial("nothing is looked up on FUSE by fanotify", Needs::That(no_mount), || fuse(None)),
        trial("nothing is looked up on FUSE by inotify", Needs::That(no_nobody_nor_mount), || fuse(Some(NOBODY))),
        trial("an ordinary user gets names", Needs::That(no_nobody), ordinary_user),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn no_fanotify() -> Option<String> {
    (!is_root()).then(|| "fanotify needs root".to_owned())
}

fn no_mount() -> Option<String> {
    no_fanotify().or_else(|| File::open("/dev/fuse").err().map(|error| format!("needs /dev/fuse ({error})")))
}

/// As root: whether somebody without rights can run the programs.
fn no_nobody() -> Option<String> {
    let program = programs!().hangdog;
    let mut tried = as_user(is_root().then_some(NOBODY), program.as_ref());
    let is_fine = tried.arg("--version").output().is_ok_and(|output| output.status.success());
    (!is_fine).then(|| format!("user {NOBODY} cannot run {}, or there is no setpriv", program.display()))
}

fn no_nobody_nor_mount() -> Option<String> {
    no_mount().or_else(no_nobody)
}

fn as_user(user: Option<u32>, program: &OsStr) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    let id = user.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
    command
}

impl Drop for Work {
    fn drop(&mut self) {
        if is_root() {
            // Where runs of that user lie; it is only removed when nothing is in it.
            let _ = fs::remove_dir(format!("/dev/shm/hangdog-{NOBODY}"));
        }
    }
}

/// A bench with a folder `work` in which commands run.
struct Work {
    bench: Bench,
}

impl Work {
    fn new() -> Self {
        let bench = Bench::new(programs!());
        fs::create_dir(bench.path("work")).expect("a folder");
        Self { bench }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.path("work").join(name)
    }

    fn watched(&self, options: &[&str], script: &str) -> Command {
        let mut command = self.bench.watched(options, ["sh", "-c", script]);
        command.current_dir(self.path("")).env("TMPDIR", self.path(""));
        command
    }

    /// Gives all of it to a user, who then runs what `watched` says.
    fn watched_as(&self, user: u32, options: &[&str], script: &str) -> Command {
        for folder in [self.bench.path(""), self.path("")] {
            chown(&folder, Some(user), Some(user)).expect("root gives files away");
        }
        let plain = self.watched(options, script);
        let mut command = as_user(Some(user), plain.get_program());
        command.args(plain.get_args()).current_dir(self.path(""));
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    #[track_caller]
    fn run(&self, command: &mut Command) {
        let ended = self.bench.end_of(command);
        assert_eq!(ended.status.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    }

    fn records(&self) -> Vec<Record> {
        let bytes = fs::read(self.bench.capture_path()).expect("a capture");
        Reader::from_bytes(&bytes).expect("a capture").read_all().0
    }

    /// Events in the folder, in order.
    fn events(&self) -> Vec<FileEvent> {
        let folder = self.path("");
        let event = |record| match record {
            Record::FileEvent(event) if Path::new(&event.path).starts_with(&folder) => Some(event),
            _ => None,
        };
        self.records().into_iter().filter_map(event).collect()
    }

    /// The same, in words: `op name [to]`.
    fn lines(&self) -> Vec<String> {
        let folder = self.path("");
        let name = |path: &str| Path::new(path).strip_prefix(&folder).expect("in here").display().to_string();
        let line = |event: FileEvent| {
            let to = event.to.as_deref().map(|to| format!(" {}", name(to))).unwrap_or_default();
            format!("{} {}{to}", event.op.word(), name(&event.path))
        };
        self.events().into_iter().map(line).collect()
    }

    #[track_caller]
    fn watch(&self, directory: &Path) -> FileWatch {
        let records = self.records();
        let found = records.iter().find_map(|record| match record {
            Record::FileWatch(watch) if Path::new(&watch.directory) == directory => Some(watch.clone()),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("the capture does not say how {} was watched", directory.display()))
    }
}

/// Operation, name and program of each event.
#[track_caller]
fn check(work: &Work, expected: &[(&str, &str)]) {
    let lines: Vec<String> = work.lines();
    let lost: Vec<Record> = work.records().into_iter().filter(|record| matches!(record, Record::Lost(_))).collect();
    assert_eq!(lines, expected.iter().map(|(line, _)| *line).collect::<Vec<&str>>(), "{lost:?}");
    for (event, (line, comm)) in work.events().iter().zip(expected) {
        assert!(event.pid.is_some(), "{line}");
        // A program that ran for a moment on a busy machine was gone before its name could be asked for.
        assert!(event.comm.as_deref().is_none_or(|found| found == *comm), "{line}: {event:?}");
    }
}

fn who_did_what() {
    let work = Work::new();
    let script = "echo $$ > pid; mv pid b; mkdir d; mv b d/c; rm d/c; rmdir d; echo $$ > pid";
    work.run(&mut work.watched(&[], script));
    check(
        &work,
        &[
            ("create pid", "sh"),
            ("open pid", "sh"),
            ("close_write pid", "sh"),
            ("rename pid b", "mv"),
            ("create d", "mkdir"),
            ("rename b d/c", "mv"),
            ("unlink d/c", "rm"),
            ("unlink d", "rmdir"),
            ("create pid", "sh"),
            ("open pid", "sh"),
            ("close_write pid", "sh"),
        ],
    );
    let events = work.events();
    let shell: u32 = fs::read_to_string(work.path("pid")).expect("a file").trim().parse().expect("a number");
    assert_eq!((events[0].pid, events[0].comm.as_deref()), (Some(Pid(shell)), Some("sh")));
    assert!(events[3].pid != events[0].pid && events[4].directory);
    assert!(events[0].when.surely_before(events[8].when), "{:?}", (events[0].when, events[8].when));
    let watch = work.watch(&fs::canonicalize(work.path("")).expect("a folder"));
    assert_eq!((watch.by, watch.whose, watch.why), (WatchedBy::Fanotify, Whose::Run, None));
}

/// Far shorter than a sample; the program is gone at once as well.
fn open_for_a_moment() {
    let work = Work::new();
    fs::write(work.path("state"), "of a run before").expect("a file");
    work.run(&mut work.watched(&[], ": < state; cat state > /dev/null"));
    check(&work, &[("open state", "sh"), ("open state", "cat")]);
}

fn strangers() {
    let work = Work::new();
    let asked = work.bench.path("asked");
    fs::create_dir(&asked).expect("a folder");
    let options = ["--watch-dir", asked.to_str().expect("a plain name")];
    let script = "echo x > begun; until [ -e go ]; do sleep 0.02; done; echo x > own";
    let mut child = work.watched(&options, script).spawn().expect("hangdog");
    until("the command runs", || work.path("begun").exists().then_some(()));
    fs::write(work.path("foreign"), "x").expect("a file");
    fs::write(asked.join("foreign"), "x").expect("a file");
    fs::write(work.path("go"), "x").expect("a file");
    assert!(child.wait().expect("a child").success());
    let touched: Vec<String> = work.lines();
    let has = |name: &str| touched.iter().any(|line| line.contains(name));
    assert!(has("begun") && has("own") && !has("foreign") && !has("go "), "{touched:?}");
    let records = work.records();
    let told = records.iter().find_map(|record| match record {
        Record::FileEvent(event) if event.op == FileOp::Create && event.path.ends_with("asked/foreign") => {
            Some(event)
        }
        _ => None,
    });
    assert_eq!(told.expect("everybody's events are kept there").pid, Some(Pid(std::process::id())));
    assert_eq!(work.watch(&asked).whose, Whose::Everybody);
}

fn two_runs() {
    let work = [Work::new(), Work::new()];
    let shared = Work::new();
    let script = |name: &str| {
        let place = shared.path(name).display().to_string();
        format!("cd {}; echo x > {place}; until [ -e other ]; do sleep 0.02; done", shared.path("").display())
    };
    let mut children = [("first", &work[0]), ("second", &work[1])]
        .map(|(name, work)| work.watched(&[], &script(name)).current_dir(shared.path("")).spawn().expect("hangdog"));
    until("both run", || (shared.path("first").exists() && shared.path("second").exists()).then_some(()));
    fs::write(shared.path("other"), "x").expect("a file");
    for child in &mut children {
        assert!(child.wait().expect("a child").success());
    }
    for (work, own, other) in [(&work[0], "first", "second"), (&work[1], "second", "first")] {
        let records = work.records();
        let has = |name: &str| {
            let path = shared.path(name);
            records.iter().any(|record| matches!(record, Record::FileEvent(event) if Path::new(&event.path) == path))
        };
        assert!(has(own) && !has(other), "{own}");
    }
}

fn overflow() {
    let work = Work::new();
    let script = "i=0; while [ $i -lt 12000 ]; do : > $i; i=$((i+1)); done; echo x > last";
    work.run(&mut work.watched(&[], script));
    let events = work.events();
    assert!((5000..=20_000).contains(&events.len()), "{}", events.len());
    assert!(events.last().is_some_and(|event| event.path.ends_with("/last")), "the newest are kept");
    let kept: u64 = events.iter().map(|event| u64::from(event.times)).sum();
    let records = work.records();
    let lost = |what: &str| -> u64 {
        let of = |record: &Record| match record {
            Record::Lost(lost) if lost.at.contains(what) => lost.records,
            _ => 0,
        };
        records.iter().map(of).sum()
    };
    let (all, full) = (lost("file events"), lost("file events: the kernel's queue was full"));
    assert!(lost("file events: the oldest") > 0, "{kept} kept");
    // Of how many events a full queue is, the kernel does not say.
    assert!(
        kept + all == 36_003 || full > 0,
        "{kept} kept, {all} lost: {:?}",
        records.iter().filter(|record| matches!(record, Record::Lost(_))).collect::<Vec<_>>()
    );
}

/// Prints the helpers of the hangdog above.
const HELPERS: &str = "cat /proc/$PPID/task/$PPID/children > helpers";

fn readers(work: &Work) -> Vec<u32> {
    let text = fs::read_to_string(work.path("helpers")).unwrap_or_default();
    let pids = text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
    pids.filter(|pid| comm(*pid) == "hangdog-files").collect()
}

fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

fn nothing_is_left() {
    let work = Work::new();
    let mut child = work.watched(&[], &format!("{HELPERS}; until [ -e go ]; do sleep 0.02; done; exit 7"));
    let mut child = child.spawn().expect("hangdog");
    let [reader] = until("its reader is known", || <[u32; 1]>::try_from(readers(&work)).ok());
    fs::write(work.path("go"), "x").expect("a file");
    assert_eq!(child.wait().expect("a child").code(), Some(7));
    assert_eq!(comm(reader), "", "it ends before hangdog does");
}

fn hangdog_is_killed() {
    let work = Work::new();
    let mut child = work.watched(&[], &format!("{HELPERS}; until [ -e go ]; do sleep 0.02; done; echo x > end"));
    let mut child = child.spawn().expect("hangdog");
    let [reader] = until("its reader is known", || <[u32; 1]>::try_from(readers(&work)).ok());
    child.kill().expect("our own child");
    child.wait().expect("a child");
    until("the reader goes", || (comm(reader) != "hangdog-files").then_some(()));
    fs::write(work.path("go"), "x").expect("a file");
    until("the command goes on to its end", || work.path("end").exists().then_some(()));
}

/// A FUSE mount that nobody serves: whoever looks anything up on it never comes back.
struct Unserved {
    point: PathBuf,
    waiting: PathBuf,
    _device: File,
}

impl Unserved {
    fn new(point: PathBuf) -> Self {
        let device = File::options().read(true).write(true).open("/dev/fuse").expect("/dev/fuse");
        let data = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("unserved"), &point, Some("fuse"), MsFlags::empty(), Some(data.as_str())).expect("root mounts");
        let table = fs::read_to_string("/proc/self/mountinfo").expect("a table");
        let place = point.display().to_string();
        let line = table.lines().find(|line| line.split(' ').nth(4) == Some(&place)).expect("it is mounted");
        let connection = line.split(' ').nth(2).and_then(|device| device.split_once(':')).expect("a device").1;
        let waiting = PathBuf::from(format!("/sys/fs/fuse/connections/{connection}/waiting"));
        Self { point, waiting, _device: device }
    }

    /// Requests so far: the kernel's own first one, and one for each who waits.
    fn requests(&self) -> String {
        fs::read_to_string(&self.waiting).unwrap_or_else(|error| panic!("{}: {error}", self.waiting.display()))
    }
}

impl Drop for Unserved {
    fn drop(&mut self) {
        let _ = umount2(&self.point, MntFlags::MNT_DETACH);
    }
}

fn fuse(user: Option<u32>) {
    let work = Work::new();
    let point = work.path("mount");
    fs::create_dir(&point).expect("a folder");
    let unserved = Unserved::new(fs::canonicalize(&point).expect("a folder"));
    let before = unserved.requests();
    let place = unserved.point.to_str().expect("a plain name").to_owned();
    let link = work.bench.path("link");
    std::os::unix::fs::symlink(&place, &link).expect("a link");
    let options = ["--watch-dir", &place, "--watch-dir", link.to_str().expect("a plain name")];
    let script = "echo x > a; mkdir d; echo x > d/b";
    let mut command = match user {
        None => work.watched(&options, script),
        Some(user) => work.watched_as(user, &options, script),
    };
    work.run(&mut command);
    assert_eq!(unserved.requests(), before, "somebody looked something up on the mount");
    let by = if user.is_some() { WatchedBy::Inotify } else { WatchedBy::Fanotify };
    assert_eq!(work.watch(&fs::canonicalize(work.path("")).expect("a folder")).by, by);
    for directory in [&unserved.point, &link] {
        let watch = work.watch(directory);
        assert_eq!(watch.by, WatchedBy::Nothing);
        assert!(watch.why.as_deref().is_some_and(|why| why.contains("is on fuse")), "{watch:?}");
    }
    assert!(work.lines().iter().any(|line| line.starts_with("create a")), "{:?}", work.lines());
}

fn ordinary_user() {
    let work = Work::new();
    let script = "echo x > a; mkdir d; mv a d/b; rm d/b";
    let mut command = if is_root() { work.watched_as(NOBODY, &[], script) } else { work.watched(&[], script) };
    work.run(&mut command);
    let lines = work.lines();
    for line in ["create a", "open a", "close_write a", "create d"] {
        assert!(lines.iter().any(|found| found == line), "{line}: {lines:?}");
    }
    assert!(work.events().iter().all(|event| event.pid.is_none() && event.comm.is_none()));
    let watch = work.watch(&fs::canonicalize(work.path("")).expect("a folder"));
    assert_eq!(watch.by, WatchedBy::Inotify);
    assert!(watch.why.as_deref().is_some_and(|why| why.contains("not who did it")), "{watch:?}");
}
