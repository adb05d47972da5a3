//! What is written is read: phases, fields, history, losses, threads.

mod support;

use hangdog_flight::{EventKind, Loss, OpenPhase, Outcome, PhaseId, Reader, Recorder, Recording, Size, Value};
use support::recorder;

fn read(recorder: &Recorder) -> Recording {
    Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap()
}

fn open(recorder: &'static Recorder, name: &'static str, fields: &[(&'static str, Value<'_>)]) -> PhaseId {
    let mut opening = recorder.begin(recorder.name(name), recorder.current()).unwrap();
    for (key, value) in fields {
        opening.field(recorder.name(key), *value);
    }
    opening.publish()
}

#[track_caller]
fn only(recording: &Recording) -> &OpenPhase {
    let [phase] = &recording.open[..] else { panic!("not one phase: {:#?}", recording.open) };
    assert_eq!((recording.torn, recording.dropped), (0, 0));
    phase
}

/// Fields in, fields out.
#[track_caller]
fn check_fields(fields: &[(&'static str, Value<'_>)], expected: &[(&str, &str)]) {
    let recorder = recorder(Size::LEAST);
    open(recorder, "walk", fields);
    let recording = read(recorder);
    let mut seen: Vec<_> = only(&recording).fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    seen.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn fields_of_every_kind_and_length() {
    check_fields(&[], &[]);
    check_fields(&[("n", Value::U64(u64::MAX))], &[("n", "18446744073709551615")]);
    check_fields(&[("a", Value::I64(-3)), ("b", Value::Bool(true))], &[("a", "-3"), ("b", "true")]);
    check_fields(
        &[("a", Value::F64(0.5)), ("b", Value::Text("sixteen bytes ok"))],
        &[("a", "0.5"), ("b", "sixteen bytes ok")],
    );
    check_fields(
        &[("b", Value::Text("sixteen bytes ok")), ("a", Value::Text(""))],
        &[("a", ""), ("b", "sixteen bytes ok")],
    );
    check_fields(
        &[("p", Value::Text("longer than a slot has room for"))],
        &[("p", "longer than a slot has room for")],
    );
    check_fields(
        &[("a", Value::U64(1)), ("b", Value::U64(2)), ("c", Value::U64(3)), ("d", Value::Text("four"))],
        &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "four")],
    );
}

#[test]
fn long_texts_end_in_a_mark_and_too_many_are_counted() {
    let recorder = recorder(Size::LEAST);
    let long = "ü".repeat(500);
    let phase = open(recorder, "walk", &[("path", Value::Text(&long))]);
    let recording = read(recorder);
    let value = &only(&recording).fields[0].1;
    assert!(value.ends_with("ü…") && value.len() <= hangdog_flight::MAX_VALUE);
    recorder.field(phase, recorder.name("more"), Value::Text(&long));
    let recording = read(recorder);
    assert_eq!(recording.losses, [(Loss::Field, 1)]);
    assert_eq!(recording.open[0].fields.len(), 1, "what is there stays");
}

#[test]
fn meaning_is_told_at_once_or_later() {
    let recorder = recorder(Size::LEAST);
    let phase = open(
        recorder,
        "POST /x",
        &[
            ("hang.wait", Value::Text("http:127.0.0.1:8080")),
            ("hang.deadline_ms", Value::U64(1500)),
            ("attempt", Value::U64(1)),
        ],
    );
    recorder.field(phase, recorder.name("hang.link"), Value::Text("a>b"));
    recorder.field(phase, recorder.name("attempt"), Value::U64(2));
    recorder.field(phase, recorder.name("hang.outcome"), Value::Text("failed"));
    recorder.task(phase, 77);
    let recording = read(recorder);
    let seen = only(&recording);
    assert_eq!(seen.hang.wait.as_deref(), Some("http:127.0.0.1:8080"));
    assert_eq!((seen.hang.deadline_ms, seen.hang.link.as_deref()), (Some(1500), Some("a>b")));
    assert_eq!((seen.task, seen.outcome), (Some(77), Some(Outcome::Failed)));
    assert_eq!(seen.fields, [("attempt".to_owned(), "2".to_owned())], "the later value counts");
    recorder.presume(phase, Outcome::Panicked);
    recorder.close(phase);
    let kinds: Vec<_> = read(recorder).events.into_iter().map(|event| event.kind).collect();
    let note = |key: &str, text: &str| EventKind::Note { key: key.into(), text: text.into() };
    assert_eq!(
        kinds[..5],
        [
            EventKind::Open { name: "POST /x".into(), parent: None },
            EventKind::Wait { resource: "http:127.0.0.1:8080".into() },
            note("hang.deadline_ms", "1500"),
            note("hang.link", "a>b"),
            EventKind::Wake,
        ]
    );
    let EventKind::Close { name, outcome, .. } = &kinds[5] else { panic!("{kinds:?}") };
    assert_eq!((name.as_str(), *outcome), ("POST /x", Some(Outcome::Failed)));
}

