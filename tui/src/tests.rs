//! Screens as snapshots, styles where they carry meaning, and keys at random.

use std::sync::Arc;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use hangdog_schemas::fact::TaskState;
use hangdog_schemas::record::{ProcessStart, Sample, ThreadSample};
use hangdog_schemas::{Big, Pid, ProcessId, Record, Report, RunNs, ThreadId, Tid, When};
use hangdog_timeline::Timeline;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::compare::{Beside, Divergence};
use crate::key::parse_keys;
use crate::keymap::Keymap;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::{Colours, Glyphs, Options};
use crate::screenshot::{buffer, text};
use crate::state::{Row, State, View};
use crate::update::update;
use crate::{sample, theme, view};

mod facts;
mod random;

fn timeline() -> Timeline {
    Timeline::build(sample::records()).unwrap()
}

fn model_of(timeline: &Timeline, report: &Report) -> Model {
    Model::new(Arc::new(timeline.clone()), Arc::new(report.clone()))
}

fn opening(model: &Model, size: (u16, u16)) -> State {
    crate::update::opening(model, size, &Arc::new(Keymap::default()))
}

fn screen(size: (u16, u16), keys: &str, options: Options) -> Buffer {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    buffer(&model, size, &parse_keys(keys).unwrap(), options)
}

fn shot(size: (u16, u16), keys: &str) -> String {
    text(&screen(size, keys, Options::default()))
}

/// The views by name with the keys that lead there.
const SCREENS: &[(&str, &str)] = &[
    ("verdict", ""),
    ("verdict_why", "ww"),
    ("time_line", "t"),
    ("time_line_why_details", "twww<Enter>"),
    ("time_line_zoomed", "tP++<Left>"),
    ("time_line_filter", "t&walk<Enter>"),
    ("graph", "a"),
    ("graph_why", "awww"),
    ("graph_details", "aw<Enter>"),
    ("tasks", "s"),
    ("tasks_sorted", "s|jjjj<Enter><Esc>"),
    ("columns", "s|j<Space>"),
    ("palette", ":snap"),
    ("search", "s/git<Enter>"),
    ("tasks_early", "s0((}[["),
    ("processes", "p"),
    ("descriptors", "d"),
    ("mounts", "m"),
    ("mount_details", "m<Enter>"),
    ("locks", "L"),
    ("sockets", "S"),
    ("findings", "f"),
    ("finding_details", "f<Enter>"),
    ("events", "e"),
    ("help", "?"),
];

#[test]
fn every_view_at_80x24() {
    for (name, keys) in SCREENS {
        insta::assert_snapshot!(format!("80x24_{name}"), shot((80, 24), keys));
    }
}

#[test]
fn every_view_at_120x40() {
    for (name, keys) in SCREENS {
        insta::assert_snapshot!(format!("120x40_{name}"), shot((120, 40), keys));
    }
}

#[test]
fn every_view_at_300x100() {
    for (name, keys) in SCREENS {
        insta::assert_snapshot!(format!("300x100_{name}"), shot((300, 100), keys));
    }
}

/// What is written below each line that is not plain: the meaning of each cell's style, by a letter.
fn styles(drawn: &Buffer) -> String {
    let letter = |x: u16, y: u16| {
        let cell = &drawn[(x, y)];
        let sign = match (cell.fg, cell.bg) {
            (Color::Reset, Color::Reset) => ' ',
            (_, Color::Indexed(_)) => 'p',
            (Color::Red, _) => 'r',
            (Color::Green, _) => 'g',
            (Color::Yellow, _) => 'y',
            (Color::Cyan, _) => 'c',
            (Color::Magenta, _) => 'm',
            _ => '?',
        };
        match (cell.modifier.contains(Modifier::REVERSED), cell.modifier.contains(Modifier::DIM), sign) {
            (true, _, ' ') => '#',
            (true, _, sign) => sign.to_ascii_uppercase(),
            (false, true, ' ') => '.',
            (false, _, ' ') if cell.modifier.contains(Modifier::BOLD) => 'b',
            (_, _, sign) => sign,
        }
    };
    let line = |y: u16| (0..drawn.area.width).map(|x| letter(x, y)).collect::<String>().trim_end().to_owned();
    let texts = text(drawn);
    let mut out = String::new();
    for (y, text) in texts.lines().enumerate() {
        let styles = line(y as u16);
        out.push_str(text);
        out.push('\n');
        if !styles.trim().is_empty() {
            out.push_str(&styles);
            out.push('\n');
        }
    }
    out
}

#[test]
fn every_view_in_colour() {
    for (name, keys) in SCREENS {
        insta::assert_snapshot!(format!("colour_{name}"), styles(&screen((80, 24), keys, Options::default())));
    }
}

