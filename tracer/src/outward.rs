//! Ids by which a tee's own spans are told from those of the subscriber behind it.
//!
//! Ids of the `Registry` are, minus one, `generation:13 | shard:13 | address:38`, and it has 4096 shards at most. A
//! tee's own spans are in the shard that there never is, the last one:
//!
//! ```text
//!   of a phase     recorder:2 | generation:11 | 1111111111111 | generation:19 | 0 | slot:18        minus one
//!   of none                    count:13       | 1111111111111 | count:4 | call site:15 | 1 | count:18
//! ```
//!
//! The generation's upper 11 bits are in the word of the slot. Another subscriber than the `Registry` may
//! have ids that look the same: such strangers are remembered.

use std::sync::OnceLock;

use hangdog_flight::PhaseId;

use crate::own::Own;
use crate::spans::Hashed;

const LOW_BITS: u32 = 38;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;
const SHARD_MASK: u64 = 0x1fff << LOW_BITS;
const REST_SHIFT: u32 = 51;
/// Bits of the generation that are above the shard.
const GENERATION_BITS: u32 = 11;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
/// The recorder's bits in a phase's number.
const RECORDER_SHIFT: u32 = 60;

/// What is known about the ids of the subscriber behind.
#[derive(Default)]
pub(crate) struct Outward {
    strangers: OnceLock<Hashed>,
}

impl Outward {
    /// The id of one of the tee's own spans; `None` when a stranger has it at this time.
    #[inline]
    pub(crate) fn id(&self, own: Own) -> Option<u64> {
        let id = outward(own);
        if self.is_stranger(id) { None } else { Some(id) }
    }

    /// The tee's own span of that id; `None` for all others.
    #[inline]
    pub(crate) fn own(&self, id: u64) -> Option<Own> {
        if !looks_own(id) || self.is_stranger(id) { None } else { Some(inward(id)) }
    }

    #[inline]
    fn is_stranger(&self, id: u64) -> bool {
        self.strangers.get().is_some_and(|strangers| strangers.get(id).is_some())
    }

    /// The subscriber behind has a new span.
    #[inline]
    pub(crate) fn opened(&self, id: u64) {
        if looks_own(id) {
            self.remember(id);
        }
    }

    #[cold]
    fn remember(&self, id: u64) {
        if let Some(any) = PhaseId::from_word(1) {
            let _full = self.strangers.get_or_init(Hashed::new).insert(id, any);
        }
    }

    /// … and has it no more.
    #[inline]
    pub(crate) fn closed(&self, id: u64) {
        if looks_own(id)
            && let Some(strangers) = self.strangers.get()
        {
            let _any = strangers.remove(id);
        }
    }
}

#[inline]
fn looks_own(id: u64) -> bool {
    id.wrapping_sub(1) & SHARD_MASK == SHARD_MASK
}

#[inline]
fn outward(own: Own) -> u64 {
    let rest = if own.has_phase() {
        own.0 >> LOW_BITS & GENERATION_MASK | own.0 >> RECORDER_SHIFT << GENERATION_BITS
    } else {
        own.0 >> LOW_BITS
    };
    // The lower bits are never all ones.
    (rest << REST_SHIFT | SHARD_MASK | own.0 & LOW_MASK).wrapping_add(1)
}

#[inline]
fn inward(id: u64) -> Own {
    let id = id.wrapping_sub(1);
    let rest = id >> REST_SHIFT;
    if Own(id).has_phase() {
        let lower = id & LOW_MASK | (rest & GENERATION_MASK) << LOW_BITS;
        Own(lower | rest >> GENERATION_BITS << RECORDER_SHIFT).with_upper()
    } else {
        Own(id & LOW_MASK | rest << LOW_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: u64) {
        let own = Own(own);
        let id = outward(own);
        assert!(looks_own(id) && id != 0, "{id:#x}");
        let lower = |own: Own| own.0 & !(GENERATION_MASK << (LOW_BITS + GENERATION_BITS));
        assert_eq!(lower(inward(id)), lower(own), "{id:#x}");
    }

    #[test]
    fn an_own_id_comes_back_and_is_none_of_the_registry() {
        check(1 << 19);
        check(u64::MAX >> 2 & !(1 << 18));
        check((1 << 18) - 1);
        check(1 << 61 | 77 << 19 | 5);
        // Without a phase.
        check(1 << 18);
        check((1 << 51) - 2);
        for (generation, shard, address) in [(0, 0, 0), (8191, 4095, LOW_MASK - 1), (8191, 0, 77), (5, 4095, 3)] {
            let id: u64 = (generation << REST_SHIFT | shard << LOW_BITS | address) + 1;
            assert!(!looks_own(id), "{id:#x}");
        }
    }

    #[test]
    fn a_stranger_that_looks_like_an_own_one_is_none_while_it_is_open() {
        let outward = Outward::default();
        let own = Own(1 << 18);
        let id = outward.id(own).unwrap();
        assert_eq!(outward.own(id), Some(own));
        outward.opened(id);
        assert_eq!((outward.id(own), outward.own(id)), (None, None));
        outward.closed(id);
        assert_eq!((outward.id(own), outward.own(id)), (Some(id), Some(own)));
        outward.opened(7);
        outward.closed(7);
        assert_eq!(outward.own(7), None);
    }
}
