//! Copies of the slots: which phases were open, whole, and what each says beyond its slot.
//!
//! All slots are copied three times. When the first and the last copy have a slot open with the same generation, it
//! was so all the time in between, so the middle one is whole. (Two copies would do if a copy took its words one
//! after the other; nobody promises that, and an aarch64 does not.)
//!
//! ```text
//!   copy 1  commit: open 7
//!   copy 2                  commit, parent, site, fields
//!   copy 3                                               commit: open 7   ──▶ copy 2 counts
//!                                                        commit: free 7   ──▶ it was closed; gone
//!                                                        commit: open 8   ──▶ once more, alone; then torn
//! ```
//!
//! What is said beyond is in further slots, and these change while a phase is open. Its entries are appended, the
//! head last: a head that stands in copy 2 has its value whole in copy 3, when a fourth says that the phase was
//! still open then. Copy 1 says that the slot was of the phase's chain before its heads were copied.

use std::collections::HashMap;

use super::checked::{Layout, Section};
use super::{ReadError, Reader};
use crate::layout::{WORD, home, more, slot};

#[cfg(not(loom))]
const RETRIES: usize = 3;
/// In a model a look more is a world more.
#[cfg(loom)]
const RETRIES: usize = 0;

/// The words of a slot, and of what hangs on it.
pub(super) struct Whole {
    pub(super) id: u64,
    pub(super) words: [u64; slot::WORDS],
    /// Whether it is in a thread's stack: then which entry's.
    pub(super) stack_of: Option<usize>,
    /// The entries beyond it: heads as they were first, values as they were later.
    pub(super) beyond: Vec<(u64, u64)>,
}

/// All slots, and the last copy of their commit words.
pub(super) struct Slots {
    pub(super) open: Vec<Whole>,
    /// Commit words by number: of the chunks, then of the stacks.
    commits: Vec<u64>,
    stacks: Vec<u64>,
    stacks_begin: usize,
    /// Current phase and task of each entry's thread.
    homes: Vec<[u64; 2]>,
    /// Changes with everything that is opened, closed or polled.
    pub(super) beats: u64,
}

struct Copy {
    slots: Vec<u64>,
    stacks: Vec<u64>,
}

impl Slots {
    pub(super) fn read(reader: &Reader, layout: &Layout, torn: &mut u32) -> Result<Self, ReadError> {
        let copy = || -> Result<Copy, ReadError> {
            let words = |section: Section| reader.words(section.offset, section.count * slot::WORDS);
            Ok(Copy { slots: words(layout.slots)?, stacks: words(layout.stacks)? })
        };
        let (first, second, third) = (copy()?, copy()?, copy()?);
        let mut whole = Vec::new();
        for is_stack in [false, true] {
            let section = if is_stack { layout.stacks } else { layout.slots };
            let [one, two, three] =
                [&first, &second, &third].map(|copy| if is_stack { &copy.stacks } else { &copy.slots });
            for at in 0..two.len() / slot::WORDS {
                let copies = [one, two, three].map(|words| &words[at * slot::WORDS..][..slot::WORDS]);
                if !copies.iter().any(|words| is_open(words)) {
                    continue;
                }
                let Some(words) = settle(reader, section, at, copies, torn)? else { continue };
                let index = if is_stack { layout.stacks_begin + at } else { at };
                whole.push(Whole {
                    id: slot::phase(words[slot::COMMIT], index),
                    words,
                    stack_of: is_stack.then_some(at / slot::STACK),
                    beyond: Vec::new(),
                });
            }
        }
        if whole.iter().any(|whole| whole.words[slot::COMMIT] & slot::HAS_MORE != 0) {
            add_beyond(&mut whole, [&first, &second, &third, &copy()?], layout.stacks_begin, torn);
        }
        let commits = |words: &[u64]| -> Vec<u64> { words.chunks_exact(slot::WORDS).map(|slot| slot[0]).collect() };
        let beats = |words: &[u64]| {
            let beat = |words: &[u64]| words[slot::COMMIT].wrapping_add(words[slot::PARENT] >> slot::PARENT_BITS);
            words.chunks_exact(slot::WORDS).fold(0_u64, |sum, words| sum.wrapping_add(beat(words)))
        };
        Ok(Self {
            open: whole,
            beats: beats(&first.slots).wrapping_add(beats(&first.stacks)),
            commits: commits(&third.slots),
            stacks: commits(&third.stacks),
            stacks_begin: layout.stacks_begin,
            homes: second
                .stacks
                .chunks_exact(slot::STACK * slot::WORDS)
                .map(|stack| &stack[slot::STACK_DEPTH * slot::WORDS..])
                .map(|home| [home[home::CURRENT], home[home::TASK]])
                .collect(),
        })
    }

