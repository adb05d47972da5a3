//! Phases by their number: entered, left, told more, ended; from any thread.

use std::cell::Cell;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::Recorder;
use super::rings::Event;
use crate::book::{self, Book, DEPTH, Entry};
use crate::layout::{HANG_OUTCOME, cell, home, is_meaning, slot, thread};
use crate::slot::Slot;
use crate::{Loss, Outcome, PhaseId, ThreadRole, Value};

/// Adds a field to an open phase, or gives it another value.
pub fn field(phase: PhaseId, key: &'static str, value: Value<'_>) {
    let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) else { return };
    let name = recorder.name(key);
    if name.0 == HANG_OUTCOME {
        match outcome_of(value) {
            Some(said) => outcome(phase, said),
            None => recorder.lose(Loss::Field),
        }
        return;
    }
    let phase = phase.word();
    let Some(slot) = recorder.slot_of(phase).filter(|slot| slot.is_open(phase)) else { return };
    let site = slot[slot::SHAPE].load(Relaxed) as u16;
    if recorder.append(book, phase, false, name.0, value) {
        if slot.change(phase, |commit| Some(commit | slot::HAS_MORE | slot::SAID)).is_none() {
            // Closed by somebody who could not know of it.
            let _gone = recorder.forget(Some(book), phase);
        }
        if is_meaning(name.0) {
            recorder.note_meaning(book, phase, site, name.0, value);
        }
    }
}

/// Says how a phase ended or is about to. The last word counts.
pub fn outcome(phase: PhaseId, outcome: Outcome) {
    if let Some(recorder) = book::recorder() {
        recorder.outcome_in(phase.word(), |_| Some(outcome));
    }
}

/// Says how a phase seems to end, unless it said so itself.
pub fn presume(phase: PhaseId, outcome: Outcome) {
    if let Some(recorder) = book::recorder() {
        recorder.presume_in(phase.word(), outcome);
    }
}

/// The phase that the calling thread is in.
pub fn current_phase() -> Option<PhaseId> {
    PhaseId::from_word(book::peek()?.current())
}

/// What [`resume`] gives and [`suspend`] takes: the phase's slot, and the phase that the thread was in before.
#[derive(Clone, Copy, Default)]
#[must_use = "give it to `suspend`"]
pub struct Before {
    /// The thread's. A forked child that has one of its own has another.
    book: Option<&'static Book>,
    slot: Option<&'static Slot>,
    current: u64,
}

/// The calling thread goes into a phase that is polled: a future. `task` is asked at the first poll for the async
/// task that it belongs to, 0 for none. Cheaper than [`enter`], for whoever keeps what was before.
#[inline(always)]
pub fn resume(phase: PhaseId, task: impl FnOnce() -> u64) -> Before {
    let Some((book, home)) = book::mine().and_then(|book| Some((book, book.home()?))) else {
        return Before::default();
    };
    let before = home[home::CURRENT].load(Relaxed);
    let slot = open_slot(book, phase.word());
    if let Some(slot) = slot {
        go_in(book, home, slot, phase.word(), task);
    }
    Before { book: Some(book), slot, current: before }
}

/// Its slot, if it is open. Else it may be another process's, or none at all.
#[inline(always)]
fn open_slot(book: &Book, phase: u64) -> Option<&'static Slot> {
    book.slots.get()?.get(slot::index(phase)).filter(|slot| slot.is_open(phase))
}

#[inline(always)]
fn go_in(book: &Book, home: &Slot, slot: &Slot, phase: u64, task: impl FnOnce() -> u64) {
    let parent = slot[slot::PARENT].load(Relaxed);
    slot[slot::PARENT].store(slot::entered(parent), Release);
    let entry = slot[slot::ENTRY].load(Relaxed);
    if slot::polls(parent) == 0 && entry >> slot::TID_BITS == 0 {
        slot[slot::ENTRY].store(slot::entry(book.tid.get(), task()), Relaxed);
    } else if entry & slot::TID_MASK != u64::from(book.tid.get()) {
        slot[slot::ENTRY].store(entry & !slot::TID_MASK | slot::entry(book.tid.get(), 0), Relaxed);
    }
    home[home::CURRENT].store(phase, Release);
}

/// The calling thread comes out of a phase that it [`resume`]d.
#[inline(always)]
pub fn suspend(before: Before) {
    let mine = book::any().filter(|mine| before.book.is_some_and(|book| std::ptr::eq(*mine, book)));
    let Some((book, home)) = mine.and_then(|book| Some((book, book.home()?))) else { return };
    if let Some(slot) = before.slot {
        leave(slot, book.now());
    }
    home[home::CURRENT].store(before.current, Release);
}

