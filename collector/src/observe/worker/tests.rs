//! A worker against real files, real pipes that nobody writes to, and real memory.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::Path;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn run(worker: &mut Worker, asks: Vec<Ask>) -> Vec<Answer> {
    worker.start(asks);
    worker.wait(soon()).expect("a batch ends by itself")
}

fn own() -> Pid {
    Pid(std::process::id())
}

/// Opening it to read blocks until somebody opens it to write: a read that gets stuck, and can be killed.
fn fifo(dir: &Path) -> String {
    let path = dir.join("fifo");
    let name = CString::new(path.to_str().unwrap()).unwrap();
    nix::unistd::mkfifo(name.as_c_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_links_directories_and_memory() {
    let word = Box::new(*b"seen from outside");
    let address = word.as_ptr() as u64;
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let mut mapping = Ask::file(own(), Hazard::Memory, "maps");
    mapping.what = What::Mapping { address };
    let mut memory = Ask::file(own(), Hazard::Memory, "mem");
    memory.what = What::Memory { address, len: word.len() as u32 };
    let answers = run(
        &mut worker,
        vec![
            Ask::file(own(), Hazard::None, "comm"),
            Ask::link(own(), "cwd"),
            Ask::dir(own(), "task"),
            Ask::table("/proc/there/is/no/such/file"),
            mapping,
            memory,
        ],
    );
    assert!(answers[0].seen().unwrap().ends_with(b"\n"));
    assert_eq!(answers[1].seen().unwrap(), std::env::current_dir().unwrap().to_str().unwrap().as_bytes());
    assert!(answers[2].seen().unwrap().len() > 24);
    assert_eq!(answers[3], Observed::Vanished);
    if let Some(bytes) = answers[4].seen() {
        let mapping = crate::observe::parse::maps::answer(bytes).unwrap();
        assert!((mapping.start..mapping.end).contains(&address), "{mapping:?}");
    } else {
        println!("SKIPPED PROCMAP_QUERY: {:?}", answers[4]);
    }
    assert_eq!(answers[5].seen().unwrap(), &word[..]);
}

#[test]
fn a_batch_larger_than_slots_and_arena_is_answered_in_order() {
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let asks = (0..3 * SLOTS)
        .map(|n| match n % 3 {
            0 => Ask::file(own(), Hazard::None, "comm"),
            1 => Ask::file(own(), Hazard::None, "status"),
            _ => Ask::table("/proc/none"),
        })
        .collect();
    let answers = run(&mut worker, asks);
    for (n, answer) in answers.iter().enumerate() {
        match n % 3 {
            0 => assert!(answer.seen().is_some_and(|b| b.len() <= 16), "{n}: {answer:?}"),
            1 => assert!(answer.seen().is_some_and(|b| b.starts_with(b"Name:")), "{n}: {answer:?}"),
            _ => assert_eq!(*answer, Observed::Vanished, "{n}"),
        }
    }
}

#[test]
fn a_stuck_read_costs_one_worker_and_no_other_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let first = worker.pids().next().unwrap();
    let stuck = Ask { pid: Some(Pid(7)), hazard: Hazard::Exec, path: fifo(dir.path()), what: What::File };
    let answers = run(
        &mut worker,
        vec![
            Ask::file(own(), Hazard::None, "comm"),
            stuck.clone(),
            Ask { path: "/proc/self/comm".to_owned(), ..stuck.clone() },
            Ask::file(own(), Hazard::Exec, "stat"),
        ],
    );
    assert!(answers[0].seen().is_some());
    assert!(matches!(&answers[1], Observed::TimedOut(wchan) if wchan.len() > 1), "{answers:?}");
    assert_eq!(answers[2], Observed::NotAsked, "the same lock would be waited for");
    assert!(answers[3].seen().is_some());
    let stalls = worker.take_stalls();
    assert_eq!(stalls.len(), 1);
    assert_eq!(stalls[0].ask, stuck);
    assert_ne!(worker.pids().next(), Some(first));
    worker.forget();
    let again = run(&mut worker, vec![Ask { path: "/proc/self/comm".to_owned(), ..stuck }]);
    assert_eq!(again[0].seen().map(Vec::as_slice), Some(&b"hangdog-reader\n"[..]));
}

#[test]
fn a_worker_holds_nothing_of_ours() {
    let (_read, _write) = rustix::pipe::pipe().unwrap();
    let mut worker = Worker::spawn(Room::Small).unwrap();
    run(&mut worker, vec![Ask::table("/proc/self/comm")]);
    let pid = worker.pids().next().unwrap();
    let mut held: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().to_str().unwrap().to_owned())
        .collect();
    held.dedup();
    assert_eq!(held, ["/dev/null"]);
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
}

#[test]
fn a_worker_that_is_killed_from_outside_is_replaced() {
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let pid = worker.pids().next().unwrap();
    kill(pid);
    let answers = run(&mut worker, vec![Ask::table("/proc/self/comm"), Ask::table("/proc/self/comm")]);
    assert!(answers[1].seen().is_some(), "{answers:?}");
}

#[test]
fn a_cut_batch_is_answered_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let stuck = Ask { pid: None, hazard: Hazard::None, path: fifo(dir.path()), what: What::File };
    worker.start(vec![stuck.clone(), stuck]);
    assert_eq!(worker.poll(Instant::now()), None);
    worker.cut();
    assert_eq!(worker.wait(soon()), Some(vec![Observed::NotAsked, Observed::NotAsked]));
    let answers = run(&mut worker, vec![Ask::table("/proc/self/comm")]);
    assert!(answers[0].seen().is_some());
}

