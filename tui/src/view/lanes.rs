//! The time line: lanes of processes, threads, tasks and phases over time, marks above, the selected lane in words
//! below.

use hangdog_schemas::RunNs;
use hangdog_schemas::fact::TaskState;
use hangdog_timeline::Phase;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::Hit;
use super::draw::put;
use super::strip::{self, Cell};
use crate::event::{EventKind, MARKED};
use crate::lane::{Lane, LaneKind};
use crate::model::Model;
use crate::state::{Row, State};
use crate::text::{clean, clock, fit, width};
use crate::theme::{self, DIM, HANG, MARK, PLAIN, SELECTED, STRONG};
use crate::window::Window;

/// Columns between two times on the axis, at least.
const TICKS_APART: u16 = 10;

/// The same where they have milliseconds.
const LONG_TICKS_APART: u16 = 16;

/// The parts of the time line's body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) labels: u16,
    axis: Rect,
    marks: Rect,
    /// The strips alone, without labels.
    pub(super) lanes: Rect,
    pub(super) words: Rect,
}

impl Parts {
    pub(super) fn of(body: Rect) -> Self {
        let labels = (body.width / 3).clamp(8, 34).min(body.width / 2);
        let words = match body.height {
            0..10 => 0,
            10..30 => 3,
            30.. => 4,
        };
        let axis = u16::from(body.height >= 4);
        let marks = u16::from(body.height >= 5);
        let mut y = body.y;
        let mut part = |height: u16, from: u16| {
            let part = Rect { x: body.x + from, y, width: body.width - from, height };
            y += height;
            part
        };
        let (axis, marks) = (part(axis, labels), part(marks, labels));
        let lanes = part(body.height - axis.height - marks.height - words, labels);
        Self { labels, axis, marks, lanes, words: part(words, 0) }
    }

    /// The labels beside the strips.
    fn names(&self) -> Rect {
        Rect { x: self.lanes.x - self.labels, width: self.labels, ..self.lanes }
    }
}

pub(super) fn draw(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    let parts = Parts::of(area);
    axis(state, parts.axis, buffer);
    marks(model, state, &parts, buffer);
    let names = parts.names();
    let top = state.list().top;
    for (y, lane) in state.visible.iter().skip(top).take(usize::from(parts.lanes.height)).enumerate() {
        let y = y as u16;
        let strip = Rect { y: parts.lanes.y + y, height: 1, ..parts.lanes };
        let selected = state.list().index == top + usize::from(y);
        name(model, state, *lane, selected, Rect { y: names.y + y, height: 1, ..names }, buffer);
        self::strip(model, state, *lane, strip, buffer);
    }
    if state.visible.is_empty() && parts.lanes.height > 0 {
        let words = if state.filter.trim().is_empty() {
            "This capture has no processes, threads or phases."
        } else {
            "Nothing here matches the filter. Esc clears it."
        };
        put(buffer, area, 1, parts.lanes.y - area.y, words, DIM);
    }
    cursor(state, &parts, buffer);
    super::selected_lane::draw(model, state, &parts, buffer);
}

fn axis(state: &State, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let ticks = state
        .window
        .ticks(area.width, if state.window.span < 3_000_000_000 { LONG_TICKS_APART } else { TICKS_APART });
    let whole = ticks.iter().fold(1_000_000_000, |most, t| {
        if t.0 % 1_000_000_000 == 0 {
            most
        } else if t.0 % 1_000_000 == 0 {
            most.min(1_000_000)
        } else {
            1
        }
    });
    for t in ticks {
        if let Some(x) = state.window.column(t, area.width) {
            let label = format!("┊{}", tick_words(t, whole));
            if usize::from(x) + width(&label) <= usize::from(area.width) {
                put(buffer, area, x, 0, &label, DIM);
            }
        }
    }
}

/// No more digits than the ticks need, which all are multiples of `whole` ns.
fn tick_words(t: RunNs, whole: u64) -> String {
    let full = clock(t);
    match whole {
        1_000_000_000 => full[..full.len() - 4].to_owned(),
        1_000_000 => full,
        _ => format!("{full}{:03}", t.0 / 1000 % 1000),
    }
}

