//! Going into phases and out of them: each poll of a future, each `enter` of a span.
//!
//! ```text
//!   thread   entered: A, B                       innermost last, each with what was current before it
//!            current: B
//!   slot     of B: polls + 1, being polled, thread, task     at the way in
//!                  not being polled, since now               at the way out
//! ```
//!
//! What a thread left last at a depth stays written down there, or what it opened since. It is as a rule what it goes
//! into next at that depth: the same future, polled again, or a new span. Then one look at the slot's commit word,
//! which is the same as long as nothing was said of the phase, and one at its thread and task do for finding it, and
//! for asking the runtime for its task.

use std::num::NonZeroU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::book::{self, Book, DEPTH, Entered};
use crate::layout::{home, slot};
use crate::slot::Slot;
use crate::{Outcome, PhaseId};

/// What [`resume`] gives and [`suspend`] takes: the phase's slot, and the phase that the thread was in before.
#[derive(Clone, Copy, Default)]
#[must_use = "give it to `suspend`"]
pub struct Before {
    /// The thread's. A forked child finds it empty.
    book: Option<&'static Book>,
    slot: Option<&'static Slot>,
    current: u64,
}

/// The calling thread goes into a phase that is polled: a future. `task` is asked at the first poll for the async
/// task that it belongs to, 0 for none. Cheaper than [`enter`], for whoever keeps what was before.
#[inline(always)]
pub fn resume(phase: PhaseId, task: impl FnOnce() -> u64) -> Before {
    match book::any().and_then(|book| Some((book, book.home()?))) {
        Some((book, home)) => resume_in(book, home, phase, task),
        None => resume_first(phase, task),
    }
}

#[inline(always)]
fn resume_in(book: &'static Book, home: &Slot, phase: PhaseId, task: impl FnOnce() -> u64) -> Before {
    let current = home[home::CURRENT].load(Relaxed);
    let slot = open_slot(book, phase.word());
    if let Some(slot) = slot {
        go_in(book, home, slot, phase.word(), task);
    }
    Before { book: Some(book), slot, current }
}

/// On a thread that has no book yet, or in a forked child.
#[cold]
#[inline(never)]
fn resume_first(phase: PhaseId, task: impl FnOnce() -> u64) -> Before {
    match book::mine().and_then(|book| Some((book, book.home()?))) {
        Some((book, home)) => resume_in(book, home, phase, task),
        None => Before::default(),
    }
}

/// The calling thread comes out of a phase that it [`resume`]d.
#[inline(always)]
pub fn suspend(before: Before) {
    let Some((book, home)) = before.book.and_then(|book| Some((book, book.home()?))) else { return };
    if let Some(slot) = before.slot {
        leave(slot, book.now());
    }
    home[home::CURRENT].store(before.current, Release);
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
        slot[slot::ENTRY].store(book.whose.get() | slot::entry(0, task()), Relaxed);
    } else if entry & slot::TID_MASK != book.whose.get() {
        slot[slot::ENTRY].store(entry & !slot::TID_MASK | book.whose.get(), Relaxed);
    }
    home[home::CURRENT].store(phase, Release);
}

#[inline(always)]
fn leave(slot: &Slot, now: u64) {
    slot[slot::PARENT].store(slot[slot::PARENT].load(Relaxed) & !slot::INSIDE, Release);
    slot[slot::SHAPE].store(slot::with_left(slot[slot::SHAPE].load(Relaxed), now), Relaxed);
}

/// The calling thread goes into a phase, until [`exit`]. `task` as with [`resume`].
#[inline]
pub fn enter(phase: PhaseId, task: impl Fn() -> u64 + Copy) {
    if !enter_if(|place| place.phase.get() == phase.word(), task) {
        enter_anew(0, move || Some(phase), task);
    }
}

