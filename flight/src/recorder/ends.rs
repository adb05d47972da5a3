//! Phases that say who serves or holds something together with others: their user is whoever used them last, not
//! who made them.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::{Relaxed, Release};

use super::opening::{begin, begin_in};
use crate::book;
use crate::layout::{resource, slot};
use crate::resource::Key;
use crate::{MAX_VALUE, PhaseId, Primitive, ResourceId, Role, Site, Text};

impl ResourceId {
    /// Opens a phase of the calling thread, or of a task that it polls (0 for none), within the one that it is in.
    #[inline]
    pub fn begin(self, site: &'static Site, role: Role, task: u64) -> Option<PhaseId> {
        let mut opening = begin(site)?;
        opening.resource(role, self);
        opening.slot[slot::ENTRY].store(opening.book.whose.get() | slot::entry(0, task), Relaxed);
        Some(opening.publish())
    }

    /// Opens the phase of one end of a channel, which nobody has used yet.
    #[inline]
    pub fn end(self, site: &'static Site, role: Role) -> Option<PhaseId> {
        let mut opening = begin_in(site, None)?;
        opening.resource(role, self);
        opening.slot[slot::ENTRY].store(0, Relaxed);
        Some(opening.publish())
    }

    /// Its key in a capture, for a phase in that role. `None` when the calling thread's recorder does not know it.
    #[cold]
    pub fn key(self, role: Role) -> Option<Text<MAX_VALUE>> {
        let recorder = book::mine()?.recorder.get()?;
        let begin = self.index_in(recorder.number())? * resource::WORDS;
        let words = recorder.resources.get(begin..begin + resource::WORDS)?;
        let primitive = Primitive::from_number(words[resource::COMMIT].load(Relaxed) >> 2 & 0xff)?;
        let name = words[resource::NAME].load(Relaxed);
        let text = recorder.names.text::<MAX_VALUE>(name as u16)?;
        let mut key = Text::new();
        let _cut = write!(key, "{}", Key { primitive, name: text.as_str(), which: (name >> 32) as u32, role });
        Some(key)
    }
}

/// The calling thread, or a task that it polls (0 for none), used such a phase: it is its user now.
#[inline]
pub fn used(phase: PhaseId, task: u64) {
    let Some((book, recorder)) = book::mine().and_then(|book| Some((book, book.recorder.get()?))) else { return };
    let slot = recorder.slots.get(slot::index(phase.word())).filter(|slot| slot.is_open(phase.word()));
    if let Some(slot) = slot {
        let entry = book.whose.get() | slot::entry(0, task);
        if slot[slot::ENTRY].load(Relaxed) != entry {
            slot[slot::ENTRY].store(entry, Release);
        }
    }
}
