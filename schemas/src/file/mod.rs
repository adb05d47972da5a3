//! The `.hang` file: a row of zstd frames, each of whole JSON lines.
//!
//! ```text
//! ┌────────────┬────────────┬─ ─ ─┬────────────┬───────────────────┐
//! │ zstd frame │ zstd frame │     │ zstd frame │ skippable frame   │
//! │ run, …     │ lines      │     │ report     │ index             │
//! └────────────┴────────────┴─ ─ ─┴────────────┴───────────────────┘
//! ```
//!
//! - A frame is closed after [`FRAME_TEXT`] bytes of text, or when the caller says so
//!   ([`Writer::flush_frame`], once a second): nothing here reads a clock. No line spans two frames.
//! - The first line is the run header; its format version decides who may read the rest.
//! - The [index](Index) comes last, in a frame that zstd skips, so `zstdcat run.hang | jq` works.
//! - What is whole is read. A file cut at any byte gives every whole frame before the cut, and of the
//!   cut frame the lines that still decompress. A damaged frame is left out as a whole, since nothing
//!   tells which of its lines are true. The [summary](Summary) counts what is missing.
//! - Every byte that is read is treated as hostile; the [limits](Limits) bound memory and time.
//!
//! Not here: where captures lie, how long they are kept, clocks.

mod error;
mod frame;
mod grow;
mod index;
mod line;
mod read;
mod summary;
#[cfg(test)]
mod tests;
mod window;
mod write;

pub use error::OpenError;
pub use frame::Limits;
pub use grow::{Growing, Look};
pub use index::{Index, IndexFrame};
pub use read::Reader;
pub use summary::{IndexState, Summary};
pub use window::Window;
pub use write::{WriteError, Writer};

/// A frame is closed when its text has this many bytes: 256 KiB.
pub const FRAME_TEXT: usize = 256 << 10;

/// A record whose line is longer than this is refused: 1 MiB.
pub const LINE: usize = 1 << 20;
