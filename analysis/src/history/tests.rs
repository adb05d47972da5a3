//! Time lines of phases, a line each: `thread name from-to words`, indented under the phase around it.
//!
//! ```text
//! 10.11 gate 0-90                 thread 11 of process 10, ms into the run; `0-` is open at the end
//!   10.11 register 5-20 ok op=k   words: outcome, op= entity= wait= hold= deadline=, ±err in ms
//! ```

use hangdog_schemas::record::{PhaseClose, PhaseMeaning, PhaseOpen, ProcessStart};
use hangdog_schemas::sample::header;
use hangdog_schemas::{Big, PhaseId, Pid, ProcessId, Record, RunNs, Tid, When};
use hangdog_timeline::Timeline;

use super::wave::{Attempt, Came, Entry, straggles};
use super::*;

fn process(pid: u32) -> ProcessId {
    ProcessId { pid: Pid(pid), start: Big(u64::from(pid)) }
}

fn at(ms: u64, err: u64) -> When {
    When { t: RunNs(ms * 1_000_000), err: err * 1_000_000 }
}

fn records(scene: &str) -> Vec<Record> {
    let mut records = vec![Record::Run(Box::new(header()))];
    // Numbers of the phases around the next line, by their depth.
    let mut around: Vec<u64> = Vec::new();
    for (n, line) in (1..).zip(scene.lines().filter(|line| !line.trim().is_empty())) {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [thread, name, times, rest @ ..] = &words[..] else { panic!("{line}") };
        let (pid, tid) = thread.split_once('.').unwrap();
        let (pid, tid) = (pid.parse().unwrap(), tid.parse().unwrap());
        let (from, to) = times.split_once('-').unwrap();
        around.truncate(depth);
        let mut hang = PhaseMeaning::default();
        let (mut outcome, mut err) = (None, 0);
        for word in rest {
            match word.split_once('=') {
                Some(("op", key)) => hang.op = Some(key.to_owned()),
                Some(("entity", key)) => hang.entity = Some(key.to_owned()),
                Some(("wait", key)) => hang.wait = Some(key.parse().unwrap()),
                Some(("hold", key)) => hang.hold = Some(key.parse().unwrap()),
                Some(("deadline", ms)) => hang.deadline_ms = Some(ms.parse().unwrap()),
                None if word.starts_with('±') => err = word.trim_start_matches('±').parse().unwrap(),
                None => outcome = Some((*word).to_owned()),
                Some(other) => panic!("{other:?}"),
            }
        }
        let id = PhaseId { process: process(pid), phase: Big(n) };
        if !records.iter().any(|record| matches!(record, Record::ProcessStart(start) if start.process.pid.0 == pid)) {
            let (when, comm) = (at(0, 0), format!("p{pid}"));
            records.push(Record::ProcessStart(ProcessStart { when, process: process(pid), parent: Pid(1), comm }));
        }
        records.push(Record::PhaseOpen(Box::new(PhaseOpen {
            when: at(from.parse().unwrap(), err),
            id,
            parent: around.last().copied().map(Big),
            tid: Some(Tid(tid)),
            task: None,
            name: (*name).to_owned(),
            fields: Vec::new(),
            hang,
        })));
        if let Ok(to) = to.parse() {
            records.push(Record::PhaseClose(PhaseClose { when: at(to, err), id, outcome }));
        }
        around.push(n);
    }
    records
}

/// Checks kinds, confidences and who is blamed: `two-owners likely 12`, in order, or nothing.
#[track_caller]
fn check(scene: &str, expected: &[&str]) {
    let timeline = Timeline::build(records(scene)).unwrap();
    let told: Vec<String> = seen(&timeline)
        .iter()
        .map(|seen| {
            let blamed: Vec<String> = seen.culprits.iter().map(|actor| actor.tid.to_string()).collect();
            format!("{} {} {}", seen.kind.name(), seen.confidence.word(), blamed.join(" "))
        })
        .collect();
    assert_eq!(told, expected, "{:#?}", seen(&timeline).iter().map(|seen| &seen.sentence).collect::<Vec<_>>());
    for finding in findings(&timeline) {
        assert!(finding.sentence.chars().count() <= 400 && !finding.kind.is_hang(), "{finding:?}");
    }
}