#[test]
fn every_view_without_colours_in_ascii() {
    let options = Options { colours: Colours::None, glyphs: Glyphs::Ascii };
    for (name, keys) in SCREENS {
        insta::assert_snapshot!(format!("ascii_{name}"), styles(&screen((80, 24), keys, options)));
    }
}

/// The sample beside a run of the same that began later and went well up to a point.
fn two() -> Model {
    let shorter: Vec<_> =
        sample::records().into_iter().filter(|r| r.when().is_none_or(|t| t.0 < 9_000_000_000)).collect();
    let second = model_of(&Timeline::build(shorter).unwrap(), &sample::nothing());
    let sentence = "the second run goes on after the walk".to_owned();
    let divergences = vec![Divergence { first: RunNs(7_000_000_000), second: RunNs(5_000_000_000), sentence }];
    model_of(&timeline(), &sample::report()).beside(Beside { model: second, divergences })
}

#[test]
fn two_captures_stand_one_above_the_other() {
    let model = two();
    for (name, size, keys) in [
        ("80x24", (80, 24), "D"),
        ("120x40", (120, 40), "D"),
        ("300x100", (300, 100), "D"),
        ("begin", (120, 40), "DA"),
        ("second", (120, 40), "DXjjj%"),
    ] {
        let drawn = text(&buffer(&model, size, &parse_keys(keys).unwrap(), Options::default()));
        insta::assert_snapshot!(format!("compare_{name}"), drawn);
    }
}

#[test]
fn the_same_moment_of_two_captures_stands_in_the_same_column() {
    let model = two();
    let state = pressed(&model, "D%");
    let second = state.beside.as_ref().unwrap();
    assert_eq!((state.cursor, second.state.cursor), (RunNs(7_000_000_000), RunNs(5_000_000_000)));
    assert_eq!(state.window.column(state.cursor, 60), second.state.window.column(second.state.cursor, 60));
    // Keys of lanes go to the one that has the focus, time to both.
    let moved = pressed(&model, "DXjj");
    let row = |state: &State| state.beside.as_ref().unwrap().state.selected();
    assert_ne!(row(&moved), row(&pressed(&model, "D")));
    assert_eq!(moved.selected(), pressed(&model, "D").selected());
    // One capture has nothing beside it.
    let alone = model_of(&timeline(), &sample::report());
    assert_eq!(pressed(&alone, "D").view, View::Verdict);
}

#[test]
fn a_tiny_screen() {
    insta::assert_snapshot!("40x10_verdict", shot((40, 10), ""));
    insta::assert_snapshot!("40x10_time_line", shot((40, 10), "t"));
}

#[test]
fn ascii_screens_hold_ascii_only() {
    let options = Options { colours: Colours::None, glyphs: Glyphs::Ascii };
    for (name, keys) in SCREENS {
        let drawn = text(&screen((80, 24), keys, options));
        assert!(drawn.is_ascii(), "{name}:\n{drawn}");
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_the_selection_still_shows() {
    let options = Options { colours: Colours::None, glyphs: Glyphs::Unicode };
    for (name, keys) in SCREENS {
        let drawn = screen((80, 24), keys, options);
        assert!(drawn.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset), "{name}");
    }
    let drawn = screen((80, 24), "s", options);
    let rows = (2..20).filter(|y| drawn[(20, *y)].modifier.contains(Modifier::REVERSED)).count();
    assert_eq!(rows, 1);
}

#[test]
fn sixteen_colours_are_enough() {
    let options = Options { colours: Colours::Ansi, glyphs: Glyphs::Unicode };
    let drawn = screen((160, 50), "t", options);
    let indexed = |colour| matches!(colour, Color::Indexed(_) | Color::Rgb(..));
    assert!(drawn.content.iter().all(|cell| !indexed(cell.fg) && !indexed(cell.bg)));
}

/// Style of the first cell with `sign` in the line that holds `text`, behind it.
#[track_caller]
fn cell_after<'a>(drawn: &'a Buffer, label: &str, sign: &str) -> &'a ratatui::buffer::Cell {
    let lines = text(drawn);
    let y = lines.lines().position(|line| line.contains(label)).unwrap_or_else(|| panic!("no {label:?} in\n{lines}"));
    let from = drawn.area.width / 5;
    (from..drawn.area.width)
        .map(|x| &drawn[(x, y as u16)])
        .find(|cell| cell.symbol() == sign)
        .unwrap_or_else(|| panic!("no {sign:?} behind {label:?} in\n{lines}"))
}

