use super::*;

/// A thread from a drawing, a sample a millisecond: a state's letter, `.` not in the sample, `x` gone.
/// Each `R` is a switch.
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
