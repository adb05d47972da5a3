//! The palette: commands that match what is typed, with their keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{put, put_right};
use crate::palette::{Entry, entries};
use crate::state::State;
use crate::text::{clock, fit, width};
use crate::theme::{DIM, HEADING, KEY, PLAIN, SELECTED, STRONG};

/// Columns of the names.
const NAMES: u16 = 19;
/// Columns of the descriptions.
const HELP: u16 = 46;

pub(super) fn draw(state: &State, text: &str, chosen: usize, area: Rect, buffer: &mut Buffer) {
    let entries = entries(&state.keys, text);
    put(buffer, area, 1, 0, "Commands", HEADING);
    put_right(buffer, area, 12, 0, "Enter does it  Esc closes ", DIM);
    if entries.is_empty() {
        put(buffer, area, 2, 1, "No command matches.", DIM);
    }
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let first = chosen.saturating_sub(height - 1);
    for (n, entry) in entries.iter().enumerate().skip(first).take(height) {
        let y = (n - first) as u16 + 1;
        match entry {
            Entry::Time(t) => _ = put(buffer, area, 2, y, &format!("go to {}", clock(*t)), STRONG),
            Entry::Command(binding) => {
                put(buffer, area, 2, y, binding.name, STRONG);
                let keys = state.keys.words(binding);
                let room =
                    area.width.saturating_sub(NAMES + 3 + if area.width >= 80 { width(&keys) as u16 + 2 } else { 0 });
                put(buffer, area, NAMES + 2, y, &fit(binding.help, usize::from(room)), PLAIN);
                let from = if area.width >= 80 { area.width.min(NAMES + HELP + 4) } else { area.width };
                put_right(buffer, area, from.min(NAMES + 3), y, &format!("{keys} "), KEY);
            }
        }
        if n == chosen && y < area.height {
            buffer.set_style(Rect { y: area.y + y, height: 1, ..area }, SELECTED);
        }
    }
    let below = entries.len().saturating_sub(first + height);
    if below > 0 {
        let line = Rect { y: area.y + area.height.saturating_sub(1), height: 1, ..area };
        put_right(buffer, line, 0, 0, &format!(" ↓ {below} more "), DIM);
    }
}
