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
mod details;
mod draw;
mod events;
mod findings;
mod help;
mod lanes;
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
use crate::state::{Overlay, Row, State, View};

use table::Table;

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
    match state.overlay {
        Some(Overlay::Help(top)) => draw::panel("Help", &help::lines(areas.body.width), top, areas.body, buffer),
        Some(Overlay::Details(row, top)) => {
            let (title, lines) = details::of(model, state.cursor, row, areas.body.width);
            draw::panel(&title, &lines, top, areas.body, buffer);
        }
        None => match (state.view, table_of(state.view)) {
            (View::Verdict, _) => verdict::draw(model, state, areas.body, buffer),
            (_, Some(table)) => table.draw(model, state, areas.body, buffer),
            (_, None) => lanes::draw(model, state, areas.body, buffer),
        },
    }
    bars::transport(model, state, areas.transport, buffer);
    bars::hints(state, areas.hints, buffer);
}

fn table_of(view: View) -> Option<&'static Table> {
    Some(match view {
        View::Verdict | View::TimeLine => return None,
        View::Tasks => &tasks::TABLE,
        View::Processes => &processes::TABLE,
        View::Descriptors => &descriptors::TABLE,
        View::Mounts => &mounts::TABLE,
        View::Locks => &locks::TABLE,
        View::Network => &sockets::TABLE,
        View::Findings => &findings::TABLE,
        View::Events => &events::TABLE,
    })
}

/// The rows of the view, filtered, in order.
pub(crate) fn rows(model: &Model, state: &State) -> Vec<Row> {
    match (state.view, table_of(state.view)) {
        (View::Verdict, _) => verdict::rows(model, state),
        (_, Some(table)) => table.rows(model, state.cursor, &state.filter),
        (_, None) => state.visible.iter().map(|lane| Row::Lane(*lane)).collect(),
    }
}

/// Lines that the list of the view has on the screen.
pub(crate) fn list_height(state: &State) -> u16 {
    let body = areas(state.size).body;
    match state.view {
        View::Verdict => body.height,
        View::TimeLine => lanes::Parts::of(body).lanes.height,
        _ => body.height.saturating_sub(table::HEAD),
    }
}

/// Columns that show time.
pub(crate) fn strip_columns(state: &State) -> u16 {
    lanes::Parts::of(areas(state.size).body).lanes.width
}

/// First and last line of the selected row, and the number of lines of the list.
pub(crate) fn lines_of_selection(model: &Model, state: &State, rows: usize) -> (usize, usize, usize) {
    match state.view {
        View::Verdict => verdict::lines_of_selection(model, state),
        _ => (state.list().index, state.list().index, rows),
    }
}

/// Lines of help or details.
pub(crate) fn overlay_lines(model: &Model, state: &State, overlay: Overlay) -> usize {
    let columns = areas(state.size).body.width;
    match overlay {
        Overlay::Help(_) => help::lines(columns).len(),
        Overlay::Details(row, _) => details::of(model, state.cursor, row, columns).1.len(),
    }
}

/// What lies under the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Tab(View),
    Time(RunNs),
    Row(Row),
    Lane(Row, RunNs),
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
    if !inside(areas.body) || state.overlay.is_some() {
        return None;
    }
    match state.view {
        View::Verdict => verdict::row_at(model, state, y - areas.body.y).map(Hit::Row),
        View::TimeLine => lanes::hit(state, areas.body, x, y),
        _ => {
            let line = usize::from((y - areas.body.y).checked_sub(table::HEAD)?);
            rows(model, state).get(state.list().top + line).map(|row| Hit::Row(*row))
        }
    }
}
