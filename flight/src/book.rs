//! What a thread keeps for itself while it records: its stack, its free slots, the phases it is in.
//!
//! A thread finds its book by one load, because the thread-local has no destructor; another thread-local exists
//! for the one purpose of giving the book back when the thread ends. Books lie in memory that a fork wipes:
//! the child finds an empty one and so learns, without ever asking, that the recorder is its parent's.
//!
//! Not here: what is written to the slots (`recorder`).

use std::cell::Cell;
use std::sync::atomic::Ordering::{Relaxed, Release};

use crate::clock::{ClockSource, tick, tsc};
use crate::layout::{home, slot, thread};
use crate::recorder::Recorder;
use crate::slot::Slot;
use crate::sync::AtomicU64;

/// Deepest nesting of entered phases that is followed; those below are recorded, without being any thread's
/// current one.
pub(crate) const DEPTH: usize = 64;

/// So often a thread that found no place does not ask again: there may be room later, and asking takes some time.
const PAUSE: u32 = 1000;

/// A phase that was entered by its number, and what its slot said then. It stays when the phase is left, until
/// another one is entered at this depth, or opened to be entered.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct Entered {
    pub(crate) phase: Cell<u64>,
    /// By what its caller knows it; 0 for its number alone.
    pub(crate) key: Cell<u64>,
    /// `None` when it was not open.
    pub(crate) slot: Cell<Option<&'static Slot>>,
    /// Its slot's commit word.
    pub(crate) commit: Cell<u64>,
    /// Its slot's thread and task.
    pub(crate) entry: Cell<u64>,
    /// What was current before.
    pub(crate) before: Cell<u64>,
    /// One of the following.
    pub(crate) state: Cell<u8>,
}

impl Entered {
    /// Nothing more is to be known of it.
    pub(crate) const USUAL: u8 = 0;
    /// It was opened here, and nobody was in it yet.
    pub(crate) const NEW: u8 = 1;
    /// When it was entered, a panic was on its way.
    pub(crate) const WHILE_PANICKING: u8 = 2;

    /// Becomes the same as another one.
    pub(crate) fn become_like(&self, other: &Self) {
        self.phase.set(other.phase.get());
        self.key.set(other.key.get());
        self.slot.set(other.slot.get());
        self.commit.set(other.commit.get());
        self.entry.set(other.entry.get());
        self.before.set(other.before.get());
        self.state.set(other.state.get());
    }
}

/// What a look at the clock is for a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Look {
    /// A call.
    Call = 0,
    /// The tick's word.
    Tick,
    /// The time stamp counter.
    Counter,
}

impl Look {
    pub(crate) fn at(clock: ClockSource) -> Self {
        match clock {
            ClockSource::Tick => Self::Tick,
            ClockSource::Tsc => Self::Counter,
            _ => Self::Call,
        }
    }
}

