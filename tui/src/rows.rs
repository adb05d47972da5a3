//! The rows of the view as they are listed: filtered, sorted, the pinned ones first. Worked out once a message, and
//! for a table only when something changed that they depend on.
//!
//! Events can be a million: unfiltered they are all of them, by their numbers, and a filter goes over them a part at a
//! time, so that a key is answered while it is under way.

use std::cmp::Ordering;

use hangdog_schemas::RunNs;

use crate::model::Model;
use crate::state::{Row, State, View, Way};
use crate::text::matches;
use crate::view;

/// Events that a filter looks at in one go: some milliseconds.
const PART: usize = 8_192;

/// The rows of a view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    which: Which,
    /// What they were worked out for; `None` when that is done each time.
    basis: Option<Basis>,
}

#[derive(Clone, Debug)]
enum Which {
    Listed(Vec<Row>),
    /// All events.
    Events(usize),
    /// Events that match, of the first `seen` of `of`.
    Scan {
        found: Vec<u32>,
        seen: usize,
        of: usize,
    },
}

impl Default for Which {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// What the rows of a table depend on.
#[derive(Clone, Debug, PartialEq)]
struct Basis {
    view: View,
    cursor: RunNs,
    filter: String,
    sort: Option<(usize, Way)>,
    pins: Vec<Row>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match &self.which {
            Which::Listed(rows) => rows.len(),
            Which::Events(count) => *count,
            Which::Scan { found, .. } => found.len(),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Row> {
        match &self.which {
            Which::Listed(rows) => rows.get(index).copied(),
            Which::Events(count) => (index < *count).then_some(Row::Event(index)),
            Which::Scan { found, .. } => found.get(index).map(|n| Row::Event(*n as usize)),
        }
    }

    /// Where a row is, looked for first where it was. Of an event that a filter hides: where the next one is.
    pub(crate) fn find(&self, row: Row, index: usize) -> Option<usize> {
        match (&self.which, row) {
            (Which::Listed(rows), _) if rows.get(index) == Some(&row) => Some(index),
            (Which::Listed(rows), _) => rows.iter().position(|other| *other == row),
            (Which::Events(count), Row::Event(n)) => (n < *count).then_some(n),
            (Which::Scan { found, .. }, Row::Event(n)) => {
                let next = found.partition_point(|other| (*other as usize) < n);
                (!found.is_empty()).then(|| next.min(found.len() - 1))
            }
            _ => None,
        }
    }

    /// Whether a filter is still on its way.
    pub(crate) fn is_scanning(&self) -> bool {
        matches!(self.which, Which::Scan { seen, of, .. } if seen < of)
    }

    /// How far a filter has come, in percent, while it is on its way.
    pub(crate) fn scanned(&self) -> Option<usize> {
        match self.which {
            Which::Scan { seen, of, .. } if seen < of => Some(seen * 100 / of),
            _ => None,
        }
    }
}

/// Brings the rows in line with the state.
pub(crate) fn refresh(model: &Model, state: &mut State) {
    let basis = basis(state);
    if basis.is_none() || state.rows.basis != basis {
        let which = which(model, state);
        state.rows = Rows { which, basis };
    }
    if let Which::Scan { found, seen, of } = &mut state.rows.which {
        let until = (*seen + PART).min(*of);
        for n in *seen..until {
            let Some(event) = model.events.get(n) else { break };
            let text = model.events.text(&model.timeline, event);
            if matches(&state.filter, [event.kind().word(), text.as_str()].into_iter()) {
                found.push(n as u32);
            }
        }
        *seen = until;
    }
}

fn basis(state: &State) -> Option<Basis> {
    if matches!(state.view, View::Verdict | View::TimeLine | View::Compare) {
        return None;
    }
    // Events are the same at any time.
    let cursor = if state.view == View::Events { RunNs(0) } else { state.cursor };
    let sort = state.look().sort;
    Some(Basis { view: state.view, cursor, filter: state.filter.clone(), sort, pins: state.pins.clone() })
}

fn which(model: &Model, state: &State) -> Which {
    let filtered = !state.filter.trim().is_empty();
    match (state.view, view::table_of(state.view)) {
        (View::Events, _) if filtered => Which::Scan { found: Vec::new(), seen: 0, of: model.events.len() },
        (View::Events, _) => Which::Events(model.events.len()),
        (View::Verdict, _) => Which::Listed(view::verdict::rows(model, state)),
        (View::Graph, _) => Which::Listed(view::graph::rows(model, state)),
        (_, Some(table)) => {
            let mut rows = (table.rows)(model, state.cursor);
            if filtered {
                rows.retain(|row| {
                    let cells = (table.cells)(model, state.cursor, *row);
                    matches(&state.filter, cells.iter().map(|cell| cell.text.as_str()))
                });
            }
            if let Some((column, way)) = state.look().sort {
                sort(model, state.cursor, table, column, way, &mut rows);
            }
            rows.sort_by_key(|row| !state.pins.contains(row));
            Which::Listed(rows)
        }
        (_, None) => Which::Listed(state.visible.iter().map(|lane| Row::Lane(*lane)).collect()),
    }
}

/// By what a column says: by its number where it has one, else by its text. Equal ones keep their order.
fn sort(model: &Model, t: RunNs, table: &view::Table, column: usize, way: Way, rows: &mut Vec<Row>) {
    let mut keyed: Vec<(Option<u64>, String, Row)> = rows
        .iter()
        .map(|row| {
            let cell = (table.cells)(model, t, *row).into_iter().nth(column);
            let (text, number) = cell.map(|cell| (cell.text, cell.number)).unwrap_or_default();
            (number.or_else(|| text.parse().ok()), text, *row)
        })
        .collect();
    let less = |a: &(Option<u64>, String, Row), b: &(Option<u64>, String, Row)| -> Ordering {
        // What says nothing comes last, whichever way.
        let empty = |cell: &(Option<u64>, String, Row)| cell.1.trim().is_empty();
        let order = a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1));
        let order = if way == Way::Back { order.reverse() } else { order };
        empty(a).cmp(&empty(b)).then(order)
    };
    keyed.sort_by(less);
    *rows = keyed.into_iter().map(|(_, _, row)| row).collect();
}
