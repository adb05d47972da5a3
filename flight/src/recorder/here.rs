//! Phases of a thread's stack: they end on the thread that opened them, as a rule in the opposite order. Opening
//! and closing one needs no free list and no look at who owns the slot; the depth says it all.
//!
//! Guards may still be dropped in another order: the slot is then free and stays a hole until those above are
//! gone.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::rings::Event;
use super::{Opening, Recorder};
use crate::book::{self, Book};
use crate::layout::{cell, home, slot};
use crate::slot::Slot;
use crate::{Loss, Outcome, PhaseId, Site};

/// A phase of the calling thread that is being filled.
#[must_use = "a phase shows once it is entered"]
pub struct OpeningHere {
    opening: Opening,
    depth: usize,
    home: &'static Slot,
}

/// A phase that this thread is in. Leaves and ends it when dropped.
#[must_use = "a phase ends when its guard is dropped: bind it, as in `let _phase = phase!(…);`"]
pub struct Here {
    /// One of no recorder when there is no phase.
    slot: &'static Slot,
    /// Its commit word as it was when it began; 0 when there is more to do at the end than to free the slot.
    commit: u64,
    /// Slots of the stack below its own; [`DEEPER`] when it is in none.
    depth: usize,
    /// Where the thread is said to be.
    home: &'static Slot,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

/// Depth of a phase that found no room in the stack.
const DEEPER: usize = usize::MAX - 1;

/// Begins a phase of the calling thread, which goes into it. `None` in all but the usual case: then
/// [`begin_here`] does it, and takes a little longer.
#[inline(always)]
pub fn begin_here_quickly(site: &'static Site) -> Option<OpeningHere> {
    let book = book::any()?;
    OpeningHere::next::<true>(book, book.quick.get()?, site)
}

/// Begins a phase of the calling thread, which goes into it. `None` when there is no room or no recorder: counted
/// where there is one.
#[inline(always)]
pub fn begin_here(site: &'static Site) -> Option<OpeningHere> {
    let book = book::mine()?;
    OpeningHere::next::<false>(book, book.stack.get()?, site).or_else(|| OpeningHere::deeper(book, site))
}

impl OpeningHere {
    #[inline(always)]
    fn next<const QUICK: bool>(
        book: &'static Book,
        stack: &'static [Slot; slot::STACK],
        site: &'static Site,
    ) -> Option<Self> {
        let depth = book.depth.get();
        let slot = stack[..slot::STACK_DEPTH].get(depth)?;
        book.depth.set(depth + 1);
        let index = book.stack_begin.get() + depth as u64;
        let home = &stack[slot::STACK_DEPTH];
        let opening = Opening::fill::<QUICK>(book, slot, index, site, home[home::CURRENT].load(Relaxed));
        Some(Self { opening, depth, home })
    }

    /// In a slot as all phases have that are not of a stack.
    #[cold]
    fn deeper(book: &'static Book, site: &'static Site) -> Option<Self> {
        let opening = Opening::anywhere::<false>(book, site, book.current())?;
        Some(Self { opening, depth: DEEPER, home: book.home()? })
    }
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
        let Self { opening, depth, home } = self;
        let (slot, id) = (opening.slot, opening.id);
        let commit = if std::thread::panicking() { opening.commit_while_panicking() } else { opening.commit() };
        home[home::CURRENT].store(id, Release);
        Here { slot, commit, depth, home, not_send: PhantomData }
    }
}

impl Here {
    /// No phase: ends without an effect.
    pub const NONE: Self = {
        static NOWHERE: Slot = Slot::new();
        Self { slot: &NOWHERE, commit: 0, depth: DEEPER, home: &NOWHERE, not_send: PhantomData }
    };

    /// Its number.
    pub fn id(&self) -> Option<PhaseId> {
        let recorder = book::peek()?.recorder.get()?;
        number_in(recorder, self.slot).and_then(PhaseId::from_word)
    }
}

/// The number of the phase in a slot, if the slot is one of that recorder's: not when the guard is older than a fork.
fn number_in(recorder: &Recorder, slot: &'static Slot) -> Option<u64> {
    Some(slot::phase(slot[slot::COMMIT].load(Relaxed), recorder.index_of(slot)?))
}

impl std::fmt::Debug for Here {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Here").field(&self.id()).finish()
    }
}

