//! Timelines of drawn and of random runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use hangdog_schemas::fact::{FuseFact, TaskState};
use hangdog_schemas::file::{Reader, Writer};
use hangdog_schemas::record::{
    ExitStatus, Output, PhaseState, ProcessChange, ProcessEnd, ProcessStart, Sample, SnapshotBegin, SnapshotEnd,
    SnapshotExtent, Stream, ThreadSample, Trigger, TriggerReason,
};
use hangdog_schemas::sample::{self, ms};
use hangdog_schemas::{
    Big, FuseConnection, Observed, PhaseId, Pid, Record, RunHeader, RunNs, SnapshotId, ThreadId, Tid,
};
use proptest::prelude::*;

use crate::{BuildError, Lane, Moment, Phase, Timeline};

mod files;
mod kernel_events;
mod lives;
mod phases;
mod snapshots;

const PID: u32 = 4412;

fn header() -> Record {
    Record::Run(Box::new(sample::header()))
}

fn build(records: impl IntoIterator<Item = Record>) -> Timeline {
    Timeline::build(std::iter::once(header()).chain(records)).unwrap()
}

fn at(t: u64) -> RunNs {
    ms(t).t
}

fn start(t: u64, pid: u32, comm: &str) -> Record {
    let (process, comm) = (sample::process(pid), comm.to_owned());
    Record::ProcessStart(ProcessStart { when: ms(t), process, parent: Pid(1), comm })
}

fn change(t: u64, pid: u32, comm: &str) -> Record {
    Record::ProcessChange(ProcessChange { when: ms(t), process: sample::process(pid), comm: comm.to_owned() })
}

fn end(t: u64, pid: u32, how: Option<ExitStatus>) -> Record {
    Record::ProcessEnd(ProcessEnd { when: ms(t), process: sample::process(pid), how })
}

fn begin(t: u64, snapshot: u32) -> Record {
    let (snapshot, reason) = (SnapshotId(snapshot), TriggerReason::Quiet);
    Record::SnapshotBegin(SnapshotBegin { when: ms(t), snapshot, extent: SnapshotExtent::Full, reason })
}

fn fuse(snapshot: u32, waiting: u32) -> Record {
    let (snapshot, connection) = (SnapshotId(snapshot), FuseConnection(41));
    Record::Fuse(FuseFact { snapshot, connection, waiting: Observed::Seen(waiting), made_by_run: false })
}

fn finish(t: u64, snapshot: u32) -> Record {
    Record::SnapshotEnd(SnapshotEnd { when: ms(t), snapshot: SnapshotId(snapshot), stalls: 1 })
}

#[test]
fn the_run_header_may_come_anywhere_and_only_one_run_counts() {
    assert_eq!(Timeline::build([start(1, PID, "sh")]).unwrap_err(), BuildError::NoHeader);
    assert_eq!(Timeline::build([start(1, PID, "sh"), header()]).unwrap().processes().count(), 1);
    let other = RunHeader { run: "another".to_owned(), ..sample::header() };
    let other = Record::Run(Box::new(other));
    let timeline = build([start(1, PID, "sh"), header(), start(2, 7, "sh"), other, start(3, 8, "sh")]);
    assert_eq!(timeline.processes().count(), 2);
    assert_eq!(timeline.missing(), ["1 records after the header of a second run were left out"]);
}

fn output(t: u64) -> Record {
    Record::Output(Output { when: ms(t), stream: Stream::Stdout, bytes: 1, text: None })
}

#[test]
fn progress_is_what_was_new_last() {
    let trigger =
        Trigger { when: ms(90), reason: TriggerReason::Quiet, last_progress: at(30), progress: "cpu".into() };
    let timeline = build([Record::Trigger(trigger), output(20), start(5, PID, "sh"), change(8, PID, "indexd")]);
    let expected = [(4, None), (5, Some("a new process")), (9, Some("a new program")), (29, Some("output"))];
    for (t, what) in expected.into_iter().chain([(30, Some("cpu")), (99, Some("cpu"))]) {
        assert_eq!(timeline.progress_before(at(t)).map(|progress| progress.what.as_str()), what, "at {t}");
    }
    assert_eq!(timeline.end(), at(90));
}

#[test]
fn moments_can_be_stepped_through() {
    let timeline = build([output(9), begin(5, 1), output(3)]);
    let moments = [Moment::Output(at(3)), Moment::Snapshot(at(5), SnapshotId(1)), Moment::Output(at(9))];
    assert_eq!(timeline.moments(), moments);
    assert_eq!(timeline.moment_after(at(3)), Some(moments[1]));
    assert_eq!(timeline.moment_after(at(9)), None);
    assert_eq!(timeline.moment_before(at(9)), Some(moments[1]));
    assert_eq!(timeline.moment_before(at(3)), None);
}

