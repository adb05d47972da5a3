//! Runs beside and after each other: `1 0-9 write@2 /s/f` is a deed 2 ms into run 1, which goes on from 0 to 9 ms.

use hangdog_schemas::record::{Call, Doer, ExitStatus, KernelDeed, KernelEvent, RunEnd};
use hangdog_schemas::sample::header;
use hangdog_schemas::{Big, Pid, Record, Tid, When};

use super::*;

fn moment(ms: u64) -> When {
    When::exactly(RunNs(ms * 1_000_000))
}

fn deed(at: u64, tid: u32, name: &str, flags: &[&str], paths: &[&str]) -> [Record; 2] {
    let call = Call {
        when: moment(at),
        pid: Pid(tid),
        tid: Tid(tid),
        parent: Pid(1),
        inner: None,
        comm: "worker".to_owned(),
        name: name.to_owned(),
        number: 1,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        address: None,
        fd: None,
        request: None,
        held_ns: 0,
    };
    let what = KernelDeed::SyscallEnd { number: 1, name: name.to_owned(), result: 0 };
    let when = When::exactly(RunNs(at * 1_000_000 + 1));
    let end = KernelEvent { when, tid: Tid(tid), by: Doer::Thread, what };
    [Record::Call(Box::new(call)), Record::KernelEvent(end)]
}

/// The runs of some lines; a line that names a run again adds to it.
fn runs(lines: &[&str]) -> Vec<Sketch> {
    let mut all: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let number: u32 = words[0].parse().unwrap();
        let (from, to) = words[1].split_once('-').unwrap();
        let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
        let (verb, at) = words[2].split_once('@').unwrap();
        let (name, flags): (&str, &[&str]) = match verb {
            "read" => ("openat", &["O_RDONLY"]),
            "write" => ("openat", &["O_WRONLY", "O_CREAT", "O_TRUNC"]),
            "remove" => ("unlink", &[]),
            "look" => ("stat", &[]),
            "mount" => ("mount", &[]),
            "unmount" => ("umount2", &[]),
            other => panic!("{other}"),
        };
        let records = all.entry(number).or_insert_with(|| {
            let mut own = header();
            own.run = format!("run {number}");
            own.anchor.monotonic = Big(from * 1_000_000);
            own.options.push("--own=/v".to_owned());
            own.environment.push(("TMPDIR".to_owned(), format!("/tmp/hangdog-flake-7-0/{number:05}/tmp")));
            let how = Some(ExitStatus::Code(0));
            let when = moment(to - from);
            let end = RunEnd { when, how, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 };
            vec![Record::Run(Box::new(own)), Record::RunEnd(end)]
        });
        records.extend(deed(at.parse().unwrap(), number, name, flags, &words[3..]));
    }
    all.into_values().map(|records| Sketch::of(&Timeline::build(records).unwrap())).collect()
}

/// Checks what is told of the last run: kind and a part of the sentence each.
#[track_caller]
fn check(lines: &[&str], expected: &[(FindingKind, &str)]) {
    let sketches = runs(lines);
    let all: Vec<&Sketch> = sketches.iter().collect();
    let told = across(&all).pop().unwrap();
    let sentences: Vec<&String> = told.iter().map(|across| &across.finding.sentence).collect();
    assert_eq!(told.len(), expected.len(), "{sentences:#?}");
    for (across, (kind, part)) in told.iter().zip(expected) {
        assert_eq!(across.finding.kind, *kind);
        assert!(across.finding.sentence.contains(part), "{part}: {}", across.finding.sentence);
    }
}

const STALE: FindingKind = FindingKind::StaleState;
const CROSS: FindingKind = FindingKind::CrossRun;

#[test]
fn what_an_earlier_run_wrote_is_told_with_who_and_when() {
    let first = "1 0-9 write@2 /s/f";
    let told = "worker[2] reads /s/f at 3.000 ms, which this run has not written: worker[1] of an earlier run wrote it last, \
                17 ms before this one began";
    check(&[first, "2 20-29 read@3 /s/f"], &[(STALE, told)]);
    // It has written it first; it was removed; another name; each run has its own view of it; nobody wrote it.
    check(&[first, "2 20-29 write@1 /s/f", "2 20-29 read@3 /s/f"], &[]);
    check(&[first, "1 0-9 remove@3 /s/f", "2 20-29 read@3 /s/f"], &[]);
    check(&[first, "2 20-29 read@3 /s/g"], &[]);
    check(&["1 0-9 write@2 /v/f", "2 20-29 read@3 /v/f"], &[]);
    check(&["1 0-9 read@2 /s/f", "2 20-29 read@3 /s/f"], &[]);
    // The first one itself is accused of nothing.
    let sketches = runs(&[first, "2 20-29 read@3 /s/f"]);
    assert!(across(&sketches.iter().collect::<Vec<_>>())[0].is_empty());
}

#[test]
fn runs_that_go_on_at_once_get_into_each_others_way() {
    let first = "1 0-9 write@2 /s/f";
    check(&[first, "2 1-9 read@5 /s/f"], &[(CROSS, "which another run at the same time has written: worker[1]")]);
    check(
        &[first, "2 1-9 write@5 /s/f"],
        &[(CROSS, "two runs at once write /s/f: worker[2] at 5.000 ms, and worker[1]")],
    );
    check(&[first, "2 9-19 write@5 /s/f"], &[]);
    check(&[first, "2 1-9 write@5 /s/g"], &[]);
    let mounted = "1 0-9 mount@2 fs /s/m";
    check(&[mounted, "2 1-9 look@4 /s/m/f"], &[(CROSS, "goes into /s/m, which another run has mounted")]);
    check(&[mounted, "1 0-9 unmount@3 /s/m", "2 1-9 look@4 /s/m/f"], &[]);
    check(&[mounted, "2 20-29 look@4 /s/m/f"], &[]);
}

#[test]
fn the_directory_of_another_run_is_not_its_own() {
    let (own, other) = ("/tmp/hangdog-flake-7-0/00002/tmp/f", "/tmp/hangdog-flake-7-0/00001/tmp/f");
    check(&["1 0-9 look@1 /s", &format!("2 20-29 look@3 {own}")], &[]);
    let told = "worker[2] is at work in the directory of another run, 1";
    check(&["1 0-9 look@1 /s", &format!("2 20-29 look@3 {other}")], &[(CROSS, told)]);
}

#[test]
fn the_same_run_twice_is_one_run() {
    let sketches = runs(&["1 0-9 read@1 /s/f", "1 0-9 write@2 /s/f"]);
    let twice = [&sketches[0], &sketches[0]];
    assert!(across(&twice).iter().all(Vec::is_empty));
}
