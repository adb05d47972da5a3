//! Keys, mouse, sizes and newer models at random, over captures that are good, cut and corrupt: nothing panics, and
//! every screen has a way back. `HANGDOG_TUI_EVENTS` says how many events; the seed is fixed, so that what fails
//! fails again.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use hangdog_schemas::file::{Reader, Writer};
use hangdog_schemas::{Record, Report};
use hangdog_timeline::Timeline;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{model_of, opening, sample};
use crate::command::bindings;
use crate::key::parse_keys;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::{Colours, Glyphs};
use crate::state::{State, View};
use crate::update::update;
use crate::{carry, theme, view};

/// Events without the variable: a fraction of a minute.
const EVENTS: usize = 4_000;

/// Numbers that are the same each time (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn written(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (n, record) in records.iter().enumerate() {
        writer.write(record).unwrap();
        if n % 20 == 19 {
            writer.flush_frame().unwrap();
        }
    }
    writer.finish().unwrap()
}

/// Twenty captures as bytes: whole, without some kinds of records, cut, and damaged.
fn captures(dice: &mut Dice) -> Vec<Vec<u8>> {
    let all = sample::records();
    let only = |keep: fn(&Record) -> bool| -> Vec<u8> {
        written(
            &all.iter()
                .filter(|record| matches!(record, Record::Run(_)) || keep(record))
                .cloned()
                .collect::<Vec<_>>(),
        )
    };
    let whole = written(&all);
    let mut captures = vec![
        whole.clone(),
        only(|_| false),
        only(|record| record.snapshot().is_none()),
        only(|record| record.snapshot().is_some()),
        only(|record| !matches!(record, Record::PhaseOpen(_) | Record::PhaseClose(_))),
        only(|record| !matches!(record, Record::Sample(_))),
        only(|record| !matches!(record, Record::ProcessStart(_) | Record::ProcessEnd(_))),
    ];
    for part in 1..7 {
        captures.push(whole[..whole.len() * part / 7].to_vec());
    }
    while captures.len() < 20 {
        let mut damaged = whole.clone();
        for _ in 0..captures.len() {
            // The first frame holds the header, without which nothing opens.
            let at = 600 + dice.below(damaged.len() - 600);
            damaged[at] ^= 1 << dice.below(8);
        }
        captures.push(damaged);
    }
    captures
}

fn models(dice: &mut Dice) -> Vec<(Model, Model)> {
    let open = |bytes: &[u8], report: &Report| -> Option<Model> {
        let timeline = Timeline::from_capture(Reader::from_bytes(bytes).ok()?).ok()?;
        Some(model_of(&timeline, report))
    };
    let mut models = Vec::new();
    for bytes in captures(dice) {
        let (report, later) = (sample::report(), sample::nothing());
        // The later model of the same file: what was read when it was shorter, or the other way round.
        let part = &bytes[..bytes.len() * 2 / 3];
        if let Some(model) = open(&bytes, &report) {
            let other = open(part, &later).or_else(|| open(&bytes, &later)).unwrap();
            models.push((model, other));
        }
    }
    models
}

fn message(dice: &mut Dice, keys: &[&str]) -> Message {
    let mouse = |kind, column, row| Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let (x, y) = (dice.below(210) as u16, dice.below(75) as u16);
    match dice.below(24) {
        0..14 => Message::Key(parse_keys(keys[dice.below(keys.len())]).unwrap()[0]),
        14..18 => {
            let letters = ['a', '7', ' ', '/', ':', 'é', '\u{202e}', '日', '.', 'w'];
            Message::Key(KeyEvent::new(KeyCode::Char(letters[dice.below(letters.len())]), KeyModifiers::NONE))
        }
        18 => Message::Resize(1 + dice.below(200) as u16, 1 + dice.below(70) as u16),
        19 => mouse(MouseEventKind::Down(MouseButton::Left), x, y),
        20 => mouse(MouseEventKind::Drag(MouseButton::Left), x, y),
        21 => mouse(if dice.below(2) == 0 { MouseEventKind::ScrollUp } else { MouseEventKind::ScrollDown }, x, y),
        22 => Message::Tick(std::time::Duration::from_millis(dice.below(5_000) as u64)),
        _ => Message::Loading([None, Some(50)][dice.below(2)]),
    }
}

fn drawn(model: &Model, state: &State) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    view::draw(model, state, &mut buffer);
    theme::adapt(&mut buffer, Colours::Ansi, Glyphs::Ascii);
    assert!(buffer.content.iter().all(|cell| cell.symbol().is_ascii()));
}

/// Esc alone leads to the first screen, and there q ends the replay.
fn way_back(model: &Model, mut state: State) {
    let esc = Message::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    let q = Message::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE));
    let mut quits = state.clone();
    let _ = update(model, &mut quits, &esc);
    assert_eq!(update(model, &mut quits, &q), Effect::Quit);
    for _ in 0..100 {
        let _ = update(model, &mut state, &esc);
    }
    assert_eq!((state.view, state.overlay, state.prompt), (View::Verdict, None, None));
    assert!(state.filter.is_empty());
}

#[test]
fn whatever_happens_nothing_panics_and_every_screen_has_a_way_back() {
    let events = std::env::var("HANGDOG_TUI_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(EVENTS);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let models = models(&mut dice);
    assert!(models.len() >= 18, "{} captures open", models.len());
    let leave = ["q", "<C-c>", "<C-z>"];
    let keys: Vec<&str> =
        bindings().flat_map(|binding| binding.keys).copied().filter(|key| !leave.contains(key)).collect();
    let both = super::two();
    let other = super::two();
    let models: Vec<(Model, Model)> = models.into_iter().chain([(both, other)]).collect();
    let each = events.div_ceil(models.len());
    for (first, second) in &models {
        let (mut now, mut other) = (first, second);
        let mut state = opening(now, (80, 24));
        for n in 0..each {
            let message = message(&mut dice, &keys);
            let effect = update(now, &mut state, &message);
            // The palette can be asked to quit.
            if effect == Effect::Quit {
                state = opening(now, (80, 24));
            }
            assert!(state.cursor <= now.end(), "{message:?}");
            if dice.below(60) == 0 {
                carry::over(now, other, &mut state);
                std::mem::swap(&mut now, &mut other);
            }
            drawn(now, &state);
            if n % 50 == 49 {
                way_back(now, state.clone());
            }
        }
    }
}
