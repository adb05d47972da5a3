//! Phases of a thread's stack: they end on the thread that opened them, as a rule in the opposite order. Opening
//! and closing one needs no free list and no look at who owns the slot; the depth says it all.
//!
//! Guards may still be dropped in another order: the slot is then free and stays a hole until those above are
//! gone.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

use super::{Opening, Recorder};
use crate::book::{self, Book};
use crate::layout::{cell, slot, thread};
use crate::slot::Slot;
use crate::{Loss, Outcome, PhaseId, Site};

/// A phase of the calling thread that is being filled.
#[must_use = "a phase shows once it is entered"]
pub struct OpeningHere {
    opening: Opening,
    before: u64,
    depth: usize,
}

/// A phase that this thread is in. Leaves and ends it when dropped.
#[must_use = "a phase ends when its guard is dropped: bind it, as in `let _phase = phase!(…);`"]
pub struct Here {
    /// `None` when there is no phase.
    slot: Option<&'static Slot>,
    /// Its commit word as it was when it began.
    commit: u64,
    /// What was current before.
    before: u64,
    /// Slots of the stack below its own; [`DEEPER`] when it is in none.
    depth: usize,
    /// A panic was on its way when it began.
    panicking: bool,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

/// Begins a phase of the calling thread, which goes into it. `None` when there is no room or no recorder: counted
/// where there is one.
#[inline(always)]
pub fn begin_here(site: &'static Site) -> Option<OpeningHere> {
    let (book, slot, depth, index, before) = next(book::any()).or_else(next_slowly)?;
    Some(OpeningHere { opening: Opening::fill(book, slot, index, site, before), before, depth })
}

/// Depth of a phase that found no room in the stack.
const DEEPER: usize = usize::MAX - 1;

/// Book, slot, its place in the stack, its index, and the phase that the thread is in.
type Next = (&'static Book, &'static Slot, usize, u64, u64);

#[inline(always)]
fn next(book: Option<&'static Book>) -> Option<Next> {
    let book = book?;
    let (stack, thread) = (book.stack.get()?, book.thread.get()?);
    let depth = book.depth.get();
    let slot = stack.get(depth)?;
    book.depth.set(depth + 1);
    Some((book, slot, depth, book.stack_begin.get() + depth as u64, thread[thread::CURRENT].load(Relaxed)))
}

/// The thread's first phase in this recorder, or nested deeper than a stack: in a slot as all other phases have.
#[cold]
#[inline(never)]
fn next_slowly() -> Option<Next> {
    let book = book::mine()?;
    next(Some(book)).or_else(|| {
        let (index, slot) = book.recorder.get()?.take_slot(book, Loss::Slot)?;
        slot[slot::ENTRY].store(slot::entry(book.tid.get(), book.task()), Relaxed);
        Some((book, slot, DEEPER, index as u64, book.current()))
    })
}

impl OpeningHere {
    /// Sets the field of the site's n-th key.
    #[inline(always)]
    pub fn value(&mut self, key: usize, value: crate::Value<'_>) {
        self.opening.value(key, value);
    }

    /// Says what the phase has to do with a traced lock or the like.
    #[inline(always)]
    pub fn resource(&mut self, role: crate::Role, resource: crate::ResourceId) {
        self.opening.resource(role, resource);
    }

    /// The phase is open from now on, and the thread is in it.
    #[inline(always)]
    pub fn enter(self) -> Here {
        let commit = self.opening.commit();
        self.opening.book.set_current(self.opening.id);
        Here {
            slot: Some(self.opening.slot),
            commit,
            before: self.before,
            depth: self.depth,
            panicking: std::thread::panicking(),
            not_send: PhantomData,
        }
    }
}

impl Here {
    /// No phase: ends without an effect.
    pub const NONE: Self = Self { slot: None, commit: 0, before: 0, depth: DEEPER, panicking: false, not_send: PhantomData };

    /// Its number.
    pub fn id(&self) -> Option<PhaseId> {
        let recorder = book::peek()?.recorder.get()?;
        PhaseId::from_word(slot::phase(self.commit, recorder.index_of(self.slot?)?))
    }
}

impl std::fmt::Debug for Here {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Here").field(&self.id()).finish()
    }
}

impl Drop for Here {
    #[inline(always)]
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        // The depth is that of the guard, not one less than the book's: so the processor need not wait for what it
        // stored there just now. A book that a fork wiped has none.
        if let Some(book) = book::any()
            && book.depth.get() == self.depth + 1
            && slot[slot::COMMIT].load(Relaxed) == self.commit
            && self.commit & slot::STATE_AND_SAID == slot::OPEN
            && !std::thread::panicking()
        {
            slot.free(self.commit);
            book.depth.set(self.depth);
            book.set_current(self.before);
        } else {
            end_slowly(slot, self.commit, self.before, self.panicking);
        }
    }
}

#[cold]
#[inline(never)]
fn end_slowly(slot: &'static Slot, commit: u64, before: u64, was_panicking: bool) {
    let Some((book, recorder)) = book::peek().and_then(|book| Some((book, book.recorder.get()?))) else { return };
    // Of another recorder: the guard was made before a fork.
    let Some(index) = recorder.index_of(slot) else { return };
    let id = slot::phase(commit, index);
    if std::thread::panicking() && !was_panicking {
        recorder.presume_in(id, Outcome::Panicked);
    }
    if book.current() == id {
        book.set_current(before);
    }
    let at = index.wrapping_sub(book.stack_begin.get() as usize);
    let Some(stack) = book.stack.get().filter(|_| at < slot::STACK) else {
        return recorder.close_with(Some(book), id);
    };
    recorder.end_of(Some(book), &stack[at], id);
    let free = |depth: usize| slot::state(stack[depth - 1][slot::COMMIT].load(Relaxed)) == slot::FREE;
    while book.depth.get() > 0 && free(book.depth.get()) {
        book.depth.set(book.depth.get() - 1);
    }
}

impl Recorder {
    /// Ends the phase in a slot: what it said beyond, its history. Whether it was open, and is free now.
    pub(super) fn end_of(&'static self, book: Option<&'static Book>, slot: &crate::slot::Slot, id: u64) -> bool {
        // Of two that close the same phase, one wins.
        let Some(commit) = slot.change(id, |commit| Some(slot::generation(commit) | slot::FREE)) else { return false };
        let name = slot[slot::SHAPE].load(Relaxed) as u16;
        let said = if commit & slot::HAS_MORE == 0 { super::more::Said::default() } else { self.forget(book, id) };
        let outcome = slot::outcome(commit);
        let goes_into_history = commit & slot::MEANS != 0 || said.means || outcome != 0;
        if let Some(book) = book.filter(|_| goes_into_history) {
            if said.waits {
                self.push(book, cell::WAKE, 0, name, id, 0, "");
            }
            self.push(book, cell::CLOSE, outcome as u8, name, id, slot[slot::START].load(Relaxed), "");
        } else if goes_into_history {
            self.lose(Loss::Event);
        }
        true
    }
}
