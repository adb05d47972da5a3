//! Recorders of other processes: killed, stopped, forked, without a directory, without room.
#![expect(unsafe_code, reason = "fork, an interval timer")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hangdog_flight::{
    Here, Loss, OpenPhase, Options, Place, Primitive, Reader, Recorder, Recording, Site, Size, Value, begin,
    begin_here, close, current, current_phase, field, outcome, resource,
};
use libtest_mimic::{Arguments, Trial};

fn main() {
    if let Some(role) = std::env::var_os("HANGDOG_TEST_ROLE") {
        return play(&role.to_string_lossy());
    }
    let trials = vec![
        Trial::test("a_killed_program_still_shows_its_open_phases", || ok(killed)),
        Trial::test("a_stopped_program_is_read_without_its_help", || ok(stopped)),
        Trial::test("a_time_while_the_tick_stood_still_says_so", || ok(gap)),
        Trial::test("a_forked_child_gets_a_file_of_its_own", || ok(forked)),
        Trial::test("what_a_child_drops_of_its_parents_stays_the_parents", || ok(guards)),
        Trial::test("the_threads_of_a_forked_child_get_one_recorder", || ok(threads_of_a_child)),
        Trial::test("a_silent_forked_child_leaves_its_parents_file_alone", || ok(foreign)),
        Trial::test("after_an_exec_the_phases_are_no_longer_its_own", || ok(executed)),
        Trial::test("without_a_directory_a_memfd_is_found_by_its_link", || ok(memfd)),
        Trial::test("threads_that_end_leave_nothing_open", || ok(churned)),
        Trial::test("signals_in_the_middle_of_a_call_lose_nothing", || ok(interrupted)),
        Trial::test("a_full_tmpfs_is_counted_and_kills_nobody", || ok(full)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that libtest-mimic asks for; a failure panics")]
fn ok(test: fn()) -> Result<(), libtest_mimic::Failed> {
    test();
    Ok(())
}

/// A call site in the place where it is used.
macro_rules! site {
    ($name:expr $(, $key:expr)* $(,)?) => {{
        static NUMBER: hangdog_flight::SiteNumber = hangdog_flight::SiteNumber::new();
        static SITE: Site = Site::new($name, &[$($key),*], &NUMBER);
        &SITE
    }};
}

/// What the child processes of these tests do. Each process says `ready` once and waits for its end.
fn play(role: &str) {
    match role {
        "memfd" => return Recorder::start(&Place::Memfd, Options::default()).unwrap().with(|| walk(role)),
        "churn" => churn(),
        "interrupted" => be_interrupted(),
        "full" => fill(),
        "gap" => stand_still(),
        _ => return walk(role),
    }
    ready();
}

fn ready() {
    println!("ready");
    std::io::stdout().flush().unwrap();
    // Until the parent closes the pipe or kills us.
    let _end = std::io::stdin().read_line(&mut String::new());
}

fn enter(site: &'static Site, fields: &[&str]) -> Here {
    let mut opening = begin_here(site).unwrap();
    for (at, text) in fields.iter().enumerate() {
        opening.value(at, Value::Text(text));
    }
    opening.enter()
}

fn walk(role: &str) {
    assert!(role == "memfd" || current().is_some(), "a recorder");
    let plain = enter(site!("plain"), &[]);
    let outer = enter(site!("POST /api/conversations/new", "hang.serve"), &["http:127.0.0.1:8080"]);
    let inner = enter(site!("walk", "hang.wait", "depth"), &["path:/tmp/mount", "2"]);
    let lock = resource(Primitive::Mutex, "jobs");
    if role == "guards" || role == "threads" || role == "fork" {
        let movable = begin(site!("movable")).unwrap().publish();
        let held = lock.unwrap().taken(0).unwrap();
        // SAFETY: this program has no thread but this one and the recorder's, which takes no lock, so the child may
        // do what it likes.
        let child = unsafe { libc::fork() };
        match (role, child) {
            ("fork", 0) => {
                assert_eq!(current_phase(), None);
                std::mem::forget(enter(site!("after the fork"), &[]));
                std::mem::forget(enter(site!("walk", "hang.wait", "depth"), &["path:/tmp/child", "3"]));
            }
            ("guards", 0) => {
                // As deep in its own stack as its parent was, so that depths are equal.
                let own = enter(site!("own"), &[]);
                drop(plain);
                let second = enter(site!("second"), &[]);
                drop(outer);
                drop(inner);
                held.let_go();
                field(movable, "late", Value::Text("longer than a slot has room for"));
                outcome(movable, hangdog_flight::Outcome::Failed);
                close(movable);
                assert_eq!(current_phase(), second.id());
                ready();
                drop((own, second));
                return;
            }
            ("threads", 0) => {
                let start = std::sync::Barrier::new(8);
                std::thread::scope(|scope| {
                    for _ in 0..8 {
                        scope.spawn(|| {
                            start.wait();
                            // The others get none while one makes it.
                            while begin_here(site!("movable")).is_none() {
                                std::thread::yield_now();
                            }
                        });
                    }
                });
                std::mem::forget(enter(site!("walk", "hang.wait", "depth"), &["path:/tmp/child", "3"]));
            }
            _ => close(movable),
        }
        if child == 0 {
            return ready();
        }
    }
    if role == "exec" {
        let error = Command::new("/bin/sh").args(["-c", "echo ready; read end"]).exec();
        panic!("{error}");
    }
    ready();
    drop(inner);
    drop(outer);
    drop(plain);
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
            .env_remove("HANGDOG_CLOCK")
            .env_remove("HANGDOG_HISTORY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut ready = 0;
        for line in lines {
            match line.as_str() {
                "ready" => ready += 1,
                line => println!("{line}"),
            }
            if ready == count {
                break;
            }
        }
        assert_eq!(ready, count);
        Self { child, directory }
    }

    fn files(&self) -> Vec<PathBuf> {
        hangdog_flight::list(&self.directory.path().join("flight")).unwrap()
    }

    fn recording(&self) -> Recording {
        let [file] = &self.files()[..] else { panic!("{:?}", self.files()) };
        read(file)
    }

    /// The recordings of the process itself and of its child.
    fn family(&self) -> (Recording, Recording) {
        let [one, two] = &self.files()[..] else { panic!("{:?}", self.files()) };
        let (one, two) = (read(one), read(two));
        if one.owner.pid == self.child.id() { (one, two) } else { (two, one) }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
        while !std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
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

fn phase<'a>(recording: &'a Recording, name: &str) -> &'a OpenPhase {
    let found = recording.open.iter().find(|open| open.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", recording.open))
}

#[track_caller]
fn check_walk(recording: &Recording, pid: u32) {
    assert_eq!(recording.owner.pid, pid);
    assert_eq!((recording.torn, recording.dropped), (0, 0));
    let post = phase(recording, "POST /api/conversations/new");
    assert_eq!(post.hang.serve.as_deref(), Some("http:127.0.0.1:8080"));
    assert!(!phase(recording, "plain").name.is_empty());
    let walk = phase(recording, "walk");
    assert_eq!(walk.hang.wait.as_deref(), Some("path:/tmp/mount"));
    assert_eq!((walk.parent, walk.tid, walk.polled_now), (Some(post.id), pid, true));
    assert_eq!(walk.fields, [("depth".to_owned(), "2".to_owned())]);
    assert_eq!(recording.threads[0].current, Some(walk.id));
}

fn killed() {
    let mut played = Played::start("walk", 1);
    played.child.kill().unwrap();
    played.child.wait().unwrap();
    let recording = played.recording();
    check_walk(&recording, played.child.id());
    assert!(!recording.attached);
}

fn stopped() {
    let played = Played::start("walk", 1);
    played.stop();
    let recording = played.recording();
    check_walk(&recording, played.child.id());
    assert!(recording.attached);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", played.child.id())).unwrap();
    let start = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap();
    assert_eq!(recording.owner.start_ticks.to_string(), start);
}

/// Opens phases without an end, so that there is one from each tick.
fn stand_still() {
    assert!(current().is_some());
    std::thread::spawn(|| {
        while std::mem::ManuallyDrop::new(begin(site!("moment")).map(hangdog_flight::Opening::publish)).is_some() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
}

fn gap() {
    const STILL: u64 = 200_000_000;
    let played = Played::start("gap", 1);
    let moments = || played.recording().open.len();
    let before = moments();
    while moments() < before + 50 {
        std::thread::yield_now();
    }
    played.stop();
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    };
    let begin = now();
    let last = played.recording().open.iter().map(|open| open.start_monotonic_ns).max().unwrap();
    while now() < begin + STILL {
        std::thread::yield_now();
    }
    played.signal(rustix::process::Signal::CONT);
    let newest = || played.recording().open.iter().map(|open| open.start_monotonic_ns).max().unwrap();
    while newest() <= begin + STILL {
        std::thread::yield_now();
    }
    // Those that were opened after the last tick before may have been opened after the stop.
    for open in played.recording().open.iter().filter(|open| open.start_monotonic_ns <= begin) {
        let may_be_later = open.start_monotonic_ns + open.err_ns > begin + STILL;
        assert!(!may_be_later || open.start_monotonic_ns >= last, "only the last tick was long: {open:?}");
    }
    let recording = played.recording();
    let tick = recording.tick_tid.unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{}/task/{tick}/comm", played.child.id())).unwrap();
    assert_eq!(comm.trim(), hangdog_flight::TICK_THREAD);
}

fn executed() {
    let played = Played::start("exec", 1);
    let recording = played.recording();
    check_walk(&recording, played.child.id());
    assert!(!recording.attached, "same pid, same start, another program");
}

fn forked() {
    let played = Played::start("fork", 2);
    let (mine, childs) = played.family();
    check_walk(&mine, played.child.id());
    let (after, walk) = (phase(&childs, "after the fork"), phase(&childs, "walk"));
    assert_eq!((after.parent, after.tid), (None, childs.owner.pid));
    assert_eq!(walk.hang.wait.as_deref(), Some("path:/tmp/child"), "a site that the parent knew");
    assert_eq!((childs.open.len(), childs.tick_tid), (2, None));
    assert_eq!(childs.anchor.source, hangdog_flight::ClockSource::Coarse);
    let tasks = std::fs::read_dir(format!("/proc/{}/task", childs.owner.pid)).unwrap().count();
    assert_eq!(tasks, 1, "a forked child gets no thread");
    assert!(!mine.open.iter().any(|open| open.id == after.id || open.id == walk.id), "no number twice");
}

fn guards() {
    let played = Played::start("guards", 2);
    let (mine, childs) = played.family();
    check_walk(&mine, played.child.id());
    assert_eq!(phase(&mine, "holds jobs").hang.hold.as_deref(), Some("lock:jobs"));
    let mut own: Vec<_> = childs.open.iter().map(|open| open.name.as_str()).collect();
    own.sort_unstable();
    assert_eq!(own, ["own", "second"]);
}

fn threads_of_a_child() {
    // A race of a few instructions: some rounds.
    for _ in 0..20 {
        let played = Played::start("threads", 2);
        let (mine, childs) = played.family();
        check_walk(&mine, played.child.id());
        assert_eq!(phase(&childs, "walk").hang.wait.as_deref(), Some("path:/tmp/child"));
        assert_eq!(childs.dropped, childs.losses.iter().map(|(_, count)| count).sum::<u64>());
    }
}

fn foreign() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let place = Place::Run(directory.path().join("flight"));
    let recorder = Recorder::start(&place, Options::default()).unwrap();
    recorder.with(|| {
        let here = enter(site!("parents", "hang.op"), &["x"]);
        let phase = begin(site!("movable")).unwrap().publish();
        let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
        let before = reader.read().unwrap();
        assert_eq!(before.open.len(), 2);
        let mut child = Command::new("/bin/true");
        // SAFETY: between fork and exec the closure only asks the parent's recorder, which neither allocates nor
        // locks for one that is foreign.
        unsafe {
            child.pre_exec(move || {
                let silent = recorder.is_foreign() && recorder.with(|| hangdog_flight::current_phase().is_none());
                close(phase);
                if silent { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
            })
        };
        assert!(child.status().unwrap().success());
        let after = reader.read().unwrap();
        assert_eq!((after.open, after.events.len(), after.heartbeat), (before.open, 0, before.heartbeat));
        close(phase);
        drop(here);
    });
}

fn memfd() {
    let played = Played::start("memfd", 1);
    assert!(played.files().is_empty());
    let file = hangdog_flight::memfd_of(played.child.id()).unwrap().expect("a memfd");
    check_walk(&Reader::from_file(file).unwrap().read().unwrap(), played.child.id());
    assert!(hangdog_flight::memfd_of(std::process::id()).unwrap().is_none());
}

/// Ends while a thread-local with a phase in it, older than the recorder's own, is still to be dropped.
struct Late(std::cell::Cell<Option<hangdog_flight::Opening>>);

impl Drop for Late {
    fn drop(&mut self) {
        drop(begin_here(site!("late")).map(hangdog_flight::OpeningHere::enter));
        if let Some(opening) = self.0.take() {
            close(opening.publish());
        }
    }
}

fn churn() {
    thread_local! {
        static LATE: Late = const { Late(std::cell::Cell::new(None)) };
    }
    assert!(current().is_some());
    for round in 0..500 {
        // Joined one by one: the end of a scope does not wait for thread-locals.
        let threads = [0; 4].map(|_| {
            std::thread::spawn(move || {
                if round % 2 == 0 {
                    LATE.with(|late| late.0.set(None));
                }
                let _here = enter(site!("short", "hang.op"), &["x"]);
                let movable = begin(site!("movable")).unwrap().publish();
                if round % 2 == 0 {
                    LATE.with(|late| late.0.set(begin(site!("kept"))));
                }
                std::mem::forget(enter(site!("forgotten"), &[]));
                close(movable);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn churned() {
    let recording = Played::start("churn", 1).recording();
    // A phase that begins while its thread ends has no place any more, and is counted: four threads in every second round.
    assert_eq!((recording.open, recording.losses), (vec![], vec![(Loss::Slot, 1000)]));
    assert!(recording.threads.len() < 64, "entries are used again: {}", recording.threads.len());
}

/// Asks for much memory while a timer interrupts it 20,000 times a second.
fn be_interrupted() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) };
    let often = libc::timeval { tv_sec: 0, tv_usec: 50 };
    let timer = libc::itimerval { it_interval: often, it_value: often };
    // SAFETY: the pointer is to a whole timer; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    let mut phases = Vec::new();
    for _ in 0..200 {
        let recorder = Recorder::start(&Place::Memfd, Options { size: Some(Size::LEAST), ..Options::default() });
        recorder.expect("a recorder").with(|| {
            phases.extend((0..Size::LEAST.slots).map(|_| begin(site!("p")).expect("a slot").publish()));
            let _ring = enter(site!("ring", "hang.op"), &["x"]);
        });
    }
    let timer = libc::itimerval { it_interval: often, it_value: libc::timeval { tv_sec: 0, tv_usec: 0 } };
    // SAFETY: as above.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

fn interrupted() {
    Played::start("interrupted", 1);
}

/// A tmpfs of its own, in a mount namespace of its own, that is full.
fn fill() {
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
    let directory = PathBuf::from(std::env::var_os("HANGDOG_RUN_DIR").unwrap());
    // SAFETY: only the mounts are no longer shared, and this program has one thread.
    let apart = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    let private = apart.and_then(|()| mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE));
    let mounted =
        private.and_then(|()| mount("tmpfs", &directory, "tmpfs", MountFlags::empty(), c"size=640k,mode=700"));
    if let Err(errno) = mounted {
        println!("SKIPPED: a mount of one's own needs root: {errno}");
        return;
    }
    let recorder = current().expect("a recorder");
    assert_eq!(recorder.size(), Size::LEAST);
    let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
    let mut count = |loss: Loss| {
        let losses = reader.read().unwrap().losses;
        losses.into_iter().find(|(one, _)| *one == loss).map_or(0, |(_, count)| count)
    };
    let here = enter(site!("here"), &[]);
    let filler = directory.join("filler");
    let written = std::fs::write(&filler, vec![1; 1 << 20]);
    assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    // No chunk, no ring, no lock, no further thread; each is counted.
    let (mut some, mut none) = (0, 0);
    for _ in 0..100 {
        match begin(site!("movable")) {
            Some(opening) => {
                some += 1;
                let _stays = opening.publish();
            }
            None => none += 1,
        }
    }
    assert_eq!((count(Loss::Slot), some % 64), (none, 0));
    assert!(resource(Primitive::Mutex, "x").is_none());
    assert_eq!(count(Loss::Resource), 1);
    hangdog_flight::note(None, "n", "x");
    assert_eq!(count(Loss::Event), 1);
    std::thread::spawn(|| assert!(begin_here(site!("thread")).is_none())).join().unwrap();
    assert_eq!(count(Loss::Thread), 1);
    // There is room again.
    std::fs::remove_file(&filler).unwrap();
    assert!(resource(Primitive::Mutex, "x").is_some());
    std::thread::spawn(|| drop(begin_here(site!("thread")).expect("an entry").enter())).join().unwrap();
    let all = std::iter::from_fn(|| {
        let begun = (0..1001).find_map(|_| begin(site!("movable")));
        begun.map(hangdog_flight::Opening::publish)
    });
    assert!(all.take(Size::LEAST.slots).count() + some >= Size::LEAST.slots - 64, "slots were lost for good");
    drop(here);
}

fn full() {
    Played::start("full", 1);
}