/// One row: the first was completed at 50, and the later came in, began to act.
#[track_caller]
fn row(came: Came, entered: u64, acted: Option<u64>, entry: Entry, err: u64, expected: Option<Confidence>) {
    let entry_of = |entered, acted: Option<u64>, completed: Option<u64>, came, entry| Attempt {
        entered: at(entered, err),
        entry,
        acted: acted.map(|t| at(t, err)),
        completed: completed.map(|t| at(t, err)),
        came,
    };
    let before = entry_of(0, Some(0), (came != Came::Open).then_some(50), came, Entry::Said);
    let later = entry_of(entered, acted, Some(99), Came::Ok, entry);
    assert_eq!(straggles(&before, &later), expected, "{came:?}, entered {entered}, acted {acted:?}");
}

#[test]
fn the_decision_row_by_row() {
    use Confidence::{Likely, Possible};
    // It came in before the first was completed, and acted after it.
    row(Came::Ok, 40, Some(60), Entry::Said, 0, Some(Likely));
    row(Came::Ok, 49, Some(51), Entry::Said, 0, Some(Likely));
    row(Came::Ok, 40, Some(60), Entry::Lock, 0, Some(Possible));
    row(Came::Unsaid, 40, Some(60), Entry::Said, 0, Some(Possible));
    // It came in later: a distinct event.
    row(Came::Ok, 50, Some(60), Entry::Said, 0, None);
    row(Came::Ok, 51, Some(60), Entry::Said, 0, None);
    // The first failed: nobody is covered.
    row(Came::Failed, 40, Some(60), Entry::Said, 0, None);
    row(Came::Open, 40, Some(60), Entry::Said, 0, None);
    // It acted while the first did: a duplicate, not a straggler; or it has not acted at all.
    row(Came::Ok, 10, Some(10), Entry::Said, 0, None);
    row(Came::Ok, 40, None, Entry::Said, 0, None);
    // Clocks too coarse to tell.
    row(Came::Ok, 45, Some(60), Entry::Said, 4, None);
    row(Came::Ok, 40, Some(60), Entry::Said, 4, Some(Likely));
}

#[test]
fn a_straggler_of_the_same_wave() {
    // Held up by a lock within the operation, or next to it; or told by an outer phase of the same key.
    check(
        "1.2 register 0-50 ok op=k\n1.3 register 40-90 ok op=k\n  1.3 lock 40-60 wait=lock:gate",
        &["same-wave-straggler likely 3"],
    );
    check(
        "1.2 beat 0-60\n  1.2 register 5-50 ok op=k\n1.3 poll 10-90\n  1.3 lock 40-60 wait=lock:gate\n  1.3 register 60-90 ok op=k",
        &["same-wave-straggler possible 3"],
    );
    check(
        "1.2 gate 0-52 op=k\n  1.2 register 5-50 ok op=k\n1.3 gate 10-95 op=k\n  1.3 register 60-90 ok op=k",
        &["same-wave-straggler likely 3"],
    );
}

#[test]
fn its_neighbours_are_not_accused() {
    // A distinct later event; though the loop around it goes on since the beginning.
    check("1.2 register 0-50 ok op=k\n1.3 register 60-90 ok op=k", &[]);
    check(
        "1.2 loop 0-\n  1.2 register 0-50 ok op=k\n1.3 loop 0-\n  1.3 next 0-60 wait=chan:events\n  1.3 register 60-90 ok op=k",
        &[],
    );
    // A retry after a failure, by another and by itself.
    check("1.2 register 0-50 failed op=k\n1.3 register 40-90 ok op=k\n  1.3 lock 40-60 wait=lock:gate", &[]);
    check("1.2 register 0-50 failed op=k\n1.2 register 60-90 ok op=k", &[]);
    // Another key.
    check("1.2 register 0-50 ok op=k\n1.3 register 40-90 ok op=other\n  1.3 lock 40-60 wait=lock:gate", &[]);
    // A peer holds the slot: the others go away.
    check("1.2 register 0-50 ok op=k\n1.3 register 10-11 cancelled op=k\n1.4 register 20-51 cancelled op=k", &[]);
    // It waits for its turn until the end.
    check("1.2 register 0-50 ok op=k\n1.3 register 40- op=k\n  1.3 lock 40- wait=lock:gate", &[]);
}