    /// Current phase and task of the thread of an entry.
    pub(super) fn home(&self, entry: usize) -> Option<[u64; 2]> {
        self.homes.get(entry).copied()
    }

    /// The whole number of a phase whose generation was cut when it was written down as somebody's parent: of those
    /// that it can be the nearest to the one that its slot holds. That may be later than what was copied.
    pub(super) fn parent(&self, cut: u64) -> Option<u64> {
        let cut = cut & slot::PARENT_MASK;
        if cut == 0 {
            return None;
        }
        let index = slot::index(cut);
        let commit = match index.checked_sub(self.stacks_begin) {
            None => self.commits.get(index),
            Some(at) => self.stacks.get(at),
        };
        let latest = slot::generation(*commit?) | index as u64;
        let above = u64::BITS - slot::PARENT_BITS;
        let apart = (cut.wrapping_sub(latest) << above) as i64 >> above;
        Some(latest.wrapping_add_signed(apart))
    }
}

fn is_open(words: &[u64]) -> bool {
    slot::state(words[slot::COMMIT]) == slot::OPEN
}

/// An outcome or something beyond may have come in between: the phase is the same.
fn same_and_open(one: &[u64], two: &[u64]) -> bool {
    let generation = |words: &[u64]| slot::generation(words[slot::COMMIT]);
    is_open(one) && is_open(two) && generation(one) == generation(two) && generation(one) != 0
}

/// A slot that is open and whole; `None` when it is gone, or changes at each try: then it is counted.
fn settle(
    reader: &Reader,
    section: Section,
    at: usize,
    [one, two, three]: [&[u64]; 3],
    torn: &mut u32,
) -> Result<Option<[u64; slot::WORDS]>, ReadError> {
    let array = |words: &[u64]| words.try_into().ok();
    if same_and_open(one, three) {
        return Ok(array(two));
    }
    let offset = section.offset + at * slot::WORDS * WORD;
    for _ in 0..RETRIES {
        let one = reader.words(offset, slot::WORDS)?;
        if !is_open(&one) {
            return Ok(None);
        }
        let two = reader.words(offset, slot::WORDS)?;
        let three = reader.words(offset, 1)?;
        if same_and_open(&one, &three) {
            return Ok(array(&two));
        }
    }
    *torn = torn.saturating_add(1);
    Ok(None)
}

/// What hangs on the phases that say more, from four copies one after the other.
fn add_beyond(whole: &mut [Whole], [first, second, third, fourth]: [&Copy; 4], stacks_begin: usize, torn: &mut u32) {
    let slot_at = |copy: &[u64], at: usize| -> Option<[u64; slot::WORDS]> {
        copy.get(at * slot::WORDS..(at + 1) * slot::WORDS)?.try_into().ok()
    };
    let mut chains: HashMap<u64, Vec<(u64, usize)>> = HashMap::new();
    for (at, words) in second.slots.chunks_exact(slot::WORDS).enumerate() {
        let commit = words[slot::COMMIT];
        if slot::state(commit) == slot::MORE {
            let place = commit >> slot::PLACE_SHIFT & slot::KEY_MASK;
            chains.entry(words[more::OWNER]).or_default().push((place, at));
        }
    }
    for phase in whole.iter_mut().filter(|phase| phase.words[slot::COMMIT] & slot::HAS_MORE != 0) {
        let index = slot::index(phase.id);
        let last_seen = match index.checked_sub(stacks_begin) {
            None => slot_at(&fourth.slots, index),
            Some(at) => slot_at(&fourth.stacks, at),
        };
        let still_open = last_seen.is_some_and(|last| same_and_open(&phase.words, &last));
        let mut chain = chains.remove(&phase.id).unwrap_or_default();
        chain.sort_unstable();
        if !still_open || chain.is_empty() {
            // Without it the phase is still true, only less is known of it.
            *torn = torn.saturating_add(1);
            continue;
        }
        for (number, (place, at)) in (0..more::MAX_CHAIN as u64).zip(chain) {
            let copies = [&first.slots, &second.slots, &third.slots].map(|copy| slot_at(copy, at));
            let [Some(earlier), Some(heads), Some(later)] = copies else { break };
            let whose = |words: &[u64]| (words[slot::COMMIT], words[more::OWNER]);
            // Heads from a slot that had only just come to the chain may be of its time before.
            if place != number || whose(&earlier) != whose(&heads) || whose(&later) != whose(&heads) {
                break;
            }
            phase.beyond.extend(heads.into_iter().zip(later).skip(more::BODY));
        }
    }
}