fn capture(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (n, record) in records.iter().enumerate() {
        writer.write(record).unwrap();
        if n % 5 == 4 {
            writer.flush_frame().unwrap();
        }
    }
    writer.finish().unwrap()
}

#[test]
fn a_capture_cut_anywhere_gives_a_timeline_of_what_is_left() {
    let bytes = capture(&sample::records());
    let whole = Timeline::from_capture(Reader::from_bytes(&bytes).unwrap()).unwrap();
    assert!(whole.missing().is_empty());
    assert!(whole.report().is_some() && whole.run_end().is_some() && !whole.lost().is_empty());
    let mut opened = 0;
    for cut in (0..bytes.len()).step_by(bytes.len() / 1000) {
        if let Ok(reader) = Reader::from_bytes(&bytes[..cut]) {
            let timeline = Timeline::from_capture(reader).unwrap();
            assert!(!timeline.missing().is_empty(), "cut at {cut}");
            assert!(timeline.end() <= whole.end());
            opened += 1;
        }
    }
    assert!(opened > 900, "{opened}");
}

/// A record about few ids and times, so that they meet.
fn any_record() -> impl Strategy<Value = Record> {
    let t = prop_oneof![0..40_u64, Just(u64::MAX / 1_000_000)];
    (t, 0..3_u32, 0..6_u64, 0..13_u8).prop_map(|(t, pid, n, what)| match what {
        0 => start(t, pid, "sh"),
        1 => change(t, pid, "indexd"),
        2 => end(t, pid, None),
        3 => {
            let mut open = sample::phase_open(t, pid, n, "p");
            open.parent = Some(Big((n + 1) % 6));
            Record::PhaseOpen(Box::new(open))
        }
        4 => Record::PhaseClose(sample::phase_close(t, pid, n)),
        5 | 6 => {
            let state = if n % 2 == 0 { TaskState::S } else { TaskState::R };
            let thread = sample::thread(pid);
            let seen = ThreadSample { thread, comm: None, state, cpu_ns: Some(n), vol: n, invol: 0 };
            Record::Sample(Sample { when: ms(t), threads: vec![seen], gone: Vec::new() })
        }
        7 => Record::Sample(Sample { when: ms(t), threads: Vec::new(), gone: vec![sample::thread(pid)] }),
        8 => begin(t, pid),
        9 => fuse(pid, 1),
        10 => finish(t, pid),
        11 => {
            let id = PhaseId { process: sample::process(pid), phase: Big(n) };
            let polled_now = n % 2 == 0;
            Record::PhaseState(PhaseState { when: ms(t), id, polled_now, polls: pid, left: None })
        }
        _ => output(t),
    })
}

proptest! {
    #[test]
    fn any_records_make_a_timeline_that_answers(records in prop::collection::vec(any_record(), 0..80)) {
        let timeline = build(records);
        for t in (0..45).map(at).chain([RunNs(u64::MAX)]) {
            let plain: BTreeSet<PhaseId> =
                timeline.phases().iter().filter(|phase| phase.is_open_at(t)).map(|phase| phase.id).collect();
            let found: Vec<PhaseId> = timeline.open_phases_at(t).map(|phase| phase.id).collect();
            prop_assert_eq!(found.len(), plain.len());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), plain);
            for (thread, _) in timeline.threads() {
                if let Some(state) = timeline.thread_at(thread, t) {
                    prop_assert!(state.since <= t);
                    prop_assert!(timeline.process(thread.process).is_some());
                }
            }
            prop_assert!(timeline.progress_before(t).is_none_or(|progress| progress.at <= t));
            prop_assert!(timeline.snapshot_at(t).is_none_or(|snapshot| snapshot.begin <= t));
        }
        for phase in timeline.phases() {
            for t in (0..45).map(at) {
                prop_assert!(timeline.phase_state_at(phase.id, t).is_none_or(|look| look.when.t <= t));
            }
            prop_assert!(phase.close.is_none_or(|close| close.t >= phase.open.t));
            prop_assert!(!timeline.phase_path(phase).is_empty());
            prop_assert!(timeline.phase_depth(phase) < 200);
        }
        for states in timeline.threads().map(|(thread, _)| timeline.thread_states(thread)) {
            prop_assert!(states.windows(2).all(|pair| pair[0].since < pair[1].since));
        }
        prop_assert!(timeline.moments().windows(2).all(|pair| pair[0].at() <= pair[1].at()));
    }

    #[test]
    fn damaged_captures_make_a_timeline(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = capture(&sample::records());
        for (at, xor) in hits {
            let at = at.index(bytes.len());
            bytes[at] ^= xor;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(reader) = Reader::from_bytes(&bytes) {
            let timeline = Timeline::from_capture(reader).unwrap();
            prop_assert!(timeline.moments().len() <= sample::records().len());
        }
    }
}
