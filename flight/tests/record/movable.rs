//! Phases that end in any order, on any thread.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use hangdog_flight::{
    EventKind, OpenPhase, Outcome, PhaseId, Recorder, Size, Value, begin, begin_here, begin_in, close, current_phase,
    enter, enter_as, exit, exit_as, field, outcome, resume, set_task, suspend,
};

use super::support::{open, read, reader, recorder, site};

const LONG: &str = "longer than a slot has room for";

#[test]
fn phases_close_on_other_threads_and_their_slots_come_back() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        // Many times more than there are slots, all of them opened here.
        for _ in 0..8 {
            let phases: Vec<_> = (0..Size::LEAST.slots).map(|_| begin(site!("p")).unwrap().publish()).collect();
            let halves: Vec<_> = phases.chunks(Size::LEAST.slots / 2).collect();
            std::thread::scope(|scope| {
                for half in halves {
                    scope.spawn(move || recorder.with(|| half.iter().for_each(|phase| close(*phase))));
                }
            });
        }
        let recording = read(recorder);
        assert_eq!((recording.open.len(), recording.dropped, recording.torn), (0, 0, 0));
    });
}

#[test]
fn a_hundred_thousand_phases_are_open_at_once() {
    const MANY: usize = 100_000;
    let recorder = recorder(Size::FULL);
    recorder.with(|| {
        let outer = begin(site!("outer")).unwrap().publish();
        for _ in 0..2 {
            let phases: Vec<_> = (0..MANY as u64)
                .map(|n| {
                    let mut opening = begin_in(site!("many", "n"), Some(outer)).unwrap();
                    opening.value(0, Value::U64(n));
                    opening.publish()
                })
                .collect();
            let recording = read(recorder);
            assert_eq!((recording.open.len(), recording.dropped, recording.torn), (MANY + 1, 0, 0));
            let mut seen: Vec<u64> = recording
                .open
                .iter()
                .filter(|phase| phase.name == "many" && phase.parent == Some(outer.word()))
                .map(|phase| phase.fields[0].1.parse().unwrap())
                .collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..MANY as u64));
            phases.into_iter().for_each(close);
            assert_eq!(open(recorder), ["outer"]);
        }
    });
}

#[test]
fn a_phase_that_is_gone_is_left_alone() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let gone = begin(site!("gone")).unwrap().publish();
        close(gone);
        let here = begin(site!("here")).unwrap().publish();
        let nonsense = [1, u64::MAX, 1 << 63, 1 << 62].map(|word| PhaseId::from_word(word).unwrap());
        for phase in [gone].into_iter().chain(nonsense) {
            close(phase);
            outcome(phase, Outcome::Failed);
            field(phase, "hang.wait", Value::Text("lock:x"));
            enter(phase, || 0);
            exit(phase);
            let before = resume(phase, || 0);
            suspend(before);
            hangdog_flight::used(phase, 0);
        }
        let recording = read(recorder);
        let [seen] = &recording.open[..] else { panic!("{:#?}", recording.open) };
        assert_eq!((seen.id, seen.outcome, seen.hang.wait.as_deref(), seen.polls), (here.word(), None, None, 0));
        assert_eq!((recording.torn, current_phase()), (0, None));
    });
}

#[test]
fn entering_shows_thread_polls_and_parent() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let outer = begin(site!("outer")).unwrap().publish();
        enter(outer, || 0);
        let inner = begin(site!("inner")).unwrap().publish();
        let (inside, wait) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            let work = || {
                recorder.with(|| {
                    set_task(77);
                    enter(inner, || 77);
                    exit(inner);
                    let before = resume(inner, || 77);
                    let _below = begin_here(site!("below")).unwrap().enter();
                    inside.wait();
                    wait.wait();
                    suspend(before);
                    rustix::thread::gettid().as_raw_nonzero().get() as u32
                })
            };
            let poller = std::thread::Builder::new().name("poller".into()).spawn_scoped(scope, work).unwrap();
            inside.wait();
            let recording = read(recorder);
            wait.wait();
            let tid = poller.join().unwrap();
            let find = |name| recording.open.iter().find(|phase| phase.name == name).unwrap();
            let (inner, below) = (find("inner"), find("below"));
            assert_eq!((inner.parent, inner.tid, inner.polls, inner.polled_now), (Some(outer.word()), tid, 2, true));
            assert_eq!((inner.task, below.task), (Some(77), Some(77)), "that of the phase around it");
            assert_eq!((below.parent, below.tid), (Some(inner.id), tid));
            let thread = recording.threads.iter().find(|thread| thread.tid == tid).unwrap();
            assert_eq!((thread.name.as_str(), thread.current, thread.ended), ("poller", Some(below.id), false));
            assert_eq!(thread.task, Some(77));
        });
        let recording = read(recorder);
        assert!(recording.threads.iter().any(|thread| thread.ended && thread.name == "poller"));
        let inner_now = recording.open.iter().find(|phase| phase.name == "inner").unwrap();
        assert!(!inner_now.polled_now && inner_now.left_monotonic_ns.is_some());
        assert!(recording.heartbeat > 0);
        close(inner);
        exit(outer);
        close(outer);
        assert!(read(recorder).open.is_empty());
    });
}

