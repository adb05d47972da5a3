//! Header, tabs, transport and hints: what stays in every view.

use hangdog_schemas::RunNs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::draw::{put, put_right};
use crate::command::Command;
use crate::event::EventKind;
use crate::key::shown;
use crate::load::Extent;
use crate::model::Model;
use crate::state::{Prompt, SPEEDS, State, View, Way};
use crate::text::{clock, fit, lasting, width, wrap};
use crate::theme::{BAR, DIM, KEY, MARK, PLAIN, SELECTED, STRONG};
use crate::why;
use crate::window::Window;

/// Columns left and right of the small time line.
const LEFT: u16 = 12;

/// Screens of so many columns have the key of each view before its whole name.
const LETTERS: u16 = 112;

/// The name of a view in its tab.
fn title(view: View, columns: u16) -> &'static str {
    match view {
        View::TimeLine if columns >= LETTERS => "Timeline",
        View::Findings if columns < LETTERS => "Found",
        view => view.title(),
    }
}

pub(super) fn header(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buffer.set_style(area, BAR);
    let snapshot = match model.snapshot(state.cursor) {
        Some(snapshot) => {
            let age = state.cursor.0 - snapshot.begin.0;
            // By its number, not by how many there are: of a part, and of a cut capture, the first ones are missing.
            let of = model.timeline.snapshots().iter().map(|known| known.id).max().unwrap_or(snapshot.id);
            if age == 0 {
                format!("snapshot {} of {of}", snapshot.id)
            } else {
                format!("snapshot {} of {of}, {} ago", snapshot.id, lasting(age))
            }
        }
        None if model.timeline.snapshots().is_empty() => "no snapshots".to_owned(),
        None => "before the first snapshot".to_owned(),
    };
    let reading = match (state.loading, model.extent) {
        (Some(percent), Extent::Part) => format!("reading {percent} %   "),
        (_, Extent::Growing) => "still written   ".to_owned(),
        _ => String::new(),
    };
    let right = format!("{reading}{}   {} of {} ", snapshot, clock(state.cursor), clock(model.end()));
    let short = format!("{reading}{} ", clock(state.cursor));
    let columns = usize::from(area.width);
    let right = if width(&right) + 20 <= columns { right } else { short };
    let room = columns.saturating_sub(width(&right) + 3);
    put(buffer, area, 1, 0, &fit(&model.command, room), BAR.add_modifier(Modifier::BOLD));
    put_right(buffer, area, 0, 0, &right, BAR);
}

/// The tabs that have room, as (view, first column, width). The active one is always among them.
fn tab_places(state: &State, area: Rect) -> Vec<(View, u16, u16)> {
    let letters = area.width >= LETTERS;
    let size = |view: View| width(title(view, area.width)) as u16 + if letters { 4 } else { 2 };
    let all: Vec<View> =
        View::ALL.into_iter().filter(|view| *view != View::Compare || state.beside.is_some()).collect();
    let total = |views: &[View]| views.iter().map(|view| size(*view)).sum::<u16>();
    let mut views = &all[..];
    let mut room = area.width;
    while total(views) > room && views.len() > 1 {
        // The arrows that say that there are more take a column each.
        room = area.width.saturating_sub(2);
        let active = views.iter().position(|view| *view == state.view).unwrap_or(0);
        views = if active > views.len() / 2 { &views[1..] } else { &views[..views.len() - 1] };
    }
    let mut x = u16::from(views.len() < all.len());
    let place = |view: &View| {
        let place = (*view, x, size(*view));
        x += place.2;
        place
    };
    views.iter().map(place).collect()
}

