//! Runs of a few calls each, and where lateness would matter: `7 3 read /t/f` is thread 3 at 7 ms.

use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::sample::header;
use hangdog_schemas::{Aim, Pid, Record, When};

use super::*;

fn timeline(lines: &[&str]) -> Timeline {
    let mut records = vec![Record::Run(Box::new(header()))];
    let mut end = 0;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let (at, tid): (u64, u32) = (words[0].parse().unwrap(), words[1].parse().unwrap());
        let (when, pid, tid) = (When::exactly(RunNs(at * 1_000_000)), Pid(tid), Tid(tid));
        let (comm, object) = ("w".to_owned(), words[3].rsplit('/').next().unwrap().to_owned());
        end = end.max(at);
        let changes = matches!(words[2], "write" | "begin");
        records.push(Record::Visit(Box::new(Visit {
            when,
            pid,
            tid,
            comm,
            what: words[2].to_owned(),
            object,
            shared: Some(words[3].to_owned()).filter(|shared| shared != "-"),
            changes,
            held_ns: words.get(4).map_or(0, |held| held.parse::<u64>().unwrap() * 1_000_000),
        })));
    }
    let how = Some(ExitStatus::Code(0));
    let when = When::exactly(RunNs(end * 1_000_000));
    let end = hangdog_schemas::record::RunEnd { when, how, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 };
    records.push(Record::RunEnd(end));
    Timeline::build(records).unwrap()
}

/// Checks who is to be late, as `what object who.nth gap`, where two touch the same thing.
#[track_caller]
fn check(lines: &[&str], expected: &[(&str, &str, u8, u8, u64)]) {
    let found = contended(&timeline(lines));
    let same: Vec<_> = found
        .iter()
        .filter(|contended| contended.why == Why::Same)
        .map(|contended| (contended.place, contended.who, contended.nth, contended.gap_ns / 1_000_000))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(what, object, who, nth, gap)| (Place::of("w", what, object), *who, *nth, *gap))
        .collect();
    assert_eq!(same, expected);
}

#[test]
fn who_writes_late_what_another_reads_then_is_overtaken() {
    let both = ["0 2 start -", "0 3 start -"];
    let scene = |lines: &[&'static str]| [&both[..], lines].concat();
    check(&scene(&["5 2 write /t/f", "9 3 read /t/f"]), &[("write", "f", 0, 1, 4)]);
    check(&scene(&["5 2 read /t/f", "9 3 read /t/f"]), &[]);
    check(&scene(&["5 2 write /t/f", "9 3 read /t/g"]), &[]);
    check(&scene(&["5 2 write /t/f", "9 2 read /t/f"]), &[]);
    // The second visit of the second one at this place; and what was held is counted from when it went on.
    let twice = ["1 2 write /t/f", "2 3 write /t/f", "5 3 write /t/f 2", "9 2 read /t/f"];
    let expected = [("write", "f", 0, 1, 1), ("write", "f", 1, 1, 7), ("write", "f", 1, 2, 2)];
    check(&scene(&twice), &expected);
}

#[test]
fn who_comes_later_because_of_it_does_not_overtake() {
    check(&["0 2 start -", "5 2 write /t/f", "7 3 start -", "9 3 read /t/f"], &[]);
    check(&["0 2 start -", "0 3 start -", "5 2 write /t/f", "900 3 read /t/f"], &[]);
}

#[test]
fn who_is_alone_is_no_use_when_it_is_late() {
    let near = |lines: &[&str]| {
        let found = contended(&timeline(lines));
        found.iter().filter(|contended| contended.why == Why::Near).count()
    };
    assert_eq!(near(&["0 2 start -", "5 2 nanosleep -"]), 0);
    assert_eq!(near(&["0 2 start -", "1 3 start -", "5 2 nanosleep -", "9 3 exit -"]), 2);
}

#[test]
fn what_was_done_to_a_run_in_words() {
    let lines = ["0 2 begin fetch 8", "1 3 start - 2", "2 2 write /t/f 20", "3 3 write /t/f 20"];
    let aim = Disturbance::Aimed(Aim { one_processor: true, ..Aim::default() });
    let expected = [
        "w is held where it begins fetch for 8 ms",
        "w is held as it starts for 2 ms",
        "w is held at write of f for 20 ms, 2 times",
        "all are on one processor",
    ];
    assert_eq!(disturbed(&timeline(&lines), &aim), expected);
    assert!(disturbed(&timeline(&["0 2 begin fetch"]), &Disturbance::Aimed(Aim::default())).is_empty());
}
