//! A screen as text and as a picture, after some keys were pressed: for the docs, bug reports, CI artifacts.

use crossterm::event::KeyEvent;
use hangdog_schemas::Report;
use hangdog_timeline::Timeline;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::key::{BadKeys, parse_keys};
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::Options;
use crate::{svg, theme, update, view};

/// Largest side of a picture, in cells.
const LARGEST: u16 = 1000;

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screenshot {
    /// Its characters, a line a row, without trailing spaces.
    pub text: String,
    /// A picture with colours.
    pub svg: String,
}

/// Draws the screen of `size` columns and rows after `keys`, in the notation `t<Right>w` (see [`parse_keys`]).
///
/// Without a report the one inside the capture is shown. Keys behind one that quits are not pressed any more. A size is at most 1000 by 1000.
#[expect(clippy::needless_pass_by_value, reason = "the same shape as `run`")]
pub fn screenshot(
    timeline: Timeline,
    report: Option<Report>,
    size: (u16, u16),
    keys: &str,
) -> Result<Screenshot, BadKeys> {
    let keys = parse_keys(keys)?;
    let report = report.unwrap_or_else(|| crate::model::own_report(&timeline));
    let model = Model::new(&timeline, &report);
    let buffer = buffer(&model, size, &keys, Options::default());
    Ok(Screenshot { text: text(&buffer), svg: svg::svg(&buffer) })
}

/// The buffer of a screen after some keys.
pub(crate) fn buffer(model: &Model, (columns, rows): (u16, u16), keys: &[KeyEvent], options: Options) -> Buffer {
    let size = (columns.clamp(1, LARGEST), rows.clamp(1, LARGEST));
    let mut state = update::opening(model, size);
    for key in keys {
        if update::update(model, &mut state, &Message::Key(*key)) == Effect::Quit {
            break;
        }
    }
    let Ok(mut terminal) = Terminal::new(TestBackend::new(size.0, size.1));
    let Ok(_) = terminal.draw(|frame| {
        view::draw(model, &state, frame.buffer_mut());
        theme::adapt(frame.buffer_mut(), options.colours, options.glyphs);
    });
    terminal.backend().buffer().clone()
}

/// The characters of a buffer.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            // A wide character covers the cell behind it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = crate::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