/// The same for a phase that its caller knows by a key of its own, which is never that of another open phase: `find`
/// is asked only when this is not the phase that the thread was in last at this depth, nor the one that it opened
/// since by [`publish_as`](crate::Opening::publish_as). A key of 0 is none.
pub fn enter_as(key: u64, find: impl FnOnce() -> Option<PhaseId>, task: impl Fn() -> u64 + Copy) {
    if !NonZeroU64::new(key).is_some_and(|key| enter_quickly(key, task)) {
        enter_anew(key, find, task);
    }
}

/// The same. Whether it was that phase, and is entered: else [`enter_as`] does it, and takes a little longer.
#[inline(always)]
pub fn enter_quickly(key: NonZeroU64, task: impl Fn() -> u64) -> bool {
    enter_if(|place| place.key.get() == key.get(), task)
}

/// No call is on this way but at its end, and nothing is kept over that one, so that no register has to be saved.
#[inline(always)]
fn enter_if(is_it: impl FnOnce(&Entered) -> bool, task: impl Fn() -> u64) -> bool {
    let Some((book, home)) = book::any().and_then(|book| Some((book, book.home()?))) else { return false };
    let depth = book.entered_depth.get();
    let Some(place) = book.entered.get(depth).filter(|place| is_it(place)) else { return false };
    let Some(slot) = place.slot.get() else { return false };
    if slot[slot::COMMIT].load(Acquire) != place.commit.get() || slot[slot::ENTRY].load(Relaxed) != place.entry.get()
    {
        return false;
    }
    slot[slot::PARENT].store(slot::entered(slot[slot::PARENT].load(Relaxed)), Release);
    place.before.set(home[home::CURRENT].load(Relaxed));
    home[home::CURRENT].store(place.phase.get(), Release);
    book.entered_depth.set(depth + 1);
    if place.state.get() != Entered::USUAL {
        enter_first(task);
    } else if std::thread::panicking() {
        entered_while_panicking();
    }
    true
}

/// The thread is in a phase that it opened, for the first time: only now is it certain which task that is. Or when it
/// went in there last, a panic was on its way.
#[inline(never)]
fn enter_first(task: impl Fn() -> u64) {
    // Before all else, so that nothing is kept over that call.
    let task = task();
    let Some(place) = book::any().and_then(Book::entered_last) else { return };
    if place.state.get() == Entered::NEW
        && let Some(slot) = place.slot.get()
    {
        let entry = place.entry.get() | slot::entry(0, task);
        slot[slot::ENTRY].store(entry, Relaxed);
        place.entry.set(entry);
    }
    place.state.set(Entered::USUAL);
    if std::thread::panicking() {
        entered_while_panicking();
    }
}

#[cold]
#[inline(never)]
fn entered_while_panicking() {
    if let Some(place) = book::any().and_then(Book::entered_last) {
        place.state.set(Entered::WHILE_PANICKING);
    }
}

#[inline(never)]
fn enter_anew(key: u64, find: impl FnOnce() -> Option<PhaseId>, task: impl Fn() -> u64) {
    let Some((book, home)) = book::mine().and_then(|book| Some((book, book.home()?))) else { return };
    let before = home[home::CURRENT].load(Relaxed);
    let depth = book.entered_depth.get();
    let place = book.entered.get(depth);
    let known = place.filter(|place| key != 0 && place.key.get() == key).and_then(|place| {
        let phase = place.phase.get();
        Some((phase, Some(open_slot(book, phase)?)))
    });
    let found = known.or_else(|| find().map(|phase| (phase.word(), open_slot(book, phase.word()))));
    let Some((phase, slot)) = found else { return };
    if let Some(slot) = slot {
        go_in(book, home, slot, phase, task);
    }
    let Some(place) = place else { return enter_too_deep(book, before) };
    place.phase.set(phase);
    place.before.set(before);
    place.key.set(key);
    place.slot.set(slot);
    if let Some(slot) = slot {
        place.commit.set(slot[slot::COMMIT].load(Relaxed));
        place.entry.set(slot[slot::ENTRY].load(Relaxed));
    }
    place.state.set(if std::thread::panicking() { Entered::WHILE_PANICKING } else { Entered::USUAL });
    book.entered_depth.set(depth + 1);
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
    if !leave_top(|place| place.phase.get() == phase.word()) {
        exit_slowly(phase.word());
    }
}

