//! Opening, entering and closing phases: the 64-byte slots.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use super::{Name, Recorder};
use crate::layout::{HANG_OUTCOME, WORD, cell, header, is_meaning, more, slot};
use crate::{Loss, Outcome, PhaseId, Value, clock, local, names, value};

impl Recorder {
    /// Begins a phase. It shows once it is published. `None` when no slot is free: counted.
    pub fn begin(&'static self, name: Name, parent: Option<PhaseId>) -> Option<Opening> {
        if self.is_foreign() {
            return None;
        }
        let thread = local::with(|local| local.thread_in(self));
        let near = thread.0.unwrap_or(thread.1) as usize;
        let Some(index) = self.free_slots.take(near) else {
            self.lose(Loss::Slot);
            return None;
        };
        high_water(&self.header[header::SLOTS_HIGH], index);
        let words = self.slot(index);
        let generation = (slot::generation(words[slot::COMMIT].load(Relaxed)) + 1).max(self.first_generation);
        let generation = generation & slot::GENERATION_MASK;
        words[slot::COMMIT].store(slot::commit(generation, slot::WRITING), Relaxed);
        // Readers must not see what follows under the old word.
        fence(Release);
        let now = clock::now();
        words[slot::START].store(now, Relaxed);
        let parent = parent.map_or(0, PhaseId::word);
        words[slot::PARENT].store(parent, Relaxed);
        words[slot::ENTRY].store(u64::from(thread.1), Relaxed);
        if self.more_of[index].load(Relaxed) != 0 {
            // Somebody added a field to the phase before this one while it was closed.
            self.give_back_more(index);
        }
        let phase = PhaseId::from_word(slot::phase(slot::commit(generation, 0), index))?;
        self.push_as(thread, now, cell::OPEN, 0, name.0, phase.word(), parent, "");
        Some(Opening { recorder: self, phase, shape: u64::from(name.0), outcome: 0 })
    }

    /// Adds a field to an open phase, or gives it another value.
    pub fn field(&'static self, phase: PhaseId, key: Name, value: Value<'_>) {
        if self.is_foreign() {
            return;
        }
        if key.0 == HANG_OUTCOME {
            match outcome_of(value) {
                Some(outcome) => self.outcome(phase, outcome),
                None => self.lose(Loss::Field),
            }
            return;
        }
        let Some((_, name)) = self.open_slot(phase) else { return };
        if self.append(phase, key.0, value) && is_meaning(key.0) {
            self.note_meaning(phase, name, key.0, value);
        }
    }

    /// Says how a phase ended or is about to. The last word counts.
    pub fn outcome(&'static self, phase: PhaseId, outcome: Outcome) {
        self.change_outcome(phase, |_| Some(outcome));
    }

    /// Says how a phase seems to end, unless it said so itself.
    pub fn presume(&'static self, phase: PhaseId, outcome: Outcome) {
        self.change_outcome(phase, |said| said.is_none().then_some(outcome));
    }

    fn change_outcome(&self, phase: PhaseId, change: impl Fn(Option<Outcome>) -> Option<Outcome>) {
        let index = slot::index(phase.word());
        if self.is_foreign() || index >= self.size.slots {
            return;
        }
        let change = |commit| {
            let open = slot::phase(commit, index) == phase.word() && slot::state(commit) == slot::OPEN;
            let outcome = change(Outcome::from_number(slot::outcome(commit)))?;
            open.then(|| slot::with_outcome(commit, outcome.number()))
        };
        let _gone = self.slot(index)[slot::COMMIT].fetch_update(Release, Relaxed, change);
    }

    /// The async task that a phase belongs to.
    pub fn task(&'static self, phase: PhaseId, task: u64) {
        if self.is_foreign() || self.open_slot(phase).is_none() {
            return;
        }
        if let Some(more) = self.more_for(phase) {
            more[more::TASK].store(task, Relaxed);
        }
    }

    /// The calling thread goes into a phase: for plain code once, for async code with each poll.
    pub fn enter(&'static self, phase: PhaseId) {
        if self.is_foreign() {
            return;
        }
        local::with(|local| {
            let (thread, tid) = local.thread_in(self);
            local.push(phase);
            if let Some((words, _)) = self.open_slot(phase) {
                // Polled by one thread at a time; when a span is shared by several, the last one shows.
                let polls = words[slot::ENTRY].load(Relaxed) & !(slot::POLL - 1);
                let polls = if polls >> 33 == u64::from(u32::MAX >> 1) { polls } else { polls + slot::POLL };
                words[slot::ENTRY].store(polls | slot::INSIDE | u64::from(tid), Release);
            }
            self.now_in(thread, phase.word());
        });
    }

    /// The calling thread comes out of a phase.
    pub fn exit(&'static self, phase: PhaseId) {
        if self.is_foreign() {
            return;
        }
        let left = local::with(|local| {
            let (thread, _) = local.thread_in(self);
            let left = local.pop(phase);
            if let Some((words, _)) = self.open_slot(phase) {
                words[slot::ENTRY].store(words[slot::ENTRY].load(Relaxed) & !slot::INSIDE, Release);
            }
            self.now_in(thread, left.now);
            left
        });
        if left.panicked {
            self.presume(phase, Outcome::Panicked);
        }
    }

