//! The flight recorder: memory that a traced program shares with its readers.
//!
//! A program that hangs cannot be asked what it is doing, and one that was killed even less. So it writes down
//! what it is *about* to do, into memory that outlives it and that others read without its help: the phases
//! that are open now, and a short history. Neither a lock nor a system call nor the heap stands in the
//! way of writing; what does not fit is counted.
//!
//! ```text
//!   a file on tmpfs, or a memfd                                   (all numbers: u64, native order)
//!  ┌──────────┬────────────────────────────────────────────────────────────────────────────────────┐
//!  │ header   │ "hangdog" │ version │ owner: pid, start, boot id, pid namespace │ clock anchors        │
//!  │ 4 KiB    │ where each section lies │ heartbeat │ what was dropped │ how much of each was ever used │
//!  ├──────────┼────────────────────────────────────────────────────────────────────────────────────┤
//!  │ names    │ [ready, length, offset │ hash] × 4096                     written once, known by number   │
//!  │ text     │ their bytes, 192 KiB                                                                 │
//!  ├──────────┼────────────────────────────────────────────────────────────────────────────────────┤
//!  │ slots    │ an open phase in 64 bytes, × 8192                         the state of now                │
//!  │          │ ┌────────┬───────┬────────┬──────────────────┬─────────────────┬───────┬─────────────┐  │
//!  │          │ │ commit │ start │ parent │ name, keys, shape │ tid, in, polls  │ value │ value, 16 B │  │
//!  │          │ └────────┴───────┴────────┴──────────────────┴─────────────────┴───────┴─────────────┘  │
//!  │          │ commit = free │ writing │ open, and the slot's generation:  phase id = generation, slot │
//!  ├──────────┼────────────────────────────────────────────────────────────────────────────────────┤
//!  │ more     │ a second slot, 512 B × 4096, for a phase that says more: owner, task, hang.*, long texts │
//!  ├──────────┼────────────────────────────────────────────────────────────────────────────────────┤
//!  │ threads  │ [state │ tid │ head │ current phase │ beats │ name │ ended] × 128      one writer each      │
//!  ├──────────┼────────────────────────────────────────────────────────────────────────────────────┤
//!  │ rings    │ one a thread, 4096 events of 32 bytes: open, close, wait, wake, note       the history      │
//!  │          │ pages are given to a ring when its thread records for the first time                  │
//!  └──────────┴────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! | module | is |
//! | --- | --- |
//! | `layout` | the drawing above as numbers |
//! | `place` | where files lie and how they are made, cleaned up and found: [`directory`], [`list`], [`memfd_of`] |
//! | `recorder` | the writer: [`Recorder`] |
//! | `process`, `at_exit` | the one recorder of a process, and what a fork or a normal end does to it: [`current`] |
//! | `reader` | [`Reader`], which trusts no byte, and what it gives: [`Recording`] |
//! | `local`, `names`, `pool`, `lock`, `map`, `clock`, `identity`, `value` | the parts: a thread's own state, names by number, free slots, the owner's lock, mapped memory, time, the owner, values of bounded length |
//!
//! # Example
//!
//! ```
//! use hangdog_flight::{Reader, Value};
//!
//! let Some(recorder) = hangdog_flight::current() else { return };
//! let mut opening = recorder.begin(recorder.name("read settings"), None).unwrap();
//! opening.field(recorder.name("hang.wait"), Value::Text("path:/etc/app.toml"));
//! let phase = opening.publish();
//!
//! // Any process of the same user may look, at any time, also after this one was killed.
//! let recording = Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap();
//! let open = recording.open.iter().find(|open| open.id == phase.word()).unwrap();
//! assert_eq!(open.name, "read settings");
//! assert_eq!(open.hang.wait.as_deref(), Some("path:/etc/app.toml"));
//!
//! recorder.close(phase);
//! ```
//!
//! Not here: who calls all this (the `hangdog-tracer` crate), and what it means (`hangdog-analysis`).

#![expect(
    clippy::inline_always,
    reason = "a phase costs twelve processor cycles in one piece, and four times that as calls: measured"
)]

mod at_exit;
mod book;
mod clock;
mod identity;
mod layout;
mod lock;
mod map;
mod mounts;
mod names;
mod phase;
mod place;
mod pool;
mod process;
mod reader;
mod recorder;
mod recording;
mod resource;
mod signals;
mod site;
mod slot;
mod sync;
mod value;

pub use clock::tick::THREAD as TICK_THREAD;
pub use clock::{Anchor, ClockSource};
pub use identity::{BootId, Owner};
pub use layout::Size;
pub use phase::{Loss, Outcome, PhaseId};
pub use place::{ENDING, MEMFD, Place, PlaceError, directory, list, memfd_of, places, user_directory};
pub use process::{State, current, state};
pub use reader::{ReadError, Reader};
pub use recorder::{
    Before, Here, History, Name, Opening, OpeningHere, Options, Recorder, StartError, Taken, abandon, begin,
    begin_here, begin_here_quickly, begin_in, begin_quickly, close, current_phase, enter, exit, field, note, outcome,
    presume, resource, resume, set_role, set_task, suspend, used, wait, wake,
};
pub use recording::{Event, EventKind, Hang, OpenPhase, Recording, Thread, ThreadRole};
pub use resource::{Primitive, ResourceId, Role};
pub use site::{MAX_KEYS, Site, SiteNumber};
pub use value::{MAX_VALUE, Text, Value};