/// All zeros is a book of no thread.
#[repr(C, align(4096))]
pub(crate) struct Book {
    /// Never touched. Stacks and chunks begin on a page as books do, and a processor takes a word for one that it just
    /// stored when only the lower 12 bits of their addresses are the same: it waits. What is used most is in the first
    /// slots there, and so in the second half of a page here.
    _apart: [Cell<u64>; 256],
    pub(crate) recorder: Cell<Option<&'static Recorder>>,
    /// The same as `stack` in the usual case, in which a phase costs least: this is the recorder of the process, its
    /// clock is the tick or the counter, and only phases that say what they mean go into the history.
    pub(crate) quick: Cell<Option<&'static [Slot; slot::STACK]>>,
    pub(crate) stack: Cell<Option<&'static [Slot; slot::STACK]>>,
    /// The last slot of the stack, where a look at the clock is no call.
    pub(crate) quick_home: Cell<Option<&'static Slot>>,
    /// All slots that are in no stack.
    pub(crate) slots: Cell<Option<&'static [Slot]>>,
    /// The thread's entry in the file.
    pub(crate) thread: Cell<Option<&'static [AtomicU64; thread::WORDS]>>,
    /// Number of the stack's first slot.
    pub(crate) stack_begin: Cell<u64>,
    /// Slots of the stack in use.
    pub(crate) depth: Cell<usize>,
    /// Number of the first free slot of its own + 1; each names the next. 0 for none.
    pub(crate) free: Cell<u64>,
    /// Slots of its newest chunks that were never used: from here …
    pub(crate) fresh: Cell<u64>,
    /// … to here.
    pub(crate) fresh_end: Cell<u64>,
    /// The newest slots of its own that are in one row, from here …
    pub(crate) own: Cell<u64>,
    /// … so many. Others are found by whose chunk they are of.
    pub(crate) own_count: Cell<u64>,
    /// How many chunks it asks for next time.
    pub(crate) next_chunks: Cell<u64>,
    /// How often it does not ask, after there was no memory.
    pub(crate) pause: Cell<u32>,
    /// With what the flags of a commit word begin: `MEANS` when every phase goes into the history.
    pub(crate) flags: Cell<u64>,
    /// Its entry's index.
    pub(crate) entry: Cell<u32>,
    pub(crate) tid: Cell<u32>,
    /// What slots say of whose they are: the thread's number, without a task.
    pub(crate) whose: Cell<u64>,
    pub(crate) look: Cell<Look>,
    /// Whether the recorder is the one of the process: sites remember their numbers in it.
    pub(crate) is_own: Cell<bool>,
    /// The thread's ring, once it has one.
    pub(crate) ring: Cell<Option<&'static [AtomicU64]>>,
    /// Whether its entry has memory for a ring; 2 when it cannot have any.
    pub(crate) has_ring: Cell<u8>,
    /// Cells ever written to the ring: the file says the same, but anybody may write there.
    pub(crate) head: Cell<u64>,
    pub(crate) entered_depth: Cell<usize>,
    /// Phases entered on top of those, which are not followed.
    pub(crate) too_deep: Cell<usize>,
    /// The phases that were entered by number, innermost last; behind them what was left last at each depth.
    pub(crate) entered: [Entered; DEPTH],
}

#[cfg(loom)]
crate::model::local::locals! {
    static BOOK: Option<&'static Book>;
    static ENDED: bool;
    static REFUSED_BY: u64;
    static WITHIN: Option<&'static Recorder>;
}

#[cfg(not(loom))]
thread_local! {
    static BOOK: Cell<Option<&'static Book>> = const { Cell::new(None) };
    /// Nobody is left who would give a book back: the thread's destructors are running.
    static ENDED: Cell<bool> = const { Cell::new(false) };
    /// The recorder that had no place for this thread, in the upper half; in the lower, how often it is not asked
    /// again.
    static REFUSED_BY: Cell<u64> = const { Cell::new(0) };
    /// The recorder of a test that runs here; see [`with`].
    static WITHIN: Cell<Option<&'static Recorder>> = const { Cell::new(None) };
    static AT_END: AtEnd = const { AtEnd };
}

/// Gives the thread's book back.
#[cfg(not(loom))]
struct AtEnd;

#[cfg(not(loom))]
impl Drop for AtEnd {
    fn drop(&mut self) {
        ENDED.set(true);
        if let Some(book) = BOOK.take()
            && let Some(recorder) = book.recorder.get()
        {
            recorder.detach(book);
        }
    }
}

/// The calling thread's book; got first if it has none. `None` when it can have none.
#[inline(always)]
pub(crate) fn mine() -> Option<&'static Book> {
    peek().or_else(get)
}

/// The book that the calling thread has or had: empty after a fork.
#[inline(always)]
pub(crate) fn any() -> Option<&'static Book> {
    BOOK.get()
}

/// A phase of a thread that has no book is counted as lost.
#[cold]
#[inline(never)]
pub(crate) fn none_for_a_phase() {
    if let Some(recorder) = recorder() {
        recorder.lose(crate::Loss::Slot);
    }
}