#[test]
fn phases_are_left_in_any_order() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let phases = [site!("a"), site!("b"), site!("c")].map(|site| begin(site).unwrap().publish());
        for phase in phases {
            enter(phase, || 0);
        }
        exit(phases[1]);
        assert_eq!(current_phase(), Some(phases[2]));
        exit(phases[2]);
        assert_eq!(current_phase(), Some(phases[0]));
        exit(phases[0]);
        assert_eq!(current_phase(), None);
    });
}

#[test]
fn a_key_is_looked_up_unless_its_phase_was_the_last_one_there_and_is_open() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let looked_up = Cell::new(0);
        let going = |key: u64, phase: PhaseId, lookups: u32| {
            looked_up.set(0);
            let find = || {
                looked_up.set(looked_up.get() + 1);
                Some(phase)
            };
            enter_as(key, find, || 0);
            assert_eq!(current_phase(), Some(phase));
            exit_as(key, find);
            assert_eq!((current_phase(), looked_up.get()), (None, lookups), "key {key}");
        };
        let [first, second] = [site!("first"), site!("second")].map(|site| begin(site).unwrap().publish());
        going(7, first, 1);
        going(7, first, 0);
        going(8, second, 1);
        going(7, first, 1);
        going(0, first, 2);
        close(first);
        // The key belongs to another phase now.
        let third = begin(site!("third")).unwrap().publish();
        going(7, third, 1);
        // Not in their order.
        enter_as(7, || Some(third), || 0);
        enter_as(8, || Some(second), || 0);
        exit_as(7, || Some(third));
        assert_eq!(current_phase(), Some(second));
        exit_as(8, || Some(second));
        exit_as(8, || None);
        assert_eq!(current_phase(), None);
    });
}

#[track_caller]
fn one(recorder: &Recorder, phase: PhaseId) -> OpenPhase {
    read(recorder).open.into_iter().find(|open| open.id == phase.word()).expect("it is open")
}

#[test]
fn a_phase_that_was_just_opened_is_known_by_its_key_and_asks_for_its_task() {
    let recorder = recorder(Size::LEAST);
    let going = |key: u64, phase: PhaseId, task: u64, lookups: u32| {
        let (looked_up, asked) = (Cell::new(0), Cell::new(0));
        let find = || {
            looked_up.set(looked_up.get() + 1);
            Some(phase)
        };
        enter_as(key, find, || {
            asked.set(asked.get() + 1);
            task
        });
        let open = one(recorder, phase);
        assert_eq!((open.task, open.polled_now, asked.get()), (Some(task), true, 1), "key {key}");
        exit_as(key, find);
        assert_eq!((current_phase(), looked_up.get()), (None, lookups), "key {key}");
        // The task is known now, and so is the phase.
        enter_as(key, || None, || unreachable!());
        exit_as(key, || None);
        let open = one(recorder, phase);
        assert_eq!((open.task, open.polls, open.polled_now), (Some(task), 2, false), "key {key}");
    };
    recorder.with(|| {
        let open = |key: u64| begin(site!("span")).unwrap().publish_as(key);
        going(7, open(7), 70, 0);
        // Another one was opened since.
        let (first, second) = (open(8), open(9));
        going(8, first, 80, 1);
        going(9, second, 90, 1);
        // Another thread was in it.
        let third = open(10);
        std::thread::scope(|scope| {
            scope.spawn(|| recorder.with(|| going(10, third, 100, 1)));
        });
        enter_as(10, || Some(third), || unreachable!());
        assert_eq!(one(recorder, third).tid, rustix::thread::gettid().as_raw_nonzero().get() as u32);
        exit_as(10, || Some(third));
        assert_eq!(one(recorder, third).polls, 3);
        // By its number, too.
        let (fourth, asked) = (open(10), Cell::new(0));
        for asks in [1, 1] {
            enter(fourth, || {
                asked.set(asked.get() + 1);
                120
            });
            assert_eq!((one(recorder, fourth).task, asked.get()), (Some(120), asks));
            exit(fourth);
        }
        // Its key belongs to another phase now, which was opened elsewhere.
        let fourth = open(11);
        close(fourth);
        let fifth = begin(site!("fifth")).unwrap().publish();
        going(11, fifth, 110, 1);
    });
}

