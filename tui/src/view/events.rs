//! Everything that happened, in order of time. Enter goes to the time of the selected event.

use super::table::{Cell, Column, Cut, Table};
use crate::event::EventKind;
use crate::state::Row;
use crate::text::{clock, lasting};
use crate::theme::{DIM, MARK, PLAIN};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::new(" ", 1),
        Column::number("time", 11),
        Column::number("to cursor", 9).from(60),
        Column::new("kind", 8),
        Column::stretching("what", 20, 1).cut(Cut::Middle),
    ],
    rows: |model, _| (0..model.events.len()).map(Row::Event).collect(),
    cells: |model, t, row| {
        let Row::Event(i) = row else { return Vec::new() };
        let Some(event) = model.events.get(i) else { return Vec::new() };
        // The last event that is not after the cursor: the state on the screen is the one it left.
        let current = event.t <= t && model.events.get(i + 1).is_none_or(|next| next.t > t);
        let away = lasting(event.t.0.abs_diff(t.0));
        let style = match event.kind() {
            EventKind::Snapshot | EventKind::Trigger | EventKind::Action | EventKind::Loss | EventKind::End => MARK,
            _ => PLAIN,
        };
        vec![
            Cell::styled(if current { "▶" } else { " " }, MARK),
            Cell::new(clock(event.t)),
            Cell::styled(if event.t < t { format!("-{away}") } else { away }, DIM),
            Cell::styled(event.kind().word(), style),
            Cell::new(model.events.text(&model.timeline, event)),
        ]
    },
    empty: |_, _| "Nothing happened in this capture but its begin.",
};
