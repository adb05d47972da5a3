//! A `tracing` layer and the [`phase!`] macro: what every task of a program is doing, readable from outside, even
//! after SIGKILL.
//!
//! ```text
//!   tracing spans ──▶ layer(), tee() or subscriber() ──┐                hangdog, or any reader
//!   phase!("walk"), future.in_phase(…) ────────────────┼──▶ flight recorder ◀── pread ──┘
//!   hangdog_begin("walk", 4) ──────────────────────────┘    (tmpfs): open phases, history
//! ```
//!
//! # Which one
//!
//! | a program | takes | a span costs |
//! | --- | --- | --- |
//! | that has a `Registry` with layers | [`layer()`], one layer more | a sixth more than the `Registry` itself |
//! | whose log drops most of its spans (`DEBUG` ones behind an `INFO` filter) | [`tee`](tee()), in front of it | for a dropped span, half of what the `Registry` takes; for the others as with the layer |
//! | that runs no subscriber | [`subscriber()`] | a third of what the `Registry` takes |
//! | that has no spans, or where each nanosecond counts | [`phase!`], [`open_phase!`], [`in_phase`](InPhaseExt::in_phase) | a few nanoseconds |
//! | in another language, or bindings for one | [`numbered`], or from C the functions of `include/hangdog.h` (feature `ffi`) | as a movable phase, and the search for its name |
//!
//! All of them work together: a [`phase!`] within a span has that span around it, and the other way round.
//!
//! | module | is |
//! | --- | --- |
//! | `layer` | [`layer()`]: spans become phases |
//! | `subscriber` | [`subscriber()`]: spans are phases and nothing else |
//! | `tee` | [`tee`](tee()): spans become phases, whether the log takes them or not |
//! | `recorded`, `spans` | spans that another subscriber keeps; which phase belongs to a span id |
//! | `own`, `outward`, `entered` | spans that the recorder alone keeps; their ids in front of other ones; the spans a thread is in |
//! | `sites` | call sites of `tracing` as the recorder knows them |
//! | [`numbered`], `ffi` | phases by plain numbers; the same for C |
//! | `phase` | [`phase!`], [`open_phase!`], [`Phase`]: phases without a subscriber |
//! | `future` | [`InPhase`]: a future in a phase |
//! | `fields` | values of fields, bounded |
//! | `status` | [`status()`]: whether and where it records |
//!
//! # A service
//!
//! Any span already works. `hang.*` fields tell what it means:
//!
//! | field | says | example |
//! | --- | --- | --- |
//! | `hang.wait` | the resource this phase waits for | `http:127.0.0.1:8080`, `lock:cache`, `path:/mnt/x` |
//! | `hang.hold` | the resource held while it is open | `lock:cache`, `pool:db` |
//! | `hang.serve` | the resource it serves | `fuse:/mnt/x`, `http:127.0.0.1:8080` |
//! | `hang.op` | key of an operation that should run once at a time | `register ws-1` |
//! | `hang.entity` | identity that must have one live owner | `run/3` |
//! | `hang.link` | joins a client's phase to its server's | a `traceparent` |
//! | `hang.outcome` | `ok`, `failed`, `cancelled` | |
//! | `hang.deadline_ms` | how long it may take | `5000` |
//!
//! Fields that become known later are declared empty and recorded then, as everywhere in `tracing`.
//!
//! ```
//! use hangdog_tracer::{InPhaseExt, open_phase, phase};
//! use tracing_subscriber::prelude::*;
//!
//! // A handler as axum has them.
//! #[tracing::instrument(fields(hang.serve = "http:127.0.0.1:8080", hang.link = tracing::field::Empty))]
//! async fn new_conversation(traceparent: String) -> usize {
//!     tracing::Span::current().record("hang.link", traceparent.as_str());
//!     // Blocking work on a thread of its own, in a phase of its own.
//!     let walk = tokio::task::spawn_blocking(|| {
//!         let _phase = phase!("walk", hang.wait = "path:/tmp", depth = 3);
//!         std::fs::read_dir("/tmp").map_or(0, Iterator::count)
//!     });
//!     walk.in_phase(open_phase!("wait for the walk")).await.unwrap_or(0)
//! }
//!
//! let registry = tracing_subscriber::registry().with(hangdog_tracer::layer()).with(tracing_subscriber::fmt::layer());
//! registry.init();
//! println!("{}", hangdog_tracer::status());
//! let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! runtime.block_on(new_conversation("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()));
//! ```
//!
//! # What it costs, and what it never does
//!
//! It never blocks, never panics and takes no heap memory for a phase. The memory it records to is of fixed size;
//! what does not fit is dropped and counted. Where no recorder can be had, all of this does nothing, and
//! [`status()`] says why.
//!
//! The layer keeps nothing in `Extensions` and wants no per-layer filter (each costs more than the recording):
//! use [`HangdogLayer::with_max_level`] instead of `.with_filter(…)`. A `Registry` without any layer that
//! closes spans leaks; with this one it does not.

mod entered;
#[cfg(feature = "ffi")]
pub mod ffi;
mod fields;
mod future;
mod layer;
pub mod numbered;
mod outward;
mod own;
#[cfg(feature = "parking_lot")]
pub mod parking_lot;
mod phase;
mod recorded;
mod sites;
mod spans;
mod status;
mod subscriber;
pub mod sync;
mod tee;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use fields::{AsValue, Formatted};
pub use future::{InPhase, InPhaseExt};
pub use hangdog_flight::{Outcome, Site, SiteNumber, Value};
pub use layer::{HangdogLayer, layer};
pub use phase::{__begin, __begin_here, Entered, Inside, Phase, Take, Values};
pub use status::{Status, status};
pub use subscriber::{HangdogSubscriber, subscriber};
pub use sync::{Pool, Pooled};
pub use tee::{Tee, tee};