/// The same for a phase that was entered by a key.
pub fn exit_as(key: u64, find: impl FnOnce() -> Option<PhaseId>) {
    if !NonZeroU64::new(key).is_some_and(exit_quickly) {
        exit_found(key, find);
    }
}

/// The same. Whether it was that phase, and is left: else [`exit_as`] does it, and takes a little longer.
#[inline(always)]
pub fn exit_quickly(key: NonZeroU64) -> bool {
    leave_top(|place| place.key.get() == key.get())
}

/// Something was said of it, it is not the one that the thread went into last, or the clock is a call.
#[cold]
#[inline(never)]
fn exit_found(key: u64, find: impl FnOnce() -> Option<PhaseId>) {
    let top = book::any().and_then(|book| Some((book, book.entered_last()?)));
    let top = top.filter(|(_, place)| key != 0 && place.key.get() == key);
    let known =
        top.map(|(book, place)| (book, place.phase.get())).filter(|(book, at)| open_slot(book, *at).is_some());
    if let Some(phase) = known.map(|(_, phase)| phase).or_else(|| find().map(PhaseId::word)) {
        exit_slowly(phase);
    }
}

/// Whether it was the phase that the thread went into last, and nothing was said of it since. No call is on this way
/// but at its end.
#[inline(always)]
fn leave_top(is_it: impl FnOnce(&Entered) -> bool) -> bool {
    let Some((book, home)) = book::any().and_then(|book| Some((book, book.quick_home.get()?))) else { return false };
    let top = book.entered_depth.get().wrapping_sub(1);
    let Some(place) = book.entered.get(top).filter(|place| is_it(place)) else { return false };
    let Some(slot) = place.slot.get() else { return false };
    if slot[slot::COMMIT].load(Acquire) != place.commit.get()
        || home[home::CURRENT].load(Relaxed) != place.phase.get()
    {
        return false;
    }
    leave(slot, book.now_at_once());
    book.entered_depth.set(top);
    home[home::CURRENT].store(place.before.get(), Release);
    if std::thread::panicking() {
        left_last_by_panic();
    }
    true
}

/// The phase that the thread was in just now.
#[cold]
#[inline(never)]
fn left_last_by_panic() {
    if let Some(place) = book::any().and_then(|book| book.entered.get(book.entered_depth.get())) {
        left_by_panic(place);
    }
}

/// It was left while a panic is on its way, and it was not while it was entered.
#[cold]
#[inline(never)]
fn left_by_panic(place: &Entered) {
    if let Some(recorder) = book::recorder().filter(|_| place.state.get() != Entered::WHILE_PANICKING) {
        recorder.presume_in(place.phase.get(), Outcome::Panicked);
    }
}

#[cold]
#[inline(never)]
fn exit_slowly(phase: u64) {
    let Some(book) = book::peek() else { return };
    if let Some(slot) = open_slot(book, phase) {
        leave(slot, book.now());
    }
    let depth = book.entered_depth.get().min(DEPTH);
    let Some(at) = book.entered[..depth].iter().rposition(|place| place.phase.get() == phase) else {
        return book.too_deep.set(book.too_deep.get().saturating_sub(1));
    };
    let before = book.entered[at].before.get();
    if std::thread::panicking() {
        left_by_panic(&book.entered[at]);
    }
    for above in at + 1..depth {
        let place = &book.entered[above];
        // What was entered on top of it stays, on what was below.
        if place.before.get() == phase {
            place.before.set(before);
        }
        book.entered[above - 1].become_like(place);
    }
    book.entered_depth.set(depth - 1);
    if book.current() == phase {
        book.set_current(before);
    }
}
