//! Runs of a few calls each: what is a race, what is none, and what a comparison says of them.
//!
//! ```text
//! 2 look /t/f ENOENT      thread 2 of a process of its own; lines follow each other at 1 ms
//! 3 create /t/f           opens with O_CREAT; `new` with O_EXCL as well
//! 2 unmount /t/m EBUSY    what it fails with
//! ```

use hangdog_schemas::record::{Call, Doer, ExitStatus, KernelDeed, KernelEvent, RunEnd};
use hangdog_schemas::sample::header;
use hangdog_schemas::{Confidence, FindingKind, Pid, Record, RunNs, Tid, When};
use hangdog_timeline::Timeline;

use super::sketch::Tier;
use super::*;

fn records(scene: &str, code: i32) -> Vec<Record> {
    let mut records = vec![Record::Run(Box::new(header()))];
    let mut t = 0;
    let when = |t: u64| When::exactly(RunNs(t));
    for line in scene.lines().map(str::trim).filter(|line| !line.is_empty()) {
        t += 1_000_000;
        let words: Vec<&str> = line.split(' ').collect();
        let tid: u32 = words[0].parse().unwrap();
        let (name, flags): (&str, &[&str]) = match words[1] {
            "look" => ("stat", &[]),
            "read" => ("openat", &["O_RDONLY"]),
            "create" => ("openat", &["O_WRONLY", "O_CREAT"]),
            "append" => ("openat", &["O_WRONLY", "O_CREAT", "O_APPEND"]),
            "new" => ("openat", &["O_WRONLY", "O_CREAT", "O_EXCL"]),
            "write" => ("openat", &["O_WRONLY", "O_TRUNC"]),
            "remove" => ("unlink", &[]),
            "rename" => ("rename", &[]),
            "enter" => ("chdir", &[]),
            "unmount" => ("umount2", &[]),
            other => panic!("{other}"),
        };
        let paths = words[2..].iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()).collect();
        let result = match words.last() {
            Some(&"ENOENT") => -2,
            Some(&"EEXIST") => -17,
            Some(&"EBUSY") => -16,
            Some(&"EROFS") => -30,
            _ => 0,
        };
        records.push(Record::Call(Box::new(Call {
            when: when(t),
            pid: Pid(tid),
            tid: Tid(tid),
            parent: Pid(1),
            inner: None,
            comm: "worker".to_owned(),
            name: name.to_owned(),
            number: 1,
            paths,
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            address: None,
            fd: None,
            request: None,
            held_ns: 0,
        })));
        let what = KernelDeed::SyscallEnd { number: 1, name: name.to_owned(), result };
        records.push(Record::KernelEvent(KernelEvent {
            when: when(t + 1000),
            tid: Tid(tid),
            by: Doer::Thread,
            what,
        }));
    }
    let how = Some(ExitStatus::Code(code));
    records.push(Record::RunEnd(RunEnd { when: when(t), how, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 }));
    records
}

fn sketch(scene: &str, code: i32) -> Sketch {
    Sketch::of(&Timeline::build(records(scene, code)).unwrap())
}

/// Checks which races a run shows, each by a part of its words.
#[track_caller]
fn races(scene: &str, expected: &[&str]) {
    let sketch = sketch(scene, 0);
    let found: Vec<&str> = sketch
        .features
        .keys()
        .filter(|feature| feature.tier == Tier::Race)
        .map(|feature| feature.text.as_str())
        .collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for part in expected {
        assert!(found.iter().any(|text| text.contains(part)), "{part}: {found:#?}");
    }
}

const TWO_LEADERS: &str = "2 look /t/f ENOENT\n3 look /t/f ENOENT\n2 create /t/f\n3 create /t/f";
const ONE_LEADER: &str = "2 look /t/f ENOENT\n2 create /t/f\n3 look /t/f\n3 look /t/f";
const STOLEN: &str = "1 create /t/l\n2 read /t/l\n3 read /t/l\n3 remove /t/l\n3 new /t/l\n2 remove /t/l\n2 new /t/l";

#[test]
fn a_look_and_a_creation_with_another_in_between() {
    races(TWO_LEADERS, &["two see that /t/f does not exist"]);
    races(ONE_LEADER, &[]);
    // One alone looks and creates twice; what one looks for and nobody creates.
    races("2 look /t/f ENOENT\n2 create /t/f\n2 create /t/f", &[]);
    races("2 look /t/f ENOENT\n3 look /t/f ENOENT", &[]);
    // With O_EXCL the second one is told.
    races("2 look /t/f ENOENT\n3 new /t/f\n2 new /t/f EEXIST", &[]);
}

#[test]
fn a_removal_of_what_another_has_made_meanwhile() {
    races(STOLEN, &["unlink(/t/l) by worker removes the file that another worker has created after the check"]);
    // The same file that it looked at; its own; and one that it never looked at.
    races("1 create /t/l\n2 read /t/l\n2 remove /t/l\n2 new /t/l\n2 remove /t/l", &[]);
    races("1 create /t/l\n2 remove /t/l", &[]);
    races("1 create /t/l\n1 remove /t/l\n3 new /t/l\n3 remove /t/l", &[]);
}