/// What happened, each with its sign; where two fall together the weightier shows. The weight is the order here.
fn marks(model: &Model, state: &State, parts: &Parts, buffer: &mut Buffer) {
    let area = parts.marks;
    if area.is_empty() {
        return;
    }
    let names = Rect { x: area.x - parts.labels, width: parts.labels, ..area };
    put(buffer, names, 1, 0, "events", DIM);
    for kind in MARKED {
        let style = match kind {
            EventKind::Output => PLAIN,
            EventKind::Kernel | EventKind::File => DIM,
            _ => MARK,
        };
        for x in 0..area.width {
            let (from, to) = (state.window.at(x, area.width), state.window.at(x + 1, area.width));
            // The window's end belongs to its last column.
            let to = if x + 1 == area.width { to.plus(1) } else { to };
            if model.events.is_marked(kind, from, to) {
                put(buffer, area, x, 0, kind.sign().encode_utf8(&mut [0; 4]), style);
            }
        }
    }
    let mut mark = |t: RunNs, sign: char, style: Style| {
        if let Some(x) = state.window.column(t, area.width) {
            put(buffer, area, x, 0, sign.encode_utf8(&mut [0; 4]), style);
        }
    };
    if let Some(t) = model.last_progress() {
        mark(t, 'P', MARK);
    }
    for trigger in model.timeline.triggers() {
        mark(trigger.when.t, EventKind::Trigger.sign(), HANG);
    }
    for t in &state.marks {
        mark(*t, 'M', MARK);
    }
}

/// What a lane says, for searching.
pub(super) fn text(model: &Model, lane: usize) -> String {
    match &model.lanes[lane].kind {
        LaneKind::Phases(row) => {
            let names: Vec<&str> = row.names.iter().map(|name| model.names[*name as usize].as_str()).collect();
            clean(&names.join("\t")).into_owned()
        }
        _ => model.lanes[lane].label.clone(),
    }
}

fn name(model: &Model, state: &State, index: usize, selected: bool, area: Rect, buffer: &mut Buffer) {
    let lane = &model.lanes[index];
    let indent = (lane.depth * 2).min(area.width / 3);
    if let LaneKind::Phases(_) = lane.kind {
        put(buffer, area, indent + 1, 0, "·", DIM);
    } else {
        let folds = lane.end > index + 1;
        let sign = match (folds, state.folded.contains(&index)) {
            (false, _) => " ",
            (true, true) => "▸",
            (true, false) => "▾",
        };
        put(buffer, area, indent, 0, sign, DIM);
        let named = named(model, lane);
        let style = match (&lane.kind, named) {
            (_, true) => HANG,
            (LaneKind::Process(_), false) => STRONG,
            _ => PLAIN,
        };
        let room = usize::from(area.width).saturating_sub(usize::from(indent) + if named { 4 } else { 2 });
        // The number at the end tells lanes apart: it stays, the name gives way.
        let (name, number) = lane.label.rsplit_once(' ').unwrap_or((&lane.label, ""));
        let label = format!("{} {number}", fit(name, room.saturating_sub(width(number) + 1)));
        let x = put(buffer, area, indent + 1, 0, if named { "◆ " } else { "" }, HANG);
        if state.pins.contains(&Row::Lane(index)) {
            put(buffer, area, 0, 0, "*", MARK);
        }
        put(buffer, area, x, 0, &label, style);
    }
    if selected {
        let line = Rect { width: area.width.saturating_sub(1), ..area };
        buffer.set_style(line, SELECTED.remove_modifier(Modifier::DIM));
    }
}

fn named(model: &Model, lane: &Lane) -> bool {
    match lane.kind {
        LaneKind::Thread(thread) => model.is_in_verdict(thread.process.pid, thread.tid),
        LaneKind::Process(id) => model.process_is_in_verdict(id.pid),
        _ => false,
    }
}