/// Only 23 bits of a parent's generation are kept: enough to tell it from what its slot held later.
#[test]
fn a_parent_whose_slot_was_used_again_is_none_of_the_later_ones() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let parent = begin_here(site!("parent")).unwrap().enter();
        let number = parent.id().unwrap().word();
        let child = begin(site!("child")).unwrap().publish();
        drop(parent);
        let child_now = || read(recorder).open.into_iter().find(|phase| phase.id == child.word()).unwrap();
        let check = |times: u64, expected: Option<u64>| {
            for _ in 0..times {
                drop(begin_here(site!("later")).unwrap().enter());
            }
            let later = begin_here(site!("later")).unwrap().enter();
            let seen = child_now().parent;
            assert_ne!(seen, Some(later.id().unwrap().word()));
            if expected.is_some() {
                assert_eq!(seen, expected);
            }
        };
        check(0, Some(number));
        check(1, Some(number));
        check(1000, Some(number));
        check(1 << 20, Some(number));
        // So often that the bits are all there once more, and a little.
        check(1 << 23, None);
    });
}

/// While one thread opens and closes phases, others tell them more, and a reader looks.
#[test]
fn fields_from_other_threads_while_a_phase_closes() {
    let recorder = recorder(Size::LEAST);
    let (now, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for letter in ["x", "y"] {
            let text = letter.repeat(100);
            let (now, done) = (&now, &done);
            scope.spawn(move || {
                recorder.with(|| {
                    while !done.load(Relaxed) {
                        if let Some(phase) = PhaseId::from_word(now.load(Relaxed)) {
                            field(phase, "text", Value::Text(&text));
                        }
                    }
                });
            });
        }
        let watch = scope.spawn(|| {
            let mut reader = reader(recorder);
            let mut seen = 0;
            while seen < 200 && !done.load(Relaxed) {
                for phase in reader.read().unwrap().open {
                    assert_eq!(phase.name, "told");
                    for (key, value) in &phase.fields {
                        assert!(["text", "own"].contains(&key.as_str()), "{key}");
                        let first = &value[..1];
                        assert_eq!(*value, first.repeat(100), "not whole");
                        seen += 1;
                    }
                }
            }
        });
        recorder.with(|| {
            let own = "z".repeat(100);
            for round in 0..20_000 {
                let mut opening = begin(site!("told", "own")).unwrap();
                if round % 3 == 0 {
                    opening.value(0, Value::Text(&own));
                }
                let phase = opening.publish();
                now.store(phase.word(), Relaxed);
                if round % 64 == 0 {
                    std::thread::yield_now();
                }
                close(phase);
            }
        });
        done.store(true, Relaxed);
        watch.join().unwrap();
    });
    assert_eq!(open(recorder), [""; 0]);
    // What a lost race left behind is found by the next one who says more in that slot.
    recorder.with(|| {
        let all = || -> Vec<_> {
            std::iter::from_fn(|| {
                let mut opening = begin(site!("all", "text"))?;
                opening.value(0, Value::Text(LONG));
                Some(opening.publish())
            })
            .collect()
        };
        all().into_iter().for_each(close);
        let phases: Vec<_> = std::iter::from_fn(|| Some(begin(site!("short"))?.publish())).collect();
        // The other threads keep whole chunks; of this one's no slot is missing.
        assert_eq!((phases.len() % 64, phases.len() + 8 * 64 > Size::LEAST.slots), (0, true), "{}", phases.len());
    });
}

#[test]
fn a_reader_beside_busy_threads_sees_only_whole_phases() {
    let recorder = recorder(Size::LEAST);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (name, site) in [("one", site!("one", "a", "hang.op")), ("two", site!("two", "a", "hang.op"))] {
            let done = &done;
            scope.spawn(move || {
                recorder.with(|| {
                    let mut before = None;
                    while !done.load(Relaxed) {
                        let mut opening = begin(site).unwrap();
                        opening.value(0, Value::Text(name));
                        opening.value(1, Value::Text(name));
                        let phase = opening.publish();
                        let mut here = begin_here(site).unwrap();
                        here.value(0, Value::Text(name));
                        let _here = here.enter();
                        if let Some(before) = before.replace(phase) {
                            close(before);
                        }
                    }
                });
            });
        }
        let mut reader = reader(recorder);
        let mut seen = 0;
        while seen < 400 {
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
        done.store(true, Relaxed);
    });
    assert_eq!(read(recorder).dropped, 0);
}