#[test]
fn the_state_of_now_outlives_the_history() {
    let recorder = recorder(Size::LEAST);
    let old = open(recorder, "old", &[]);
    let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
    for _ in 0..1000 {
        recorder.close(open(recorder, "short", &[]));
    }
    let recording = reader.read().unwrap();
    assert_eq!(only(&recording).id, old.word());
    assert_eq!(recording.overwritten + recording.events.len() as u64, 2001);
    assert!(recording.events.len() >= Size::LEAST.events - 32);
    recorder.close(old);
    let recording = reader.read().unwrap();
    assert_eq!((recording.open.len(), recording.events.len()), (0, 1), "only what is new");
}

#[test]
fn entering_shows_thread_polls_and_parent() {
    let recorder = recorder(Size::LEAST);
    let outer = open(recorder, "outer", &[]);
    recorder.enter(outer);
    let inner = open(recorder, "inner", &[]);
    let polls = std::thread::Builder::new().name("poller".into());
    let (inside, wait) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let poller = polls
            .spawn_scoped(scope, || {
                recorder.enter(inner);
                recorder.exit(inner);
                recorder.enter(inner);
                inside.wait();
                wait.wait();
                recorder.exit(inner);
                rustix::thread::gettid().as_raw_nonzero().get() as u32
            })
            .unwrap();
        inside.wait();
        let recording = read(recorder);
        wait.wait();
        let tid = poller.join().unwrap();
        let inner = recording.open.iter().find(|phase| phase.name == "inner").unwrap();
        assert_eq!((inner.parent, inner.tid, inner.polls, inner.polled_now), (Some(outer.word()), tid, 2, true));
        let thread = recording.threads.iter().find(|thread| thread.tid == tid).unwrap();
        assert_eq!((thread.name.as_str(), thread.current, thread.ended), ("poller", Some(inner.id), false));
    });
    let recording = read(recorder);
    assert!(recording.threads.iter().any(|thread| thread.ended && thread.name == "poller"));
    let inner_now = recording.open.iter().find(|phase| phase.name == "inner").unwrap();
    assert!(!inner_now.polled_now);
    assert!(recording.heartbeat > 0);
    recorder.close(inner);
    recorder.exit(outer);
    recorder.close(outer);
    assert!(read(recorder).open.is_empty());
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let recorder = recorder(Size::LEAST);
    let phases: Vec<_> = ["a", "b", "c"].into_iter().map(|name| open(recorder, name, &[])).collect();
    for phase in &phases {
        recorder.enter(*phase);
    }
    recorder.exit(phases[1]);
    assert_eq!(recorder.current(), Some(phases[2]));
    recorder.exit(phases[2]);
    assert_eq!(recorder.current(), Some(phases[0]));
    recorder.exit(phases[0]);
    assert_eq!(recorder.current(), None);
}

