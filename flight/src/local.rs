//! What a thread keeps for itself: which ring is its own, and the phases it is in.
//!
//! The hot part has no destructor, so that looking at it costs a load; a second thread-local
//! exists for the one purpose of giving the ring back when the thread ends.

use std::cell::Cell;

use crate::PhaseId;
use crate::recorder::Recorder;

/// Deepest nesting that is followed; phases below that are recorded, without being any thread's current one.
const DEPTH: usize = 64;

pub(crate) struct Local {
    /// Which recorder the rest belongs to; 0 for none.
    recorder: Cell<u64>,
    /// Ring and entry of this thread.
    thread: Cell<Option<u32>>,
    tid: Cell<u32>,
    depth: Cell<usize>,
    stack: [Cell<u64>; DEPTH],
    /// Bit n: a panic was on its way when the n-th phase was entered.
    panicking: Cell<u64>,
    ended: Cell<bool>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            recorder: Cell::new(0),
            thread: Cell::new(None),
            tid: Cell::new(0),
            depth: Cell::new(0),
            stack: [const { Cell::new(0) }; DEPTH],
            panicking: Cell::new(0),
            ended: Cell::new(false),
        }
    };
    static AT_END: AtEnd = const { AtEnd { recorder: Cell::new(None) } };
}

/// Gives the thread's ring back.
struct AtEnd {
    recorder: Cell<Option<&'static Recorder>>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.get() {
            with(|local| {
                local.ended.set(true);
                if let Some(thread) = local.thread.take() {
                    recorder.detach(thread);
                }
            });
        }
    }
}

/// What was entered, when it is left.
pub(crate) struct Left {
    /// The phase that the thread is in now.
    pub(crate) now: u64,
    /// A panic began inside.
    pub(crate) panicked: bool,
}

pub(crate) fn with<R>(work: impl FnOnce(&Local) -> R) -> R {
    // No destructor, so it can be had at any time in a thread's life.
    LOCAL.with(work)
}

impl Local {
    /// Ring and tid of this thread in `recorder`; `attach` is asked when it has none there yet.
    pub(crate) fn thread_in(&self, recorder: &'static Recorder) -> (Option<u32>, u32) {
        if self.recorder.get() != recorder.number() {
            self.move_to(recorder);
        }
        (self.thread.get(), self.tid.get())
    }

    #[cold]
    fn move_to(&self, recorder: &'static Recorder) {
        self.recorder.set(recorder.number());
        self.tid.set(rustix::thread::gettid().as_raw_nonzero().get() as u32);
        self.depth.set(0);
        // While the thread's destructors run, nobody is left who would give a ring back.
        let thread = if self.ended.get() { None } else { recorder.attach(self.tid.get()) };
        self.thread.set(thread);
        if thread.is_some() {
            let _ending = AT_END.try_with(|at_end| at_end.recorder.set(Some(recorder)));
        }
    }

    /// The phase this thread is in.
    pub(crate) fn current(&self) -> Option<PhaseId> {
        let top = self.depth.get().checked_sub(1)?;
        PhaseId::from_word(self.stack.get(top)?.get())
    }

    pub(crate) fn push(&self, phase: PhaseId) {
        let depth = self.depth.get();
        if let Some(place) = self.stack.get(depth) {
            place.set(phase.word());
            let bit = 1 << depth;
            let rest = self.panicking.get() & !bit;
            self.panicking.set(if std::thread::panicking() { rest | bit } else { rest });
        }
        self.depth.set(depth + 1);
    }

    /// Takes `phase` off, wherever it is: guards may be dropped in any order.
    pub(crate) fn pop(&self, phase: PhaseId) -> Left {
        let depth = self.depth.get();
        let mut panicked = false;
        if depth > DEPTH {
            self.depth.set(depth - 1);
        } else if let Some(at) = self.stack[..depth].iter().rposition(|place| place.get() == phase.word()) {
            panicked = std::thread::panicking() && self.panicking.get() & 1 << at == 0;
            for above in at + 1..depth {
                self.stack[above - 1].set(self.stack[above].get());
            }
            self.depth.set(depth - 1);
        }
        Left { now: self.current().map_or(0, PhaseId::word), panicked }
    }
}