/// The calling thread's book, if it has one.
#[inline(always)]
pub(crate) fn peek() -> Option<&'static Book> {
    BOOK.get().filter(|book| book.recorder.get().is_some())
}

/// The recorder that the calling thread writes to; also for one that can have no book, or has none any more.
pub(crate) fn recorder() -> Option<&'static Recorder> {
    peek().and_then(|book| book.recorder.get()).or_else(asked)
}

#[cold]
fn asked() -> Option<&'static Recorder> {
    match WITHIN.get() {
        Some(recorder) => Some(recorder).filter(|recorder| !recorder.is_foreign()),
        None => crate::process::current(),
    }
}

#[cold]
fn get() -> Option<&'static Book> {
    get_in(asked()?)
}

fn get_in(recorder: &'static Recorder) -> Option<&'static Book> {
    let refused = REFUSED_BY.get();
    if ENDED.get() {
        return None;
    }
    if refused >> 32 == recorder.number() && refused as u32 > 0 {
        REFUSED_BY.set(refused - 1);
        return None;
    }
    let Some(book) = recorder.attach() else {
        REFUSED_BY.set(recorder.number() << 32 | u64::from(PAUSE));
        return None;
    };
    REFUSED_BY.set(0);
    BOOK.set(Some(book));
    // Registers the destructor, at its first use.
    #[cfg(not(loom))]
    let _ending = AT_END.try_with(|_| ());
    Some(book)
}

/// Works as if `recorder` were the one of this process: for tests, which have several.
pub(crate) fn with<R>(recorder: &'static Recorder, work: impl FnOnce() -> R) -> R {
    /// Back to what was before, also when `work` panics.
    struct Back {
        recorder: Option<&'static Recorder>,
        book: Option<&'static Book>,
    }
    impl Drop for Back {
        fn drop(&mut self) {
            let book = BOOK.replace(self.book);
            if let Some((book, recorder)) = book.and_then(|book| Some((book, book.recorder.get()?))) {
                recorder.detach(book);
            }
            WITHIN.set(self.recorder);
        }
    }
    let _back = Back { recorder: WITHIN.replace(Some(recorder)), book: BOOK.take() };
    let _refused = get();
    work()
}

impl Book {
    /// Now, by the recorder's clock.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        if self.look.get() == Look::Call { self.ask_now() } else { self.now_at_once() }
    }

    /// The same where it is no call.
    #[inline(always)]
    pub(crate) fn now_at_once(&self) -> u64 {
        if self.look.get() == Look::Counter { tsc::now() } else { tick::now() }
    }

    #[inline(never)]
    fn ask_now(&self) -> u64 {
        self.recorder.get().map_or(0, |recorder| recorder.clock().now())
    }

    /// The phase this thread is in; 0 for none.
    #[inline(always)]
    pub(crate) fn current(&self) -> u64 {
        self.home().map_or(0, |home| home[home::CURRENT].load(Relaxed))
    }

    #[inline(always)]
    pub(crate) fn set_current(&self, phase: u64) {
        if let Some(home) = self.home() {
            home[home::CURRENT].store(phase, Release);
        }
    }

    /// Where the thread is: the last slot of its stack.
    #[inline(always)]
    pub(crate) fn home(&self) -> Option<&'static Slot> {
        self.stack.get().map(|stack| &stack[slot::STACK_DEPTH])
    }

    /// The phase that was entered last, of those that were not left.
    #[inline(always)]
    pub(crate) fn entered_last(&self) -> Option<&Entered> {
        self.entered.get(self.entered_depth.get().wrapping_sub(1))
    }

    /// The async task that this thread polls; 0 for none.
    #[inline(always)]
    pub(crate) fn task(&self) -> u64 {
        self.home().map_or(0, |home| home[home::TASK].load(Relaxed))
    }
}