#[test]
fn a_write_over_what_another_has_written_meanwhile() {
    let lost = &["an update between the read and the write is lost"];
    races("1 create /t/n\n2 read /t/n\n3 read /t/n\n2 write /t/n\n3 write /t/n", lost);
    races("1 create /t/n\n2 read /t/n\n3 read /t/n\n2 rename /t/x /t/n\n3 rename /t/y /t/n", lost);
    races("1 create /t/n\n2 read /t/n\n2 write /t/n\n3 read /t/n\n3 write /t/n", &[]);
    // What is added at the end takes nothing away, and who has only looked at it writes what it had.
    races("1 create /t/n\n2 read /t/n\n3 read /t/n\n2 append /t/n\n3 append /t/n", &[]);
    races("1 create /t/n\n3 look /t/n\n2 write /t/n\n3 write /t/n", &[]);
}

fn runs(failing: (&str, usize), passing: (&str, usize)) -> Compared {
    let of = |(scene, many): (&str, usize), code| std::iter::repeat_n(sketch(scene, code), many).collect::<Vec<_>>();
    compare(&[of(failing, 1), of(passing, 0)].concat())
}

/// Checks the verdict: kind, confidence and a part of its sentence.
#[track_caller]
fn verdict(compared: &Compared, kind: FindingKind, confidence: Confidence, part: &str) {
    let verdict = compared.verdict.as_ref().unwrap();
    assert_eq!((verdict.kind, verdict.confidence), (kind, confidence), "{}", verdict.sentence);
    assert!(verdict.sentence.contains(part), "{}", verdict.sentence);
    assert!(verdict.sentence.chars().count() <= 400);
}

#[test]
fn what_all_failures_have_and_no_pass_explains_them() {
    let (kind, likely) = (FindingKind::Diverged, Confidence::Likely);
    let found = runs((TWO_LEADERS, 9), (ONE_LEADER, 11));
    verdict(
        &found,
        kind,
        likely,
        "in 9 of 9 failing runs and in 0 of 11 passing ones, two see that /t/f does not exist",
    );
    verdict(&runs((STOLEN, 4), ("1 create /t/l\n2 read /t/l", 16)), kind, likely, "unlink(/t/l)");
    // The error that comes first, and who keeps it so; what follows is told after it.
    let busy = "4 enter /t/m/out\n2 unmount /t/m EBUSY\n3 remove /t/m/result.json EROFS";
    let free = "4 enter /t/m/out\n2 unmount /t/m\n3 remove /t/m/result.json";
    let found = runs((busy, 6), (free, 6));
    verdict(
        &found,
        kind,
        likely,
        "umount2(/t/m) by worker fails with EBUSY (it is busy): the mount is kept busy by worker[4]",
    );
    verdict(&found, kind, likely, "then unlink(/t/m/result.json) by worker fails with EROFS");
}

#[test]
fn who_looks_before_it_is_there_is_told() {
    let found = runs(("2 read /t/c ENOENT\n3 create /t/c", 6), ("3 create /t/c\n2 read /t/c", 6));
    let part = "worker looks for /t/c (openat: ENOENT) before worker creates it";
    verdict(&found, FindingKind::Diverged, Confidence::Likely, part);
}

#[test]
fn what_may_be_chance_is_told_as_that() {
    let (kind, possible) = (FindingKind::Unknown, Confidence::Possible);
    // One failure among many kinds of passes, each with something of its own.
    let own = |n: usize| format!("2 remove /t/f{} EBUSY", "x".repeat(n));
    let mut sketches: Vec<Sketch> = (0..19).map(|n| sketch(&own(n), 0)).collect();
    sketches.push(sketch(&own(19), 1));
    verdict(&compare(&sketches), kind, possible, "may be chance");
    verdict(&runs((ONE_LEADER, 3), (ONE_LEADER, 17)), kind, possible, "nothing that is recorded differs");
    verdict(&runs((TWO_LEADERS, 20), (ONE_LEADER, 0)), kind, possible, "no run that passes");
}

#[test]
fn passes_alone_accuse_nobody() {
    let found = compare(&[sketch(TWO_LEADERS, 0), sketch(ONE_LEADER, 0), sketch(STOLEN, 0)]);
    assert!(found.verdict.is_none() && found.comparison.differences.is_empty());
}

#[test]
fn two_runs_alone_tell_no_more_than_what_is_possible() {
    let found = runs((TWO_LEADERS, 1), (ONE_LEADER, 1));
    verdict(&found, FindingKind::Diverged, Confidence::Possible, "two see that /t/f does not exist");
    verdict(&runs(("2 create /t/a", 1), ("2 create /t/b", 1)), FindingKind::Unknown, Confidence::Possible, "chance");
}

#[test]
fn what_was_not_seen_is_no_difference() {
    // Of passes nothing was seen but their end; that of failures is then compared with nothing.
    let blind = |_| Sketch::of(&Timeline::build(records("", 0)).unwrap());
    let sketches: Vec<Sketch> = (0..8).map(blind).chain((0..8).map(|_| sketch(TWO_LEADERS, 1))).collect();
    verdict(&compare(&sketches), FindingKind::Unknown, Confidence::Possible, "less was seen of the runs that pass");
}

