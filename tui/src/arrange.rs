//! How lists are arranged: rows pinned to the top, columns shown and sorted by; and what is copied of them.

use crate::message::Effect;
use crate::model::Model;
use crate::state::{Overlay, Row, State, View, Way};
use crate::update::refold;
use crate::view;

/// Rows that can be pinned.
const MOST_PINS: usize = 16;

/// Keeps the selected row at the top of its list, or lets it go.
pub(crate) fn pin(model: &Model, state: &mut State) {
    let Some(row) = state.selected().filter(|row| !matches!(row, Row::Edge(_) | Row::Paragraph(_) | Row::Hop(_)))
    else {
        state.note = Some("rows of tables and lanes can be pinned".to_owned());
        return;
    };
    if matches!(row, Row::Event(_)) {
        state.note = Some("events stay in the order of time: mark the moment instead".to_owned());
        return;
    }
    match state.pins.iter().position(|pinned| *pinned == row) {
        Some(at) => _ = state.pins.remove(at),
        None if state.pins.len() >= MOST_PINS => state.note = Some(format!("{MOST_PINS} rows are pinned already")),
        None => state.pins.push(row),
    }
    refold(model, state);
}

pub(crate) fn columns(state: &mut State) {
    if view::table_of(state.view).is_some() {
        state.overlay = Some(Overlay::Columns(0));
    } else {
        state.note = Some("this view is no table".to_owned());
    }
}

/// Sorts by a column; again, the other way round; a third time, not at all.
pub(crate) fn sort_by(state: &mut State, column: usize) {
    if state.view == View::Events {
        state.note = Some("events stay in the order of time".to_owned());
        return;
    }
    let look = &mut state.looks[state.view as usize];
    look.sort = match look.sort {
        Some((now, Way::On)) if now == column => Some((column, Way::Back)),
        Some((now, Way::Back)) if now == column => None,
        _ => Some((column, Way::On)),
    };
}

pub(crate) fn hide_column(state: &mut State) {
    let Some(Overlay::Columns(column)) = state.overlay else { return };
    let count = view::table_of(state.view).map_or(0, |table| table.columns.len());
    let look = &mut state.looks[state.view as usize];
    let hidden = look.hidden ^ 1 << column;
    if hidden.count_ones() as usize == count {
        state.note = Some("one column stays".to_owned());
    } else {
        look.hidden = hidden;
    }
}

pub(crate) fn copy(model: &Model, state: &mut State) -> Effect {
    let Some(text) = view::text_to_copy(model, state) else {
        state.note = Some("nothing is selected".to_owned());
        return Effect::Draw;
    };
    state.note = Some(format!("copied {} characters", text.chars().count()));
    state.clipboard = Some(text);
    Effect::Copy
}