#[test]
fn states_have_their_colours() {
    let drawn = screen((160, 50), "t", Options::default());
    assert_eq!(cell_after(&drawn, "tokio-rt-worker 4413", "R").fg, Color::Green);
    assert_eq!(cell_after(&drawn, "tokio-rt-worker 4413", "D").fg, Color::Red);
    assert_eq!(cell_after(&drawn, "blocking-1 4414", "─").style().fg, theme::HANG.fg);
    // A thread that nobody blames sleeps in peace.
    assert_eq!(cell_after(&drawn, "git 4431", "─").fg, Color::Reset);
    assert_ne!(cell_after(&drawn, "POST /api", "P").bg, Color::Reset);
}

#[test]
fn the_first_screen_has_sentence_and_chain() {
    let drawn = shot((80, 24), "");
    for words in ["deadlock through a FUSE mount", "openat(", "fuse.test[4390/4391]", "the loop closes", "What to do"]
    {
        assert!(drawn.contains(words), "{words} in\n{drawn}");
    }
}

fn pressed(model: &Model, keys: &str) -> State {
    let mut state = opening(model, (80, 24));
    for key in parse_keys(keys).unwrap() {
        assert_ne!(update(model, &mut state, &Message::Key(key)), Effect::Quit);
    }
    state
}

#[test]
fn why_follows_the_waits_until_the_loop_closes_and_back() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    for view in ["", "t", "s"] {
        let state = pressed(&model, &format!("{view}www"));
        let trail: Vec<u32> = state.trail.iter().map(|(_, tid)| tid.0).collect();
        assert_eq!(trail, [4390, 4391, 4414, 4391], "in view {view:?}");
        assert!(state.note.as_deref().is_some_and(|note| note.contains("the loop closes")), "{:?}", state.note);
        let back = pressed(&model, &format!("{view}wwwWW"));
        assert_eq!(back.trail.last().map(|(_, tid)| tid.0), Some(4391));
    }
    // The loop is found with a filter in the way, too.
    let state = pressed(&model, "t&cargo<Enter>g");
    assert_eq!(state.visible.len(), model.lanes.len(), "cargo is around everything");
}

#[test]
fn a_filter_begins_with_no_words_and_gives_the_old_ones_back() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    assert_eq!(pressed(&model, "t&walk<Enter>&send<Enter>").filter, "send");
    assert_eq!(pressed(&model, "t&walk<Enter>&send<Esc>").filter, "walk");
    assert_eq!(pressed(&model, "t&walk<Enter>&<Enter>").filter, "");
}

#[test]
fn why_goes_on_from_a_socket_and_from_a_lock() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    let of_sockets = (0..8).any(|row| !pressed(&model, &format!("S{}w", "j".repeat(row))).trail.is_empty());
    assert!(of_sockets, "somebody waits at a socket of the sample");
    let of_locks = (0..8).any(|row| !pressed(&model, &format!("L{}w", "j".repeat(row))).trail.is_empty());
    assert!(of_locks, "somebody waits for a lock of the sample");
}

#[test]
fn a_hop_reaches_a_folded_or_filtered_lane() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    let walker = model.thread(Pid(4412), Tid(4414)).and_then(|thread| model.lane_of(thread)).map(Row::Lane);
    assert_eq!(pressed(&model, "twOww").selected(), walker);
    assert_eq!(pressed(&model, "t&fuse-loop<Enter>Gw").selected(), walker);
}

#[test]
fn time_is_stepped_and_everything_follows() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    for (keys, ms) in [
        ("0", 0),
        ("$", 17_000),
        ("P", 5_900),
        ("0!", 16_000),
        ("0]]", 400),
        ("0]][", 200),
        ("0}", 7_000),
        ("0}}", 16_050),
        ("${", 16_050),
        ("0.", 300),
        ("$,", 16_900),
        ("0[", 0),
        ("$}", 17_000),
    ] {
        assert_eq!(pressed(&model, keys).cursor, RunNs(ms * 1_000_000), "{keys}");
    }
    let drawn = shot((80, 24), "s0");
    assert!(drawn.contains("4380") && !drawn.contains("4414"), "{drawn}");
}

#[test]
fn play_runs_at_its_speed_and_stops_at_the_ends() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    let second = Message::Tick(std::time::Duration::from_secs(1));
    let mut state = pressed(&model, "0<Space>>");
    assert_eq!(update(&model, &mut state, &second), Effect::Draw);
    assert_eq!(state.cursor, RunNs(2_000_000_000));
    for _ in 0..20 {
        let _ = update(&model, &mut state, &second);
    }
    assert_eq!((state.cursor, state.transport.playing), (timeline.end(), false));
    assert_eq!(update(&model, &mut state, &second), Effect::None);
    let mut state = pressed(&model, "$r<Space><lt><lt><lt>");
    let _ = update(&model, &mut state, &second);
    assert_eq!(state.cursor, RunNs(16_900_000_000));
    // Stepping pauses.
    let state = pressed(&model, "0<Space>]");
    assert!(!state.transport.playing);
}