#[test]
fn what_does_not_fit_is_counted() {
    let recorder = recorder(Size::LEAST);
    let phases: Vec<_> = std::iter::from_fn(|| recorder.begin(recorder.name("p"), None))
        .map(|mut opening| {
            opening.field(recorder.name("hang.hold"), Value::Text("lock:x"));
            opening.publish()
        })
        .collect();
    assert_eq!(phases.len(), Size::LEAST.slots);
    let recording = read(recorder);
    assert_eq!(recording.open.len(), phases.len(), "those without a second slot are shown as well");
    let more = (Size::LEAST.slots - Size::LEAST.more) as u64;
    assert_eq!(recording.losses, [(Loss::Slot, 1), (Loss::More, more)]);
    for phase in phases {
        recorder.close(phase);
    }
    for n in 0..Size::LEAST.names {
        recorder.name_of(&format!("name {n}"));
    }
    let phase = recorder.begin(recorder.name_of("one too many"), None).unwrap().publish();
    let recording = read(recorder);
    assert_eq!(recording.open[0].name, "?");
    assert!(recording.losses.iter().any(|(loss, count)| *loss == Loss::Name && *count > 0));
    recorder.close(phase);
}

#[test]
fn threads_come_and_go_and_rings_are_used_again() {
    let recorder = recorder(Size::LEAST);
    for _ in 0..3 * Size::LEAST.threads {
        std::thread::spawn(|| recorder.close(open(recorder, "short", &[]))).join().unwrap();
    }
    assert_eq!(read(recorder).dropped, 0);
    // More at once than there are rings: their phases show, their history does not.
    let barrier = std::sync::Barrier::new(Size::LEAST.threads + 2);
    std::thread::scope(|scope| {
        for _ in 0..=Size::LEAST.threads {
            scope.spawn(|| {
                let phase = open(recorder, "crowd", &[]);
                barrier.wait();
                barrier.wait();
                recorder.close(phase);
            });
        }
        barrier.wait();
        let recording = read(recorder);
        barrier.wait();
        assert_eq!(recording.open.len(), Size::LEAST.threads + 1);
        assert!(recording.losses.contains(&(Loss::Thread, 1)));
    });
}

#[test]
fn a_phase_that_is_gone_is_left_alone() {
    let recorder = recorder(Size::LEAST);
    let gone = open(recorder, "gone", &[]);
    recorder.close(gone);
    let here = open(recorder, "here", &[]);
    recorder.close(gone);
    recorder.outcome(gone, Outcome::Failed);
    recorder.field(gone, recorder.name("hang.wait"), Value::Text("lock:x"));
    recorder.enter(gone);
    recorder.exit(gone);
    for nonsense in [1, u64::MAX, 1 << 63] {
        let nonsense = PhaseId::from_word(nonsense).unwrap();
        recorder.close(nonsense);
        recorder.enter(nonsense);
        recorder.exit(nonsense);
        recorder.field(nonsense, recorder.name("n"), Value::U64(1));
        recorder.outcome(nonsense, Outcome::Ok);
        recorder.task(nonsense, 1);
    }
    let recording = read(recorder);
    let seen = only(&recording);
    assert_eq!((seen.id, seen.outcome, seen.hang.wait.as_deref()), (here.word(), None, None));
}

#[test]
fn a_reader_beside_busy_threads_sees_only_whole_phases() {
    let recorder = recorder(Size::LEAST);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let done = &done;
            scope.spawn(move || {
                let mut before = None;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let phase = open(recorder, name, &[("a", Value::Text(name)), ("hang.op", Value::Text(name))]);
                    if let Some(before) = before.replace(phase) {
                        recorder.close(before);
                    }
                }
            });
        }
        let mut reader = Reader::from_file(recorder.file().unwrap()).unwrap();
        let mut seen = 0;
        while seen < 100 {
            let recording = reader.read().unwrap();
            for phase in &recording.open {
                assert!(["one", "two"].contains(&phase.name.as_str()));
                assert_eq!(phase.fields, [("a".to_owned(), phase.name.clone())]);
                if let Some(op) = &phase.hang.op {
                    assert_eq!(*op, phase.name);
                }
                seen += 1;
            }
            for event in recording.events {
                if let EventKind::Note { key, text } = event.kind {
                    assert_eq!(key, "hang.op");
                    assert!(text == "one" || text == "two", "{text:?}");
                }
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(read(recorder).dropped, 0);
}
