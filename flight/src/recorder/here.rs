//! Phases of a thread's stack: they end on the thread that opened them, as a rule in the opposite order. Opening
//! and closing one needs no free list and no look at who owns the slot; the depth says it all.
//!
//! Guards may still be dropped in another order: the slot is then free and stays a hole until those above are
//! gone.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::opening::number_in;
use super::rings::Event;
use super::{Opening, Recorder};
use crate::book::{self, Book};
use crate::late::{self, At};
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
    /// The commit word of its slot, without [`slot::SAID`]; the phase's number when it is in no stack.
    word: u64,
    /// Slots of the stack below its own; [`DEEPER`] when it is in none, [`NOWHERE`] when there is no phase.
    depth: usize,
    /// What a thread has entered it must leave itself.
    not_send: PhantomData<*const ()>,
}

/// The same without a destructor: for all that is not on the usual way, which keeps the guard in registers.
#[derive(Clone, Copy)]
struct Guard {
    word: u64,
    depth: usize,
}

/// Depth of a phase that found no room in the stack.
const DEEPER: usize = usize::MAX - 1;
/// Depth of no phase.
const NOWHERE: usize = usize::MAX - 2;

/// Begins a phase of the calling thread, which goes into it. `None` in all but the usual case: then
/// [`begin_here`] does it, and takes a little longer.
#[inline(always)]
pub fn begin_here_quickly(site: &'static Site) -> Option<OpeningHere> {
    // All that is not usual is seen before the phase begins: so nothing comes together again on the way.
    let book = book::any().filter(|_| !std::thread::panicking())?;
    OpeningHere::next::<true>(book, book.quick.get()?, site)
}

/// Begins a phase of the calling thread, which goes into it. `None` when there is no room or no recorder: counted
/// where there is one.
#[inline(always)]
pub fn begin_here(site: &'static Site) -> Option<OpeningHere> {
    let Some(book) = book::mine() else {
        book::none_for_a_phase();
        return None;
    };
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
        let number = number_in::<QUICK>(book, site)?;
        book.depth.set(depth + 1);
        let index = book.stack_begin.get() + depth as u64;
        let home = &stack[slot::STACK_DEPTH];
        let opening = Opening::fill::<QUICK>(book, slot, index, site, number, home[home::CURRENT].load(Relaxed));
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
        let id = opening.id;
        let [_, word] =
            if std::thread::panicking() { [0, opening.commit_while_panicking()] } else { opening.commit() };
        Here::entered(home, depth, id, word)
    }

    /// The same, of one that began [quickly](begin_here_quickly).
    #[inline(always)]
    pub fn enter_quickly(self) -> Here {
        let [_, word] = self.opening.commit();
        Here::entered(self.home, self.depth, self.opening.id, word)
    }
}

impl Here {
    #[inline(always)]
    fn entered(home: &Slot, depth: usize, id: u64, word: u64) -> Self {
        home[home::CURRENT].store(id, Release);
        Self { word: if depth == DEEPER { id } else { word }, depth, not_send: PhantomData }
    }

    /// No phase: ends without an effect.
    pub const NONE: Self = Self { word: 0, depth: NOWHERE, not_send: PhantomData };

    /// Its number.
    pub fn id(&self) -> Option<PhaseId> {
        let (_, _, id) = Guard { word: self.word, depth: self.depth }.place()?;
        PhaseId::from_word(id)
    }
}

impl Guard {
    /// The thread's book, the slot in its stack if it is there, and the number. `None` also when the guard was made
    /// before a fork: then the phase is the parent's.
    fn place(self) -> Option<(&'static Book, Option<&'static Slot>, u64)> {
        let book = book::peek()?;
        if self.depth == DEEPER {
            return Some((book, None, self.word));
        }
        let slot = book.stack.get()?[..slot::STACK_DEPTH].get(self.depth)?;
        let commit = slot[slot::COMMIT].load(Relaxed);
        let is_it = slot::generation(commit) == slot::generation(self.word) && slot::state(commit) == slot::OPEN;
        let id = slot::phase(commit, book.stack_begin.get() as usize + self.depth);
        is_it.then_some((book, Some(slot), id))
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
        // The depth is that of the guard, not one less than the book's: so the processor need not wait for what it
        // stored there just now. A forked child finds an empty book, or one of its own, whose phases have other numbers.
        if let Some(book) = book::any()
            && let Some(stack) = book.stack.get()
            && let Some(slot) = stack[..slot::STACK_DEPTH].get(self.depth)
            && book.depth.get() == self.depth + 1
            && slot[slot::COMMIT].load(Relaxed) == self.word
            && !std::thread::panicking()
        {
            slot.free(self.word);
            book.depth.set(self.depth);
            stack[slot::STACK_DEPTH][home::CURRENT].store(slot[slot::PARENT].load(Relaxed), Release);
        } else {
            Guard { word: self.word, depth: self.depth }.end_slowly();
        }
    }
}

