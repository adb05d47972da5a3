//! What comes in and what goes out of [`update`](crate::update::update).

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

/// Something that happened to the replay.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Key(KeyEvent),
    Mouse(MouseEvent),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// So much time went by since the last tick.
    Tick(Duration),
    /// So much of the file was read, in percent; `None` when all is.
    Loading(Option<u8>),
}

/// What the loop has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Effect {
    /// The screen is as it was.
    None,
    /// Draw what changed.
    Draw,
    /// Draw everything: something else wrote to the terminal.
    Redraw,
    /// Draw, and give what is to be copied to the terminal.
    Copy,
    /// Give the terminal back and stop, until the shell continues us.
    Suspend,
    /// Give the terminal back and end.
    Quit,
}
