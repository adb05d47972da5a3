//! Searching the list of the view for words, from the selected row on, around the end. A long list is gone through a
//! part at a time, so that keys are answered on the way.

use crate::fold;
use crate::model::Model;
use crate::state::{Row, State, View, Way};
use crate::text::matches;
use crate::view;

/// Rows that are looked at in one go: some milliseconds.
const PART: usize = 4_096;

/// A search that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seek {
    way: Way,
    /// The row to look at next.
    next: usize,
    /// Rows that are still to be looked at.
    left: usize,
    view: View,
}

/// Begins a search for the words of the last one.
pub(crate) fn begin(model: &Model, state: &mut State, way: Way) {
    state.overlay = None;
    if state.search.trim().is_empty() {
        state.note = Some("nothing was searched yet: / searches".to_owned());
        return;
    }
    let count = count(model, state);
    let at = match state.selected() {
        Some(Row::Lane(lane)) => lane,
        _ => state.list().index,
    };
    let mut seek = Seek { way, next: at.min(count.saturating_sub(1)), left: count, view: state.view };
    seek.step(count);
    state.seek = Some(seek);
    go_on(model, state);
}

/// Goes on with a search; ends it when something is found, or nothing is.
pub(crate) fn go_on(model: &Model, state: &mut State) {
    let Some(mut seek) = state.seek.take().filter(|seek| seek.view == state.view) else { return };
    let count = count(model, state);
    for _ in 0..PART {
        if seek.left == 0 || count == 0 {
            state.note = Some(format!("nothing here matches {:?}", state.search.trim()));
            return;
        }
        seek.left -= 1;
        let at = seek.next.min(count - 1);
        seek.step(count);
        let Some(row) = row(state, at) else { continue };
        if matches(&state.search, std::iter::once(view::row_text(model, state, row).as_str())) {
            found(model, state, row);
            return;
        }
    }
    state.note = Some(format!("searching for {:?}", state.search.trim()));
    state.seek = Some(seek);
}

impl Seek {
    fn step(&mut self, count: usize) {
        self.next = match self.way {
            Way::On if self.next + 1 >= count => 0,
            Way::On => self.next + 1,
            Way::Back => self.next.checked_sub(1).unwrap_or(count.saturating_sub(1)),
        };
    }
}

/// Folded lanes are searched, too.
fn count(model: &Model, state: &State) -> usize {
    if state.view.is_of_lanes() { model.lanes.len() } else { state.rows.len() }
}

fn row(state: &State, at: usize) -> Option<Row> {
    if state.view.is_of_lanes() { Some(Row::Lane(at)) } else { state.rows.get(at) }
}

fn found(model: &Model, state: &mut State, row: Row) {
    if let Row::Lane(lane) = row
        && !state.visible.contains(&lane)
    {
        state.filter.clear();
        fold::reveal(model, state, lane);
    }
    state.list_mut().row = Some(row);
}