#[test]
fn the_order_of_runs_decides_nothing() {
    let mut sketches = [vec![sketch(TWO_LEADERS, 1); 5], vec![sketch(ONE_LEADER, 0); 7]].concat();
    let one = compare(&sketches);
    sketches.reverse();
    let other = compare(&sketches);
    assert_eq!(one.verdict.map(|v| v.sentence), other.verdict.map(|v| v.sentence));
    assert_eq!(one.comparison, other.comparison);
}

/// Checks where two runs part: when in each, in ms, and a part of the words.
#[track_caller]
fn parts(first: &str, second: &str, expected: &[(u64, u64, &str)]) {
    let timeline = |scene| Timeline::build(records(scene, 0)).unwrap();
    let found = part(&timeline(first), &timeline(second));
    let told: Vec<String> = found
        .iter()
        .map(|part| format!("{} {} {}", part.first.0 / 1_000_000, part.second.0 / 1_000_000, part.sentence))
        .collect();
    assert_eq!(found.len(), expected.len(), "{told:#?}");
    for ((a, b, words), told) in expected.iter().zip(&told) {
        assert!(told.starts_with(&format!("{a} {b} ")) && told.contains(words), "{words}: {told}");
    }
}

#[test]
fn two_runs_part_where_one_has_what_the_other_has_not() {
    parts(TWO_LEADERS, TWO_LEADERS, &[]);
    parts("2 look /t/a\n2 create /t/b", "2 look /t/a\n2 create /t/b", &[]);
    // What stands after the same thing in both is at the same distance from it.
    let (one, two) = ("2 create /t/a\n2 create /t/b", "2 create /t/x\n2 create /t/a\n2 look /t/a\n2 look /t/a");
    parts(one, two, &[(1, 1, "only in 2: worker creates /t/x"), (2, 3, "only in 1: worker creates /t/b")]);
    // Done more often: it is the last time that the other has not.
    parts(
        "2 look /t/a ENOENT\n2 look /t/b\n2 look /t/a ENOENT",
        "2 look /t/a ENOENT\n2 look /t/b",
        &[(3, 2, "2 times in 1, once in 2")],
    );
}

#[test]
fn what_only_one_run_could_show_is_no_parting() {
    let blind = Timeline::build(records("", 0)).unwrap();
    let of_code = |code| Timeline::build(records(TWO_LEADERS, code)).unwrap();
    assert_eq!(part(&of_code(0), &blind), Vec::new());
    // How they ended is seen in any case.
    let found = part(&of_code(1), &blind);
    assert_eq!(found.iter().map(|part| part.sentence.as_str()).collect::<Vec<_>>(), ["1 failed, 2 passed"]);
}

#[test]
fn what_is_missing_from_failures_is_not_their_cause() {
    let (kind, possible) = (FindingKind::Unknown, Confidence::Possible);
    let found = runs(("2 create /t/a\n2 create /t/b", 9), ("2 create /t/a\n2 create /t/b\n2 create /t/b", 9));
    verdict(&found, kind, possible, "a run that fails breaks off");
    assert!(found.comparison.differences.iter().all(|told| told.role != hangdog_schemas::DifferenceRole::Cause));
}

#[test]
fn what_passes_have_too_often_decides_nothing() {
    let many = |failing: usize, passing: usize| {
        let (of_failed, of_passed) = (vec![sketch(TWO_LEADERS, 1); failing], vec![sketch(TWO_LEADERS, 0); passing]);
        let rest = [vec![sketch(ONE_LEADER, 1); 60 - failing], vec![sketch(ONE_LEADER, 0); 60 - passing]].concat();
        compare(&[of_failed, of_passed, rest].concat())
    };
    let (diverged, unknown) = (FindingKind::Diverged, FindingKind::Unknown);
    verdict(&many(50, 20), unknown, Confidence::Possible, "makes it likelier or comes of it");
    // Without it nearly none fails.
    verdict(&many(58, 20), diverged, Confidence::Likely, "in 58 of 60 failing runs and in 20 of 60 passing ones");
    verdict(&many(50, 10), diverged, Confidence::Likely, "in 50 of 60 failing runs and in 10 of 60 passing ones");
}

#[test]
fn what_was_begun_before_a_removal_comes_after_it() {
    let undone = "2 new /t/p\n2 rename /t/p /t/f\n2 new /t/q\n3 remove /t/f\n2 rename /t/q /t/f";
    races(undone, &["worker removes /t/f while worker makes it anew, and what had been begun before is put back"]);
    // Begun after the removal, by the one who removed it, and over what is there.
    races("2 new /t/p\n2 rename /t/p /t/f\n3 remove /t/f\n2 new /t/q\n2 rename /t/q /t/f", &[]);
    races("2 new /t/p\n2 rename /t/p /t/f\n2 new /t/q\n2 remove /t/f\n2 rename /t/q /t/f", &[]);
    races("2 new /t/p\n2 rename /t/p /t/f\n2 new /t/q\n2 rename /t/q /t/f", &[]);
}
