use super::*;

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

/// Ten thousand questions to as many phases as a day of a busy service has. A search through all of them would
/// make this the slowest test by far.
#[test]
fn many_phases_are_not_searched_one_by_one() {
    let records = (0..200_000_u64).flat_map(|n| {
        let open = Record::PhaseOpen(Box::new(sample::phase_open(n, PID, n, "p")));
        let length = if n % 20_000 == 0 { 1_000_000 } else { 2 };
        [open, Record::PhaseClose(sample::phase_close(n + length, PID, n))]
    });
    let timeline = build(records);
    for t in (1..200_000).step_by(20) {
        let long = t / 20_000 + 1;
        let short = [t, t - 1].into_iter().filter(|n| n % 20_000 != 0).count() as u64;
        assert_eq!(timeline.open_phases_at(at(t)).count() as u64, long + short, "at {t}");
    }
}

/// Looks at one phase from a drawing, one a millisecond: `P` polled now, `u` not, `.` no look. Each `P` is a poll.
fn drawn_looks(drawing: &str) -> Vec<Record> {
    let (mut polls, mut left) = (0, None);
    let mut records = vec![Record::PhaseOpen(Box::new(sample::phase_open(0, PID, 1, "a")))];
    for (t, letter) in (0..).zip(drawing.chars()).filter(|(_, letter)| *letter != '.') {
        let polled_now = letter == 'P';
        polls += u32::from(polled_now);
        left = (!polled_now).then(|| left.unwrap_or(at(t)));
        let id = PhaseId { process: sample::process(PID), phase: Big(1) };
        records.push(Record::PhaseState(PhaseState { when: ms(t), id, polled_now, polls, left }));
    }
    records
}

/// The second drawing says what is known of the phase at each millisecond, the third how often it was polled.
#[track_caller]
fn check_looks(looks: &str, states: &str, polls: &str) {
    let records = drawn_looks(looks);
    let backwards: Vec<Record> = records.iter().rev().cloned().collect();
    let twice: Vec<Record> = records.iter().chain(&records).cloned().collect();
    for timeline in [build(records), build(backwards), build(twice)] {
        let id = timeline.phases()[0].id;
        let seen: Vec<_> = (0..states.len() as u64).map(|t| timeline.phase_state_at(id, at(t))).collect();
        let letter = |look: Option<&PhaseState>| look.map_or('-', |look| if look.polled_now { 'P' } else { 'u' });
        let count = |look: Option<&PhaseState>| look.map_or("-".to_owned(), |look| look.polls.to_string());
        assert_eq!(seen.iter().map(|look| letter(*look)).collect::<String>(), states, "{looks}");
        assert_eq!(seen.iter().map(|look| count(*look)).collect::<String>(), polls, "{looks}");
        let nobody = PhaseId { process: sample::process(PID), phase: Big(99) };
        assert_eq!(timeline.phase_state_at(nobody, at(9)), None);
    }
}

#[test]
fn a_phase_stands_as_it_did_at_the_last_look() {
    check_looks("..P.u.u", "--PPuuuuu", "--1111111");
    check_looks(".uPuP", "-uPuPP", "-01122");
    check_looks("....", "----", "----");
}
