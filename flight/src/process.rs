//! The one recorder of a process: made by the first who asks, anew in a forked child.
//!
//! Making it takes a millisecond. Another thread that has something to say meanwhile waits for that, some
//! milliseconds at most and once in the life of a process: who holds a lock from then on would never be known
//! otherwise. Whoever gets none is counted. A forked child must not
//! write into its parent's file; it notices at its next call and starts a file of its own, with the parent's
//! names, so that numbers remembered at call sites stay right. Phases that were open at the fork stay
//! the parent's.

use std::cell::Cell;
use std::error::Error;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64};
use std::time::Duration;

use crate::at_exit;
use crate::clock::ClockSource;
use crate::late;
use crate::place::{self, Place};
use crate::recorder::{History, Options, Recorder};

const NOT_YET: u8 = 0;
const STARTING: u8 = 1;
const ON: u8 = 2;
const OFF: u8 = 3;

/// How often a process may fork from a forked one and still get a recorder.
const GENERATIONS: usize = 16;

static STATE: AtomicU8 = AtomicU8::new(NOT_YET);
/// Which of [`RECORDERS`] counts: one for each fork on the way from the first process to this one.
static LATEST: AtomicU8 = AtomicU8::new(0);
static RECORDERS: [OnceLock<&'static Recorder>; GENERATIONS] = [const { OnceLock::new() }; GENERATIONS];
static WISHES: OnceLock<Wishes> = OnceLock::new();

/// What the environment says. Asked once: a forked child must not touch it, because another thread may have
/// held its lock.
struct Wishes {
    places: Vec<Place>,
    /// `HANGDOG_CLOCK`
    clock: Option<String>,
    /// `HANGDOG_HISTORY`
    history: Option<String>,
    /// `HANGDOG_LATE`
    late: Option<String>,
}

impl Wishes {
    fn of_environment() -> Self {
        let word = |key| std::env::var(key).ok().filter(|word| !word.is_empty());
        let (clock, history) = (word("HANGDOG_CLOCK"), word("HANGDOG_HISTORY"));
        Self { places: place::places(), clock, history, late: word("HANGDOG_LATE") }
    }
}
/// Why the better places were not taken, or why there is no recorder.
static REFUSALS: OnceLock<Vec<String>> = OnceLock::new();
static MISSED: AtomicU64 = AtomicU64::new(0);

/// How often all threads together look whether it is there by now.
static LOOKS_LEFT: AtomicI64 = AtomicI64::new(400);
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

thread_local! {
    /// This thread makes it: whatever it calls must not wait for that.
    static MAKES: Cell<bool> = const { Cell::new(false) };
}

/// The recorder of this process; made at the first call. `None` when it can have none, or none yet.
pub fn current() -> Option<&'static Recorder> {
    match STATE.load(Acquire) {
        ON => {
            let recorder = latest()?;
            if recorder.is_foreign() { after_fork(recorder) } else { Some(recorder) }
        }
        OFF => None,
        _ => begin(),
    }
}

/// The recorder that was made last in this process or the one it was forked from.
pub(crate) fn latest() -> Option<&'static Recorder> {
    RECORDERS.get(usize::from(LATEST.load(Acquire)))?.get().copied()
}

/// What became of the recorder of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody asked for it yet, or it is being made.
    NotStarted,
    /// It records.
    On {
        /// Its file; `None` for a memfd.
        path: Option<std::path::PathBuf>,
        /// Smaller than usual, because the tmpfs is small.
        small: bool,
        /// Why better places were not taken.
        refusals: Vec<String>,
    },
    /// There is none, and everything that would be recorded is dropped.
    Off {
        /// Why each place was not taken.
        refusals: Vec<String>,
    },
}

/// What became of the recorder of this process.
pub fn state() -> State {
    let refusals = REFUSALS.get().cloned().unwrap_or_default();
    match STATE.load(Acquire) {
        OFF => State::Off { refusals },
        ON => match latest() {
            Some(recorder) => State::On {
                path: recorder.path().map(std::path::Path::to_owned),
                small: recorder.size() != crate::Size::FULL,
                refusals,
            },
            None => State::NotStarted,
        },
        _ => State::NotStarted,
    }
}

#[cold]
fn after_fork(parent: &'static Recorder) -> Option<&'static Recorder> {
    // Never back to the first state: another thread of the child would make a recorder that knows none of the names.
    if STATE.compare_exchange(ON, STARTING, AcqRel, Relaxed).is_err() {
        return meet();
    }
    if let Some(made) = latest().filter(|made| !made.is_foreign()) {
        // Another thread was quicker from begin to end.
        STATE.store(ON, Release);
        return Some(made);
    }
    let next = LATEST.load(Relaxed) + 1;
    if usize::from(next) >= GENERATIONS {
        STATE.store(OFF, Release);
        return None;
    }
    LATEST.store(next, Release);
    make(Some(parent))
}

#[cold]
fn begin() -> Option<&'static Recorder> {
    if STATE.compare_exchange(NOT_YET, STARTING, AcqRel, Relaxed).is_err() {
        return meet();
    }
    make(None)
}

/// Another thread makes it, or this very one further up. In a child that was forked just then, nobody does any more.
#[cold]
fn meet() -> Option<&'static Recorder> {
    while STATE.load(Acquire) == STARTING && !MAKES.get() && LOOKS_LEFT.load(Relaxed) > 0 {
        LOOKS_LEFT.fetch_sub(1, Relaxed);
        std::thread::sleep(BETWEEN_LOOKS);
    }
    let made = latest().filter(|made| STATE.load(Acquire) == ON && !made.is_foreign());
    if made.is_none() {
        MISSED.fetch_add(1, Relaxed);
    }
    made
}

/// For the one who brought the state to [`STARTING`].
fn make(parent: Option<&'static Recorder>) -> Option<&'static Recorder> {
    MAKES.set(true);
    let wishes = WISHES.get_or_init(Wishes::of_environment);
    let options = Options {
        size: parent.map(Recorder::size),
        clock: ClockSource::wanted(wishes.clock.as_deref()),
        history: if wishes.history.as_deref() == Some("all") { History::All } else { History::Meaning },
    };
    let mut refusals = Vec::new();
    if wishes.late.is_some() {
        late::turn_on();
    }
    let started = wishes.places.iter().find_map(|place| {
        let recorder =
            Recorder::start_own(place, options, parent).map_err(|error| refusals.push(chain(&error))).ok()?;
        if parent.is_none() {
            // Functions for the end are inherited over fork.
            at_exit::remove_file_of(place);
        }
        Some(recorder)
    });
    let _told_once = REFUSALS.set(refusals);
    if let Some(recorder) = started {
        recorder.lose_early(MISSED.swap(0, Relaxed));
        let _first = RECORDERS[usize::from(LATEST.load(Acquire))].set(recorder);
    }
    STATE.store(if started.is_some() { ON } else { OFF }, Release);
    MAKES.set(false);
    started
}

/// A message with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
