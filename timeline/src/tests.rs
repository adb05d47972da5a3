//! Timelines of drawn and of random runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use hangdog_schemas::fact::{FuseFact, TaskState};
use hangdog_schemas::file::{Reader, Writer};
use hangdog_schemas::record::{
    ExitStatus, Output, ProcessChange, ProcessEnd, ProcessStart, Sample, SnapshotBegin, SnapshotEnd, SnapshotExtent,
    Stream, ThreadSample, Trigger, TriggerReason,
};
use hangdog_schemas::sample::{self, ms};
use hangdog_schemas::{
    Big, FuseConnection, Observed, PhaseId, Pid, Record, RunHeader, RunNs, SnapshotId, ThreadId, Tid,
};
use proptest::prelude::*;

use crate::{BuildError, Lane, Moment, Phase, Timeline};

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

/// Phases from a drawing, a column a millisecond: `-` open, `>` open and never closed.
fn drawn_phases(drawing: &str) -> Vec<Record> {
    let mut records = Vec::new();
    for (id, line) in (1..).zip(drawing.lines().filter(|line| line.contains('|'))) {
        let (name, lane) = line.split_once('|').unwrap();
        let open = lane.find(['-', '>']).unwrap() as u64;
        records.push(Record::PhaseOpen(Box::new(sample::phase_open(open, PID, id, name.trim()))));
        if !lane.contains('>') {
            let close = lane.rfind('-').unwrap() as u64 + 1;
            records.push(Record::PhaseClose(sample::phase_close(close, PID, id)));
        }
    }
    records
}

