//! Runs of a few deeds each, a line a millisecond: who is accused of what, and who of nothing.
//!
//! ```text
//! 2 new /t/a.lock          process 2 makes it; `new … EEXIST` finds it there
//! 2=5 look /t              … which is number 5 in its own pid namespace
//! 2 forks 3                3 is its child; without such a line everybody is a child of 1
//! 2 ends 1                 with exit code 1; `killed` without one
//! 2 begins run-7           a phase with this entity; `leaves` ends the newest one
//! ```

use hangdog_schemas::fact::SocketState;
use hangdog_schemas::record::{
    Call, Doer, KernelDeed, KernelEvent, PhaseClose, PhaseMeaning, PhaseOpen, ProcessStart, SignalAction,
};
use hangdog_schemas::sample::{header, process};
use hangdog_schemas::{Big, PhaseId, Pid, Record, RunNs, Tid, When};
use hangdog_timeline::Timeline;

use super::*;

fn call(t: u64, (tid, inner): (u32, u32), name: &str, flags: &[&str], words: &[&str]) -> [Record; 2] {
    let is_address = matches!(name, "bind" | "connect");
    let paths = words.iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()).collect();
    let result = match words.last() {
        Some(&"ENOENT") => -2,
        Some(&"EEXIST") => -17,
        Some(&"EADDRINUSE") => -98,
        Some(&"ENOTCONN") => -107,
        _ => 0,
    };
    let call = Call {
        when: When::exactly(RunNs(t)),
        pid: Pid(tid),
        tid: Tid(tid),
        parent: Pid(1),
        inner: (inner != 0).then_some(Pid(inner)),
        comm: "worker".to_owned(),
        name: name.to_owned(),
        number: 1,
        paths,
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        address: is_address.then(|| words[0].to_owned()),
        fd: None,
        request: None,
        held_ns: 0,
    };
    let what = KernelDeed::SyscallEnd { number: 1, name: name.to_owned(), result };
    [Record::Call(Box::new(call)), event(t + 1000, tid, what)]
}

fn event(t: u64, tid: u32, what: KernelDeed) -> Record {
    Record::KernelEvent(KernelEvent { when: When::exactly(RunNs(t)), tid: Tid(tid), by: Doer::Thread, what })
}

fn timeline(scene: &str) -> Timeline {
    let mut records = vec![Record::Run(Box::new(header()))];
    let lines = scene.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut phases = 0;
    for (t, line) in (1_u64..).map(|n| n * 1_000_000).zip(lines) {
        let words: Vec<&str> = line.split(' ').collect();
        let (tid, inner) = words[0].split_once('=').unwrap_or((words[0], "0"));
        let (tid, inner): (u32, u32) = (tid.parse().unwrap(), inner.parse().unwrap());
        let rest = &words[2..];
        let own = process(tid);
        let comm = || "worker".to_owned();
        let named = |name, flags: &[&str]| Vec::from(call(t, (tid, inner), name, flags, rest));
        let id = |phase: u64| PhaseId { process: own, phase: Big(phase) };
        records.extend(match words[1] {
            "new" => named("openat", &["O_WRONLY", "O_CREAT", "O_EXCL"]),
            "mkdir" => named("mkdir", &[]),
            "read" => named("openat", &["O_RDONLY"]),
            "empty" => named("openat", &["O_WRONLY", "O_CREAT", "O_TRUNC"]),
            "remove" => named("unlink", &[]),
            "rename" => named("rename", &[]),
            "look" => named("stat", &[]),
            "mount" => named("mount", &[]),
            "bind" => named("bind", &[]),
            "listen" => {
                let (local, remote) = (rest[0].to_owned(), "0.0.0.0:0".to_owned());
                let (from, to) = (SocketState::Close, SocketState::Listen);
                vec![event(t, tid, KernelDeed::SocketState { local, remote, from, to })]
            }
            "forks" => {
                vec![event(t, tid, KernelDeed::Fork { child: Tid(rest[0].parse().unwrap()), comm: comm() })]
            }
            "ends" => vec![
                event(t, tid, KernelDeed::ExitCall { code: rest[0].parse().unwrap() }),
                event(t + 1000, tid, KernelDeed::Exit { comm: comm(), last: Some(true) }),
            ],
            // With threads that end after the first one.
            "slain" => vec![
                event(t, tid, KernelDeed::SignalTaken { signal: 9, code: 0, action: SignalAction::Default }),
                event(t + 1000, tid, KernelDeed::Exit { comm: comm(), last: Some(false) }),
                event(t + 2000, 99, KernelDeed::Exit { comm: comm(), last: Some(true) }),
            ],
            "killed" => vec![event(t, tid, KernelDeed::Exit { comm: comm(), last: Some(true) })],
            "begins" => {
                phases += 1;
                let (hang, name) =
                    (PhaseMeaning { entity: Some(rest[0].to_owned()), ..Default::default() }, "own".to_owned());
                let when = When::exactly(RunNs(t));
                let (tid, open) = (Some(Tid(tid)), id(phases));
                vec![
                    Record::ProcessStart(ProcessStart { when, process: own, parent: Pid(1), comm: comm() }),
                    Record::PhaseOpen(Box::new(PhaseOpen {
                        when,
                        id: open,
                        parent: None,
                        tid,
                        task: None,
                        name,
                        fields: Vec::new(),
                        hang,
                    })),
                ]
            }
            "leaves" => {
                let when = When::exactly(RunNs(t));
                vec![Record::PhaseClose(PhaseClose { when, id: id(phases), outcome: Some("ok".to_owned()) })]
            }
            other => panic!("{other}"),
        });
    }
    Timeline::build(records).unwrap()
}