#[test]
fn the_mouse_selects_a_lane_and_a_time_and_a_tab() {
    let (timeline, report) = (timeline(), sample::report());
    let model = model_of(&timeline, &report);
    let mut state = pressed(&model, "t");
    let click = |column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    assert_eq!(update(&model, &mut state, &click(40, 6)), Effect::Draw);
    assert_eq!(state.selected(), Some(Row::Lane(state.visible[2])));
    let strip = view::strip_columns(&state);
    assert_eq!(state.cursor, state.window.at(40 - (80 - strip), strip));
    assert_eq!(update(&model, &mut state, &click(25, 1)), Effect::Draw);
    assert_eq!(state.view, View::Tasks);
}

#[test]
fn names_of_other_programs_cannot_move_the_cursor() {
    let process = ProcessId { pid: Pid(7), start: Big(7) };
    let records = [
        sample::header(),
        Record::ProcessStart(ProcessStart {
            when: When::default(),
            process,
            parent: Pid(1),
            comm: "\x1b[2J\u{202e}evil\n".to_owned(),
        }),
    ];
    let timeline = Timeline::build(records).unwrap();
    let report = crate::model::own_report(&timeline);
    let model = model_of(&timeline, &report);
    for keys in ["t", "p", "p<Enter>", "e", "s"] {
        let drawn = text(&buffer(&model, (80, 24), &parse_keys(keys).unwrap(), Options::default()));
        assert!(!drawn.chars().any(|c| c != '\n' && hangdog_report::escape::is_deceptive(c)), "{keys}:\n{drawn}");
    }
    let drawn = text(&buffer(&model, (80, 24), &parse_keys("p").unwrap(), Options::default()));
    assert!(drawn.contains("\\x1b[2J"), "what was made harmless is still seen:\n{drawn}");
}

/// Every view of a capture at every size, with what the keys lead to.
fn look_at_all(timeline: &Timeline, report: &Report) {
    let model = model_of(timeline, report);
    for size in [(80, 24), (300, 100), (40, 10), (7, 3), (1, 1)] {
        for (_, keys) in SCREENS {
            let drawn = buffer(&model, size, &parse_keys(keys).unwrap(), Options::default());
            assert_eq!((drawn.area.width, drawn.area.height), size);
        }
    }
}

#[test]
fn a_capture_of_one_record_opens() {
    let timeline = Timeline::build([sample::header()]).unwrap();
    let report = crate::model::own_report(&timeline);
    look_at_all(&timeline, &report);
    let model = model_of(&timeline, &report);
    let drawn = text(&buffer(&model, (80, 24), &parse_keys("m").unwrap(), Options::default()));
    assert!(drawn.contains("no snapshots"), "{drawn}");
}

#[test]
fn a_capture_cut_after_any_record_opens() {
    let records = sample::records();
    for cut in (1..records.len()).step_by(37) {
        let timeline = Timeline::build(records[..cut].to_vec()).unwrap();
        look_at_all(&timeline, &sample::report());
    }
}

#[test]
fn a_good_run_says_so() {
    let (timeline, report) = (timeline(), sample::nothing());
    let model = model_of(&timeline, &report);
    let drawn = text(&buffer(&model, (80, 24), &[], Options::default()));
    assert!(drawn.contains("no hang"), "{drawn}");
}

#[test]
fn fifty_thousand_threads_open_and_scroll() {
    let process = ProcessId { pid: Pid(1), start: Big(1) };
    let mut records = vec![sample::header()];
    for tick in 0..2 {
        let thread = |n: u32| ThreadSample {
            thread: ThreadId { process, tid: Tid(n) },
            comm: Some(format!("worker-{n}")),
            state: TaskState::S,
            cpu_ns: None,
            vol: tick,
            invol: 0,
        };
        let when = When::exactly(RunNs(tick * 1_000_000_000));
        records.push(Record::Sample(Sample { when, threads: (1..=50_000).map(thread).collect(), gone: Vec::new() }));
    }
    let timeline = Timeline::build(records).unwrap();
    let report = crate::model::own_report(&timeline);
    let model = model_of(&timeline, &report);
    let drawn = text(&buffer(&model, (80, 24), &parse_keys("tOG").unwrap(), Options::default()));
    assert!(drawn.contains("50000"), "{drawn}");
    let drawn = text(&buffer(&model, (80, 24), &parse_keys("s&worker-49999<Enter>").unwrap(), Options::default()));
    assert!(drawn.contains("worker-49999"), "{drawn}");
}
