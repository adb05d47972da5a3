//! The replay of a capture in the terminal: see the hang happen, hop along the waits.
//!
//! ```text
//!                    ┌───────────── terminal (crossterm): keys, mouse, size, signals
//!                    ▼
//!   Message ──▶ update(model, state, message) ──▶ Effect ──▶ terminal: draw, suspend, quit
//!                    │
//!                  State ──▶ view::draw(model, state) ──▶ Buffer ──▶ theme::adapt
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which key does what, help, hints, docs | `command` |
//! | what can change | `state`, `update` |
//! | what is worked out once from a capture | `model`, `lane`, `event` |
//! | a screen | `view/`, one file each |
//! | giving the terminal back | `guard` |
//! | pictures | [`screenshot`] |
//!
//! `update` and the views are pure: no clock, no terminal, no environment. Every string of another program goes
//! through `text::clean` before it is drawn.

mod activity;
mod arrange;
mod call;
mod call_event;
mod carry;
mod changes;
mod command;
mod compare;
mod event;
mod fold;
mod follow;
mod graph;
mod guard;
mod kernel_event;
mod key;
mod keymap;
mod lane;
mod load;
mod message;
mod model;
mod options;
mod palette;
mod prompt;
mod rows;
mod screenshot;
mod seek;
mod state;
mod svg;
mod terminal;
mod text;
mod theme;
mod travel;
mod update;
mod view;
mod why;
mod window;

#[cfg(test)]
#[path = "../examples/sample/mod.rs"]
mod sample;
#[cfg(test)]
mod tests;

pub use command::keys_markdown;
pub use compare::{Comparer, Divergence};
pub use key::{BadKeys, parse_keys};
pub use keymap::{BadKeymap, Keymap};
pub use load::{Growth, Judge, LIMITS, LoadError, Source, first_part};
pub use options::{Colours, Glyphs, Options};
pub use screenshot::{Rehearsal, Screenshot, screenshot};
pub use terminal::{Error, run};