    /// Ends a phase, on any thread.
    pub fn close(&'static self, phase: PhaseId) {
        let index = slot::index(phase.word());
        if self.is_foreign() || index >= self.size.slots {
            return;
        }
        let words = self.slot(index);
        let closing = |commit| {
            (slot::phase(commit, index) == phase.word() && slot::state(commit) == slot::OPEN)
                .then(|| slot::commit(slot::generation(commit), slot::WRITING))
        };
        // Of two that close the same phase, one wins.
        let Ok(commit) = words[slot::COMMIT].fetch_update(AcqRel, Relaxed, closing) else { return };
        let name = words[slot::SHAPE].load(Relaxed) as u16;
        if commit & slot::HAS_MORE != 0 && self.give_back_more(index) {
            self.push(cell::WAKE, 0, name, phase.word(), 0, "");
        }
        let start = words[slot::START].load(Relaxed);
        self.push(cell::CLOSE, slot::outcome(commit) as u8, name, phase.word(), start, "");
        words[slot::COMMIT].store(slot::commit(slot::generation(commit), slot::FREE), Release);
        self.free_slots.free(index);
    }

    /// Ends a phase that its caller cannot keep track of, and counts it as lost.
    pub fn abandon(&'static self, phase: PhaseId) {
        if !self.is_foreign() {
            self.lose(Loss::Slot);
            self.close(phase);
        }
    }

    pub(super) fn slot(&self, index: usize) -> &'static [AtomicU64] {
        &self.slots[index * slot::WORDS..(index + 1) * slot::WORDS]
    }

    /// Slot and name of a phase that is open.
    pub(super) fn open_slot(&self, phase: PhaseId) -> Option<(&'static [AtomicU64], u16)> {
        let index = slot::index(phase.word());
        if index >= self.size.slots {
            return None;
        }
        let words = self.slot(index);
        let commit = words[slot::COMMIT].load(Acquire);
        let open = slot::phase(commit, index) == phase.word() && slot::state(commit) != slot::FREE;
        open.then(|| (words, words[slot::SHAPE].load(Relaxed) as u16))
    }
}

/// A phase that does not show yet.
#[must_use = "a phase shows once it is published"]
pub struct Opening {
    recorder: &'static Recorder,
    phase: PhaseId,
    /// The slot's fourth word, as it grows.
    shape: u64,
    outcome: u64,
}

impl Opening {
    /// The number that the phase will have.
    pub fn id(&self) -> PhaseId {
        self.phase
    }

    /// Adds a field: within the slot if it is short and there is room, else in the second slot.
    pub fn field(&mut self, key: Name, value: Value<'_>) {
        let meaning = is_meaning(key.0);
        if key.0 == HANG_OUTCOME {
            self.outcome = outcome_of(value).map_or(0, Outcome::number);
        } else if !(meaning || self.inline(key.0, value)) {
            self.recorder.append(self.phase, key.0, value);
        } else if meaning && self.recorder.append(self.phase, key.0, value) {
            self.recorder.note_meaning(self.phase, self.shape as u16, key.0, value);
        }
    }

    fn inline(&mut self, key: u16, value: Value<'_>) -> bool {
        let first_free = (self.shape >> 48) as u8 == 0;
        let second_free = self.shape >> 56 == 0;
        let words = self.recorder.slot(slot::index(self.phase.word()));
        let (kind, length) = match (value, value.number()) {
            (Value::Text(text), _) => (value::TEXT, text.len()),
            (_, Some((kind, _))) => (kind, WORD),
            _ => return false,
        };
        let shape = u64::from(kind) | (length as u64) << 3;
        let (at, room, key_shift, shape_shift) = match (first_free, second_free) {
            (true, _) if length <= WORD => (slot::VALUE_0, 1, 16, 48),
            (_, true) if length <= 2 * WORD => (slot::VALUE_1, 2, 32, 56),
            _ => return false,
        };
        match (value, value.number()) {
            (_, Some((_, number))) => words[at].store(number, Relaxed),
            (Value::Text(text), _) => names::store_bytes(&words[at..at + room], text.as_bytes()),
            _ => return false,
        }
        self.shape |= u64::from(key) << key_shift | shape << shape_shift;
        true
    }

    /// The phase is open from now on.
    pub fn publish(self) -> PhaseId {
        let recorder = self.recorder;
        let index = slot::index(self.phase.word());
        let words = recorder.slot(index);
        words[slot::SHAPE].store(self.shape, Relaxed);
        // The second slot, if any, set its flag in this word already.
        let writing = words[slot::COMMIT].load(Relaxed);
        words[slot::COMMIT].store(slot::with_outcome(writing & !3 | slot::OPEN, self.outcome), Release);
        self.phase
    }
}

pub(super) fn high_water(word: &AtomicU64, index: usize) {
    // Rounded up, so that the shared line is written rarely.
    if word.load(Relaxed) <= index as u64 {
        word.fetch_max((index as u64 + 1).next_multiple_of(64), Relaxed);
    }
}

fn outcome_of(value: Value<'_>) -> Option<Outcome> {
    match value {
        Value::Text(text) => Outcome::from_text(text),
        _ => None,
    }
}
