//! Limits and places that leave no room for a recorder, or no thread for its clock: the program works as if it were not
//! traced, and says what became of its recorder.

use std::path::Path;
use std::process::Command;

use hangdog_flight::{ClockSource, Loss, Reader};
use hangdog_tests::{SmallTmpfs, programs};

use crate::traced::{Traced, phase, read};
use crate::work::{self, SLEEPLESS, check_works, make_rounds};

/// What a program says of its recorder that has one.
const RECORDS: &str = "hangdog records to ";
/// And that has none.
const RECORDS_NOT: &str = "hangdog does not record: ";

/// Under a limit, the program starts, works in many threads, and ends by itself; it says of its recorder one of `says`.
#[track_caller]
pub(crate) fn check_limited(limit: &str, says: &[&str]) {
    let line: Vec<&str> = std::iter::once("limited").chain(limit.split(' ')).chain(work::line()).collect();
    let mut traced = Traced::start(&line);
    assert!(says.iter().any(|said| traced.status.starts_with(said)), "{limit}: {}", traced.status);
    if traced.status.starts_with(RECORDS) {
        make_rounds(&mut reader_of(&traced), &SLEEPLESS, 10);
    }
    check_works(&mut traced);
    assert!(traced.end().success());
}

/// Wherever its recorder is.
#[track_caller]
fn reader_of(traced: &Traced) -> Reader {
    let reader = match traced.status.split(' ').nth(3).filter(|place| place.starts_with('/')) {
        Some(place) => Reader::open(place.trim_end_matches(',')),
        None => Reader::from_file(hangdog_flight::memfd_of(traced.pid()).expect("its fds").expect("a memfd")),
    };
    reader.unwrap_or_else(|error| panic!("{error}: {}", traced.status))
}

pub(crate) fn all() {
    const EITHER: &[&str] = &[RECORDS, RECORDS_NOT];
    // Smaller than any recorder, so a program that asked for its length would get SIGXFSZ.
    check_limited("fsize 0", &[RECORDS_NOT]);
    check_limited("fsize 4096", &[RECORDS_NOT]);
    check_limited("fsize 1000000", EITHER);
    check_limited("fsize 20000000", EITHER);
    check_limited("as 100000000", EITHER);
    check_limited("memlock 0", &[RECORDS]);
    // Three streams, and one more with which a program can just be started.
    check_limited("nofile 4", EITHER);
}

/// No thread may be started: neither the program's nor one for a clock.
pub(crate) fn no_thread() {
    let mut traced = Traced::start_as(&["limited", "nproc", "0", "phases-at-work"], |_, place| {
        std::os::unix::fs::chown(place, Some(64_242), Some(64_242)).expect("root may");
    });
    assert!(traced.status.starts_with(RECORDS), "{}", traced.status);
    let recording = traced.recording();
    assert_eq!(recording.anchor.source, ClockSource::Coarse);
    assert_eq!(phase(&recording, "listen").hang.wait.as_deref(), Some("path:stdin"));
    traced.ask("room-for 100");
    traced.ask("hold 100");
    let recording = traced.recording();
    let now = monotonic_ns();
    for held in recording.open.iter().filter(|phase| phase.name == "held") {
        assert!((phase(&recording, "listen").start_monotonic_ns..=now).contains(&held.start_monotonic_ns));
    }
    assert_eq!(recording.open.len(), 101);
    assert!(traced.end().success());
}

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The thread for the clock is there, takes no signal of the program, and shows nowhere as one of its threads.
pub(crate) fn the_tick_thread() {
    let traced = Traced::start(&work::line());
    make_rounds(&mut traced.reader(), &SLEEPLESS, 10);
    let tick = traced.thread("hangdog-tick");
    let status =
        std::fs::read_to_string(format!("/proc/{}/task/{tick}/status", traced.pid())).expect("a live thread");
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("a line");
    let blocked = u64::from_str_radix(blocked.trim(), 16).expect("a mask");
    // SIGKILL and SIGSTOP cannot be blocked, and the C library keeps 32 and 33 for itself.
    let not_ours = [9, 19, 32, 33].map(|signal| 1_u64 << (signal - 1)).iter().fold(0, |mask, bit| mask | bit);
    assert_eq!(blocked | not_ours, u64::MAX);
    let recording = traced.recording();
    assert_eq!(recording.anchor.source, ClockSource::Tick);
    assert!(recording.threads.iter().all(|thread| thread.tid != tick), "{:?}", recording.threads);
}

