//! Events of the rings.

use super::checked::Layout;
use super::names::Names;
use super::slots::Slots;
use super::{ReadError, Reader, some};
use crate::clock::Anchors;
use crate::layout::{WORD, cell, thread};
use crate::{Event, EventKind, Outcome};

/// Most events of one look; of those before only the number is told.
const MOST: usize = 1 << 20;

impl Reader {
    /// A copy of a ring, and from which event on it is whole up to `head`.
    pub(super) fn ring(&self, layout: &Layout, ring: usize, head: u64) -> Result<(Vec<u64>, u64), ReadError> {
        let size = layout.events as u64;
        let at = layout.rings + ring * layout.events * cell::WORDS * WORD;
        let words = self.words(at, layout.events * cell::WORDS)?;
        let now = self.words(layout.threads.offset + (ring * thread::WORDS + thread::HEAD) * WORD, 1)?[0];
        // What the writer reached meanwhile, and the event it may be in the middle of.
        let safe = now.max(head).saturating_add(cell::MARGIN).saturating_sub(size);
        Ok((words, safe.min(head)))
    }

    pub(super) fn events(
        &mut self,
        layout: &Layout,
        names: &Names,
        anchors: &Anchors,
        slots: &Slots,
        heads: &[(usize, u64)],
        torn: &mut u32,
    ) -> Result<(Vec<Event>, u64), ReadError> {
        self.cursors.resize(layout.threads.count, 0);
        let size = layout.events as u64;
        let mut events = Vec::new();
        let mut overwritten = 0_u64;
        for &(ring, head) in heads {
            let seen = if self.cursors[ring] > head { 0 } else { self.cursors[ring] };
            if seen == head {
                continue;
            }
            let (words, safe) = self.ring(layout, ring, head)?;
            let from = seen.max(safe);
            let from = from.max(head.saturating_sub((MOST - events.len().min(MOST)) as u64));
            overwritten = overwritten.saturating_add(from - seen);
            let cells: Vec<&[u64]> = (from..head)
                .map(|at| {
                    let at = (at & (size - 1)) as usize * cell::WORDS;
                    &words[at..at + cell::WORDS]
                })
                .collect();
            decode(&cells, names, anchors, slots, &mut events, torn);
            self.cursors[ring] = head;
        }
        events.sort_by_key(|event| event.monotonic_ns);
        Ok((events, overwritten))
    }
}

fn decode(
    cells: &[&[u64]],
    names: &Names,
    anchors: &Anchors,
    slots: &Slots,
    events: &mut Vec<Event>,
    torn: &mut u32,
) {
    let mut rest = cells.iter().peekable();
    // The front may begin in the middle of a text.
    while rest.next_if(|cell| cell::split(cell[2]).0 == cell::TEXT).is_some() {}
    while let Some(first) = rest.next() {
        let (kind, argument, name, tid) = cell::split(first[2]);
        let mut text = Vec::new();
        while let Some(next) = rest.next_if(|cell| cell::split(cell[2]).0 == cell::TEXT) {
            text.extend([next[0], next[1], next[3]].into_iter().flat_map(u64::to_ne_bytes));
        }
        text.truncate(usize::from(argument));
        let text = || String::from_utf8_lossy(&text).into_owned();
        let kind = match kind {
            cell::OPEN => EventKind::Open { name: names.get(name), parent: slots.parent(first[3]) },
            cell::CLOSE => EventKind::Close {
                name: names.get(name),
                start_monotonic_ns: anchors.tell(first[3]).0,
                outcome: Outcome::from_number(u64::from(argument)),
            },
            cell::WAIT => EventKind::Wait { resource: text() },
            cell::WAKE => EventKind::Wake,
            cell::NOTE => EventKind::Note { key: names.get(name), text: text() },
            _ => {
                *torn = torn.saturating_add(1);
                continue;
            }
        };
        let (monotonic_ns, err_ns) = anchors.tell(first[0]);
        events.push(Event { monotonic_ns, err_ns, tid, phase: some(first[1]), kind });
    }
}
