//! File events by time, by path, by process.

use hangdog_schemas::record::{FileEvent, FileOp, FileWatch, WatchedBy, Whose};
use hangdog_schemas::{When, sample};

use super::*;

fn event(t: u64, op: FileOp, path: &str, to: Option<&str>, pid: u32) -> Record {
    let (when, to) = (When { t: at(t), err: 1_000_000 }, to.map(str::to_owned));
    let (path, pid) = (path.to_owned(), Some(Pid(pid)));
    Record::FileEvent(FileEvent { when, op, path, to, directory: false, pid, comm: None, times: 1 })
}

#[test]
fn who_touched_a_path_in_order() {
    let timeline = build([
        event(30, FileOp::Unlink, "/w/lock", None, 2),
        event(10, FileOp::Create, "/w/lock.new", None, 1),
        event(20, FileOp::Rename, "/w/lock.new", Some("/w/lock"), 1),
        event(20, FileOp::Open, "/w/lock", None, 2),
    ]);
    let of = |path: &str| -> Vec<(u64, &str)> {
        timeline.file_events_of(path).map(|event| (event.when.t.0 / 1_000_000, event.op.word())).collect()
    };
    assert_eq!(of("/w/lock"), [(20, "rename"), (20, "open"), (30, "unlink")]);
    assert_eq!(of("/w/lock.new"), [(10, "create"), (20, "rename")]);
    assert_eq!(of("/w"), []);
    assert_eq!(timeline.touched_paths().collect::<Vec<&str>>(), ["/w/lock", "/w/lock.new"]);
    let between = |from, to| timeline.file_events_between(at(from), at(to)).len();
    assert_eq!([between(0, 9), between(10, 10), between(11, 30), between(30, 0)], [0, 1, 3, 0]);
}

#[test]
fn a_number_names_a_process_while_only_one_can_have_it() {
    let first = sample::process(7);
    let second = hangdog_schemas::ProcessId { start: Big(first.start.0 + 100), ..first };
    let started = |t, process| {
        Record::ProcessStart(ProcessStart { when: ms(t), process, parent: Pid(1), comm: "sh".to_owned() })
    };
    let timeline = build([
        started(10, first),
        end(50, 7, None),
        started(52, second),
        event(20, FileOp::Open, "/a", None, 7),
        event(51, FileOp::Open, "/b", None, 7),
        event(60, FileOp::Open, "/c", None, 7),
        event(60, FileOp::Open, "/d", None, 8),
    ]);
    let of = |path: &str| timeline.process_of(timeline.file_events_of(path).next().unwrap());
    assert_eq!([of("/a"), of("/b"), of("/c"), of("/d")], [Some(first), None, Some(second), None]);
}

#[test]
fn what_was_watched_is_known() {
    let (directory, why) = ("/mnt/far".to_owned(), Some("it is on nfs4".to_owned()));
    let watch = FileWatch { when: ms(0), directory, by: WatchedBy::Nothing, whose: Whose::Everybody, why };
    let timeline = build([Record::FileWatch(watch.clone())]);
    assert_eq!(timeline.file_watches(), [watch]);
    assert!(timeline.file_events().is_empty());
}
