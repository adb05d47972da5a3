//! Phases of a thread's stack.

use hangdog_flight::{Here, PhaseId, Recorder, Site, Size, begin, begin_here, close, current_phase, enter, exit};

use super::support::{open, read, recorder, site, slot_of};

/// Phases that fit into a stack.
const STACK: usize = 63;

fn enter_here(name: u8) -> Here {
    let site: &Site = match name {
        b'a' => site!("a"),
        b'b' => site!("b"),
        b'c' => site!("c"),
        _ => site!("d"),
    };
    begin_here(site).unwrap().enter()
}

fn name_of(recorder: &Recorder, phase: Option<PhaseId>) -> String {
    let open = read(recorder).open;
    phase.map_or("-".to_owned(), |phase| {
        open.iter().find(|open| open.id == phase.word()).map_or("over".to_owned(), |open| open.name.clone())
    })
}

/// Phases begin in the order of the alphabet and end in that of `ends`; after each end, where the thread is.
#[track_caller]
fn check(recorder: &Recorder, ends: &str, expected: &str) {
    let mut guards: Vec<_> = (b'a'..).take(ends.len()).map(|name| (name, Some(enter_here(name)))).collect();
    let mut seen = Vec::new();
    for end in ends.bytes() {
        for (_, guard) in guards.iter_mut().filter(|(name, _)| *name == end) {
            drop(guard.take());
        }
        let mut now_open = open(recorder);
        now_open.sort_unstable();
        let now_open = now_open.concat();
        let still: String = guards.iter().filter(|(_, guard)| guard.is_some()).map(|(n, _)| char::from(*n)).collect();
        assert_eq!(now_open, still, "open after {} of {ends}", char::from(end));
        seen.push(name_of(recorder, current_phase()));
    }
    assert_eq!(seen.join(" "), expected, "{ends}");
}

/// The next phase of this thread is the lowest of its stack.
#[track_caller]
fn check_empty(recorder: &Recorder) {
    let here = enter_here(b'a');
    assert_eq!((slot_of(here.id().unwrap()) - recorder.size().slots as u64) % 64, 0, "a hole is left in the stack");
    assert_eq!(read(recorder).open[0].parent, None);
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        check(recorder, "a", "-");
        check(recorder, "ba", "a -");
        check(recorder, "ab", "b -");
        check(recorder, "cba", "b a -");
        check(recorder, "abc", "c c -");
        check(recorder, "acb", "c b -");
        check(recorder, "bac", "c c -");
        check(recorder, "bca", "c a -");
        check(recorder, "cab", "b b -");
        check(recorder, "dabc", "c c c -");
        check(recorder, "adbc", "d c c -");
        check(recorder, "bcad", "d d d -");
        check(recorder, "bcda", "d d a -");
        check(recorder, "cbda", "d d a -");
        check_empty(recorder);
    });
}

#[test]
fn dropped_front_to_back_again_and_again_the_stack_does_not_fill() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        for _ in 0..3 * STACK {
            // As the fields of a struct or the elements of a Vec are.
            drop(vec![enter_here(b'a'), enter_here(b'b'), enter_here(b'c')]);
        }
        assert_eq!(current_phase(), None);
        check_empty(recorder);
    });
}

#[test]
fn deeper_than_the_stack_all_show_and_the_way_back_is_right() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let mut guards = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..2 * STACK {
            let guard = enter_here(b'a');
            ids.push(guard.id().unwrap());
            guards.push(guard);
        }
        let recording = read(recorder);
        assert_eq!((recording.open.len(), recording.dropped, recording.torn), (2 * STACK, 0, 0));
        for (at, id) in ids.iter().enumerate() {
            let parent = recording.open.iter().find(|open| open.id == id.word()).unwrap().parent;
            assert_eq!(parent, at.checked_sub(1).map(|below| ids[below].word()), "{at}");
        }
        while let Some(guard) = guards.pop() {
            drop(guard);
            ids.pop();
            assert_eq!(current_phase(), ids.last().copied());
        }
        check_empty(recorder);
    });
}

#[test]
fn entered_by_number_deeper_than_is_followed_the_way_back_is_right() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let phases: Vec<_> = (0..100).map(|_| begin(site!("span")).unwrap().publish()).collect();
        let bottom = enter_here(b'a');
        for phase in &phases {
            enter(*phase, || 0);
        }
        // One from the middle leaves first.
        exit(phases[10]);
        for (at, phase) in phases.iter().enumerate().rev().filter(|(at, _)| *at != 10) {
            exit(*phase);
            let below = phases[..at].iter().enumerate().rev().find(|(at, _)| *at != 10).map(|(_, phase)| *phase);
            if at <= 60 {
                assert_eq!(current_phase(), below.or(bottom.id()), "after {at}");
            }
        }
        assert_eq!(current_phase(), bottom.id());
        for phase in phases {
            enter(phase, || 0);
            assert_eq!(current_phase(), Some(phase));
            exit(phase);
            close(phase);
        }
        assert_eq!(current_phase(), bottom.id());
    });
}

#[test]
fn a_forgotten_guard_stays_until_its_thread_ends() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let outer = enter_here(b'a');
        std::mem::forget(enter_here(b'b'));
        drop(outer);
        assert_eq!(open(recorder), ["b"]);
        let after = enter_here(b'c');
        assert_eq!(name_of(recorder, after.id()), "c");
        drop(after);
    });
    assert_eq!(read(recorder).open, []);
    recorder.with(|| check_empty(recorder));
}

#[test]
fn what_was_begun_and_not_entered_never_shows() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let outer = enter_here(b'a');
        let mut opening = begin_here(site!("never", "text")).unwrap();
        opening.value(0, hangdog_flight::Value::Text("longer than a slot has room for"));
        drop(opening);
        let inner = enter_here(b'b');
        assert_eq!(open(recorder), ["a", "b"]);
        drop(inner);
        assert_eq!(current_phase(), outer.id());
        drop(outer);
        assert_eq!(open(recorder), [""; 0]);
        check_empty(recorder);
        // Its slot may be told as much as any other.
        let mut guards = Vec::new();
        for _ in 0..3 {
            let mut opening = begin_here(site!("after", "text")).unwrap();
            opening.value(0, hangdog_flight::Value::Text("longer than a slot has room for"));
            guards.push(opening.enter());
        }
        let recording = read(recorder);
        assert_eq!((recording.dropped, recording.torn), (0, 0));
        assert!(recording.open.iter().all(|phase| phase.fields.len() == 1), "{:#?}", recording.open);
    });
}

#[test]
fn a_panic_tells_the_phases_it_went_through() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        let outer = enter_here(b'a');
        let caught = std::panic::catch_unwind(|| {
            let _inner = enter_here(b'b');
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
        drop(outer);
        let ends: Vec<_> = read(recorder).events.into_iter().map(|event| event.kind).collect();
        let [hangdog_flight::EventKind::Close { name, outcome, .. }] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!((name.as_str(), *outcome), ("b", Some(hangdog_flight::Outcome::Panicked)));
    });
}