fn strip(model: &Model, state: &State, index: usize, area: Rect, buffer: &mut Buffer) {
    let lane = &model.lanes[index];
    if let Some(thread) = lane.shows {
        let cells = strip::cells(&model.timeline, thread, state.window, area.width);
        states(&cells, named(model, lane).then(|| model.last_progress()).flatten(), state, area, buffer);
        return;
    }
    match &lane.kind {
        LaneKind::Process(_) => life(model, state, index, area, buffer),
        LaneKind::Thread(_) | LaneKind::Task(..) => {}
        LaneKind::Phases(row) => phases(model, state, row, area, buffer),
    }
}

/// States; of a thread that the verdict names, in the colour of a hang from the last progress on.
fn states(cells: &[Cell], hang_from: Option<RunNs>, state: &State, area: Rect, buffer: &mut Buffer) {
    let mut before = None;
    for (x, cell) in cells.iter().enumerate() {
        let sign = strip::sign(*cell, before);
        before = Some(*cell);
        let begin = state.window.at(x as u16, area.width);
        let style = match cell {
            Cell::Nothing => continue,
            Cell::One { state: TaskState::S | TaskState::D, woke: false }
                if hang_from.is_some_and(|from| begin >= from) =>
            {
                HANG
            }
            Cell::One { state, .. } => theme::state(*state),
            Cell::Several { .. } => theme::state(TaskState::R),
        };
        put(buffer, area, x as u16, 0, sign.encode_utf8(&mut [0; 4]), style);
    }
}

/// The life of a process; when it is folded, how many of its threads run.
fn life(model: &Model, state: &State, index: usize, area: Rect, buffer: &mut Buffer) {
    let LaneKind::Process(id) = model.lanes[index].kind else { return };
    let process = model.timeline.process(id);
    let begin = process.map_or(RunNs(0), |process| process.start.t);
    let end = process.and_then(|process| process.end).map(|end| end.t);
    let folded = state.folded.contains(&index);
    for x in 0..area.width {
        let (from, to) = (state.window.at(x, area.width), state.window.at(x + 1, area.width));
        if to <= begin || from > model.end() || end.is_some_and(|end| end <= from) {
            continue;
        }
        if folded && model.activity.ran(id, from, to) {
            put(buffer, area, x, 0, "▆", theme::state(TaskState::R));
        } else {
            put(buffer, area, x, 0, "─", DIM);
        }
        if end.is_some_and(|end| end <= to) {
            put(buffer, area, x, 0, "┤", PLAIN);
        }
    }
}

/// Phases of one row as bars. Where several begin in one column, their number stands there.
fn phases(model: &Model, state: &State, row: &[u32], area: Rect, buffer: &mut Buffer) {
    let all = model.timeline.phases();
    let phase = |place: u32| &all[place as usize];
    let window = state.window;
    let last = window.end();
    // The phase before the first one that begins in the window may reach into it.
    let mut i = row.partition_point(|p| phase(*p).open.t < window.start).saturating_sub(1);
    while i < row.len() && phase(row[i]).open.t <= last {
        let first = phase(row[i]);
        if first.close.is_some_and(|close| close.t < window.start) {
            i += 1;
            continue;
        }
        let x = if first.open.t < window.start { 0 } else { window.column(first.open.t, area.width).unwrap_or(0) };
        // All that begin in this column too. One column at a time: there can be a hundred thousand in a row.
        let next_column = window.at(x + 1, area.width).max(first.open.t.plus(1));
        let after = row.partition_point(|p| phase(*p).open.t < next_column).max(i + 1);
        let count = after - i;
        if count > 1 && last_column(model, first, window, area.width) == x {
            let sign = if count < 10 { count.to_string() } else { "+".to_owned() };
            put(buffer, area, x, 0, &sign, theme::phase(&first.name));
            // The last one of them may go on.
            let tail = phase(row[after - 1]);
            if tail.close.is_none_or(|close| close.t > next_column) {
                bar(tail, x, last_column(model, tail, window, area.width), Begins::Crowded(&sign), area, buffer);
            }
        } else {
            let begins = if first.open.t < window.start { Begins::Before } else { Begins::Here };
            bar(first, x, last_column(model, first, window, area.width), begins, area, buffer);
        }
        i = after;
    }
}

