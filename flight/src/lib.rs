//! The flight recorder: memory that a traced program shares with its readers.
//!
//! A program that hangs cannot be asked what it is doing, and one that was killed even less. So it writes down
//! what it is *about* to do, into memory that outlives it and that others read without its help: the phases
//! that are open now, and a short history. Neither a lock nor a system call nor the heap stands in the
//! way of writing; what does not fit is counted.
//!
//! ```text
//!   a file on tmpfs, or a memfd                                   (all numbers: u64, native order)
//!  ┌───────────┬───────────────────────────────────────────────────────────────────────────────────┐
//!  │ header    │ "hangdog" │ version │ owner: pid, start, boot id, pid namespace │ clock: source,      │
//!  │ 4 KiB     │ resolution, tick's thread, anchors, gaps │ where each section lies │ what was        │
//!  │           │ dropped │ how much of each was ever used                                          │
//!  ├───────────┼───────────────────────────────────────────────────────────────────────────────────┤
//!  │ names     │ [kind, length, offset │ hash] each: a text, or a call site: numbers of texts        │
//!  │ text      │ their bytes                              written once, then known by number         │
//!  ├───────────┼───────────────────────────────────────────────────────────────────────────────────┤
//!  │ threads   │ [state │ tid, role │ head of the ring │ name │ ended] each           one writer each │
//!  ├ ─ ─ ─ ─ ─ ┼ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ from here on pages come as they are used ─ ┤
//!  │ resources │ [state, kind │ name, which │ holder │ its phase │ since │ times] each               │
//!  │           │ a traced lock or channel, and who has it alone                                     │
//!  ├───────────┼───────────────────────────────────────────────────────────────────────────────────┤
//!  │ slots     │ an open phase in 64 bytes                                        the state of now   │
//!  │           │ ┌────────┬───────┬────────────────┬─────────────────┬───────────┬───────┬────────┐ │
//!  │           │ │ commit │ start │ parent, inside,│ site, shapes of │ tid, task │ value │ value, │ │
//!  │           │ │        │       │ polls          │ values, left    │           │       │ 16 B   │ │
//!  │           │ └────────┴───────┴────────────────┴─────────────────┴───────────┴───────┴────────┘ │
//!  │           │ commit = generation │ keys │ outcome │ flags │ free, open or more                  │
//!  │           │ "more": not a phase, but what one says beyond its slot, a chain of such slots       │
//!  │           │ chunks of 64 belong to a thread, which takes and keeps them without an exchange     │
//!  ├───────────┼───────────────────────────────────────────────────────────────────────────────────┤
//!  │ stacks    │ 63 slots a thread, for phases that end where they began, in order                  │
//!  │           │ and one that says in which phase and task the thread is                            │
//!  ├───────────┼───────────────────────────────────────────────────────────────────────────────────┤
//!  │ rings     │ one a thread, events of 32 bytes: open, close, wait, wake, note       the history   │
//!  └───────────┴───────────────────────────────────────────────────────────────────────────────────┘
//!
//!   the number of a phase = generation of its slot │ slot        never used twice
//! ```
//!
//! Who owns a slot, an entry, a chunk, how many names there are: all that decides is kept in the process's own
//! memory beside the file. Another process of the same user may scribble over the file; then what is read is wrong,
//! and the program neither crashes nor stops.
//!
//! | module | is |
//! | --- | --- |
//! | `layout` | the drawing above as numbers |
//! | `place` | where files lie and how they are made, cleaned up and found: [`directory`], [`list`], [`memfd_of`] |
//! | `recorder` | the writer: [`begin`], [`begin_here`] and what follows |
//! | `book` | what a thread keeps for itself while it records |
//! | `site`, `slot`, `phase`, `resource`, `value` | the parts of a phase: its call site, its 64 bytes, its number, what it waits for, its fields |
//! | `process`, `at_exit` | the one recorder of a process, and what a fork or a normal end does to it: [`current`] |
//! | `reader`, `recording` | [`Reader`], which trusts no byte, and what it gives: [`Recording`] |
//! | `late` | where a thread can be held from outside when a phase begins or has ended |
//! | `names`, `pool`, `lock`, `map`, `signals`, `clock`, `identity`, `sync` | names by number, free entries, the owner's lock, mapped memory, the tick's thread, time, the owner, atomics |
//!
//! # Proof
//!
//! The protocols between writers, and between a writer and a reader, are checked in all their orders with a model of
//! weak memory (loom), on the code itself: module `model`.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p hangdog-flight --release --lib model
//! ```
//!
//! The reader is fuzzed by `fuzz/`; how to run that stands there.
//!
//! # Example
//!
//! ```
//! use hangdog_flight::{Reader, Site, SiteNumber, Value};
//!
//! static NUMBER: SiteNumber = SiteNumber::new();
//! static READ: Site = Site::new("read settings", &["hang.wait"], &NUMBER);
//!
//! let Some(recorder) = hangdog_flight::current() else { return };
//! let mut opening = hangdog_flight::begin(&READ).unwrap();
//! opening.value(0, Value::Text("path:/etc/app.toml"));
//! let phase = opening.publish();
//!
//! // Any process of the same user may look, at any time, also after this one was killed.
//! let recording = Reader::from_file(recorder.file().unwrap()).unwrap().read().unwrap();
//! let open = recording.open.iter().find(|open| open.id == phase.word()).unwrap();
//! assert_eq!(open.name, "read settings");
//! assert_eq!(open.hang.wait.as_deref(), Some("path:/etc/app.toml"));
//!
//! hangdog_flight::close(phase);
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
mod late;
mod layout;
mod lock;
mod map;
#[cfg(loom)]
mod model;
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
pub use place::{
    ENDING, MEMFD, Place, PlaceError, directory, is_dead, list, memfd_of, places, remove_dead_file, user_directory,
};
pub use process::{State, current, state};
pub use reader::{ReadError, Reader};
pub use recorder::{
    Before, Here, History, Name, Opening, OpeningFields, OpeningHere, Options, Recorder, Room, StartError, Taken,
    abandon, begin, begin_here, begin_here_quickly, begin_in, begin_quickly, close, current_phase, enter, enter_as,
    enter_quickly, exit, exit_as, exit_quickly, field, note, outcome, presume, resource, resume, set_role, set_task,
    suspend, used, wait, wake,
};
pub use recording::{Event, EventKind, Hang, OpenPhase, Recording, Thread, ThreadRole};
pub use resource::{Primitive, ResourceId, Role};
pub use site::{MAX_KEYS, Site, SiteNumber};
pub use value::{MAX_VALUE, Text, Value};