pub(super) fn tabs(state: &State, area: Rect, buffer: &mut Buffer) {
    let places = tab_places(state, area);
    if places.first().is_some_and(|(view, x, _)| *x > 0 && *view != View::Verdict) {
        put(buffer, area, 0, 0, "‹", KEY);
    }
    if let Some((last, x, size)) = places.last()
        && places[0].1 > 0
        && (*last == View::Findings
            || (*last as usize) < View::Events as usize
            || state.beside.is_some() && *last != View::Compare)
    {
        put(buffer, area, x + size, 0, "›", KEY);
    }
    for (view, x, size) in places {
        let letter = state.keys.first_key(Command::Show(view)).filter(|key| width(key) == 1).unwrap_or(" ");
        let title = title(view, area.width);
        let active = view == state.view;
        let style = if active { STRONG } else { PLAIN };
        let at = put(buffer, area, x, 0, if active { "[" } else { " " }, style);
        if size > width(title) as u16 + 2 {
            put(buffer, area, at, 0, letter, KEY);
            put(buffer, area, at + 2, 0, title, style);
        } else {
            put(buffer, area, at, 0, title, style);
            underline_letter(title, letter, area, at, buffer);
        }
        put(buffer, area, x + size - 1, 0, if active { "]" } else { " " }, style);
    }
}

/// Marks the letter that opens a view within its name.
fn underline_letter(title: &str, letter: &str, area: Rect, at: u16, buffer: &mut Buffer) {
    if let Some(place) = title.to_lowercase().find(&letter.to_lowercase())
        && let Some(cell) = buffer.cell_mut((area.x + at + place as u16, area.y))
    {
        cell.set_style(KEY.add_modifier(Modifier::UNDERLINED));
    }
}

pub(super) fn tab_at(state: &State, area: Rect, x: u16) -> Option<View> {
    let places = tab_places(state, area);
    places.into_iter().find(|(_, from, size)| (*from..from + size).contains(&(x - area.x))).map(|(view, _, _)| view)
}

/// The small time line of the transport: the whole run, always.
fn scale(area: Rect, state: &State) -> Rect {
    let right = (width(&speed(state)) as u16).saturating_add(1);
    Rect { x: area.x + LEFT.min(area.width), width: area.width.saturating_sub(LEFT + right), ..area }
}

fn speed(state: &State) -> String {
    let tenths = SPEEDS[state.transport.speed.min(SPEEDS.len() - 1)];
    let sign = if state.transport.way == Way::Back { "-" } else { "" };
    if tenths.is_multiple_of(10) { format!(" {sign}{}x", tenths / 10) } else { format!(" {sign}0.{tenths}x") }
}

pub(super) fn transport(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (sign, word) = match (state.transport.playing, state.transport.way) {
        (true, Way::On) => ("▶", "playing"),
        (true, Way::Back) => ("◀", "playing"),
        (false, _) => ("‖", "paused"),
    };
    put(buffer, area, 1, 0, sign, if state.transport.playing { MARK } else { DIM });
    put(buffer, area, 3, 0, word, if state.transport.playing { MARK } else { DIM });
    put_right(buffer, area, 0, 0, &format!("{} ", speed(state)), PLAIN);
    let scale = scale(area, state);
    let run = Window::whole(model.end());
    for x in 0..scale.width {
        put(buffer, scale, x, 0, "─", DIM);
    }
    let mut mark = |t: RunNs, sign: &str| {
        if let Some(x) = run.column(t, scale.width) {
            put(buffer, scale, x, 0, sign, MARK);
        }
    };
    for snapshot in model.timeline.snapshots() {
        mark(snapshot.begin, "S");
    }
    if let Some(t) = model.last_progress() {
        mark(t, "P");
    }
    for t in &state.marks {
        mark(*t, "M");
    }
    for trigger in model.timeline.triggers() {
        mark(trigger.when.t, &EventKind::Trigger.sign().to_string());
    }
    if let Some(x) = run.column(state.cursor, scale.width)
        && let Some(cell) = buffer.cell_mut((scale.x + x, scale.y))
    {
        if cell.symbol() == "─" {
            cell.set_symbol("┃");
        }
        cell.set_style(SELECTED.remove_modifier(Modifier::DIM));
    }
}

