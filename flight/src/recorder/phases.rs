//! Phases by their number: told more, ended; from any thread.

use std::sync::atomic::Ordering::Relaxed;

use super::Recorder;
use super::rings::Event;
use crate::book::{self, Book};
use crate::late::{self, At};
use crate::layout::{HANG_OUTCOME, cell, home, is_meaning, slot, thread};
use crate::slot::Slot;
use crate::{Loss, MAX_VALUE, Outcome, PhaseId, ThreadRole, Value};

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
    if !close_at_once(phase.word()) {
        close_otherwise(phase.word());
    }
}

/// The site of a phase at whose end the calling thread is to look.
fn late_site(recorder: &Recorder, phase: u64) -> Option<u16> {
    if !late::is_on() {
        return None;
    }
    let slot = recorder.slot_of(phase).filter(|slot| slot.is_open(phase))?;
    Some(slot[slot::SHAPE].load(Relaxed) as u16).filter(|_| !std::thread::panicking())
}

/// Whether it was a phase of the thread's newest own slots with nothing more to do at its end. No call is on this way,
/// and no look at the recorder: that a phase ended now and then finds in no cache.
#[inline(always)]
fn close_at_once(phase: u64) -> bool {
    // A book without slots is none of a thread that records.
    let Some((book, slots)) = book::any().and_then(|book| Some((book, book.slots.get()?))) else { return false };
    let index = slot::index(phase);
    let Some(slot) = slots.get(index) else { return false };
    let commit = slot[slot::COMMIT].load(Relaxed);
    let is_plain = (commit ^ slot::generation(phase)) & !slot::BOTH_KEYS == slot::OPEN;
    if is_plain && Recorder::owns_surely(book, index) {
        slot.free(commit);
        Recorder::keep(book, slot, index);
        return true;
    }
    false
}

#[inline(never)]
fn close_otherwise(phase: u64) {
    let Some(book) = book::peek() else { return close_elsewhere(phase) };
    let Some(recorder) = book.recorder.get() else { return };
    let index = slot::index(phase);
    let Some(slot) = recorder.slots.get(index) else { return recorder.close_with(Some(book), phase) };
    let late = late_site(recorder, phase);
    let commit = slot[slot::COMMIT].load(Relaxed);
    let said = commit & slot::STATE_AND_SAID;
    if slot::generation(commit) == slot::generation(phase)
        && (said == slot::ONLY_HISTORY || said == slot::OPEN)
        && recorder.owns(book, index)
    {
        let (name, start) = (slot[slot::SHAPE].load(Relaxed) as u16, slot[slot::START].load(Relaxed));
        slot.free(commit);
        Recorder::keep(book, slot, index);
        if said == slot::ONLY_HISTORY {
            let now = book.now();
            recorder.push_plain(book, Event { now, kind: cell::CLOSE, argument: 0, name, phase, last: start });
        }
    } else {
        recorder.close_with(Some(book), phase);
    }
    if let Some(site) = late {
        recorder.look(At::End, site);
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
    /// The calling thread is at the begin or end of a phase of that site, and may be held there.
    #[cold]
    pub(super) fn look(&self, at: At, site: u16) {
        if let Some(name) = self.names.name_of_site::<MAX_VALUE>(site) {
            late::look(at, name.as_str());
        }
    }

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
