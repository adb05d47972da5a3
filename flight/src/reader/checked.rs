//! The header's promises, checked against the file before anything is read by them.

use super::ReadError;
use crate::layout::{MAGIC, MAJOR, WORD, cell, header, name, resource, slot, thread};

/// Longest file that is read.
const LONGEST: u64 = 1 << 30;

/// A section that lies within the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub(super) offset: usize,
    pub(super) count: usize,
}

/// The header's promises, checked.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) names: Section,
    pub(super) text: Section,
    /// The slots that threads have made their own.
    pub(super) slots: Section,
    pub(super) stacks: Section,
    /// Number of the first slot of the stacks.
    pub(super) stacks_begin: usize,
    pub(super) threads: Section,
    pub(super) resources: Section,
    pub(super) rings: usize,
    pub(super) events: usize,
}

impl Layout {
    pub(super) fn of(head: &[u64], file_bytes: u64) -> Result<Self, ReadError> {
        if head[header::MAGIC] != MAGIC {
            return Err(ReadError::NotARecorder);
        }
        let found = head[header::VERSION] as u16;
        if found != MAJOR {
            return Err(ReadError::Layout { found });
        }
        if head[header::STATE] != header::READY {
            return Err(ReadError::NotReady);
        }
        let bytes = head[header::FILE_BYTES].min(file_bytes);
        if bytes > LONGEST {
            return Err(ReadError::Damaged("it is larger than any recorder"));
        }
        let section = |at: usize, entry_bytes: usize, most: usize, what: &'static str| {
            let (offset, count) = (head[at], head[at + 1]);
            let end = count.checked_mul(entry_bytes as u64).and_then(|length| offset.checked_add(length));
            let fits = offset % WORD as u64 == 0 && count <= most as u64 && end.is_some_and(|end| end <= bytes);
            if fits {
                Ok(Section { offset: offset as usize, count: count as usize })
            } else {
                Err(ReadError::Damaged(what))
            }
        };
        let mut slots = section(header::SLOTS, slot::WORDS * WORD, slot::MAX, "slots")?;
        let mut stacks = section(header::STACKS, slot::WORDS * WORD, slot::MAX, "stacks")?;
        let stacks_begin = slots.count;
        if slots.count + stacks.count > slot::MAX {
            return Err(ReadError::Damaged("slots"));
        }
        let all_threads = section(header::THREADS, thread::WORDS * WORD, thread::MAX, "threads")?;
        let mut threads = all_threads;
        let mut resources = section(header::RESOURCES, resource::WORDS * WORD, resource::MAX, "resources")?;
        let mut names = section(header::NAMES, name::WORDS * WORD, 1 << 16, "names")?;
        // The one section whose count is in bytes.
        let text = section(header::TEXT, 1, 1 << 24, "text")?;
        let mut text = Section { count: text.count / WORD, ..text };
        // Only what was ever used is worth a copy.
        let used = |at: usize, of: usize, section: &mut Section| {
            section.count = section.count.min(usize::try_from(head[at]).unwrap_or(usize::MAX).saturating_mul(of));
        };
        used(header::CHUNKS_USED, slot::CHUNK, &mut slots);
        used(header::THREADS_HIGH, slot::STACK, &mut stacks);
        used(header::THREADS_HIGH, 1, &mut threads);
        used(header::RESOURCES_HIGH, 1, &mut resources);
        used(header::NAMES_USED, 1, &mut names);
        used(header::TEXT_USED, 1, &mut text);
        let events = head[header::RINGS + 1];
        let a_ring = events.is_power_of_two() && events > 2 * cell::MARGIN && events <= cell::MAX_RING as u64;
        let ring_bytes = events.saturating_mul((cell::WORDS * WORD) as u64);
        let rings = head[header::RINGS];
        let end = ring_bytes.checked_mul(all_threads.count as u64).and_then(|all| rings.checked_add(all));
        if !(a_ring && end.is_some_and(|end| end <= bytes)) {
            return Err(ReadError::Damaged("rings"));
        }
        Ok(Self {
            names,
            text,
            slots,
            stacks,
            stacks_begin,
            threads,
            resources,
            rings: rings as usize,
            events: events as usize,
        })
    }
}