#[test]
fn paths_on_local_file_systems() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a.lock"), "4412\n").unwrap();
    std::fs::write(path("long"), [b'x'; 5000]).unwrap();
    std::os::unix::fs::symlink("host:4412", path("link")).unwrap();
    std::os::unix::fs::symlink(".", path("here")).unwrap();
    let waits = fifo(dir.path());
    let status = |path: String| Ask { what: What::Status, ..Ask::table(path) };
    let head = |path: String| Ask { what: What::Head { len: 256, largest: 4096 }, ..Ask::table(path) };
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let asks = vec![
        status(path("a.lock")),
        status(path("link")),
        head(path("a.lock")),
        head(path("long")),
        head(path("link")),
        head(path("here/a.lock")),
        head(waits),
        status(path("gone")),
    ];
    let answers = run(&mut worker, asks);
    let word = |bytes: &[u8], n: usize| u64::from_ne_bytes(bytes[n * 8..n * 8 + 8].try_into().unwrap());
    let file = answers[0].seen().unwrap();
    assert_eq!((file.len(), word(file, 0) & 0o170_000, word(file, 4)), (56, 0o100_000, 5));
    assert!(answers[1].seen().unwrap().ends_with(b"host:4412"));
    assert_eq!(answers[2].seen().unwrap(), b"4412\n");
    // What is long, a link, behind a link or no file is not read, and nothing waits for a writer.
    for answer in &answers[3..7] {
        assert_eq!(answer.seen(), None, "{answer:?}");
    }
    assert_eq!(answers[7], Observed::Vanished);
    assert_eq!(worker.take_stalls(), []);
}

#[test]
fn a_row_that_gets_stuck_keeps_what_it_has_and_is_shorter_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("status"), "Name:\tx\n").unwrap();
    std::fs::rename(fifo(dir.path()), dir.path().join("stat")).unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let row = Ask { pid: Some(Pid(7)), hazard: Hazard::None, path, what: What::Row(Row::Identity) };
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let answers = run(&mut worker, vec![row.clone(), row.clone()]);
    let first: Vec<Part<'_>> = parts(answers[0].seen().unwrap()).collect();
    assert_eq!(first[0].value, Observed::Seen(b"Name:\tx\n".as_slice()));
    assert!(matches!(&first[1].value, Observed::TimedOut(wchan) if wchan.len() > 1), "{first:?}");
    let second: Vec<Part<'_>> = parts(answers[1].seen().unwrap()).collect();
    assert_eq!(second, first[..1], "the same lock would be waited for");
    let stalls = worker.take_stalls();
    assert_eq!(stalls.len(), 1);
    assert_eq!(
        (stalls[0].ask.path.as_str(), stalls[0].ask.hazard),
        (format!("{}/stat", row.path).as_str(), Hazard::Exec)
    );
    assert!(row.has(&stalls[0].ask));
    worker.forget();
    let of_nobody = Ask { path: "/proc/none".to_owned(), ..row };
    assert_eq!(run(&mut worker, vec![of_nobody]), [Observed::Vanished]);
}

/// More of them than the small arena has room for.
#[test]
fn descriptors_come_in_pieces_that_miss_none() {
    let name = "x".repeat(200);
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<std::fs::File> =
        (0..500).map(|_| std::fs::File::create(dir.path().join(&name)).unwrap()).collect();
    let mut worker = Worker::spawn(Room::Small).unwrap();
    let (mut from, mut links, mut infos, mut pieces) = (Some(0), BTreeSet::new(), BTreeSet::new(), 0);
    while let Some(first) = from.take() {
        pieces += 1;
        // The row before it is in its way: what does not fit behind it is asked again alone.
        let before = Ask::row(own(), None, Row::Identity);
        let answers = run(&mut worker, vec![before, Ask::descriptors(own(), None, first, Infos::Plain)]);
        for part in parts(answers[1].seen().unwrap()) {
            match (part.kind, part.value) {
                (Kind::Link, Observed::Seen(target)) if target.ends_with(name.as_bytes()) => {
                    assert!(links.insert(part.number), "{} comes twice", part.number);
                }
                (Kind::Info, Observed::Seen(info)) if links.contains(&part.number) => {
                    assert!(info.starts_with(b"pos:"));
                    infos.insert(part.number);
                }
                (Kind::More, _) => from = Some(part.number),
                _ => {}
            }
        }
    }
    let opened: BTreeSet<u32> = files.iter().map(|file| std::os::fd::AsRawFd::as_raw_fd(file) as u32).collect();
    assert!(pieces > 1);
    assert_eq!((&links, &infos), (&opened, &opened));
}

#[test]
fn a_crew_learns_from_what_one_of_it_ran_into() {
    let dir = tempfile::tempdir().unwrap();
    let mut crew = Crew::spawn(Room::Small).unwrap();
    let stuck = Ask { pid: Some(Pid(7)), hazard: Hazard::Exec, path: fifo(dir.path()), what: What::File };
    crew.start(0, vec![stuck.clone()]);
    let wait = |crew: &mut Crew, n: usize| {
        let limit = soon();
        loop {
            let rings = crew.rings();
            if let Some(answers) = crew.poll(n, Instant::now()) {
                return answers;
            }
            assert!(Instant::now() < limit);
            crew.doze(rings, Duration::from_millis(1));
        }
    };
    assert!(matches!(wait(&mut crew, 0)[..], [Observed::TimedOut(_)]));
    let last = crew.size() - 1;
    crew.start(last, vec![Ask { path: "/proc/self/comm".to_owned(), ..stuck }]);
    assert_eq!(wait(&mut crew, last), [Observed::NotAsked]);
    assert_eq!(crew.take_stalls().len(), 1);
}
