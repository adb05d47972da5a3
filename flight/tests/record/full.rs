//! What does not fit is counted, each piece once.

use hangdog_flight::{Loss, PhaseId, Primitive, Recorder, Size, Value, begin, begin_here, close, field, resource};

use super::support::{read, recorder, site};

const LONG: &str = "longer than a slot has room for";

fn losses(recorder: &Recorder) -> Vec<(Loss, u64)> {
    read(recorder).losses
}

#[test]
fn slots() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let phases: Vec<_> = (0..Size::LEAST.slots).map(|_| begin(site!("p")).unwrap().publish()).collect();
        assert_eq!(losses(recorder), []);
        assert!(begin(site!("p")).is_none() && begin(site!("p")).is_none());
        assert_eq!(losses(recorder), [(Loss::Slot, 2)]);
        // What ends on the thread that began it has a place of its own, until that is full too.
        let mut here: Vec<_> = (0..63).map(|_| begin_here(site!("here")).unwrap().enter()).collect();
        assert!(begin_here(site!("here")).is_none());
        assert_eq!(losses(recorder), [(Loss::Slot, 3)]);
        assert_eq!(read(recorder).open.len(), Size::LEAST.slots + 63);
        close(phases[5]);
        here.push(begin_here(site!("deeper")).unwrap().enter());
        assert_eq!(losses(recorder), [(Loss::Slot, 3)]);
        while here.pop().is_some() {}
        phases.into_iter().for_each(close);
        assert_eq!(read(recorder).open, []);
    });
}

#[test]
fn what_is_said_beyond_the_slot() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let all: Vec<PhaseId> = std::iter::from_fn(|| Some(begin(site!("p"))?.publish())).collect();
        let (first, rest) = all.split_at(1);
        field(first[0], "k", Value::Text(LONG));
        assert_eq!(losses(recorder), [(Loss::Slot, 1), (Loss::More, 1)]);
        // One slot is enough for the first half of a long text, and not for all of it: what was taken comes back.
        close(rest[0]);
        field(first[0], "k", Value::Text(&LONG.repeat(3)));
        assert_eq!(losses(recorder), [(Loss::Slot, 1), (Loss::More, 2)]);
        field(first[0], "k", Value::Text(LONG));
        let recording = read(recorder);
        assert_eq!(recording.losses, [(Loss::Slot, 1), (Loss::More, 2)]);
        let phase = recording.open.iter().find(|open| open.id == first[0].word()).unwrap();
        assert_eq!(phase.fields, [("k".to_owned(), LONG.to_owned())]);
        all.into_iter().for_each(close);
        let again = std::iter::from_fn(|| Some(begin(site!("p"))?.publish())).count();
        assert_eq!(again, Size::LEAST.slots, "no slot is lost");
    });
}

#[test]
fn names() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let early = begin(site!("early", "key")).unwrap().publish();
        let known = 9 + 3;
        for n in known..Size::LEAST.names {
            recorder.name_of(&format!("name {n}"));
        }
        assert_eq!(losses(recorder), []);
        recorder.name_of("one too many");
        recorder.name_of("two too many");
        assert_eq!(losses(recorder), [(Loss::Name, 2)]);
        let phase = begin(site!("three too many")).unwrap().publish();
        let again = begin(site!("early", "key")).unwrap().publish();
        let recording = read(recorder);
        assert_eq!(recording.losses, [(Loss::Name, 3)]);
        let name = |phase: PhaseId| recording.open.iter().find(|open| open.id == phase.word()).unwrap().name.clone();
        assert_eq!([early, phase, again].map(name), ["early", "?", "early"]);
    });
}

#[test]
fn resources() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let all: Vec<_> = (0..Size::LEAST.resources).map(|_| resource(Primitive::Mutex, "x").unwrap()).collect();
        assert_eq!(losses(recorder), []);
        assert!(resource(Primitive::Mutex, "x").is_none() && resource(Primitive::Mutex, "x").is_none());
        assert_eq!(losses(recorder), [(Loss::Resource, 2)]);
        all[17].gone();
        assert_eq!(resource(Primitive::Mutex, "x"), Some(all[17]));
        assert_eq!(losses(recorder), [(Loss::Resource, 2)]);
    });
}

#[test]
fn outcomes_that_are_none() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let phase = begin(site!("p")).unwrap().publish();
        field(phase, "hang.outcome", Value::Text("fine"));
        field(phase, "hang.outcome", Value::U64(3));
        let mut opening = begin(site!("q", "hang.outcome")).unwrap();
        opening.value(0, Value::Bool(true));
        close(opening.publish());
        assert_eq!(losses(recorder), [(Loss::Field, 3)]);
    });
}
