//! A screen as text and as a picture, after some keys were pressed: for the docs, bug reports, CI artifacts.

use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use crossterm::event::KeyEvent;
use hangdog_schemas::Report;
use hangdog_timeline::Timeline;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::compare::{Beside, Divergence};
use crate::key::{BadKeys, parse_keys};
use crate::keymap::Keymap;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::options::Options;
use crate::state::State;
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

/// A replay without a terminal: keys go in, screens come out. For pictures, tests and measurements.
pub struct Rehearsal {
    model: Model,
    state: State,
    options: Options,
    buffer: Buffer,
    ended: bool,
}

impl Rehearsal {
    /// Opens a capture on a screen of so many columns and rows, at most 1000 by 1000.
    ///
    /// Without a report the one inside the capture is shown.
    pub fn new(timeline: Timeline, report: Option<Report>, size: (u16, u16), options: Options) -> Self {
        let report = report.unwrap_or_else(|| crate::model::own_report(&timeline));
        Self::of(Model::new(Arc::new(timeline), Arc::new(report)), size, options)
    }

    pub(crate) fn of(model: Model, (columns, rows): (u16, u16), options: Options) -> Self {
        let size = (columns.clamp(1, LARGEST), rows.clamp(1, LARGEST));
        let state = update::opening(&model, size, &Arc::new(Keymap::default()));
        Self { model, state, options, buffer: Buffer::default(), ended: false }
    }

    /// The capture.
    pub fn timeline(&self) -> &Timeline {
        &self.model.timeline
    }

    /// The same with a second capture below the first.
    #[must_use]
    pub fn beside(self, timeline: Timeline, report: Option<Report>, divergences: Vec<Divergence>) -> Self {
        let report = report.unwrap_or_else(|| crate::model::own_report(&timeline));
        let model = Model::new(Arc::new(timeline), Arc::new(report));
        let size = self.state.size;
        Self::of(self.model.beside(Beside { model, divergences }), size, self.options)
    }

    /// Presses keys, in the notation `t<Right>w` (see [`parse_keys`]). Those behind one that quits are not pressed
    /// any more. Work that was begun and goes on in the background is not waited for.
    pub fn press(&mut self, keys: &str) -> Result<(), BadKeys> {
        for key in parse_keys(keys)? {
            if !self.ended {
                let effect = update::update(&self.model, &mut self.state, &Message::Key(key));
                self.ended = effect == Effect::Quit;
            }
        }
        Ok(())
    }

    /// Lets time go by until all that was begun is done: searches, filters.
    pub fn rest(&mut self) {
        while self.state.is_busy() {
            let _ = update::update(&self.model, &mut self.state, &Message::Tick(Duration::ZERO));
        }
    }

    /// Draws the screen and keeps it.
    pub fn draw(&mut self) {
        let area = Rect::new(0, 0, self.state.size.0, self.state.size.1);
        self.buffer = Buffer::empty(area);
        view::draw(&self.model, &self.state, &mut self.buffer);
        theme::adapt(&mut self.buffer, self.options.colours, self.options.glyphs);
    }

    /// The screen after some keys, each with all that it began.
    pub fn after(mut self, keys: &str) -> Result<Screenshot, BadKeys> {
        for key in parse_keys(keys)? {
            self.press(&crate::key::notation(key).unwrap_or_default())?;
            self.rest();
        }
        self.draw();
        Ok(self.screenshot())
    }

    /// The screen that was drawn last.
    pub fn screenshot(&self) -> Screenshot {
        Screenshot { text: text(&self.buffer), svg: svg::svg(&self.buffer) }
    }

    /// Lanes of the time line.
    pub fn lanes(&self) -> usize {
        self.model.lanes.len()
    }
}

/// Draws the screen of `size` columns and rows after `keys`.
pub fn screenshot(
    timeline: Timeline,
    report: Option<Report>,
    size: (u16, u16),
    keys: &str,
) -> Result<Screenshot, BadKeys> {
    Rehearsal::new(timeline, report, size, Options::default()).after(keys)
}

/// The buffer of a screen after some keys.
#[cfg(test)]
pub(crate) fn buffer(model: &Model, size: (u16, u16), keys: &[KeyEvent], options: Options) -> Buffer {
    let mut state = update::opening(model, size, &Arc::new(Keymap::default()));
    for key in keys {
        if update::update(model, &mut state, &Message::Key(*key)) == Effect::Quit {
            break;
        }
        while state.is_busy() {
            let _ = update::update(model, &mut state, &Message::Tick(Duration::ZERO));
        }
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
    view::draw(model, &state, &mut buffer);
    theme::adapt(&mut buffer, options.colours, options.glyphs);
    buffer
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