/// A tmpfs that is too small even for the smallest recorder, and larger ones.
pub(crate) fn small_tmpfs() {
    for (bytes, recorded_there) in [(16 << 10, false), (512 << 10, true), (8 << 20, true)] {
        let tmpfs = SmallTmpfs::new(bytes);
        let mut traced = in_run_directory(&tmpfs, &work::line());
        let run = tmpfs.path().display().to_string();
        assert!(traced.status.starts_with(RECORDS), "{}", traced.status);
        let there = traced.status.starts_with(&format!("{RECORDS}{run}"));
        assert_eq!(there, recorded_there, "{bytes}: {}", traced.status);
        assert!(there || traced.status.contains(&format!("{run}/flight has")), "{bytes}: {}", traced.status);
        make_rounds(&mut reader_of(&traced), &SLEEPLESS, 10);
        check_works(&mut traced);
        assert!(traced.end().success());
    }
}

fn in_run_directory(tmpfs: &SmallTmpfs, line: &[&str]) -> Traced {
    let run = tmpfs.path();
    Traced::start_as(line, |command, _| {
        command.env("HANGDOG_RUN_DIR", run);
    })
}

/// A tmpfs that becomes full under a program that wants more and more phases and threads: a hole in its file would be a
/// SIGBUS. What does not fit is counted, and when there is room again it is used.
pub(crate) fn a_tmpfs_that_becomes_full() {
    let tmpfs = SmallTmpfs::new(8 << 20);
    let at_work = ["crossed", "spans", "future"];
    let mut traced = in_run_directory(&tmpfs, &["phases-at-work", at_work[0], at_work[1], at_work[2]]);
    make_rounds(&mut reader_of(&traced), &at_work, 10);
    let filler = tmpfs.fill();
    traced.ask("room-for 20000");
    traced.ask("hold 20000");
    for kind in ["short-threads", "handed-over", "nested"] {
        traced.ask(&format!("work {kind}"));
    }
    check_works(&mut traced);
    make_rounds(&mut reader_of(&traced), &at_work, 10);
    let recording = read(&mut reader_of(&traced));
    let held = recording.open.iter().filter(|phase| phase.name == "held").count() as u64;
    let lost = recording.losses.iter().find_map(|(loss, count)| (*loss == Loss::Slot).then_some(*count));
    assert!(lost.is_some_and(|lost| lost >= 20_000 - held), "{held} held, {:?}", recording.losses);
    drop(filler);
    // One that got no memory does not ask for it with each phase, so those that come first may still be lost.
    for _ in 0..2 {
        traced.ask("hold 20000");
    }
    let recording = read(&mut reader_of(&traced));
    assert_eq!(recording.open.iter().filter(|phase| phase.name == "held").count(), 20_000, "{:?}", recording.losses);
    // Also by threads for which there was no place when they began.
    make_rounds(&mut reader_of(&traced), &["nested"], 10);
    check_works(&mut traced);
    assert!(traced.end().success());
}

/// A program at work in one of the places of `scenario`.
#[track_caller]
pub(crate) fn in_place(place: &str, change: impl FnOnce(&mut Command, &Path)) -> Traced {
    let program = programs!().scenario;
    let program = program.to_str().expect("a path of this workspace");
    Traced::start_as(&[&[place, program], &work::line()[..]].concat(), change)
}

/// Nobody can write to `/dev/shm`, and there is no run: the recorder is a memfd, which nobody can shorten.
pub(crate) fn read_only_shm() {
    let mut traced = in_place("with-read-only-shm", |command, _| {
        command.env_remove("HANGDOG_RUN_DIR");
    });
    assert!(
        traced.status.starts_with("hangdog records to a memfd (mkdir failed for /dev/shm/hangdog-"),
        "{}",
        traced.status
    );
    make_rounds(&mut reader_of(&traced), &SLEEPLESS, 10);
    check_works(&mut traced);
    assert!(traced.end().success());
}

/// Without `/proc` a process does not know who it is, and what nobody could find is not recorded.
pub(crate) fn without_proc() {
    let mut traced = in_place("without-proc", |_, _| {});
    assert!(traced.status.starts_with(RECORDS_NOT) && traced.status.contains("/proc"), "{}", traced.status);
    check_works(&mut traced);
    assert!(traced.end().success());
}
