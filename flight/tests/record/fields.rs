//! Fields in, fields out.

use hangdog_flight::{
    EventKind, Loss, MAX_VALUE, OpenPhase, Outcome, Recording, Site, Size, Value, begin, close, field,
};
use hangdog_flight::{begin_here, outcome, presume};

use super::support::{read, recorder, site};

#[track_caller]
fn only(recording: &Recording) -> &OpenPhase {
    let [phase] = &recording.open[..] else { panic!("not one phase: {:#?}", recording.open) };
    assert_eq!((recording.torn, recording.dropped), (0, 0));
    phase
}

fn abcd() -> &'static Site {
    site!("walk", "a", "b", "c", "d")
}

/// Fields by the number of their key, in a phase of both kinds; `expected` in the order of the keys.
#[track_caller]
fn check(fields: &[(usize, Value<'_>)], expected: &[(&str, &str)]) {
    let seen = |recording: &Recording| -> Vec<(String, String)> {
        let mut fields = only(recording).fields.clone();
        fields.sort_unstable();
        fields
    };
    let expected: Vec<_> = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let mut opening = begin(abcd()).unwrap();
        for (key, value) in fields {
            opening.value(*key, *value);
        }
        let phase = opening.publish();
        assert_eq!(seen(&read(recorder)), expected);
        close(phase);
        let mut opening = begin_here(abcd()).unwrap();
        for (key, value) in fields {
            opening.value(*key, *value);
        }
        let here = opening.enter();
        assert_eq!(seen(&read(recorder)), expected, "in a thread's stack");
        drop(here);
        assert_eq!(read(recorder).open, []);
    });
}

#[test]
fn fields_of_every_kind_and_length() {
    use Value::{Bool, F64, I64, Text, U64};
    check(&[], &[]);
    check(&[(0, U64(u64::MAX))], &[("a", "18446744073709551615")]);
    check(&[(0, I64(-3)), (1, Bool(true))], &[("a", "-3"), ("b", "true")]);
    check(&[(0, F64(0.5)), (1, Text("sixteen bytes ok"))], &[("a", "0.5"), ("b", "sixteen bytes ok")]);
    check(&[(1, Text("sixteen bytes ok")), (0, Text(""))], &[("a", ""), ("b", "sixteen bytes ok")]);
    check(&[(0, Text("nine byte")), (1, Text("eight by"))], &[("a", "nine byte"), ("b", "eight by")]);
    check(&[(0, Text("eight by")), (1, Text("nine byte"))], &[("a", "eight by"), ("b", "nine byte")]);
    check(&[(0, Text("seventeen bytes !"))], &[("a", "seventeen bytes !")]);
    check(&[(3, Text("longer than a slot has room for"))], &[("d", "longer than a slot has room for")]);
    check(
        &[(0, U64(1)), (1, U64(2)), (2, U64(3)), (3, Text("four"))],
        &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "four")],
    );
    check(
        &[(0, U64(1)), (1, I64(-2)), (2, F64(-0.5)), (3, Bool(false))],
        &[("a", "1"), ("b", "-2"), ("c", "-0.5"), ("d", "false")],
    );
    check(
        &[(0, Text("ä")), (1, Text("äöüäöüäö")), (2, Text("日本語"))],
        &[("a", "ä"), ("b", "äöüäöüäö"), ("c", "日本語")],
    );
    // Keys that the site does not have.
    check(&[(7, Text("longer than a slot has room for"))], &[]);
}

#[test]
fn long_texts_end_in_a_mark_and_too_many_are_counted() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let long = "ü".repeat(500);
        let mut opening = begin(site!("walk", "path")).unwrap();
        opening.value(0, Value::Text(&long));
        let phase = opening.publish();
        let recording = read(recorder);
        let value = &only(&recording).fields[0].1;
        assert!(value.ends_with("ü…") && value.len() <= MAX_VALUE);
        field(phase, "second", Value::Text(&long));
        assert_eq!(only(&read(recorder)).fields.len(), 2);
        field(phase, "third", Value::Text(&long));
        let recording = read(recorder);
        assert_eq!(recording.losses, [(Loss::Field, 1)]);
        assert_eq!(recording.open[0].fields.len(), 2, "what is there stays");
        field(phase, "short", Value::U64(7));
        assert_eq!(read(recorder).open[0].fields.len(), 3, "and what is short finds room yet");
    });
}

#[test]
fn meaning_is_told_at_once_or_later() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let site = site!("POST /x", "hang.wait", "hang.deadline_ms", "attempt");
        let mut opening = begin(site).unwrap();
        opening.value(0, Value::Text("http:127.0.0.1:8080"));
        opening.value(1, Value::U64(1500));
        opening.value(2, Value::U64(1));
        let phase = opening.publish();
        field(phase, "hang.link", Value::Text("a>b"));
        field(phase, "attempt", Value::U64(2));
        field(phase, "hang.outcome", Value::Text("failed"));
        let recording = read(recorder);
        let seen = only(&recording);
        assert_eq!(seen.hang.wait.as_deref(), Some("http:127.0.0.1:8080"));
        assert_eq!((seen.hang.deadline_ms, seen.hang.link.as_deref()), (Some(1500), Some("a>b")));
        assert_eq!(seen.outcome, Some(Outcome::Failed));
        assert_eq!(seen.fields, [("attempt".to_owned(), "2".to_owned())], "the later value counts");
        presume(phase, Outcome::Panicked);
        close(phase);
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
    });
}

#[test]
fn a_phase_of_the_stack_is_told_more_from_another_thread() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let here = begin_here(abcd()).unwrap().enter();
        let phase = here.id().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                recorder.with(|| {
                    field(phase, "hang.wait", Value::Text("lock:x"));
                    outcome(phase, Outcome::Ok);
                    // Others cannot end it: it is its thread's.
                    close(phase);
                });
            });
        });
        let recording = read(recorder);
        let seen = only(&recording);
        assert_eq!((seen.hang.wait.as_deref(), seen.outcome), (Some("lock:x"), Some(Outcome::Ok)));
        drop(here);
        let recording = read(recorder);
        assert_eq!(recording.open, []);
        let wakes = recording.events.iter().filter(|event| event.kind == EventKind::Wake).count();
        assert_eq!(wakes, 1, "its end tells what it waited for");
    });
}