impl Drop for Here {
    #[inline(always)]
    fn drop(&mut self) {
        let slot = self.slot;
        // The depth is that of the guard, not one less than the book's: so the processor need not wait for what it
        // stored there just now. A book that a fork wiped has none.
        if let Some(book) = book::any()
            && book.depth.get() == self.depth + 1
            && slot[slot::COMMIT].load(Relaxed) == self.commit
            && !std::thread::panicking()
        {
            slot.free(self.commit);
            book.depth.set(self.depth);
            self.home[home::CURRENT].store(slot[slot::PARENT].load(Relaxed), Release);
        } else {
            end_slowly(slot);
        }
    }
}

/// Any end but the usual one.
#[inline(never)]
fn end_slowly(slot: &'static Slot) {
    let Some((book, recorder)) = book::peek().and_then(|book| Some((book, book.recorder.get()?))) else { return };
    let top = book.depth.get().wrapping_sub(1);
    let is_top = book.stack.get().and_then(|stack| stack.get(top)).is_some_and(|top| std::ptr::eq(top, slot));
    let commit = slot[slot::COMMIT].load(Relaxed);
    if is_top && commit & slot::STATE_AND_SAID == slot::ONLY_HISTORY && !std::thread::panicking() {
        // In its order, with nothing but the history to do.
        let id = slot::phase(commit, book.stack_begin.get() as usize + top);
        let (name, start) = (slot[slot::SHAPE].load(Relaxed) as u16, slot[slot::START].load(Relaxed));
        book.set_current(slot[slot::PARENT].load(Relaxed));
        slot.free(commit);
        book.depth.set(top);
        let now = book.now();
        recorder.push_plain(book, Event { now, kind: cell::CLOSE, argument: 0, name, phase: id, last: start });
    } else {
        end_somehow(book, recorder, slot);
    }
}

#[cold]
#[inline(never)]
fn end_somehow(book: &'static Book, recorder: &'static Recorder, slot: &'static Slot) {
    let Some(index) = recorder.index_of(slot) else { return };
    let commit = slot[slot::COMMIT].load(Relaxed);
    let id = slot::phase(commit, index);
    if std::thread::panicking() && commit & slot::WHILE_PANICKING == 0 {
        recorder.presume_in(id, Outcome::Panicked);
    }
    let at = index.wrapping_sub(book.stack_begin.get() as usize);
    let stack = book.stack.get().filter(|_| at < slot::STACK_DEPTH);
    if book.current() == id {
        let parent = slot[slot::PARENT].load(Relaxed);
        book.set_current(if stack.is_some() { parent } else { recorder.latest(parent) });
    }
    let Some(stack) = stack else { return recorder.close_with(Some(book), id) };
    if slot::state(commit) == slot::OPEN {
        // The outcome may have been told just now.
        let commit = slot[slot::COMMIT].load(Relaxed);
        slot.free(commit);
        recorder.after(Some(book), slot, commit, id);
    }
    let free = |depth: usize| slot::state(stack[depth - 1][slot::COMMIT].load(Relaxed)) == slot::FREE;
    while book.depth.get() > 0 && free(book.depth.get()) {
        book.depth.set(book.depth.get() - 1);
    }
}

impl Recorder {
    /// Ends the phase in a slot of any thread. Whether it was open, and is free now.
    pub(super) fn end_of(&'static self, book: Option<&'static Book>, slot: &Slot, id: u64) -> bool {
        // Of two that close the same phase, one wins.
        let Some(commit) = slot.change(id, |commit| Some(slot::generation(commit) | slot::FREE)) else {
            return false;
        };
        self.after(book, slot, commit, id);
        true
    }

    /// What is left to do when a phase is over: what it said beyond, its history. Nobody has taken the slot yet.
    fn after(&'static self, book: Option<&'static Book>, slot: &Slot, commit: u64, id: u64) {
        let name = slot[slot::SHAPE].load(Relaxed) as u16;
        let said = if commit & slot::HAS_MORE == 0 { super::more::Said::default() } else { self.forget(book, id) };
        let outcome = slot::outcome(commit);
        if commit & slot::MEANS == 0 && !said.means && outcome == 0 {
            return;
        }
        let Some(book) = book else { return self.lose(Loss::Event) };
        let event = |kind, argument, last| Event { now: book.now(), kind, argument, name, phase: id, last };
        if said.waits {
            self.push(book, event(cell::WAKE, 0, 0), "");
        }
        self.push(book, event(cell::CLOSE, outcome as u8, slot[slot::START].load(Relaxed)), "");
    }
}
