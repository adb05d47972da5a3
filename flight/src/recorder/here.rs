//! Phases of a thread's stack: they end on the thread that opened them, as a rule in the opposite order. Opening
//! and closing one needs no free list and no look at who owns the slot; the depth says it all.
//!
//! Guards may still be dropped in another order: the slot is then free and stays a hole until those above are
//! gone.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::Relaxed;

use super::{Opening, Recorder};
use crate::book::{self, Book};
use crate::layout::{cell, slot};
use crate::{Loss, Outcome, PhaseId, Site};

/// A phase of the calling thread that is being filled.
#[must_use = "a phase shows once it is entered"]
pub struct OpeningHere {
    opening: Opening,
    before: u64,
}

/// A phase that this thread is in. Leaves and ends it when dropped.
#[derive(Debug)]
#[must_use = "a phase ends when its guard is dropped: bind it, as in `let _phase = phase!(…);`"]
pub struct Here {
    /// 0 for none.
    id: u64,
    /// What was current before.
    before: u64,
    /// A panic was on its way when it began.
    panicking: bool,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

/// Begins a phase of the calling thread, which goes into it. `None` when there is no room or no recorder: counted
/// where there is one.
#[inline]
pub fn begin_here(site: &'static Site) -> Option<OpeningHere> {
    let book = book::mine()?;
    let recorder = book.recorder.get()?;
    let depth = book.depth.get();
    let before = book.current();
    let opening = match book.stack.get().and_then(|stack| stack.get(depth)) {
        Some(slot) => {
            let index = book.stack_begin.get() as usize + depth;
            let opening = Opening::fill(recorder, book, slot, index, site, before)?;
            book.depth.set(depth + 1);
            opening
        }
        None => return deeper(site),
    };
    Some(OpeningHere { opening, before })
}

/// Nested deeper than a stack: in a slot as all other phases have.
#[cold]
fn deeper(site: &'static Site) -> Option<OpeningHere> {
    let book = book::mine()?;
    let opening = Opening::anywhere(book, book.recorder.get()?, site, book.current())?;
    Some(OpeningHere { opening, before: book.current() })
}

impl OpeningHere {
    /// Sets the field of the site's n-th key.
    #[inline]
    pub fn value(&mut self, key: usize, value: crate::Value<'_>) {
        self.opening.value(key, value);
    }

    /// Says what the phase has to do with a traced lock or the like.
    #[inline]
    pub fn resource(&mut self, role: crate::Role, resource: crate::ResourceId) {
        self.opening.resource(role, resource);
    }

    /// The phase is open from now on, and the thread is in it.
    #[inline]
    pub fn enter(mut self) -> Here {
        self.opening.commit();
        self.opening.book.set_current(self.opening.id);
        Here {
            id: self.opening.id,
            before: self.before,
            panicking: std::thread::panicking(),
            not_send: PhantomData,
        }
    }
}

impl Here {
    /// No phase: ends without an effect.
    pub const NONE: Self = Self { id: 0, before: 0, panicking: false, not_send: PhantomData };

    /// Its number.
    pub fn id(&self) -> Option<PhaseId> {
        PhaseId::from_word(self.id)
    }
}

impl Drop for Here {
    #[inline]
    fn drop(&mut self) {
        let Some(book) = book::peek().filter(|_| self.id != 0) else { return };
        let top = book.depth.get().wrapping_sub(1);
        let slot = book.stack.get().and_then(|stack| stack.get(top));
        let is_plain = slot.is_some_and(|slot| {
            let commit = slot[slot::COMMIT].load(Relaxed);
            let flags = slot::OPEN | slot::HAS_MORE | slot::OUTCOME_MASK;
            slot::generation(commit) | (book.stack_begin.get() + top as u64) == self.id && commit & flags == slot::OPEN
        });
        if let Some(slot) = slot.filter(|_| is_plain && !book.keeps_history.get() && !std::thread::panicking()) {
            slot.free(self.id);
            book.depth.set(top);
            book.set_current(self.before);
        } else {
            self.end_slowly(book);
        }
    }
}

impl Here {
    #[cold]
    fn end_slowly(&self, book: &'static Book) {
        let Some(recorder) = book.recorder.get() else { return };
        if std::thread::panicking() && !self.panicking {
            recorder.presume_in(self.id, Outcome::Panicked);
        }
        if book.current() == self.id {
            book.set_current(self.before);
        }
        let at = slot::index(self.id).wrapping_sub(book.stack_begin.get() as usize);
        let Some(stack) = book.stack.get().filter(|_| at < slot::STACK) else {
            return recorder.close_with(Some(book), self.id);
        };
        recorder.end_of(Some(book), &stack[at], self.id);
        let free = |depth: usize| slot::state(stack[depth - 1][slot::COMMIT].load(Relaxed)) == slot::FREE;
        while book.depth.get() > 0 && free(book.depth.get()) {
            book.depth.set(book.depth.get() - 1);
        }
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
        let goes_into_history = self.history == super::History::All || said.means || outcome != 0;
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
