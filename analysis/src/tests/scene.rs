//! A capture from lines of text: two snapshots with the same facts, and phases.
//!
//! ```text
//! proc 11 cat <10 openat("/mnt/x")        process 11, child of 10, its first thread in a call
//! task 12.13 worker read(5)               another thread of 12
//! fd 12.3 /dev/fuse fuse=41               fds: r w rw, fuse=, epoll=3+4e, pty=, eventfd=7#2, pidfd=, lock=flock:8:1:77:9, mnt=;
//!                                         of an epoll set 4e is edge-triggered, an eventfd has number and count
//! mount /mnt fuse.x 41                    a mount with its device minor
//! fuse 41 1                               a connection and its requests without an answer; `foreign`: not the run's
//! tcp 90 127.0.0.1:5000 127.0.0.1:80 established rq=0
//! udp 90 127.0.0.1:5000 127.0.0.1:53 established   a connected UDP socket
//! unix 70 71 /run/x.sock                  a unix socket, its peer, its path
//! locked flock 11 8:1:77                  /proc/locks: 11 waits
//! ended 40 worker 9                       a process that was there before, and the signal that killed it
//! lockfile /w/a.lock file 9 40- by=39- a file, directory or link written 9 s ago that names 40 and was made by 39; `-`: no such process
//! semaphore 5 0 0 40                      set, number, value, who changed it last; `foreign`: not the run's; `ipc=7`
//! messages 6 12 11                        number of a queue, who sent last, who received last; `foreign`: not the run's
//! limit inotify 1000 128/128 12=100        a limit of user 1000 (descriptors: of a process; tasks: of a group), 100 of it of 12
//! phase 12.13 1 0 walk /tmp; serve=fuse:/mnt link=a>b
//! phase 12.13/7 2 0 lock; wait=lock:m as=async-mutex left     of async task 7, which thread 13 polled last
//! lost phases of 12                       records that were lost there
//! declared                                somebody has said that it hangs: the time limit was reached
//! attached                                no command: processes that ran already, of which 10 was named, if it is there
//! gap 11 fd                               what could not be read of 11, or of - for nobody in particular; `vanished`: not there
//! ```
//! A phase has number, parent (0: none) and name. Its words: `wait= hold= serve= link=`, `as=` a traced primitive,
//! `at=` ms when it was opened (500), `err=` ms later at most, `until=` ms when it ended; `forgotten` for its permit;
//! and how it stood at both looks: `left` inside nobody, `moved` so and polled in between, `polled` inside its
//! thread. Without, it is plain code. `12.-` is no known thread.
//!
//! After `moved` at the end of a proc or task line its switches differ between the snapshots; `caught=10000` and
//! `timers=1` (hexadecimal) behind a proc line are the signals that it catches and its timers; `exe=` is its program; `sp=` is a thread's stack. `map=` is
//! what is mapped at its futex, `fork` without a name; `semop(5,#0-1,1)` takes 1 from number 0 of set 5. A
//! thread that is `running computes` used the processor in between. An argument `1@60` points at a time of 60 ns.

mod descriptor;
mod lines;
mod phase;
mod thread;

use hangdog_schemas::record::*;
use hangdog_schemas::*;
use hangdog_timeline::Timeline;

pub(super) use self::lines::records;
use crate::{Options, analyse};

/// Checks the verdict: `kind confidence: culprit pids`, then edges `waiter>resolver class`, or `nothing`.
#[track_caller]
pub(super) fn check(scene: &str, expected: &str) {
    let report = report(scene);
    let told = told(report.verdict.as_ref());
    assert_eq!(
        told,
        expected,
        "\nsentence: {:?}\nfindings: {:#?}",
        report.verdict.as_ref().map(|v| &v.sentence),
        report.findings.iter().map(|f| &f.sentence).collect::<Vec<_>>()
    );
    if let Some(verdict) = &report.verdict {
        assert!(verdict.sentence.chars().count() <= 400);
        assert!(!verdict.advice.is_empty());
    }
    check_removals(scene, &report);
    check_order(scene, &report);
}

/// Checks the verdict in the same words, where a missing fact may well name somebody else: what is only possible.
#[track_caller]
pub(super) fn check_possible(scene: &str, expected: &str) {
    assert_eq!(told(report(scene).verdict.as_ref()), expected);
}

/// Checks the first ring or end of a chain among the findings in the same words, verdict or not.
#[track_caller]
pub(super) fn check_finding(scene: &str, expected: &str) {
    assert_eq!(told_of(scene), expected);
}

/// The first ring or end of a chain among the findings, in the words of [`check`].
pub(super) fn told_of(scene: &str) -> String {
    let report = report(scene);
    let is_cause = |finding: &&Finding| {
        finding.kind.is_hang() && !matches!(finding.kind, FindingKind::ExternalWait | FindingKind::Polling)
    };
    told(report.findings.iter().find(is_cause))
}

