//! What a reader gets: a recorder file understood.
//!
//! All texts come from another program: bounded, valid UTF-8, and otherwise whatever it wrote. Escape them
//! before they go to a terminal.

use crate::{Anchor, Loss, Outcome, Owner};

/// One look at a recorder file.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Whose it is.
    pub owner: Owner,
    /// The owner's clocks when it began, and how exact its times are.
    pub anchor: Anchor,
    /// Whether the program that wrote it is still there. `false` after its end, and after an exec, which leaves
    /// pid and start time as they were: then what is `open` here was open when it went.
    pub attached: bool,
    /// Moves whenever the process records or polls anything.
    pub heartbeat: u64,
    /// Phases open now, oldest first.
    pub open: Vec<OpenPhase>,
    /// What happened since the read before, in the order of time, as far as the rings still have it.
    pub events: Vec<Event>,
    /// Events that were overwritten before this reader came by.
    pub overwritten: u64,
    /// Everything the program could not record: the sum of `losses`.
    pub dropped: u64,
    /// Which losses, and how many.
    pub losses: Vec<(Loss, u64)>,
    /// Slots, second slots and cells that were changing at each try, or hold garbage.
    pub torn: u32,
    /// Threads that record or did so.
    pub threads: Vec<Thread>,
    /// The thread that the recorder itself has, to keep its clock: it does nothing of what the program does.
    pub tick_tid: Option<u32>,
}

/// A phase that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPhase {
    /// Its number, never used twice in one file.
    pub id: u64,
    /// The phase around it; it may have been closed since.
    pub parent: Option<u64>,
    /// The thread that is in it, or was in it last. In the owner's pid namespace.
    pub tid: u32,
    /// The async task it belongs to.
    pub task: Option<u64>,
    /// Its name.
    pub name: String,
    /// When it was opened, in ns of the owner's `CLOCK_MONOTONIC`.
    pub start_monotonic_ns: u64,
    /// It began at most this many ns later.
    pub err_ns: u64,
    /// Its other fields; long ones are cut and end in `…`.
    pub fields: Vec<(String, String)>,
    /// Its `hang.*` fields.
    pub hang: Hang,
    /// How often it was entered: polls of a future, 1 for plain code. Two million stand for more.
    pub polls: u32,
    /// Whether a thread is inside it now. A future that waits is open and not polled.
    pub polled_now: bool,
    /// When it was last left, if it was and nobody is inside; to 4 ms and the clock's own error.
    pub left_monotonic_ns: Option<u64>,
    /// How it is about to end, if it said so already.
    pub outcome: Option<Outcome>,
}

/// What a phase says of itself by `hang.*` fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hang {
    /// `hang.wait`
    pub wait: Option<String>,
    /// `hang.hold`
    pub hold: Option<String>,
    /// `hang.serve`
    pub serve: Option<String>,
    /// `hang.op`
    pub op: Option<String>,
    /// `hang.entity`
    pub entity: Option<String>,
    /// `hang.link`
    pub link: Option<String>,
    /// `hang.deadline_ms`
    pub deadline_ms: Option<u64>,
    /// The kind of traced lock or channel that wrote this phase.
    pub primitive: Option<&'static str>,
}

/// Something in a thread's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in ns of the owner's `CLOCK_MONOTONIC`.
    pub monotonic_ns: u64,
    /// It was at most this many ns later.
    pub err_ns: u64,
    /// On which thread.
    pub tid: u32,
    /// Of which phase.
    pub phase: Option<u64>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A phase was opened.
    Open {
        /// Its name.
        name: String,
        /// The phase around it.
        parent: Option<u64>,
    },
    /// A phase ended.
    Close {
        /// Its name.
        name: String,
        /// When it was opened: the event of that may be gone.
        start_monotonic_ns: u64,
        /// How.
        outcome: Option<Outcome>,
    },
    /// A wait began.
    Wait {
        /// For what.
        resource: String,
    },
    /// The wait of this phase or thread is over.
    Wake,
    /// A `hang.*` field of the phase, or a word of the program.
    Note {
        /// Which.
        key: String,
        /// Its value.
        text: String,
    },
}

/// What a thread does in an async runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadRole {
    /// It polls tasks.
    Worker,
    /// It runs blocking work for them.
    Blocking,
}

impl ThreadRole {
    pub(crate) fn number(self) -> u64 {
        self as u64 + 1
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Worker),
            2 => Some(Self::Blocking),
            _ => None,
        }
    }
}

/// A thread that records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number in the owner's pid namespace.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// The phase it is in.
    pub current: Option<u64>,
    /// The async task that it polls.
    pub task: Option<u64>,
    /// What it does in an async runtime, if it said so.
    pub role: Option<ThreadRole>,
    /// Whether it has ended.
    pub ended: bool,
}