#[inline(always)]
fn leave(slot: &Slot, now: u64) {
    slot[slot::PARENT].store(slot[slot::PARENT].load(Relaxed) & !slot::INSIDE, Release);
    slot[slot::SHAPE].store(slot::with_left(slot[slot::SHAPE].load(Relaxed), now), Relaxed);
}

/// The calling thread goes into a phase, until [`exit`]. `task` as with [`resume`].
#[inline]
pub fn enter(phase: PhaseId, task: impl FnOnce() -> u64) {
    enter_as(0, || Some(phase), task);
}

/// The same for a phase that its caller knows by a key of its own, which is never that of another open phase: `find`
/// is asked only when this is not the phase that the thread was in last at this depth. A key of 0 is none.
#[inline(always)]
pub fn enter_as(key: u64, find: impl FnOnce() -> Option<PhaseId>, task: impl FnOnce() -> u64) {
    let Some((book, home)) = book::mine().and_then(|book| Some((book, book.home()?))) else { return };
    let before = home[home::CURRENT].load(Relaxed);
    let depth = book.entered_depth.get();
    let last = book.entered.get(depth).map(Cell::get).filter(|last| key != 0 && last.key == key);
    let known = last.and_then(|last| Some((last.phase, Some(open_slot(book, last.phase)?))));
    let found = known.or_else(|| find().map(|phase| (phase.word(), open_slot(book, phase.word()))));
    let Some((phase, slot)) = found else { return };
    if let Some(slot) = slot {
        go_in(book, home, slot, phase, task);
    }
    let Some(place) = book.entered.get(depth) else { return enter_too_deep(book, before) };
    place.set(Entry { phase, before, key });
    book.entered_depth.set(depth + 1);
    if std::thread::panicking() || book.panicking.get() != 0 {
        enter_while_panicking(book, depth);
    }
}

/// Whether a panic was on its way already when the phase at that depth was entered.
#[cold]
fn enter_while_panicking(book: &Book, depth: usize) {
    let rest = book.panicking.get() & !(1 << depth);
    book.panicking.set(rest | u64::from(std::thread::panicking()) << depth);
}

/// Deeper than is followed: the phase is open, and the thread's current one is still that above it.
#[cold]
fn enter_too_deep(book: &Book, before: u64) {
    book.set_current(before);
    book.too_deep.set(book.too_deep.get() + 1);
}

/// The calling thread comes out of a phase. In any order: the innermost one of that number is left.
#[inline]
pub fn exit(phase: PhaseId) {
    leave_top(|entry| entry.phase == phase.word(), || Some(phase));
}

/// The same for a phase that was entered by a key.
#[inline(always)]
pub fn exit_as(key: u64, find: impl FnOnce() -> Option<PhaseId>) {
    leave_top(|entry| key != 0 && entry.key == key, find);
}

#[inline(always)]
fn leave_top(is_it: impl FnOnce(&Entry) -> bool, find: impl FnOnce() -> Option<PhaseId>) {
    let Some((book, home)) = book::any().and_then(|book| Some((book, book.home()?))) else { return };
    let top = book.entered_depth.get().wrapping_sub(1);
    if let Some(entry) = book.entered.get(top).map(Cell::get)
        && is_it(&entry)
        && let Some(slot) = open_slot(book, entry.phase)
        && home[home::CURRENT].load(Relaxed) == entry.phase
        && !std::thread::panicking()
    {
        leave(slot, book.now());
        book.entered_depth.set(top);
        home[home::CURRENT].store(entry.before, Release);
    } else if let Some(phase) = find() {
        exit_slowly(book, phase.word());
    }
}

#[cold]
#[inline(never)]
fn exit_slowly(book: &Book, phase: u64) {
    let Some(recorder) = book.recorder.get() else { return };
    if let Some(slot) = recorder.slots.get(slot::index(phase)).filter(|slot| slot.is_open(phase)) {
        leave(slot, book.now());
    }
    let depth = book.entered_depth.get().min(DEPTH);
    let Some(at) = book.entered[..depth].iter().rposition(|place| place.get().phase == phase) else {
        return book.too_deep.set(book.too_deep.get().saturating_sub(1));
    };
    let before = book.entered[at].get().before;
    if std::thread::panicking() && book.panicking.get() & 1 << at == 0 {
        recorder.presume_in(phase, Outcome::Panicked);
    }
    for above in at + 1..depth {
        let entry = book.entered[above].get();
        // What was entered on top of it stays, on what was below.
        let its_before = if entry.before == phase { before } else { entry.before };
        book.entered[above - 1].set(Entry { before: its_before, ..entry });
    }
    book.entered_depth.set(depth - 1);
    if book.current() == phase {
        book.set_current(before);
    }
}

