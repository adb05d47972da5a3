//! A list of rows in columns: the same for every table, so that they look and scroll alike.

use hangdog_schemas::RunNs;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::draw::{put, put_right};
use crate::model::Model;
use crate::state::{Look, Row, State, Way};
use crate::text::{fit, fit_middle, fit_tail, width, wrap};
use crate::theme::{DIM, HEADING, MARK, PLAIN, SELECTED};

/// Lines above the rows.
pub(super) const HEAD: u16 = 1;

/// Which end of a text is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The end.
    End,
    /// The front: of a path the end says most.
    Front,
    /// The middle: who did it at one end, to what at the other.
    Middle,
    /// None, and it is set to the right: numbers.
    Number,
}

/// A column.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Width; of a stretching column, the least.
    pub(super) width: u16,
    /// Share of the room that is left.
    pub(super) stretch: u16,
    pub(super) cut: Cut,
    /// Screens narrower than this go without it.
    pub(super) from: u16,
}

impl Column {
    pub(super) const fn new(title: &'static str, width: u16) -> Self {
        Self { title, width, stretch: 0, cut: Cut::End, from: 0 }
    }

    pub(super) const fn number(title: &'static str, width: u16) -> Self {
        Self { cut: Cut::Number, ..Self::new(title, width) }
    }

    pub(super) const fn stretching(title: &'static str, width: u16, stretch: u16) -> Self {
        Self { stretch, ..Self::new(title, width) }
    }

    pub(super) const fn cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    pub(super) const fn from(self, from: u16) -> Self {
        Self { from, ..self }
    }
}

/// One cell of a row, harmless text.
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(super) style: Style,
    /// What it is sorted by, where its text does not sort well.
    pub(crate) number: Option<u64>,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: PLAIN, number: None }
    }

    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, number: None }
    }

    pub(super) fn sorted_by(self, number: Option<u64>) -> Self {
        Self { number, ..self }
    }
}

/// A table over the moment of the cursor.
pub(crate) struct Table {
    pub(crate) columns: &'static [Column],
    /// All rows, in order. Cheap: only rows on the screen are put into words (all, when there is a filter).
    pub(crate) rows: fn(&Model, RunNs) -> Vec<Row>,
    /// A cell for each column.
    pub(crate) cells: fn(&Model, RunNs, Row) -> Vec<Cell>,
    /// What to say when there is no row.
    pub(super) empty: fn(&Model, RunNs) -> &'static str,
}

/// What tables of a snapshot say when there is none, or nothing in it.
pub(super) fn empty_snapshot(model: &Model, t: RunNs, nothing: &'static str) -> &'static str {
    if model.snapshot(t).is_some() {
        nothing
    } else if model.timeline.snapshots().is_empty() {
        "This capture has no snapshots: nothing was looked at in full while the run lasted."
    } else {
        "There was no snapshot yet at this time. } goes on to the next one."
    }
}

impl Table {
    pub(super) fn draw(&self, model: &Model, state: &State, area: Rect, buffer: &mut Buffer) {
        let count = state.rows.len();
        let look = state.look();
        if count == 0 {
            let words = match state.rows.scanned() {
                Some(percent) => format!("Filtering, {percent} % of all rows are done."),
                None if state.filter.trim().is_empty() => (self.empty)(model, state.cursor).to_owned(),
                None => "Nothing here matches the filter. Esc clears it.".to_owned(),
            };
            for (y, line) in wrap(&words, usize::from(area.width).saturating_sub(2)).iter().enumerate() {
                put(buffer, area, 1, y as u16 + 1, line, DIM);
            }
            return;
        }
        let widths = widths(self.columns, area.width, look.hidden);
        let shown = usize::from(area.height.saturating_sub(HEAD));
        let top = state.list().top;
        let place = (count > shown).then(|| format!(" {}-{} of {count} ", top + 1, count.min(top + shown)));
        let scanned = state.rows.scanned().map(|percent| format!(" filtering, {percent} % "));
        let place = scanned.or(place).unwrap_or_default();
        self.draw_titles(&widths, look, area, buffer);
        for y in 0..shown {
            let Some(row) = state.rows.get(top + y) else { break };
            let line = y as u16 + HEAD;
            self.draw_row(&(self.cells)(model, state.cursor, row), &widths, area, line, buffer);
            if state.pins.contains(&row) {
                put(buffer, area, 0, line, "*", MARK);
            }
            if top + y == state.list().index && line < area.height {
                let line = Rect { x: area.x, y: area.y + line, width: area.width, height: 1 };
                buffer.set_style(line, SELECTED.remove_modifier(Modifier::DIM));
            }
        }
        put_right(buffer, area, 0, 0, &place, DIM);
    }

    fn draw_titles(&self, widths: &[u16], look: Look, area: Rect, buffer: &mut Buffer) {
        let mut x = 1;
        for (n, (column, size)) in self.columns.iter().zip(widths).enumerate().filter(|(_, (_, size))| **size > 0) {
            let sign = match look.sort {
                Some((by, Way::On)) if by == n => "▲",
                Some((by, Way::Back)) if by == n => "▼",
                _ => "",
            };
            let title = format!("{}{sign}", fit(column.title, usize::from(*size).saturating_sub(width(sign))));
            let offset = if column.cut == Cut::Number { size.saturating_sub(width(&title) as u16) } else { 0 };
            put(buffer, area, x + offset, 0, &title, HEADING);
            x += size + 2;
        }
    }

    fn draw_row(&self, cells: &[Cell], widths: &[u16], area: Rect, y: u16, buffer: &mut Buffer) {
        let mut x = 1;
        for ((column, size), cell) in self.columns.iter().zip(widths).zip(cells).filter(|((_, size), _)| **size > 0) {
            let room = usize::from(*size);
            let text = match column.cut {
                Cut::Front => fit_tail(&cell.text, room),
                Cut::Middle => fit_middle(&cell.text, room),
                Cut::End | Cut::Number => fit(&cell.text, room),
            };
            let offset = if column.cut == Cut::Number { *size - width(&text) as u16 } else { 0 };
            put(buffer, area, x + offset, y, &text, cell.style);
            x += size + 2;
        }
    }
}

/// Widths of the columns on a screen; 0 for those it goes without.
fn widths(columns: &[Column], screen: u16, hidden: u32) -> Vec<u16> {
    let is_shown = |n: usize, column: &Column| column.from <= screen && hidden & 1 << n == 0;
    let shown: Vec<&Column> =
        columns.iter().enumerate().filter(|(n, column)| is_shown(*n, column)).map(|(_, column)| column).collect();
    let count = shown.len() as u16;
    let least: u16 = shown.iter().map(|column| column.width).sum();
    let left = screen.saturating_sub(least + 2 * count.saturating_sub(1) + 2);
    let shares: u16 = shown.iter().map(|column| column.stretch).sum();
    let wide = |column: &Column| {
        let share = (u32::from(left) * u32::from(column.stretch)).checked_div(u32::from(shares));
        column.width + share.unwrap_or(0) as u16
    };
    columns.iter().enumerate().map(|(n, column)| if is_shown(n, column) { wide(column) } else { 0 }).collect()
}