pub(super) fn time_at(model: &Model, state: &State, area: Rect, x: u16) -> Option<RunNs> {
    let scale = scale(area, state);
    let column = x.checked_sub(scale.x).filter(|column| *column < scale.width)?;
    Some(Window::whole(model.end()).at(column, scale.width))
}

/// A word about the last key, at the foot; a long one takes the lines above until the next key.
pub(super) fn note(state: &State, foot: Rect, buffer: &mut Buffer) {
    let Some(note) = state.note.as_ref().filter(|_| state.prompt.is_none() && !foot.is_empty()) else { return };
    let room = usize::from(foot.width).saturating_sub(2);
    let most = usize::from((foot.y + 1) / 3).max(1);
    let mut lines = wrap(note, room);
    if lines.len() > most {
        lines.truncate(most);
        let last = lines.pop().unwrap_or_default();
        lines.push(fit(&format!("{last} …"), room).into_owned());
    }
    let height = lines.len() as u16;
    let area = Rect { y: foot.y + 1 - height, height, ..foot };
    for (y, line) in lines.iter().enumerate() {
        put(buffer, area, 0, y as u16, &" ".repeat(usize::from(area.width)), Style::reset());
        put(buffer, area, 1, y as u16, line, STRONG);
    }
}

pub(super) fn hints(state: &State, area: Rect, buffer: &mut Buffer) {
    if let Some(prompt) = &state.prompt {
        let (sign, text, hint) = match prompt {
            Prompt::Filter { before } if before.is_empty() => ("&", &state.filter, "Enter keeps it, Esc drops it "),
            Prompt::Filter { .. } => ("&", &state.filter, "Enter keeps it, Esc undoes it "),
            Prompt::Search { text } => ("/", text, "Enter searches, Esc does not "),
            Prompt::Palette { text, .. } => (":", text, "↑ ↓ choose "),
        };
        let end = put(buffer, area, 1, 0, sign, KEY);
        let end = put(buffer, area, end, 0, text, PLAIN);
        let end = put(buffer, area, end, 0, " ", SELECTED);
        put_right(buffer, area, end + 2, 0, hint, DIM);
        return;
    }
    if state.note.is_some() {
        return;
    }
    // The way out and the help come first, at the right.
    let mut right = area.width;
    for (command, word) in [(Command::Quit, "quit"), (Command::Help, "help")] {
        let key = state.keys.first_key(command).map(shown).unwrap_or_default();
        let size = (width(&key) + width(word) + 3) as u16;
        if right > size {
            right -= size;
            let at = put(buffer, area, right, 0, &key, KEY);
            put(buffer, area, at + 1, 0, word, PLAIN);
        }
    }
    let area = Rect { width: right, ..area };
    let mut x = 1;
    if !state.filter.is_empty() {
        x = put(buffer, area, x, 0, &format!("&{} ", state.filter), STRONG);
        x = put(buffer, area, x, 0, " Esc clears  ", DIM);
    } else if let Some(trail) = why::trail(state) {
        let room = usize::from(area.width / 2);
        x = put(buffer, area, x, 0, &crate::text::fit_tail(&trail, room), STRONG) + 2;
    }
    for (binding, keys) in state.keys.rows() {
        let (Some((word, views)), Some(key)) = (binding.hint, keys.first()) else { continue };
        let elsewhere = !views.is_empty() && !views.contains(&state.view);
        if elsewhere || matches!(binding.command, Command::Quit | Command::Help) {
            continue;
        }
        let keys = match key.as_str() {
            "<Left>" => "←→".to_owned(),
            "+" => "+-".to_owned(),
            key => shown(key),
        };
        let needed = width(&keys) + 1 + width(word);
        if usize::from(x) + needed > usize::from(area.width) {
            continue;
        }
        x = put(buffer, area, x, 0, &keys, KEY);
        x = put(buffer, area, x + 1, 0, word, PLAIN) + 2;
    }
}
