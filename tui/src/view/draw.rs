//! Drawing into a buffer, always within an area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text::width;
use crate::theme::{DIM, HEADING, PLAIN};

/// Puts text at a column of a row of `area`, cut at the area's end. Gives the column after it.
pub(super) fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    if x >= area.width || y >= area.height {
        return x;
    }
    let (end, _) = buffer.set_stringn(area.x + x, area.y + y, text, usize::from(area.width - x), PLAIN.patch(style));
    end - area.x
}

/// Puts text so that it ends at the area's right border, when it has room right of `from`.
pub(super) fn put_right(buffer: &mut Buffer, area: Rect, from: u16, y: u16, text: &str, style: Style) {
    if let Some(x) = usize::from(area.width).checked_sub(width(text))
        && x >= usize::from(from)
    {
        put(buffer, area, x as u16, y, text, style);
    }
}

/// Puts a styled line on a row of `area`.
pub(super) fn put_line(buffer: &mut Buffer, area: Rect, y: u16, line: &Line) {
    if y < area.height {
        buffer.set_line(area.x, area.y + y, line, area.width);
    }
}

/// One styled piece.
pub(super) fn piece(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// A title and lines under it, scrolled.
pub(super) fn panel(title: &str, lines: &[Line], top: usize, area: Rect, buffer: &mut Buffer) {
    let end = put(buffer, area, 1, 0, title, HEADING);
    let shown = usize::from(area.height.saturating_sub(1));
    let more = lines.len().saturating_sub(top + shown);
    let hint = if more > 0 { format!("↓ {more} more  Esc closes ") } else { "Esc closes ".to_owned() };
    put_right(buffer, area, end + 2, 0, &hint, DIM);
    for (row, line) in lines.iter().skip(top).take(shown).enumerate() {
        put_line(buffer, area, row as u16 + 1, line);
    }
}
