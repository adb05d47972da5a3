//! What a phase says beyond its slot: second slots, of which entries are appended and never changed.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::Recorder;
use super::phases::high_water;
use crate::layout::{HANG_WAIT, WORD, cell, header, more, slot};
use crate::value::{self, MAX_VALUE};
use crate::{Loss, PhaseId, Text, Value, names};

impl Recorder {
    /// The second slot of an open phase, taken if it has none yet.
    pub(super) fn more_for(&'static self, phase: PhaseId) -> Option<&'static [AtomicU64]> {
        let index = slot::index(phase.word());
        let place = &self.more_of[index];
        let at = match place.load(Acquire) {
            0 => {
                let Some(fresh) = self.free_more.take(index) else {
                    self.lose(Loss::More);
                    return None;
                };
                high_water(&self.header[header::MORE_HIGH], fresh);
                let words = &self.more[fresh * more::WORDS..(fresh + 1) * more::WORDS];
                words[more::STATE].store(0, Relaxed);
                words[more::TASK].store(0, Relaxed);
                match place.compare_exchange(0, fresh as u64 + 1, AcqRel, Acquire) {
                    Ok(_) => {
                        words[more::OWNER].store(phase.word(), Release);
                        self.slot(index)[slot::COMMIT].fetch_or(slot::HAS_MORE, Release);
                        fresh
                    }
                    Err(theirs) => {
                        self.free_more.free(fresh);
                        theirs as usize - 1
                    }
                }
            }
            taken => taken as usize - 1,
        };
        self.more.get(at * more::WORDS..(at + 1) * more::WORDS)
    }

    /// Whether the phase was waiting for something.
    pub(super) fn give_back_more(&self, index: usize) -> bool {
        let Some(at) = (self.more_of[index].swap(0, AcqRel) as usize).checked_sub(1) else { return false };
        let words = &self.more[at * more::WORDS..(at + 1) * more::WORDS];
        let waits = words[more::STATE].load(Relaxed) & more::WAITS != 0;
        words[more::OWNER].store(0, Release);
        self.free_more.free(at);
        waits
    }

    /// Appends an entry to the second slot.
    pub(super) fn append(&'static self, phase: PhaseId, key: u16, value: Value<'_>) -> bool {
        let Some(words) = self.more_for(phase) else { return false };
        let state = words[more::STATE].load(Relaxed);
        let busy = state & more::BUSY != 0;
        if busy || words[more::STATE].compare_exchange(state, state | more::BUSY, Acquire, Relaxed).is_err() {
            // Another thread writes to the same phase at this moment; nobody waits for it.
            self.lose(Loss::Field);
            return false;
        }
        let used = more::used(state);
        let wrote = write_entry(&words[more::ENTRIES..], used, key, value);
        if wrote.is_none() {
            self.lose(Loss::Field);
        }
        let waits = if key == HANG_WAIT { more::WAITS } else { 0 };
        words[more::STATE].store(more::with_used(state | waits, wrote.unwrap_or(used)), Release);
        wrote.is_some()
    }

    /// What a phase says of itself also goes into the history, which outlives the slot.
    pub(super) fn note_meaning(&'static self, phase: PhaseId, name: u16, key: u16, value: Value<'_>) {
        if key == HANG_WAIT {
            if let Value::Text(text) = value {
                self.push(cell::WAIT, 0, name, phase.word(), 0, text);
            }
        } else {
            use std::fmt::Write;
            let mut text = Text::<{ cell::MAX_TEXT }>::new();
            let _cut = write!(text, "{value}");
            self.push(cell::NOTE, 0, key, phase.word(), 0, text.as_str());
        }
    }
}

/// Words used after the entry; `None` when there is no room.
fn write_entry(entries: &[AtomicU64], used: usize, key: u16, value: Value<'_>) -> Option<usize> {
    let free = entries.get(used..)?;
    let (head, body) = free.split_first()?;
    if let Some((kind, number)) = value.number() {
        body.first()?.store(number, Relaxed);
        head.store(more::entry(key, kind, WORD), Relaxed);
        return Some(used + 2);
    }
    let Value::Text(text) = value else { return None };
    let text = Text::<MAX_VALUE>::of(text);
    let bytes = text.as_str().as_bytes();
    let words = bytes.len().div_ceil(WORD);
    names::store_bytes(body.get(..words)?, bytes);
    head.store(more::entry(key, value::TEXT, bytes.len()), Relaxed);
    Some(used + 1 + words)
}
