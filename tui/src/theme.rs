//! What means what: one style for each meaning, drawn in the 16 colours that every theme has, phases in six of
//! the 256; then [`adapt`] takes away what the terminal cannot do. Colour never stands alone: whatever a style
//! says is said by a letter, a shape or a place too.

use hangdog_schemas::Confidence;
use hangdog_schemas::fact::TaskState;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::options::{Colours, Glyphs};

/// Plain text.
pub(crate) const PLAIN: Style = Style::new();
/// What may be overlooked.
pub(crate) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
/// What must not be overlooked.
pub(crate) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// Headings.
pub(crate) const HEADING: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
/// A hang, and who is in it.
pub(crate) const HANG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// All is well.
pub(crate) const WELL: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
/// A hint or a key.
pub(crate) const KEY: Style = Style::new().fg(Color::Cyan);
/// The selected row.
pub(crate) const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// The header line.
pub(crate) const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);

/// A mark on the time line.
pub(crate) const MARK: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);

/// Backgrounds of phases, readable under white.
const PHASES: [Color; 6] = [
    Color::Indexed(24),
    Color::Indexed(60),
    Color::Indexed(29),
    Color::Indexed(94),
    Color::Indexed(96),
    Color::Indexed(66),
];

/// Style of a thread's state.
pub(crate) fn state(state: TaskState) -> Style {
    match state {
        TaskState::R => Style::new().fg(Color::Green),
        TaskState::S | TaskState::I | TaskState::Unknown => PLAIN,
        TaskState::D => HANG,
        TaskState::T | TaskState::Traced => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        TaskState::Z | TaskState::X => Style::new().fg(Color::Magenta),
    }
}

/// Style of a phase: the same name, the same colour.
pub(crate) fn phase(name: &str) -> Style {
    let sum = name.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    Style::new().bg(PHASES[sum as usize % PHASES.len()]).fg(Color::Indexed(255))
}

/// Style of a confidence.
pub(crate) fn confidence(confidence: Confidence) -> Style {
    match confidence {
        Confidence::Certain => STRONG,
        Confidence::Likely => PLAIN,
        Confidence::Possible => DIM,
    }
}

/// Takes from a drawn screen what the terminal cannot show.
pub(crate) fn adapt(buffer: &mut Buffer, colours: Colours, glyphs: Glyphs) {
    for cell in &mut buffer.content {
        match colours {
            Colours::Full => {}
            Colours::Ansi => {
                if let Color::Indexed(_) = cell.bg {
                    (cell.bg, cell.fg) = ansi_phase(cell.bg);
                }
            }
            Colours::None => (cell.fg, cell.bg) = (Color::Reset, Color::Reset),
        }
        if glyphs == Glyphs::Ascii && !cell.symbol().is_ascii() {
            let plain = ascii(cell.symbol());
            cell.set_symbol(plain);
        }
    }
}

fn ansi_phase(background: Color) -> (Color, Color) {
    match PHASES.iter().position(|colour| *colour == background) {
        Some(0) => (Color::Blue, Color::White),
        Some(1) => (Color::Magenta, Color::White),
        Some(2) => (Color::Green, Color::Black),
        Some(3) => (Color::Yellow, Color::Black),
        Some(4) => (Color::Magenta, Color::Black),
        _ => (Color::Cyan, Color::Black),
    }
}

/// The nearest ASCII sign. Drawing signs have one each; a letter of a name becomes `?`.
fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "─" | "━" | "┄" | "–" => "-",
        "╌" | "…" => "~",
        "═" | "‖" => "=",
        "│" | "┃" | "▏" | "▕" | "├" | "┤" | "┊" => "|",
        "┌" | "└" | "┐" | "┘" | "┬" | "┴" | "┼" => "+",
        "·" => ".",
        "█" | "▆" | "▇" => "#",
        "▅" | "▄" | "◆" | "●" | "•" => "*",
        "▃" | "▂" | "▁" => ":",
        "▸" | "▶" | "→" | "›" | "▷" => ">",
        "◀" | "←" | "‹" => "<",
        "≠" => "!",
        "▾" | "▼" | "↓" => "v",
        "▲" | "↑" => "^",
        "○" => "o",
        "×" => "x",
        "µ" => "u",
        "↺" => "@",
        _ => "?",
    }
}
