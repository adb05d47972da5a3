//! The columns of a table: which are shown, which one it is sorted by.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{put, put_right};
use super::table_of;
use crate::state::{State, Way};
use crate::theme::{DIM, HEADING, MARK, PLAIN, SELECTED};

pub(super) fn draw(state: &State, chosen: usize, area: Rect, buffer: &mut Buffer) {
    let Some(table) = table_of(state.view) else { return };
    let look = state.look();
    put(buffer, area, 1, 0, "Columns", HEADING);
    put_right(buffer, area, 10, 0, "Space shows or hides  Enter sorts  Esc closes ", DIM);
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let first = chosen.saturating_sub(height - 1);
    for (n, column) in table.columns.iter().enumerate().skip(first).take(height) {
        let y = (n - first) as u16 + 1;
        let shown = if look.hidden & 1 << n == 0 { "[x]" } else { "[ ]" };
        let title = if column.title.trim().is_empty() { "state" } else { column.title };
        let end = put(buffer, area, 2, y, &format!("{shown} {title}"), PLAIN);
        let narrow = column.from > area.width;
        let sorted = match look.sort {
            Some((by, Way::On)) if by == n => "  sorted, the least first",
            Some((by, Way::Back)) if by == n => "  sorted, the largest first",
            _ => "",
        };
        let end = put(buffer, area, end, y, sorted, MARK);
        if narrow {
            put(buffer, area, end, y, &format!("  on screens of {} columns and more", column.from), DIM);
        }
        if n == chosen && y < area.height {
            buffer.set_style(Rect { y: area.y + y, height: 1, ..area }, SELECTED);
        }
    }
}
