//! A disk that is frozen stops whoever writes to it, and nobody who only records: the recorder is never there.

use hangdog_tests::{Disk, until};

use crate::traced::{Traced, phase};
use crate::work::{self, SLEEPLESS, check_never_held_up};

/// A program with its directory, its temporary files and its run's directory on this disk.
fn on(disk: &Disk, line: &[&str]) -> Traced {
    let run = disk.path();
    Traced::start_as(line, |command, _| {
        command.current_dir(&run).env("TMPDIR", &run).env("HANGDOG_RUN_DIR", &run);
    })
}

/// The disk was refused, and another place found.
#[track_caller]
fn check_refused(status: &str) {
    assert!(status.starts_with("hangdog records to "), "{status}");
    assert!(status.contains("/disk/flight is on a file system of type ext4"), "{status}");
}

/// Its recorder lies somewhere else: in the user's directory, by its process number.
#[track_caller]
fn reader(traced: &Traced) -> hangdog_flight::Reader {
    let place = traced.status.split(' ').nth(3).expect("hangdog records to PLACE");
    hangdog_flight::Reader::open(place).unwrap_or_else(|error| panic!("{error}: {}", traced.status))
}

pub(crate) fn frozen_at_work() {
    let disk = Disk::new();
    let mut traced = on(&disk, &work::line());
    check_refused(&traced.status);
    let mut reader = reader(&traced);
    check_never_held_up(&traced, &mut reader, &SLEEPLESS);
    let frozen = disk.freeze();
    let written = disk.path().join("written");
    let answer = traced.ask(&format!("write {}", written.display()));
    let writer: u32 = answer.strip_prefix("write ").and_then(|tid| tid.parse().ok()).expect("a thread");
    until("the writer to be stuck", || (traced.state(writer) == 'D').then_some(()));
    check_never_held_up(&traced, &mut reader, &SLEEPLESS);
    let recording = crate::traced::read(&mut reader);
    let write = phase(&recording, "write");
    assert_eq!((write.tid, write.hang.wait.as_deref()), (writer, Some(&*format!("path:{}", written.display()))));
    drop(frozen);
    until("the end of the write", || {
        (!crate::traced::read(&mut reader).open.iter().any(|phase| phase.name == "write")).then_some(())
    });
}

pub(crate) fn frozen_before_the_start() {
    let disk = Disk::new();
    // Dropped after the disk is thawed, since it may be stuck.
    let traced;
    let _frozen = disk.freeze();
    traced = on(&disk, &work::line());
    check_refused(&traced.status);
    check_never_held_up(&traced, &mut reader(&traced), &SLEEPLESS);
}