#[test]
fn the_same_at_once() {
    check("1.2 get 0-50 ok op=k\n1.3 get 10-60 ok op=k\n1.4 get 20-70 ok op=k", &["duplicate-in-flight likely 3 4"]);
    check("1.2 get 0-50 ok op=k\n3.3 get 10- op=k", &["duplicate-in-flight likely 3"]);
    // One after the other, other keys, within each other, too coarse to tell.
    check("1.2 get 0-50 ok op=k\n1.3 get 50-60 ok op=k", &[]);
    check("1.2 get 0-50 ok op=k\n1.3 get 10-60 ok op=l", &[]);
    check("1.2 get 0-50 ok op=k\n  1.2 get 10-40 ok op=k", &[]);
    check("1.2 get 0-50 ok op=k ±10\n1.3 get 45-60 ok op=k ±10", &[]);
}

#[test]
fn an_identity_with_two_owners() {
    check("1.2 run 0-50 entity=run/3\n1.3 run 40-90 entity=run/3", &["two-owners likely 3"]);
    // The id was given out again, and its first owner writes once more.
    check(
        "1.2 run 0-30 entity=run/3\n1.3 run 40-90 entity=run/3\n1.2 finish 60-61 entity=run/3",
        &["two-owners likely 2"],
    );
    check("1.2 run 0-50 entity=run/3\n1.3 run 50-90 entity=run/3", &[]);
    check("1.2 run 0-50 entity=run/3\n1.3 run 40-90 entity=run/4", &[]);
    check("1.2 run 0-50 entity=run/3\n  1.2 write 10-20 entity=run/3", &[]);
}

#[test]
fn a_lock_that_is_held_over_a_call() {
    let call = "1.2 update 0-100 hold=lock:cache\n  1.2 fetch 10-90 wait=http:origin\n";
    check(
        &format!("{call}1.3 get 20-100 wait=lock:cache\n1.4 get 30-110 wait=lock:cache"),
        &["held-across-wait likely 2"],
    );
    // Nobody queued, or for another one; the call is not under the lock; what is waited for is in the process.
    check(call, &[]);
    check(&format!("{call}1.3 get 20-100 wait=lock:other"), &[]);
    check("1.2 update 0-9 hold=lock:cache\n1.2 fetch 10-90 wait=http:origin\n1.3 get 0-9 wait=lock:cache", &[]);
    check("1.2 update 0-100 hold=lock:cache\n  1.2 fetch 10-90 wait=chan:x\n1.3 get 20-100 wait=lock:cache", &[]);
}

#[test]
fn orders_of_locks_that_can_meet() {
    let one = "1.2 a 0-50 hold=lock:a\n  1.2 b 10-40 hold=lock:b\n";
    check(&format!("{one}1.3 b 60-90 hold=lock:b\n  1.3 a 70-80 hold=lock:a"), &["lock-order-risk possible 2 3"]);
    // The same order, one thread alone, another process, a third lock around both.
    check(&format!("{one}1.3 a 60-90 hold=lock:a\n  1.3 b 70-80 hold=lock:b"), &[]);
    check(&format!("{one}1.2 b 60-90 hold=lock:b\n  1.2 a 70-80 hold=lock:a"), &[]);
    check(&format!("{one}2.3 b 60-90 hold=lock:b\n  2.3 a 70-80 hold=lock:a"), &[]);
    let gated = |tid, first, second, from| {
        format!(
            "1.{tid} g {from}-{} hold=lock:g\n  1.{tid} x {from}-{} hold=lock:{first}\n    1.{tid} y {}-{} hold=lock:{second}\n",
            from + 9,
            from + 8,
            from + 1,
            from + 5
        )
    };
    check(&format!("{}{}", gated(2, "a", "b", 0), gated(3, "b", "a", 20)), &[]);
}

#[test]
fn too_long_and_too_often() {
    check("1.2 get 0-50 deadline=20", &["long-phase certain 2"]);
    check("1.2 get 0- deadline=20\n1.3 other 0-90", &["long-phase certain 2"]);
    check("1.2 get 0-50 deadline=60\n1.3 get 0-50 deadline=45 ±10", &[]);
    let tries = |gap: fn(u64) -> u64| {
        let mut t = 0;
        let lines = (0..12).map(|n| {
            t += 2 + gap(n);
            format!("1.2 connect {}-{t} failed", t - 1)
        });
        lines.chain([String::new()]).collect::<Vec<_>>().join(
            "
",
        )
    };
    check(&tries(|_| 5), &["unbounded-retry possible 2"]);
    check(&tries(|n| 1 << n), &[]);
    check(&format!("{}1.2 connect 900-901 ok", tries(|_| 5)), &[]);
    check("1.2 connect 0-1 failed\n1.2 connect 2-3 failed", &[]);
}
