//! Recorders of other processes: killed, stopped, forked, without a directory.
#![expect(unsafe_code, reason = "fork")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hangdog_flight::{Place, Reader, Recorder, Recording, Value, current};
use libtest_mimic::{Arguments, Trial};

fn main() {
    if let Some(role) = std::env::var_os("HANGDOG_TEST_ROLE") {
        return play(&role.to_string_lossy());
    }
    let trials = vec![
        Trial::test("a_killed_program_still_shows_its_open_phases", || ok(killed)),
        Trial::test("a_stopped_program_is_read_without_its_help", || ok(stopped)),
        Trial::test("a_forked_child_gets_a_file_of_its_own", || ok(forked)),
        Trial::test("a_silent_forked_child_leaves_its_parents_file_alone", || ok(foreign)),
        Trial::test("after_an_exec_the_phases_are_no_longer_its_own", || ok(executed)),
        Trial::test("without_a_directory_a_memfd_is_found_by_its_link", || ok(memfd)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that libtest-mimic asks for; a failure panics")]
fn ok(test: fn()) -> Result<(), libtest_mimic::Failed> {
    test();
    Ok(())
}

/// What the child processes of these tests do. Each says `ready` and waits for its end.
fn play(role: &str) {
    let recorder = match role {
        "memfd" => Recorder::start(&Place::Memfd, None).unwrap(),
        _ => current().expect("a recorder"),
    };
    let outer = open(recorder, "POST /api/conversations/new", &[("hang.serve", "http:127.0.0.1:8080")]);
    recorder.enter(outer);
    recorder.enter(open(recorder, "walk", &[("hang.wait", "path:/tmp/mount"), ("depth", "2")]));
    if role == "fork" {
        // SAFETY: this program has one thread, so the child may do what it likes.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let recorder = current().expect("a recorder of its own");
            open(recorder, "after the fork", &[]);
        }
    }
    if role == "exec" {
        let error = Command::new("/bin/sh").args(["-c", "echo ready; read end"]).exec();
        panic!("{error}");
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    // Until the parent closes the pipe or kills us.
    let _end = std::io::stdin().read_line(&mut String::new());
}

fn open(recorder: &'static Recorder, name: &'static str, fields: &[(&'static str, &str)]) -> hangdog_flight::PhaseId {
    let mut opening = recorder.begin(recorder.name(name), recorder.current()).unwrap();
    for (key, value) in fields {
        opening.field(recorder.name(key), Value::Text(value));
    }
    opening.publish()
}

struct Played {
    child: Child,
    directory: tempfile::TempDir,
}

impl Played {
    /// Starts a child and waits until `count` processes of it are ready.
    fn start(role: &str, count: usize) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env("HANGDOG_TEST_ROLE", role)
            .env("HANGDOG_RUN_DIR", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.take(count).filter(|line| line.as_deref().is_ok_and(|line| line == "ready")).count();
        assert_eq!(ready, count);
        Self { child, directory }
    }

    fn files(&self) -> Vec<PathBuf> {
        hangdog_flight::list(&self.directory.path().join("flight")).unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _gone = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::KILL,
        );
        let _reaped = self.child.wait();
    }
}

fn read(path: &Path) -> Recording {
    Reader::open(path).unwrap().read().unwrap()
}

#[track_caller]
fn check_walk(recording: &Recording, pid: u32) {
    assert_eq!(recording.owner.pid, pid);
    assert_eq!((recording.torn, recording.dropped), (0, 0));
    let [post, walk] = &recording.open[..] else { panic!("{:#?}", recording.open) };
    assert_eq!(
        (post.name.as_str(), post.hang.serve.as_deref()),
        ("POST /api/conversations/new", Some("http:127.0.0.1:8080"))
    );
    assert_eq!((walk.name.as_str(), walk.hang.wait.as_deref()), ("walk", Some("path:/tmp/mount")));
    assert_eq!((walk.parent, walk.tid, walk.polled_now), (Some(post.id), pid, true));
    assert_eq!(walk.fields, [("depth".to_owned(), "2".to_owned())]);
    assert_eq!(recording.threads[0].current, Some(walk.id));
}

fn killed() {
    let mut played = Played::start("walk", 1);
    played.child.kill().unwrap();
    played.child.wait().unwrap();
    let [file] = &played.files()[..] else { panic!() };
    let recording = read(file);
    check_walk(&recording, played.child.id());
    assert!(!recording.attached);
}

fn stopped() {
    let played = Played::start("walk", 1);
    played.signal(rustix::process::Signal::STOP);
    let stat = format!("/proc/{}/stat", played.child.id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
        std::thread::yield_now();
    }
    let [file] = &played.files()[..] else { panic!() };
    let recording = read(file);
    check_walk(&recording, played.child.id());
    assert!(recording.attached);
    let start = std::fs::read_to_string(&stat).unwrap();
    let start = start.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap();
    assert_eq!(recording.owner.start_ticks.to_string(), start);
}

fn executed() {
    let played = Played::start("exec", 1);
    let [file] = &played.files()[..] else { panic!() };
    let recording = read(file);
    check_walk(&recording, played.child.id());
    assert!(!recording.attached, "same pid, same start, another program");
}

fn forked() {
    let played = Played::start("fork", 2);
    let files = played.files();
    assert_eq!(files.len(), 2);
    let recordings: Vec<_> = files.iter().map(|file| read(file)).collect();
    let (mine, childs): (Vec<_>, Vec<_>) = recordings.iter().partition(|one| one.owner.pid == played.child.id());
    check_walk(mine[0], played.child.id());
    let [phase] = &childs[0].open[..] else { panic!("{:#?}", childs[0].open) };
    assert_eq!((phase.name.as_str(), phase.parent, phase.tid), ("after the fork", None, childs[0].owner.pid));
}

fn foreign() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let recorder = Recorder::start(&Place::Run(directory.path().join("flight")), None).unwrap();
    let phase = open(recorder, "parents", &[]);
    let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
    let before = reader.read().unwrap();
    assert_eq!(before.events.len(), 1);
    let mut child = Command::new("/bin/true");
    // SAFETY: between fork and exec the closure only calls the recorder, which neither allocates nor locks.
    unsafe {
        child.pre_exec(move || {
            let silent = recorder.is_foreign() && recorder.begin(recorder.name("childs"), None).is_none();
            recorder.enter(phase);
            recorder.close(phase);
            if silent { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
        })
    };
    assert!(child.status().unwrap().success());
    let after = reader.read().unwrap();
    assert_eq!((after.open, after.events.len(), after.heartbeat), (before.open, 0, before.heartbeat));
    recorder.close(phase);
}

fn memfd() {
    let played = Played::start("memfd", 1);
    assert!(played.files().is_empty());
    let file = hangdog_flight::memfd_of(played.child.id()).unwrap().expect("a memfd");
    check_walk(&Reader::from_file(file).unwrap().read().unwrap(), played.child.id());
    assert!(hangdog_flight::memfd_of(std::process::id()).unwrap().is_none());
}