/// Checks kinds, confidences and who is blamed, `stale-lock likely 2`, in order, or nothing.
#[track_caller]
fn check(scene: &str, expected: &[&str]) -> Vec<Finding> {
    let found = findings(&timeline(scene));
    let told: Vec<String> = found
        .iter()
        .map(|finding| {
            let blamed: Vec<String> = finding.culprits.iter().map(|actor| actor.tid.to_string()).collect();
            format!("{} {} {}", finding.kind.name(), finding.confidence.word(), blamed.join(" "))
                .trim_end()
                .to_owned()
        })
        .collect();
    let sentences: Vec<&String> = found.iter().map(|finding| &finding.sentence).collect();
    assert_eq!(told, expected, "{sentences:#?}");
    assert!(sentences.iter().all(|sentence| sentence.chars().count() <= 400), "{sentences:#?}");
    found
}

#[test]
fn a_lock_that_is_taken_from_a_living_holder_has_two() {
    let stolen = "2 new /t/a.lock\n3 remove /t/a.lock\n3 new /t/a.lock\n2 remove /t/a.lock";
    let found = check(stolen, &["lock-stolen-twice likely 3"]);
    let sentence = &found[0].sentence;
    assert!(
        sentence.starts_with("two hold the lock file /t/a.lock at once: worker[2] made it at 1.001 ms"),
        "{sentence}"
    );
    assert!(
        sentence.contains("worker[3] removed it at 2.001 ms") && sentence.contains("again at 3.001 ms"),
        "{sentence}"
    );
    // One removes it, a third makes it; the first never comes back.
    check("2 new /t/a.lock\n3 remove /t/a.lock\n4 new /t/a.lock", &["lock-stolen-twice possible 3"]);
    // It is not called a lock, and somebody was kept out by it.
    let taken = "2 new /t/a\n4 new /t/a EEXIST\n3 remove /t/a\n3 new /t/a\n2 remove /t/a";
    check(taken, &["lock-stolen-twice likely 3"]);
    // Nobody was ever kept out; the holder is dead; it gave it back itself, or its child did, or the next one is its child.
    check("2 new /t/a\n3 remove /t/a\n3 new /t/a", &[]);
    check("2 new /t/a.lock\n2 killed\n3 remove /t/a.lock\n3 new /t/a.lock", &[]);
    check("2 new /t/a.lock\n2 remove /t/a.lock\n3 new /t/a.lock\n3 remove /t/a.lock", &[]);
    check("2 forks 4\n2 new /t/a.lock\n4 remove /t/a.lock\n3 new /t/a.lock", &[]);
    check("2 forks 4\n2 new /t/a.lock\n3 remove /t/a.lock\n4 new /t/a.lock", &[]);
}

#[test]
fn a_lock_of_the_dead_keeps_others_out() {
    let waits = "3 new /t/a.lock EEXIST\n3 new /t/a.lock EEXIST";
    let found = check(&format!("2 new /t/a.lock\n2 killed\n4 ends 0\n{waits}"), &["stale-lock likely 2"]);
    let sentence = &found[0].sentence;
    assert!(sentence.contains("worker[2] made it at 1.001 ms and ended at 2.000 ms"), "{sentence}");
    assert!(sentence.contains("worker[3] found it there 2 times"), "{sentence}");
    assert_eq!(found[0].rescue, ["mv -n -- /t/a.lock /t/a.lock.stale    # when nobody who uses it is at work"]);
    check(&format!("2 new /t/a.lock\n2 slain\n4 ends 0\n{waits}"), &["stale-lock likely 2"]);
    // Its number was used again.
    let found = check(&format!("2 new /t/a.lock\n2 killed\n4 ends 0\n1 forks 2\n{waits}"), &["stale-lock likely 2"]);
    assert!(
        found[0].sentence.contains("and its number, 2, was given out again at 4.000 ms: to worker[2]"),
        "{}",
        found[0].sentence
    );
    // In a pid namespace of its own, where both were number 5.
    let inside = "9=1 look /t\n9 forks 2\n2=5 new /t/a.lock\n2 killed\n4 ends 0\n9 forks 7\n7=5 look /t\n";
    let found = check(&format!("{inside}{waits}"), &["stale-lock likely 2"]);
    assert!(
        found[0].sentence.contains("its number, 5, was given out again at 6.000 ms: to worker[7]"),
        "{}",
        found[0].sentence
    );
    // The holder lives; who finds it takes it away; `mkdir` made it for its parent; its child lives on with it.
    check(&format!("2 new /t/a.lock\n{waits}"), &[]);
    check(&format!("2 new /t/a.lock\n2 killed\n4 ends 0\n{waits}\n3 remove /t/a.lock\n3 new /t/a.lock"), &[]);
    check("2 mkdir /t/a.lock\n2 ends 0\n3 mkdir /t/a.lock EEXIST\n3 mkdir /t/a.lock EEXIST", &[]);
    check(&format!("2 forks 5\n2 new /t/a.lock\n2 ends 1\n{waits}"), &[]);
    // A directory that is there is no lock.
    check("2 mkdir /t/a\n2 ends 1\n3 mkdir /t/a EEXIST", &[]);
}