/// The last column of a phase that has a part in the window.
fn last_column(model: &Model, phase: &Phase, window: Window, columns: u16) -> u16 {
    // Open to the end of the capture, which may lie within the window.
    let end = phase.close.map_or(model.end(), |close| close.t);
    let begin = window.column(phase.open.t, columns).unwrap_or(0);
    window.column(end, columns).unwrap_or(columns.saturating_sub(1)).max(begin)
}

/// How a bar begins.
#[derive(Clone, Copy)]
enum Begins<'a> {
    /// Left of the window.
    Before,
    Here,
    /// In a column with others, of which this sign tells.
    Crowded(&'a str),
}

fn bar(phase: &Phase, x: u16, end: u16, begins: Begins<'_>, area: Rect, buffer: &mut Buffer) {
    let style = theme::phase(&phase.name);
    let columns = usize::from(end.saturating_sub(x)) + 1;
    let room = columns.saturating_sub(2);
    let name = clean(&phase.name);
    let name = if room >= 3 || width(&name) <= room { fit(&name, room) } else { "".into() };
    let begin = match begins {
        Begins::Before => "◀",
        Begins::Here => "▏",
        Begins::Crowded(sign) => sign,
    };
    let closing = if phase.close.is_none() { "▶" } else { "▕" };
    put(buffer, area, x, 0, begin, style);
    if columns > 1 {
        let after = put(buffer, area, x + 1, 0, &name, style.add_modifier(Modifier::BOLD));
        for x in after..end {
            put(buffer, area, x, 0, "─", style);
        }
        put(buffer, area, end, 0, closing, style);
    }
}

fn cursor(state: &State, parts: &Parts, buffer: &mut Buffer) {
    let Some(x) = state.window.column(state.cursor, parts.lanes.width) else { return };
    let column = parts.lanes.x + x;
    let rows = parts.axis.height + parts.marks.height + parts.lanes.height;
    let top = parts.lanes.y - parts.axis.height - parts.marks.height;
    for y in top..top + rows {
        if let Some(cell) = buffer.cell_mut((column, y)) {
            cell.set_style(SELECTED.remove_modifier(Modifier::DIM));
        }
    }
    if parts.axis.height > 0
        && let Some(cell) = buffer.cell_mut((column, parts.axis.y))
    {
        cell.set_symbol("▼");
    }
}

/// A state in a word.
pub(super) fn state_words(state: TaskState) -> &'static str {
    match state {
        TaskState::R => "running",
        TaskState::S => "sleeping (S)",
        TaskState::D => "uninterruptible (D)",
        TaskState::T => "stopped (T)",
        TaskState::Traced => "stopped by a tracer (t)",
        TaskState::Z => "ended, not waited for (Z)",
        TaskState::X => "ending (X)",
        TaskState::I => "idle (I)",
        TaskState::Unknown => "in an unknown state",
    }
}

/// Puts a sign at a moment, above the lanes.
pub(super) fn sign_at(state: &State, area: Rect, t: RunNs, sign: &str, buffer: &mut Buffer) {
    let parts = Parts::of(area);
    if let Some(x) = state.window.column(t, parts.marks.width) {
        put(buffer, parts.marks, x, 0, sign, HANG);
    }
}

/// What lies at a cell of the body.
pub(super) fn hit(state: &State, body: Rect, x: u16, y: u16) -> Option<Hit> {
    let parts = Parts::of(body);
    let time = x.checked_sub(parts.lanes.x).map(|column| state.window.at(column, parts.lanes.width));
    if y < parts.lanes.y {
        return time.map(Hit::Time);
    }
    let line = usize::from(y - parts.lanes.y);
    if line >= usize::from(parts.lanes.height) {
        return None;
    }
    let lane = state.visible.get(state.list().top + line).map(|lane| Row::Lane(*lane));
    match (lane, time) {
        (Some(lane), Some(t)) => Some(Hit::Lane(lane, t)),
        (Some(lane), None) => Some(Hit::Row(lane)),
        // Below the last lane there is time still.
        (None, time) => time.map(Hit::Time),
    }
}
