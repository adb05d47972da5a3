//! The screen, drawn from model and state into a buffer. Nothing here changes anything.
//!
//! ```text
//! header      what ran, the cursor, the snapshot
//! tabs        the views
//! body        the view, or help or details over it
//! transport   a small time line with marks: in every view
//! hints       keys, or the filter, or a word about the last key
//! ```
//! On few rows tabs, transport and hints give way to the body, in this order.

mod bars;
mod columns;
pub(crate) mod compare;
mod details;
mod draw;
mod events;
mod findings;
pub(crate) mod graph;
mod help;
mod lanes;
mod palette;
mod selected_lane;
mod sockets;
mod strip;
mod table;
mod tasks;
pub(crate) mod verdict;

mod descriptors;
mod locks;
mod mounts;
mod processes;

use hangdog_schemas::RunNs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Model;
use crate::state::{Overlay, Prompt, Row, State, View};

pub(crate) use table::Table;

/// The parts of the screen. A part that has no room is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) header: Rect,
    pub(crate) tabs: Rect,
    pub(crate) body: Rect,
    pub(crate) transport: Rect,
    pub(crate) hints: Rect,
}

/// Lays out a terminal of so many columns and rows.
pub(crate) fn areas((columns, rows): (u16, u16)) -> Areas {
    let header = u16::from(rows >= 2);
    let hints = u16::from(rows >= 5);
    let transport = u16::from(rows >= 7);
    let tabs = u16::from(rows >= 8);
    let body = rows - header - tabs - transport - hints;
    let mut y = 0;
    let mut part = |height: u16| {
        let part = Rect { x: 0, y, width: columns, height };
        y += height;
        part
    };
    Areas { header: part(header), tabs: part(tabs), body: part(body), transport: part(transport), hints: part(hints) }
}

/// Draws the screen.
pub(crate) fn draw(model: &Model, state: &State, buffer: &mut Buffer) {
    let areas = areas((buffer.area.width, buffer.area.height));
    bars::header(model, state, areas.header, buffer);
    bars::tabs(state, areas.tabs, buffer);
    if let Some(Prompt::Palette { text, chosen }) = &state.prompt {
        palette::draw(state, text, *chosen, areas.body, buffer);
    } else {
        body(model, state, areas.body, buffer);
    }
    bars::transport(model, state, areas.transport, buffer);
    bars::hints(state, areas.hints, buffer);
    bars::note(state, areas.hints, buffer);
}

fn body(model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
    match state.overlay {
        Some(Overlay::Help(top)) => {
            draw::panel("Help", &help::lines(&state.keys, area.width), top, area, buffer);
        }
        Some(Overlay::Columns(chosen)) => columns::draw(state, chosen, area, buffer),
        Some(Overlay::Details(row, top)) => {
            let (model, state) = crate::compare::focused(model, state);
            let (title, lines) = details::of(model, state.cursor, row, area.width);
            draw::panel(&title, &lines, top, area, buffer);
        }
        None => match (state.view, table_of(state.view)) {
            (View::Verdict, _) => verdict::draw(model, state, area, buffer),
            (View::Graph, _) => graph::draw(model, state, area, buffer),
            (View::Compare, _) => compare::draw(model, state, area, buffer),
            (_, Some(table)) => table.draw(model, state, area, buffer),
            (_, None) => lanes::draw(model, state, area, buffer),
        },
    }
}

pub(crate) fn table_of(view: View) -> Option<&'static Table> {
    Some(match view {
        View::Verdict | View::TimeLine | View::Graph | View::Compare => return None,
        View::Tasks => &tasks::TABLE,
        View::Processes => &processes::TABLE,
        View::Descriptors => &descriptors::TABLE,
        View::Mounts => &mounts::TABLE,
        View::Locks => &locks::TABLE,
        View::Sockets => &sockets::TABLE,
        View::Findings => &findings::TABLE,
        View::Events => &events::TABLE,
    })
}

