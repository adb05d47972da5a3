//! What stands below a hop, at the foot, and among the events.

use hangdog_schemas::record::{Call, Doer, KernelDeed, KernelEvent};

use super::*;

/// A fact of the second hop of the sample, and one of the third.
const SECOND: &str = "connection 41 has 2 requests without an answer";
const THIRD: &str = "fd 9 is connected 127.0.0.1:40312";

#[test]
fn facts_stand_below_all_hops_where_there_is_room_else_below_the_selected_one() {
    let has = |size, keys: &str, fact: &str| shot(size, keys).contains(fact);
    for fact in [SECOND, THIRD] {
        assert!(has((160, 100), "a", fact), "{fact}");
        assert!(!has((160, 100), "ai", fact), "{fact}");
        assert!(has((160, 100), "aii", fact), "{fact}");
        assert!(!has((80, 24), "a", fact), "{fact}");
    }
    assert!(has((120, 40), "aww", SECOND) && !has((120, 40), "aww", THIRD));
    assert!(has((120, 40), "awww", THIRD) && !has((120, 40), "awww", SECOND));
    assert!(!has((120, 40), "awwwi", THIRD));
    // Asked for, they stand below all of them, room or not.
    assert!(has((120, 40), "awwii", SECOND));
}

#[test]
fn a_hop_with_its_facts_is_on_the_screen_as_a_whole() {
    for size in [(80, 24), (60, 15), (40, 10)] {
        for hops in 1..6 {
            let screen = shot(size, &format!("a{}", "w".repeat(hops)));
            let lines: Vec<&str> = screen.lines().collect();
            assert_eq!(lines.len(), usize::from(size.1), "{screen}");
        }
    }
    // The mouse finds the row whose facts it points at.
    let model = model_of(&timeline(), &sample::report());
    let state = pressed(&model, "aww");
    let screen = shot((80, 24), "aww");
    let y = screen.lines().position(|line| line.contains(SECOND)).unwrap();
    let mut clicked = pressed(&model, "a");
    clicked.lists = state.lists.clone();
    let click = MouseEventKind::Down(MouseButton::Left);
    let mouse = MouseEvent { kind: click, column: 9, row: y as u16, modifiers: KeyModifiers::NONE };
    let _ = update(&model, &mut clicked, &Message::Mouse(mouse));
    assert_eq!(clicked.selected(), state.selected());
}

#[test]
fn from_one_place_where_two_runs_part_to_the_next_and_round() {
    let part = |ms: u64, sentence: &str| Divergence {
        first: RunNs(ms * 1_000_000),
        second: RunNs(ms * 1_000_000),
        sentence: sentence.to_owned(),
    };
    let divergences = vec![part(3_000, "only in 1: \u{1b}[31m"), part(5_000, "only in 2")];
    let second = model_of(&timeline(), &sample::nothing());
    let model = model_of(&timeline(), &sample::report()).beside(Beside { model: second, divergences });
    let at = |keys: &str| {
        let state = pressed(&model, keys);
        (state.cursor.0 / 1_000_000, state.note.unwrap())
    };
    let (t, note) = at("D%");
    assert!(t == 3_000 && note.starts_with("1 of 2: only in 1: ") && !note.contains('\u{1b}'), "{note}");
    assert_eq!(at("D%%"), (5_000, "2 of 2: only in 2".to_owned()));
    assert_eq!(at("D%%%").0, 3_000);
    assert_eq!(at("D%%<Right>%").0, 3_000);
}

#[test]
fn a_long_word_takes_the_lines_above_it() {
    let model = model_of(&timeline(), &sample::report());
    let state = State { note: Some("word ".repeat(30).trim().to_owned()), ..pressed(&model, "t") };
    let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, 24));
    view::draw(&model, &state, &mut buffer);
    assert_eq!(text(&buffer).matches("word").count(), 30);
    // Most of the screen stays.
    let long = State { note: Some("word ".repeat(3000)), ..state };
    view::draw(&model, &long, &mut buffer);
    let drawn = text(&buffer);
    assert!(drawn.lines().take(16).all(|line| !line.contains("word")), "{drawn}");
    assert!(drawn.trim_end().ends_with("word …"), "{drawn}");
}

#[test]
fn calls_with_names_stand_among_the_events() {
    let when = When::exactly(RunNs(6_000_000_000));
    let call = Call {
        when,
        pid: Pid(4999),
        inner: None,
        tid: Tid(4999),
        parent: Pid(4380),
        comm: "python3".to_owned(),
        name: "openat".to_owned(),
        number: 257,
        paths: vec!["/tmp/\u{1b}leader".to_owned()],
        flags: vec!["O_WRONLY".to_owned(), "O_CLOEXEC".to_owned()],
        address: None,
        fd: None,
        request: None,
        held_ns: 0,
    };
    let what = KernelDeed::SyscallEnd { number: 257, name: "openat".to_owned(), result: -2 };
    let end = KernelEvent { when, tid: Tid(4999), by: Doer::Thread, what };
    let more = [Record::Call(Box::new(call)), Record::KernelEvent(end)];
    let timeline = Timeline::build(sample::records().into_iter().chain(more)).unwrap();
    let model = model_of(&timeline, &sample::report());
    let told: Vec<String> = (0..model.events.len())
        .filter_map(|n| model.events.get(n))
        .map(|event| format!("{} {}", event.kind().word(), model.events.text(&model.timeline, event)))
        .filter(|text| text.contains("4999"))
        .collect();
    // The name of a thread that no sample saw comes from its call.
    assert_eq!(
        told,
        ["call python3[4999] openat (O_WRONLY) /tmp/\\x1bleader: ENOENT", "kernel python3[4999] openat gave ENOENT"]
    );
}