impl Guard {
    /// Any end but the usual one.
    #[inline(never)]
    fn end_slowly(self) {
        // What ends at a panic is not looked at: the program is on another way.
        if late::is_on() && !std::thread::panicking() {
            self.end_looked_at();
        } else {
            self.end_in_order();
        }
    }

    #[cold]
    #[inline(never)]
    fn end_looked_at(self) {
        let site = self.place().and_then(|(book, slot, id)| {
            let recorder = book.recorder.get()?;
            let slot = slot.or_else(|| recorder.slot_of(id))?;
            Some((recorder, slot[slot::SHAPE].load(Relaxed) as u16))
        });
        self.end_in_order();
        if let Some((recorder, site)) = site {
            recorder.look(At::End, site);
        }
    }

    #[inline(always)]
    fn end_in_order(self) {
        // In its order, with nothing but the history to do.
        if let Some(book) = book::any()
            && let Some((recorder, stack)) = book.recorder.get().zip(book.stack.get())
            && let Some(slot) = stack[..slot::STACK_DEPTH].get(self.depth)
            && book.depth.get() == self.depth + 1
            && slot[slot::COMMIT].load(Relaxed) == self.word | slot::SAID
            && self.word & slot::STATE_AND_SAID == slot::ONLY_HISTORY & !slot::SAID
            && !std::thread::panicking()
        {
            let (name, start) = (slot[slot::SHAPE].load(Relaxed) as u16, slot[slot::START].load(Relaxed));
            stack[slot::STACK_DEPTH][home::CURRENT].store(slot[slot::PARENT].load(Relaxed), Release);
            slot.free(self.word);
            book.depth.set(self.depth);
            let phase = slot::phase(self.word, book.stack_begin.get() as usize + self.depth);
            let now = book.now();
            recorder.push_plain(book, Event { now, kind: cell::CLOSE, argument: 0, name, phase, last: start });
        } else {
            self.end_otherwise();
        }
    }

    #[inline(never)]
    fn end_otherwise(self) {
        let Some((book, slot, id)) = self.place() else { return };
        let Some(recorder) = book.recorder.get() else { return };
        self.end_somehow(book, recorder, slot, id);
    }

    #[cold]
    #[inline(never)]
    fn end_somehow(self, book: &'static Book, recorder: &'static Recorder, slot: Option<&'static Slot>, id: u64) {
        let Some(any) = slot.or_else(|| recorder.slot_of(id)) else { return };
        if std::thread::panicking() && any[slot::COMMIT].load(Relaxed) & slot::WHILE_PANICKING == 0 {
            recorder.presume_in(id, Outcome::Panicked);
        }
        let parent = any[slot::PARENT].load(Relaxed);
        let Some((slot, stack)) = slot.zip(book.stack.get()) else {
            if book.current() == id {
                book.set_current(recorder.latest(parent));
            }
            return recorder.close_with(Some(book), id);
        };
        if book.current() == id {
            book.set_current(nearest_open(book, stack, parent));
        }
        // The outcome may have been told just now.
        let commit = slot[slot::COMMIT].load(Relaxed);
        slot.free(commit);
        recorder.after(Some(book), slot, commit, id);
        let is_free = |slot: &Slot| slot::state(slot[slot::COMMIT].load(Relaxed)) == slot::FREE;
        if let Some(above) = stack[..book.depth.get().min(slot::STACK_DEPTH)].get(self.depth + 1) {
            // It will end with a hole below it, which it has to take away: not the usual end.
            let number = slot::phase(above[slot::COMMIT].load(Relaxed), slot::index(id) + 1);
            let _free_itself = above.change(number, |commit| Some(commit | slot::SAID));
        }
        while let Some(top) = book.depth.get().checked_sub(1).filter(|top| stack.get(*top).is_some_and(is_free)) {
            book.depth.set(top);
        }
    }
}

/// The phase of that number, or the nearest one around it that is not over, as far as they are in this stack.
fn nearest_open(book: &Book, stack: &'static [Slot; slot::STACK], mut phase: u64) -> u64 {
    for _ in 0..slot::STACK_DEPTH {
        let at = slot::index(phase).wrapping_sub(book.stack_begin.get() as usize);
        let Some(slot) = stack[..slot::STACK_DEPTH].get(at) else { break };
        let commit = slot[slot::COMMIT].load(Relaxed);
        if slot::state(commit) == slot::OPEN || slot::generation(commit) != slot::generation(phase) {
            break;
        }
        phase = slot[slot::PARENT].load(Relaxed);
    }
    phase
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