#[test]
fn a_lock_from_before_the_run_is_possible_only() {
    let asks = "3 new /t/a.lock EEXIST\n";
    let found = check(&asks.repeat(3), &["stale-lock possible"]);
    assert!(found[0].sentence.contains("was there before the run began"), "{}", found[0].sentence);
    check(&asks.repeat(2), &[]);
    check(&"3 new /t/a EEXIST\n".repeat(9), &[]);
}

#[test]
fn a_mount_whose_server_has_ended_is_dead() {
    let found =
        check("2 mount fs /t/m\n2 killed\n3 look /t/m/f ENOTCONN\n3 look /t/m ENOTCONN", &["dead-mount certain 2"]);
    let sentence = &found[0].sentence;
    assert!(sentence.starts_with("/t/m is a dead mount: its server worker[2] ended at 2.000 ms"), "{sentence}");
    assert_eq!(found[0].rescue, ["fusermount3 -uz -- /t/m"]);
    let found = check("3 look /t/m/f ENOTCONN", &["dead-mount certain"]);
    assert!(found[0].sentence.contains("nobody of the run has mounted it"), "{}", found[0].sentence);
    check("2 mount fs /t/m\n3 look /t/m/f\n3 look /t/mm ENOENT", &[]);
}

#[test]
fn a_port_that_another_has_is_told() {
    let has = "2 bind 127.0.0.1:80\n2 listen 127.0.0.1:80\n";
    let found = check(&format!("{has}3 bind 0.0.0.0:80 EADDRINUSE"), &["collision likely 3 2"]);
    assert!(found[0].sentence.contains("worker[2] has had it since 1.001 ms"), "{}", found[0].sentence);
    check("2 bind 127.0.0.1:80\n3 bind 127.0.0.1:80 EADDRINUSE", &["collision possible 3 2"]);
    check("3 bind 127.0.0.1:80 EADDRINUSE", &["collision possible 3"]);
    check(&format!("{has}2 killed\n3 bind 127.0.0.1:80 EADDRINUSE"), &["collision possible 3"]);
    // It takes the next one; another address.
    check(&format!("{has}3 bind 127.0.0.1:80 EADDRINUSE\n3 bind 127.0.0.1:81"), &[]);
    check(&format!("{has}3 bind 127.0.0.2:80"), &[]);
}

#[test]
fn a_temporary_name_that_two_use_is_told_where_it_did_harm() {
    check("2 mkdir /tmp/out\n3 mkdir /tmp/out EEXIST\n3 ends 1", &["collision likely 3 2"]);
    check("2 empty /tmp/out\n3 empty /tmp/out\n2 read /tmp/out", &["collision possible 3 2"]);
    // Each one its own; the first has ended; it is its child; it is no temporary place; it goes on all the same.
    check("2 empty /tmp/a\n3 empty /tmp/b\n2 read /tmp/a", &[]);
    check("2 mkdir /tmp/out\n2 ends 0\n3 mkdir /tmp/out EEXIST\n3 ends 1", &[]);
    check("2 forks 3\n2 empty /tmp/out\n3 empty /tmp/out\n2 read /tmp/out", &[]);
    check("2 mkdir /srv/out\n3 mkdir /srv/out EEXIST\n3 ends 1", &[]);
    check("2 mkdir /tmp/out\n3 mkdir /tmp/out EEXIST\n3 ends 0", &[]);
    check("2 empty /tmp/out\n3 empty /tmp/out\n2 empty /tmp/out", &[]);
}

#[test]
fn a_new_owner_of_an_id_reads_what_was_written_for_the_old_one() {
    let first = "2 begins run-7\n2 new /t/result.json\n2 leaves\n";
    let found = check(&format!("{first}3 begins run-7\n3 read /t/result.json"), &["stale-state possible 3"]);
    assert!(found[0].sentence.contains("last written at 2.001 ms, by worker[2]"), "{}", found[0].sentence);
    // It is written anew; it was removed; it was there before both; another id; not within the phase.
    check(&format!("{first}3 begins run-7\n4 empty /t/result.json\n3 read /t/result.json"), &[]);
    check(&format!("{first}2 remove /t/result.json\n3 begins run-7\n3 read /t/result.json"), &[]);
    check("4 new /t/c\n2 begins run-7\n2 leaves\n3 begins run-7\n3 read /t/c", &[]);
    check(&format!("{first}3 begins run-8\n3 read /t/result.json"), &[]);
    check(&format!("{first}3 begins run-7\n3 leaves\n3 read /t/result.json"), &[]);
}