fn names<'a>(phases: impl Iterator<Item = &'a Phase>) -> String {
    phases.map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check_open(drawing: &str, expected: &[(u64, &str)]) {
    let records = drawn_phases(drawing);
    let backwards: Vec<Record> = records.iter().rev().cloned().collect();
    for timeline in [build(records), build(backwards)] {
        for (t, open) in expected {
            let mut found: Vec<&str> = timeline.open_phases_at(at(*t)).map(|phase| phase.name.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found.join(" "), *open, "at {t}");
        }
    }
}

#[test]
fn phases_are_open_from_their_begin_until_before_their_end() {
    check_open(
        "a |-----     |
         b |   ---->  |
         c |  -       |
         d |----      |",
        &[(0, "a d"), (2, "a c d"), (3, "a b d"), (4, "a b"), (5, "b"), (9, "b"), (1_000_000, "b")],
    );
    check_open("a |   --|", &[(2, ""), (3, "a"), (5, "")]);
}

#[track_caller]
fn check_between(drawing: &str, from: u64, to: u64, expected: &str) {
    assert_eq!(names(build(drawn_phases(drawing)).phases_between(at(from), at(to))), expected);
}

#[test]
fn phases_of_a_window_are_those_that_share_a_moment_with_it() {
    let drawing = "a |---        |
                   b |    --     |
                   c |  ------>  |
                   d |         - |";
    check_between(drawing, 0, 1, "a");
    check_between(drawing, 2, 3, "a c");
    check_between(drawing, 3, 4, "c b");
    check_between(drawing, 5, 9, "c b d");
    check_between(drawing, 20, 30, "c");
}

#[test]
fn a_phase_that_ends_when_it_begins_is_drawn_and_never_open() {
    let open = Record::PhaseOpen(Box::new(sample::phase_open(3, PID, 1, "a")));
    let timeline = build([open, Record::PhaseClose(sample::phase_close(3, PID, 1))]);
    assert_eq!(names(timeline.open_phases_at(at(3))), "");
    assert_eq!(names(timeline.phases_between(at(3), at(4))), "a");
    assert_eq!(names(timeline.phases_between(at(0), at(3))), "a");
    assert_eq!(names(timeline.phases_between(at(4), at(5))), "");
}

#[test]
fn the_first_end_counts_and_a_later_one_may_bring_the_outcome() {
    let close = |t, outcome: Option<&str>| {
        let mut close = sample::phase_close(t, PID, 1);
        close.outcome = outcome.map(str::to_owned);
        Record::PhaseClose(close)
    };
    let open = Record::PhaseOpen(Box::new(sample::phase_open(5, PID, 1, "a")));
    let timeline = build([open.clone(), close(7, None), close(9, Some("ok")), close(10, Some("failed"))]);
    let phase = &timeline.phases()[0];
    assert_eq!((phase.close.unwrap().t, phase.outcome.as_deref()), (at(7), Some("ok")));

    let early = build([close(2, Some("ok")), open]);
    let phase = &early.phases()[0];
    assert_eq!((phase.close.unwrap().t, phase.outcome.as_deref()), (at(5), Some("ok")), "no end before its begin");
}

#[test]
fn a_phase_recorded_again_has_moved() {
    let first = sample::phase_open(5, PID, 1, "a");
    let mut second = sample::phase_open(8, PID, 1, "a");
    second.tid = Some(Tid(77));
    let opens = [first, second].map(|open| Record::PhaseOpen(Box::new(open)));
    let timeline = build(opens);
    assert_eq!(timeline.phases().len(), 1);
    assert_eq!((timeline.phases()[0].tid, timeline.phases()[0].open.t), (Some(Tid(77)), at(5)));
}

#[test]
fn paths_and_depths_end_where_parents_do() {
    let open = |phase: u64, parent: Option<u64>, task: Option<u64>| {
        let mut open = sample::phase_open(phase, PID, phase, &format!("p{phase}"));
        open.parent = parent.map(Big);
        open.task = task.map(Big);
        Record::PhaseOpen(Box::new(open))
    };
    let timeline = build([
        open(3, Some(2), None),
        open(1, None, None),
        open(2, Some(1), None),
        open(4, Some(99), None),
        open(5, Some(3), Some(7)),
        open(6, Some(5), Some(7)),
        // Two that are around each other, one around itself.
        open(10, Some(11), None),
        open(11, Some(10), None),
        open(12, Some(12), None),
    ]);
    let phase = |n| timeline.phase(PhaseId { process: sample::process(PID), phase: Big(n) }).unwrap();
    let path = |n| names(timeline.phase_path(phase(n)).into_iter());
    assert_eq!((path(3), timeline.phase_depth(phase(3))), ("p1 p2 p3".to_owned(), 2));
    assert_eq!((path(4), timeline.phase_depth(phase(4))), ("p4".to_owned(), 0));
    assert_eq!((path(6), timeline.phase_depth(phase(6))), ("p1 p2 p3 p5 p6".to_owned(), 1), "rows are of one lane");
    assert_eq!(path(10), "p11 p10");
    assert_eq!(path(12), "p12");

    let lanes = timeline.lanes_between(at(0), at(100));
    let process = sample::process(PID);
    let lane = |lane: Lane| names(lanes[&lane].iter().copied());
    assert_eq!(lane(Lane::Task(process, Big(7))), "p5 p6");
    assert_eq!(lane(Lane::Thread(ThreadId::main_of(process))), "p1 p2 p3 p4 p10 p11 p12");
    assert_eq!(lanes.len(), 2);
}

#[test]
fn a_chain_of_a_hundred_thousand_phases_has_an_end() {
    let chain = (1..=100_000_u64).map(|phase| {
        let mut open = sample::phase_open(phase, PID, phase, "p");
        open.parent = Some(Big(phase - 1));
        Record::PhaseOpen(Box::new(open))
    });
    let timeline = build(chain);
    let last = timeline.phases().last().unwrap();
    assert_eq!((timeline.phase_depth(last), timeline.phase_path(last).len()), (200, 200));
}

#[test]
fn phases_without_meaning_share_one() {
    let timeline = build(drawn_phases("a |---|\n b |---|"));
    let [a, b] = timeline.phases() else { panic!("two phases") };
    assert!(Arc::ptr_eq(&a.hang, &b.hang));
}

/// A thousand questions to a million phases: a search through all of them would take minutes.
#[test]
fn a_million_phases_are_not_searched_one_by_one() {
    let records = (0..1_000_000_u64).flat_map(|n| {
        let open = Record::PhaseOpen(Box::new(sample::phase_open(n, PID, n, "p")));
        let length = if n % 100_000 == 0 { 2_000_000 } else { 2 };
        [open, Record::PhaseClose(sample::phase_close(n + length, PID, n))]
    });
    let timeline = build(records);
    for t in (1..1_000_000).step_by(1000) {
        let long = t / 100_000 + 1;
        let short = [t, t - 1].into_iter().filter(|n| n % 100_000 != 0).count() as u64;
        assert_eq!(timeline.open_phases_at(at(t)).count() as u64, long + short, "at {t}");
    }
}

/// A thread from a drawing, a sample a millisecond: a state's letter, `.` not in the sample, `x` gone.
/// Switches count up at each letter that is followed by `!`.
fn drawn_thread(drawing: &str) -> Vec<Record> {
    let thread = sample::thread(PID);
    let mut vol = 0;
    let mut records = Vec::new();
    for (t, letter) in (0..).zip(drawing.chars()) {
        let mut sample = Sample { when: ms(t), ..Sample::default() };
        match letter {
            'x' => sample.gone.push(thread),
            '.' => {}
            letter => {
                vol += u64::from(letter == 'R');
                let comm = (t == 0).then(|| "indexd".to_owned());
                let state = TaskState::from_letter(letter);
                sample.threads.push(ThreadSample { thread, comm, state, cpu_ns: None, vol, invol: 0 });
            }
        }
        records.push(Record::Sample(sample));
    }
    records
}

/// The second drawing says what the thread is in at each millisecond, the third since when.
#[track_caller]
fn check_thread(samples: &str, states: &str, since: &str) {
    let records = drawn_thread(samples);
    let backwards: Vec<Record> = records.iter().rev().cloned().collect();
    for timeline in [build(records), build(backwards)] {
        let thread = sample::thread(PID);
        let seen: Vec<_> = (0..states.len() as u64).map(|t| timeline.thread_at(thread, at(t))).collect();
        let letters: String = seen.iter().map(|state| state.map_or('-', |state| state.state.letter())).collect();
        let begins: String = seen
            .iter()
            .map(|state| state.map_or("-".to_owned(), |state| (state.since.0 / 1_000_000).to_string()))
            .collect();
        assert_eq!((letters.as_str(), begins.as_str()), (states, since), "{samples}");
    }
}

#[test]
fn threads_stay_in_a_state_until_another_sample() {
    check_thread("S..R.S", "SSSRRS", "000335");
    check_thread("SSS.SS", "SSSSSS", "000000");
    check_thread("RR", "RR", "01");
    check_thread("..S.x.", "--SS--", "--22--");
    check_thread("S.x.S.", "SS--SS", "00--44");
    check_thread("x.S", "--S", "--2");
}

#[test]
fn threads_have_names_windows_and_an_end() {
    let timeline = build(drawn_thread("S.R.Sx"));
    let thread = sample::thread(PID);
    assert_eq!(timeline.threads().collect::<Vec<_>>(), [(thread, "indexd")]);
    assert_eq!(timeline.threads_of(thread.process).count(), 1);
    assert_eq!(timeline.threads_of(sample::process(1)).count(), 0);
    assert_eq!(timeline.thread_gone(thread), Some(at(5)));
    assert_eq!(timeline.thread_states(thread).len(), 3);
    let window = timeline.thread_states_between(thread, at(1), at(2));
    assert_eq!(window.iter().map(|state| state.state.letter()).collect::<String>(), "SR");
    assert_eq!(timeline.thread_states_between(thread, at(9), at(9)).len(), 1);
    let unknown = sample::thread(1);
    assert_eq!((timeline.thread_at(unknown, at(1)), timeline.thread_gone(unknown)), (None, None));
    assert!(timeline.thread_states_between(unknown, at(0), at(9)).is_empty());
    assert_eq!(build(drawn_thread("S.x.S")).thread_gone(thread), None, "it came again");
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

#[test]
fn processes_have_names_over_time_in_whatever_order_they_are_recorded() {
    let code = Some(ExitStatus::Code(3));
    let records = [start(1, PID, "sh"), change(3, PID, "indexd"), change(3, PID, "indexd"), end(7, PID, code)];
    let orders: [[usize; 4]; 4] = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [3, 0, 1, 2]];
    for order in orders {
        let timeline = build(order.map(|n| records[n].clone()));
        let process = timeline.process(sample::process(PID)).unwrap();
        let names: Vec<&str> = [0, 1, 2, 3, 9].into_iter().map(|t| process.comm_at(at(t))).collect();
        assert_eq!(names, ["sh", "sh", "sh", "indexd", "indexd"], "{order:?}");
        assert_eq!((process.start.t, process.parent, process.how), (at(1), Pid(1), code), "{order:?}");
        let alive: Vec<u64> = (0..9).filter(|t| timeline.processes_at(at(*t)).count() == 1).collect();
        assert_eq!(alive, [1, 2, 3, 4, 5, 6], "{order:?}");
    }
}

#[test]
fn a_process_whose_start_was_lost_is_known_by_what_was_not() {
    let timeline = build([end(7, PID, None), end(5, PID, Some(ExitStatus::Signal(9)))]);
    let process = timeline.process(sample::process(PID)).unwrap();
    assert_eq!((process.end.unwrap().t, process.how), (at(5), Some(ExitStatus::Signal(9))));
    assert_eq!(process.comm_at(at(5)), "?");

    let timeline = build(drawn_thread("..S.Sx").into_iter().chain([change(9, 7, "x")]));
    let process = timeline.process(sample::process(PID)).unwrap();
    assert_eq!((process.start.t, process.end.unwrap().t), (at(2), at(5)));
    assert_eq!(timeline.processes().count(), 2);
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
fn facts_find_their_snapshot() {
    let records = [begin(5, 1), fuse(1, 1), finish(6, 1), begin(3, 2), fuse(2, 2), finish(9, 2)];
    let orders: [[usize; 6]; 3] = [[0, 1, 2, 3, 4, 5], [1, 4, 0, 3, 5, 2], [5, 4, 3, 2, 1, 0]];
    for order in orders {
        let timeline = build(order.map(|n| records[n].clone()));
        let numbers: Vec<u32> = timeline.snapshots().iter().map(|snapshot| snapshot.id.0).collect();
        assert_eq!(numbers, [2, 1], "oldest first");
        for (t, expected) in [(2, None), (3, Some(2)), (4, Some(2)), (5, Some(1)), (99, Some(1))] {
            assert_eq!(timeline.snapshot_at(at(t)).map(|snapshot| snapshot.id.0), expected, "{order:?} at {t}");
        }
        for snapshot in timeline.snapshots() {
            assert!(snapshot.complete && snapshot.extent == SnapshotExtent::Full && snapshot.stalls == 1);
            assert_eq!(snapshot.fuse[&FuseConnection(41)].waiting, Observed::Seen(snapshot.id.0));
        }
        assert_eq!(timeline.snapshot(SnapshotId(1)).unwrap().end, at(6));
    }
}

#[test]
fn a_snapshot_without_its_begin_or_end_is_kept_and_claims_less() {
    let timeline = build([begin(5, 1), fuse(1, 1), fuse(2, 9)]);
    let [cut, headless] = timeline.snapshots() else { panic!("two snapshots") };
    assert!(!cut.complete && cut.extent == SnapshotExtent::Full);
    assert!(!headless.complete && headless.extent == SnapshotExtent::Light);
    assert_eq!((headless.begin, headless.fuse.len()), (at(5), 1));
}

#[test]
fn facts_recorded_twice_count_once() {
    let facts: Vec<Record> = sample::records().into_iter().filter(|record| record.snapshot().is_some()).collect();
    let once = build(facts.clone());
    let twice = build(facts.iter().cloned().chain(facts.clone()));
    let (once, twice) = (&once.snapshots()[0], &twice.snapshots()[0]);
    assert_eq!((&once.mounts, &once.locks, &once.sockets), (&twice.mounts, &twice.locks, &twice.sockets));
    assert_eq!(once.mounts_of_fuse(FuseConnection(41)).count(), 1);
}

#[test]
fn more_snapshots_than_anybody_takes_are_left_out_and_said() {
    let timeline = build((0..20_000).map(|n| fuse(n, 1)));
    assert_eq!(timeline.snapshots().len(), 10_000);
    assert_eq!(timeline.missing(), ["10000 records of more than 10000 snapshots were left out"]);
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
    for cut in 0..bytes.len() {
        if let Ok(reader) = Reader::from_bytes(&bytes[..cut]) {
            let timeline = Timeline::from_capture(reader).unwrap();
            assert!(!timeline.missing().is_empty(), "cut at {cut}");
            assert!(timeline.end() <= whole.end());
            opened += 1;
        }
    }
    assert!(opened > 1000, "{opened}");
}

/// A record about few ids and times, so that they meet.
fn any_record() -> impl Strategy<Value = Record> {
    let t = prop_oneof![0..40_u64, Just(u64::MAX / 1_000_000)];
    (t, 0..3_u32, 0..6_u64, 0..12_u8).prop_map(|(t, pid, n, what)| match what {
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