fn told(finding: Option<&Finding>) -> String {
    let Some(finding) = finding else { return "nothing".to_owned() };
    let culprits: Vec<String> = finding.culprits.iter().map(number_of).collect();
    let edges = finding.edges.iter().map(|edge| {
        let to = edge.resolver.as_ref().map_or("nobody".to_owned(), number_of);
        format!("{}>{to} {}", number_of(&edge.waiter), edge.resource.kind)
    });
    let edges: Vec<String> = edges.collect();
    let (kind, sure) = (finding.kind.name(), finding.confidence.word());
    format!("{kind} {sure}: {}; {}", culprits.join(" "), edges.join(", "))
}

/// `12` for a thread, `t7` for an async task.
fn number_of(actor: &Actor) -> String {
    actor.task.map_or_else(|| actor.tid.to_string(), |task| format!("t{task}"))
}

/// Without any one of its facts a scene accuses nobody whom the whole does not accuse, and not more surely.
#[track_caller]
fn check_removals(scene: &str, whole: &Report) {
    let all = records(scene);
    let accused = |verdict: &Finding| verdict.culprits.iter().map(|actor| actor.pid).collect::<Vec<_>>();
    let had = whole.verdict.as_ref().map(accused);
    for gone in &all {
        let gone: Box<dyn Fn(&Record) -> bool> = match gone {
            // Without a process and all its threads nobody could know of it; the kernel's listing has it always.
            Record::Process(_) | Record::Gap(_) => continue,
            // What a traced primitive says is complete, or a loss is on record.
            Record::PhaseOpen(phase) if phase.hang.primitive.is_none() => {
                let id = phase.id;
                Box::new(move |record| matches!(record, Record::PhaseOpen(other) if other.id == id))
            }
            Record::PhaseState(state) => {
                Box::new(move |record| matches!(record, Record::PhaseState(other) if other == state))
            }
            fact if is_fact(fact) => {
                let key = keyed(fact).0;
                Box::new(move |record| keyed(record).0 == key)
            }
            _ => continue,
        };
        let rest = all.iter().filter(|record| !gone(record)).cloned();
        let partial = analyse(&Timeline::build(rest).expect("the header stays"), &Options::default());
        let Some(verdict) = partial.verdict else { continue };
        let left_out: Vec<&Record> = all.iter().filter(|record| gone(record)).collect();
        assert!(
            had.as_ref().is_some_and(|had| accused(&verdict).iter().all(|pid| had.contains(pid))),
            "without {left_out:?}: {}",
            verdict.sentence
        );
    }
}

/// The order of facts within a snapshot does not matter.
#[track_caller]
pub(super) fn check_order(scene: &str, whole: &Report) {
    let mut all = records(scene);
    all.sort_by_key(|record| match record {
        Record::Run(_) => 0,
        Record::PhaseOpen(_) | Record::PhaseState(_) | Record::PhaseClose(_) | Record::Lost(_) => 1,
        Record::SnapshotBegin(begin) => begin.snapshot.0 * 10,
        Record::SnapshotEnd(end) => end.snapshot.0 * 10 + 9,
        Record::Thread(fact) => fact.snapshot.0 * 10 + 8,
        Record::Fd(fact) => fact.snapshot.0 * 10 + 2,
        Record::Process(fact) => fact.snapshot.0 * 10 + 7,
        other => keyed(other).1 * 10 + 5,
    });
    let other = analyse(&Timeline::build(all).expect("a header comes first"), &Options::default());
    assert_eq!(other.verdict, whole.verdict);
}

fn is_fact(record: &Record) -> bool {
    keyed(record).1 > 0
}

/// A fact without the number of its snapshot, and that number.
fn keyed(record: &Record) -> (String, u32) {
    let text = format!("{record:?}");
    let number = |n: u32| text.contains(&format!("snapshot: SnapshotId({n})")).then_some(n);
    let is_bracket = matches!(record, Record::SnapshotBegin(_) | Record::SnapshotEnd(_));
    match number(1).or_else(|| number(2)).filter(|_| !is_bracket) {
        Some(n) => {
            let plain = text.replace(&format!("SnapshotId({n})"), "");
            let t = plain.replace("RunNs(1000000000)", "").replace("RunNs(2000000000)", "");
            (t.replace("voluntary_switches: 9", "voluntary_switches: 7"), n)
        }
        None => (text, 0),
    }
}

/// Checks the sentence of the verdict.
#[track_caller]
pub(super) fn check_sentence(scene: &str, expected: &str) {
    assert_eq!(report(scene).verdict.map(|verdict| verdict.sentence).as_deref(), Some(expected));
}

pub(super) fn report(scene: &str) -> Report {
    let timeline = Timeline::build(records(scene)).expect("a header comes first");
    analyse(&timeline, &Options::default())
}