/// What a row says, for searching: all cells, or the whole paragraph.
pub(crate) fn row_text(model: &Model, state: &State, row: Row) -> String {
    match (row, table_of(state.view)) {
        (Row::Lane(lane), _) => lanes::text(model, lane),
        (Row::Hop(_), _) => graph::text(model, state, row),
        (_, Some(table)) => {
            let cells = (table.cells)(model, state.cursor, row);
            cells.iter().map(|cell| cell.text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\t")
        }
        (_, None) => verdict::text(model, state, row),
    }
}

/// What is copied: the details that are open, else the selected row.
pub(crate) fn text_to_copy(model: &Model, state: &State) -> Option<String> {
    if let Some(Overlay::Details(row, _)) = state.overlay {
        let (title, lines) = details::of(model, state.cursor, row, WIDE);
        let lines: Vec<String> = lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect();
        return Some(format!("{title}\n{}\n", lines.join("\n")));
    }
    state.selected().map(|row| row_text(model, state, row))
}

/// Columns of a text that is copied: no line is broken that is not long beyond use.
const WIDE: u16 = 400;

/// Lines that the list of the view has on the screen.
pub(crate) fn list_height(state: &State) -> u16 {
    let body = areas(state.size).body;
    match state.view {
        View::Verdict => body.height,
        View::Graph => body.height.saturating_sub(graph::HEAD),
        View::TimeLine => lanes::Parts::of(body).lanes.height,
        View::Compare => lanes::Parts::of(compare::Halves::of(body).first).lanes.height,
        _ => body.height.saturating_sub(table::HEAD),
    }
}

/// Columns that show time.
pub(crate) fn strip_columns(state: &State) -> u16 {
    lanes::Parts::of(areas(state.size).body).lanes.width
}

/// First and last line of the selected row, and the number of lines of the list.
pub(crate) fn lines_of_selection(model: &Model, state: &State) -> (usize, usize, usize) {
    match state.view {
        View::Verdict => verdict::lines_of_selection(model, state),
        View::Graph => graph::lines_of_selection(model, state),
        _ => (state.list().index, state.list().index, state.rows.len()),
    }
}

/// Lines of help or details.
pub(crate) fn overlay_lines(model: &Model, state: &State, overlay: Overlay) -> usize {
    let columns = areas(state.size).body.width;
    match overlay {
        Overlay::Help(_) => help::lines(&state.keys, columns).len(),
        Overlay::Columns(_) => table_of(state.view).map_or(0, |table| table.columns.len()),
        Overlay::Details(row, _) => {
            let (model, state) = crate::compare::focused(model, state);
            details::of(model, state.cursor, row, columns).1.len()
        }
    }
}

/// What lies under the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Tab(View),
    Time(RunNs),
    Row(Row),
    Lane(Row, RunNs),
    /// A lane of the second capture, and the time of the first there.
    Second(Row, Option<RunNs>),
}

/// What lies at a cell.
pub(crate) fn hit(model: &Model, state: &State, x: u16, y: u16) -> Option<Hit> {
    let areas = areas(state.size);
    let inside = |area: Rect| area.contains((x, y).into());
    if inside(areas.tabs) {
        return bars::tab_at(state, areas.tabs, x).map(Hit::Tab);
    }
    if inside(areas.transport) {
        return bars::time_at(model, state, areas.transport, x).map(Hit::Time);
    }
    if !inside(areas.body) || state.overlay.is_some() || state.prompt.is_some() {
        return None;
    }
    match state.view {
        View::Verdict => verdict::row_at(model, state, y - areas.body.y).map(Hit::Row),
        View::TimeLine => lanes::hit(state, areas.body, x, y),
        View::Compare => compare::hit(state, areas.body, x, y),
        View::Graph => graph::row_at(model, state, (y - areas.body.y).checked_sub(graph::HEAD)?).map(Hit::Row),
        _ => {
            let line = usize::from((y - areas.body.y).checked_sub(table::HEAD)?);
            state.rows.get(state.list().top + line).map(Hit::Row)
        }
    }
}
