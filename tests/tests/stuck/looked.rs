//! What the capture says of a situation: whole snapshots, the stuck thread, and what of it could not be read.

use hangdog_schemas::fact::{Gap, ThreadFact};
use hangdog_schemas::file::Reader;
use hangdog_schemas::{Observed, Record, SnapshotId};
use hangdog_tests::Bench;

use crate::situations::Situation;
use crate::watched::Watched;

/// Compares the last snapshot with the situation.
#[track_caller]
pub(crate) fn check(bench: &Bench, situation: &Situation, watched: &Watched) {
    let bytes = std::fs::read(bench.capture_path()).expect("a capture");
    let (records, summary) = Reader::from_bytes(&bytes).expect("a capture").read_all();
    assert_eq!(summary.missing(), Vec::<String>::new());
    let begun = records.iter().filter(|record| matches!(record, Record::SnapshotBegin(_))).count();
    let ended: Vec<SnapshotId> = records
        .iter()
        .filter_map(|record| if let Record::SnapshotEnd(end) = record { Some(end.snapshot) } else { None })
        .collect();
    assert_eq!(begun, ended.len(), "a snapshot has no end");
    let last = *ended.last().expect("a snapshot");
    let facts: Vec<&Record> = records.iter().filter(|record| record.snapshot() == Some(last)).collect();
    let gaps: Vec<&Gap> =
        facts.iter().filter_map(|record| if let Record::Gap(gap) = record { Some(gap) } else { None }).collect();
    assert!(!gaps.iter().any(|gap| gap.what == "the rest of the snapshot"), "it was cut: {gaps:?}");
    let tid = watched.victim.expect("a victim");
    let thread = facts.iter().find_map(|record| match record {
        Record::Thread(thread) if thread.thread.tid.0 == tid => Some(&**thread),
        _ => None,
    });
    let thread = thread.unwrap_or_else(|| panic!("the stuck thread {tid} is not there: {gaps:?}"));
    check_thread(situation, thread);
    let is_frozen = facts.iter().any(|record| match record {
        Record::Process(process) => {
            process.process == thread.thread.process && process.frozen == Observed::Seen(true)
        }
        _ => false,
    });
    assert_eq!(is_frozen, situation.name.starts_with("frozen-v"), "whether its control group is frozen");
    // Others on this machine may be stuck as well.
    let is_its = |gap: &&&Gap| gap.pid == Some(thread.thread.process.pid) && matches!(gap.why, Observed::TimedOut(_));
    let stuck: Vec<&&Gap> = gaps.iter().filter(is_its).collect();
    match situation.gap {
        None => assert!(stuck.is_empty(), "a read got stuck: {stuck:?}"),
        Some((what, wchan)) => {
            let is_it = |gap: &&Gap| gap.what.starts_with(what) && gap.why == Observed::TimedOut(wchan.to_owned());
            assert!(stuck.iter().any(|gap| is_it(gap)), "no read of {what} stuck in {wchan}: {stuck:?}");
        }
    }
}

#[track_caller]
fn check_thread(situation: &Situation, thread: &ThreadFact) {
    assert_eq!(thread.state.letter(), situation.letter, "{thread:?}");
    if let Some(wchan) = situation.wchan.filter(|wchan| !wchan.is_empty()) {
        assert_eq!(thread.wchan.seen().map(String::as_str), Some(wchan), "{thread:?}");
    }
    if let Some(call) = situation.call {
        assert_eq!(thread.syscall.seen().and_then(|seen| seen.name()), Some(call), "{thread:?}");
    }
}