/// Tells which async task the calling thread polls, 0 for none, for what comes next and asks for it: who takes a
/// traced lock, uses an end of a channel, or opens a phase [`in_its_task`](crate::Opening::in_its_task). Gives the
/// one before.
pub fn set_task(task: u64) -> u64 {
    let Some(home) = book::mine().and_then(Book::home) else { return 0 };
    let before = home[home::TASK].load(Relaxed);
    if before != task {
        home[home::TASK].store(task, Relaxed);
    }
    before
}

/// What the calling thread does in an async runtime.
pub fn set_role(role: ThreadRole) {
    if let Some((book, thread)) = book::mine().and_then(|book| Some((book, book.thread.get()?))) {
        thread[thread::TID].store(u64::from(book.tid.get()) | role.number() << 32, Relaxed);
    }
}

/// Ends a phase, on any thread.
#[inline]
pub fn close(phase: PhaseId) {
    let phase = phase.word();
    let Some(book) = book::peek() else { return close_elsewhere(phase) };
    let Some(recorder) = book.recorder.get() else { return };
    let index = slot::index(phase);
    let Some(slot) = recorder.slots.get(index) else { return recorder.close_with(Some(book), phase) };
    let commit = slot[slot::COMMIT].load(Relaxed);
    let is_plain = slot::generation(commit) == slot::generation(phase) && commit & slot::STATE_AND_SAID == slot::OPEN;
    if is_plain && recorder.owns(book, index) {
        slot.free(commit);
        Recorder::keep(book, slot, index);
    } else if slot::generation(commit) == slot::generation(phase)
        && commit & slot::STATE_AND_SAID == slot::ONLY_HISTORY
        && recorder.owns(book, index)
    {
        let (name, start) = (slot[slot::SHAPE].load(Relaxed) as u16, slot[slot::START].load(Relaxed));
        slot.free(commit);
        Recorder::keep(book, slot, index);
        let now = book.now();
        recorder.push_plain(book, Event { now, kind: cell::CLOSE, argument: 0, name, phase, last: start });
    } else {
        recorder.close_with(Some(book), phase);
    }
}

/// On a thread that has no book: it never recorded anything, or its destructors run.
#[cold]
fn close_elsewhere(phase: u64) {
    if let Some(recorder) = book::recorder() {
        recorder.close_with(book::mine(), phase);
    }
}

/// Ends a phase that its caller cannot keep track of, and counts it as lost.
pub fn abandon(phase: PhaseId) {
    if let Some(recorder) = book::recorder() {
        recorder.lose(Loss::Slot);
    }
    close(phase);
}

impl Recorder {
    #[cold]
    pub(super) fn close_with(&'static self, book: Option<&'static Book>, phase: u64) {
        let index = slot::index(phase);
        let Some(slot) = self.slots.get(index) else { return };
        if self.end_of(book, slot, phase) {
            self.give(book, index);
        }
    }

    /// The whole number of a phase of which only the parent's part was kept: the latest in its slot that it can be.
    pub(super) fn latest(&self, cut: u64) -> u64 {
        let cut = cut & slot::PARENT_MASK;
        let Some(slot) = self.slot_of(cut).filter(|_| cut != 0) else { return 0 };
        let latest = slot::generation(slot[slot::COMMIT].load(Relaxed)) | slot::index(cut) as u64;
        latest.wrapping_sub(latest.wrapping_sub(cut) & slot::PARENT_MASK)
    }

    /// The slot of a number, in a stack or not.
    #[inline]
    pub(super) fn slot_of(&self, phase: u64) -> Option<&'static Slot> {
        let index = slot::index(phase);
        self.slots.get(index).or_else(|| self.stacks.get(index - self.slots.len()))
    }

    fn outcome_in(&self, phase: u64, change: impl Fn(Option<Outcome>) -> Option<Outcome>) {
        let Some(slot) = self.slot_of(phase) else { return };
        let _gone = slot.change(phase, |commit| {
            let outcome = change(Outcome::from_number(slot::outcome(commit)))?;
            Some(slot::with_outcome(commit, outcome.number()) | slot::SAID)
        });
    }

    pub(super) fn presume_in(&self, phase: u64, outcome: Outcome) {
        self.outcome_in(phase, |said| said.is_none().then_some(outcome));
    }
}

pub(super) fn outcome_of(value: Value<'_>) -> Option<Outcome> {
    match value {
        Value::Text(text) => Outcome::from_text(text),
        _ => None,
    }
}
