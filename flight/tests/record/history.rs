//! What goes into the rings, and what of it is still there.

use hangdog_flight::{
    EventKind, History, Options, Outcome, Recorder, Size, Value, begin, close, note, outcome, wait, wake,
};

use super::support::{open, read, reader, recorder, recorder_with, site};

fn all() -> &'static Recorder {
    recorder_with(Options { size: Some(Size::LEAST), history: History::All, ..Options::default() })
}

/// Events as `open`, `close`, … of a phase that is plain, has a meaning, has an outcome.
#[track_caller]
fn check(recorder: &'static Recorder, expected: [&str; 3]) {
    let mut reader = reader(recorder);
    let mut seen = || -> String {
        let words = reader.read().unwrap().events.into_iter().map(|event| match event.kind {
            EventKind::Open { .. } => "open",
            EventKind::Close { .. } => "close",
            EventKind::Wait { .. } => "wait",
            EventKind::Wake => "wake",
            EventKind::Note { .. } => "note",
            _ => "?",
        });
        words.collect::<Vec<_>>().join(" ")
    };
    recorder.with(|| {
        close(begin(site!("plain")).unwrap().publish());
        assert_eq!(seen(), expected[0]);
        let mut opening = begin(site!("means", "hang.wait")).unwrap();
        opening.value(0, Value::Text("lock:x"));
        close(opening.publish());
        assert_eq!(seen(), expected[1]);
        let phase = begin(site!("ends")).unwrap().publish();
        outcome(phase, Outcome::Cancelled);
        close(phase);
        assert_eq!(seen(), expected[2]);
    });
}

#[test]
fn phases_with_a_meaning_go_into_the_history_and_the_others_where_all_do() {
    check(recorder(Size::LEAST), ["", "open wait wake close", "close"]);
    check(all(), ["open close", "open wait wake close", "open close"]);
}

#[test]
fn the_state_of_now_outlives_the_history() {
    let recorder = all();
    recorder.with(|| {
        let old = begin(site!("old")).unwrap().publish();
        let mut reader = reader(recorder);
        for _ in 0..1000 {
            close(begin(site!("short")).unwrap().publish());
        }
        let recording = reader.read().unwrap();
        assert_eq!(open(recorder), ["old"]);
        assert_eq!(recording.overwritten + recording.events.len() as u64, 2001);
        assert!(recording.events.len() >= Size::LEAST.events - 32);
        close(old);
        let recording = reader.read().unwrap();
        assert_eq!((recording.open.len(), recording.events.len()), (0, 1), "only what is new");
    });
}

#[test]
fn notes_of_any_length_come_back_whole_or_cut() {
    let recorder = recorder(Size::LEAST);
    recorder.with(|| {
        for length in [0, 1, 7, 8, 23, 24, 25, 48, 239, 240] {
            note(None, "key", &"n".repeat(length));
        }
        wait(None, &"ü".repeat(200));
        wake(None);
        let mut texts = Vec::new();
        for event in read(recorder).events {
            match event.kind {
                EventKind::Note { key, text } => {
                    assert_eq!(key, "key");
                    texts.push(text.len());
                }
                EventKind::Wait { resource } => assert!(resource.ends_with("ü…") && resource.len() <= 240),
                kind => assert_eq!(kind, EventKind::Wake),
            }
        }
        assert_eq!(texts, [0, 1, 7, 8, 23, 24, 25, 48, 239, 240]);
    });
}

#[test]
fn a_reader_beside_a_busy_ring_sees_only_whole_events() {
    let recorder = recorder(Size::LEAST);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            recorder.with(|| {
                for round in 0_u64.. {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let letter = char::from(b'a' + (round % 26) as u8);
                    let text: String = std::iter::repeat_n(letter, (round % 240) as usize).collect();
                    note(None, "round", &text);
                }
            });
        });
        let mut reader = reader(recorder);
        let mut seen = 0;
        while seen < 5_000 {
            let recording = reader.read().unwrap();
            assert_eq!(recording.torn, 0);
            for event in recording.events {
                let EventKind::Note { key, text } = event.kind else { panic!("{event:?}") };
                assert_eq!(key, "round");
                assert!(text.bytes().all(|byte| Some(byte) == text.bytes().next()), "{text}");
                seen += 1;
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
