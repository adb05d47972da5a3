//! A verdict in words and formats, and the escaping of what other programs named.
//!
//! ```text
//!                ┌─ text ──── a person at a terminal (chain drawn by `chain`, lines laid out by `page`)
//!                ├─ json ──── programs; the schema of `hangdog-schemas`
//!  &Report ──────┼─ markdown  an issue, a pull request, a step summary
//!                ├─ html ──── a page to attach
//!                ├─ junit ─── a CI server
//!                └─ github ── one annotation, a capped summary
//! ```
//!
//! Every function is pure: a [`Report`](hangdog_schemas::Report) in, a `String` out. Process names, paths and phases
//! in a report were chosen by other programs, perhaps hostile ones: each of them passes [`escape`] on its way out.
//!
//! Not here: whether the output is a terminal, where it is written, what the environment says (`cli`).

mod chain;
mod compared;
pub mod escape;
pub mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod page;
mod style;
mod text;
mod words;

pub use html::html;
pub use json::json;
pub use junit::junit;
pub use markdown::markdown;
pub use style::{Colour, Glyphs, Style};
pub use text::text;
pub use words::{actor, seconds};

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
