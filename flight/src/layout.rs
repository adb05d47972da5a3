//! Where everything lies in a recorder file, in words of 64 bits, native byte order: writer and
//! reader run on one machine.
//!
//! Only numbers live here: how they are written is in [`crate::Recorder`], how they are distrusted in
//! [`crate::Reader`]. A change of anything in this file is a change of [`MAJOR`] (old readers would
//! be wrong) or [`MINOR`] (old readers miss something).

/// First word of a file: `hangdog\0`.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"hangdog\0");
/// Layout version: a reader refuses another major.
///
/// - 1.0: the first.
pub(crate) const MAJOR: u16 = 1;
/// See [`MAJOR`]. A reader reads any minor of its major.
pub(crate) const MINOR: u16 = 0;

pub(crate) const WORD: usize = 8;
pub(crate) const PAGE: usize = 4096;

/// The words of the header page.
pub(crate) mod header {
    pub(crate) const MAGIC: usize = 0;
    /// `major | minor << 16`
    pub(crate) const VERSION: usize = 1;
    pub(crate) const FILE_BYTES: usize = 2;
    /// 0 until all below is written, then [`READY`].
    pub(crate) const STATE: usize = 3;
    pub(crate) const PID: usize = 4;
    pub(crate) const START_TICKS: usize = 5;
    /// Two words: the 16 bytes of the boot id.
    pub(crate) const BOOT_ID: usize = 6;
    pub(crate) const PID_NAMESPACE: usize = 8;
    pub(crate) const MONOTONIC: usize = 9;
    pub(crate) const BOOTTIME: usize = 10;
    pub(crate) const REALTIME: usize = 11;
    /// See [`crate::ClockSource`].
    pub(crate) const CLOCK_SOURCE: usize = 12;
    pub(crate) const CLOCK_RESOLUTION: usize = 13;
    /// Sections: an offset in bytes, then a count of entries.
    pub(crate) const NAMES: usize = 16;
    pub(crate) const TEXT: usize = 18;
    pub(crate) const SLOTS: usize = 20;
    pub(crate) const MORE: usize = 22;
    pub(crate) const THREADS: usize = 24;
    /// Offset, then events a ring.
    pub(crate) const RINGS: usize = 26;
    /// A cache line of its own: counts up while the process lives, by a tick thread or by threads
    /// that have no ring.
    pub(crate) const HEARTBEAT: usize = 32;
    /// What was dropped, a word for each [`crate::Loss`].
    pub(crate) const DROPPED: usize = 40;
    /// Names claimed so far.
    pub(crate) const NAMES_USED: usize = 48;
    /// Words of text claimed so far.
    pub(crate) const TEXT_USED: usize = 49;
    /// No slot at or above this index was ever used.
    pub(crate) const SLOTS_HIGH: usize = 50;
    pub(crate) const MORE_HIGH: usize = 51;
    pub(crate) const WORDS: usize = super::PAGE / super::WORD;
    pub(crate) const READY: u64 = 1;
}

/// An entry of the names table: `[ready:1 .. length:16 @16 | offset in words:32 @32, hash]`.
pub(crate) mod name {
    pub(crate) const WORDS: usize = 2;
    pub(crate) const MAX_BYTES: usize = 256;

    pub(crate) fn pack(length: usize, offset_words: usize) -> u64 {
        1 | (length as u64) << 16 | (offset_words as u64) << 32
    }

    /// Length in bytes and offset in words; `None` while it is being written.
    pub(crate) fn unpack(word: u64) -> Option<(usize, usize)> {
        (word & 1 == 1).then_some(((word >> 16 & 0xffff) as usize, (word >> 32) as usize))
    }
}

/// An open phase: 64 bytes.
pub(crate) mod slot {
    pub(crate) const WORDS: usize = 8;
    pub(crate) const COMMIT: usize = 0;
    pub(crate) const START: usize = 1;
    pub(crate) const PARENT: usize = 2;
    /// `name:16 | key 0:16 | key 1:16 | shape 0:8 | shape 1:8`
    pub(crate) const SHAPE: usize = 3;
    /// `tid:32 | inside:1 | polls:31`
    pub(crate) const ENTRY: usize = 4;
    /// 8 bytes of the first field's value.
    pub(crate) const VALUE_0: usize = 5;
    /// 16 bytes of the second field's value.
    pub(crate) const VALUE_1: usize = 6;
    /// Most slots of a file: the lower bits of a phase's number are its slot.
    pub(crate) const INDEX_BITS: u32 = 20;
    pub(crate) const MAX: usize = 1 << INDEX_BITS;
    /// How often a slot may be used: 44 bits, 20 days of a phase every 100 ns.
    pub(crate) const GENERATION_MASK: u64 = (1 << (64 - INDEX_BITS)) - 1;

    pub(crate) const FREE: u64 = 0;
    pub(crate) const WRITING: u64 = 1;
    pub(crate) const OPEN: u64 = 2;
    /// Set in a commit word when the phase has a second slot.
    pub(crate) const HAS_MORE: u64 = 1 << 2;
    const OUTCOME_SHIFT: u32 = 3;
    pub(crate) const OUTCOME_MASK: u64 = 7 << OUTCOME_SHIFT;

    /// `state:2 | has more:1 | outcome:3 | … | generation:44`
    pub(crate) fn commit(generation: u64, state: u64) -> u64 {
        generation << INDEX_BITS | state
    }

    pub(crate) fn state(commit: u64) -> u64 {
        commit & 3
    }

    pub(crate) fn generation(commit: u64) -> u64 {
        commit >> INDEX_BITS
    }

    pub(crate) fn with_outcome(commit: u64, outcome: u64) -> u64 {
        commit & !OUTCOME_MASK | outcome << OUTCOME_SHIFT & OUTCOME_MASK
    }

    pub(crate) fn outcome(commit: u64) -> u64 {
        (commit & OUTCOME_MASK) >> OUTCOME_SHIFT
    }

    /// The number of the phase in this slot, 0 when its commit word says that there is none.
    pub(crate) fn phase(commit: u64, index: usize) -> u64 {
        if generation(commit) == 0 { 0 } else { generation(commit) << INDEX_BITS | index as u64 }
    }

    pub(crate) fn index(phase: u64) -> usize {
        (phase & (MAX as u64 - 1)) as usize
    }

    pub(crate) const INSIDE: u64 = 1 << 32;
    pub(crate) const POLL: u64 = 1 << 33;
}

/// The second slot of a phase that says more: 512 bytes.
///
/// After four words come entries, appended and never changed: `[key:16 | kind:8 | _:8 | length:16, bytes…]`.
/// A later entry of the same key counts.
pub(crate) mod more {
    pub(crate) const WORDS: usize = 64;
    /// The phase's number; 0 when free.
    pub(crate) const OWNER: usize = 0;
    /// `busy:1 | waits:1 | … | words used:16 @16`
    pub(crate) const STATE: usize = 1;
    /// The async task's number; 0 for none.
    pub(crate) const TASK: usize = 2;
    pub(crate) const ENTRIES: usize = 4;
    pub(crate) const CAPACITY: usize = WORDS - ENTRIES;
    pub(crate) const BUSY: u64 = 1;
    pub(crate) const WAITS: u64 = 2;
    pub(crate) const MAX: usize = 1 << 18;

    pub(crate) fn used(state: u64) -> usize {
        (state >> 16 & 0xffff) as usize
    }

    pub(crate) fn with_used(state: u64, words: usize) -> u64 {
        state & !(0xffff << 16) | (words as u64) << 16
    }

    pub(crate) fn entry(key: u16, kind: u8, length: usize) -> u64 {
        u64::from(key) | u64::from(kind) << 16 | (length as u64) << 32
    }

    /// Key, kind, length in bytes.
    pub(crate) fn split(entry: u64) -> (u16, u8, usize) {
        (entry as u16, (entry >> 16) as u8, (entry >> 32 & 0xffff) as usize)
    }
}

/// A thread with its ring: 64 bytes, written by that thread alone.
pub(crate) mod thread {
    pub(crate) const WORDS: usize = 8;
    /// `state:2 | generation`
    pub(crate) const COMMIT: usize = 0;
    pub(crate) const TID: usize = 1;
    /// Cells ever written to the ring, by this thread and those before it.
    pub(crate) const HEAD: usize = 2;
    /// The phase the thread is in.
    pub(crate) const CURRENT: usize = 3;
    /// Counts up with everything the thread records.
    pub(crate) const BEATS: usize = 4;
    /// Two words: the thread's name.
    pub(crate) const COMM: usize = 5;
    /// When it ended.
    pub(crate) const ENDED: usize = 7;
    pub(crate) const MAX: usize = 4096;
    pub(crate) const NEVER: u64 = 0;
    pub(crate) const LIVE: u64 = 1;
    pub(crate) const ENDED_STATE: u64 = 2;
    /// Somebody is about to make it its own.
    pub(crate) const CLAIMED: u64 = 3;
}

/// An event of a ring: 32 bytes. `[time, phase, kind:8 | argument:8 | name:16 | tid:32, last]`; text follows in
/// further cells of 24 bytes each (words 0, 1 and 3).
pub(crate) mod cell {
    pub(crate) const WORDS: usize = 4;
    pub(crate) const TEXT_BYTES: usize = 24;
    /// Longest text of an event.
    pub(crate) const MAX_TEXT: usize = 240;
    /// Most cells of one event, and then some: so many cells before the oldest may be half overwritten.
    pub(crate) const MARGIN: u64 = 16;
    pub(crate) const MAX_RING: usize = 1 << 16;

    /// `last` is the parent.
    pub(crate) const OPEN: u8 = 1;
    /// `last` is the start, the argument the outcome.
    pub(crate) const CLOSE: u8 = 2;
    /// Text is the resource.
    pub(crate) const WAIT: u8 = 3;
    pub(crate) const WAKE: u8 = 4;
    /// The name is the key, text the value.
    pub(crate) const NOTE: u8 = 5;
    pub(crate) const TEXT: u8 = 16;

    pub(crate) fn head(kind: u8, argument: u8, name: u16, tid: u32) -> u64 {
        u64::from(kind) | u64::from(argument) << 8 | u64::from(name) << 16 | u64::from(tid) << 32
    }

    /// Kind, argument, name, tid.
    pub(crate) fn split(head: u64) -> (u8, u8, u16, u32) {
        (head as u8, (head >> 8) as u8, (head >> 16) as u16, (head >> 32) as u32)
    }
}

/// Numbers of the names that every file begins with.
pub(crate) const KNOWN: [&str; 9] = [
    "",
    "hang.wait",
    "hang.hold",
    "hang.serve",
    "hang.op",
    "hang.entity",
    "hang.link",
    "hang.outcome",
    "hang.deadline_ms",
];
/// Number of `hang.wait`.
pub(crate) const HANG_WAIT: u16 = 1;
/// Number of `hang.outcome`.
pub(crate) const HANG_OUTCOME: u16 = 7;

/// Whether a name is one of `hang.*`.
pub(crate) fn is_meaning(key: u16) -> bool {
    key != 0 && usize::from(key) < KNOWN.len()
}

/// How large each part of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Phases that can be open at once; a multiple of 64.
    pub slots: usize,
    /// Of these, phases that say more than a name and two short fields.
    pub more: usize,
    /// Names and call sites.
    pub names: usize,
    /// Bytes of their texts.
    pub text: usize,
    /// Threads with a ring at once.
    pub threads: usize,
    /// Events of a ring; a power of two.
    pub events: usize,
}

impl Size {
    /// What a process gets where there is room: 2.8 MiB, and 128 KiB a thread once it records something.
    pub const FULL: Self = Self { slots: 8192, more: 4096, names: 4096, text: 192 << 10, threads: 128, events: 4096 };
    /// On a small tmpfs, such as a container's 64 MiB `/dev/shm`.
    pub const SMALL: Self = Self { slots: 2048, more: 1024, names: 2048, text: 96 << 10, threads: 64, events: 1024 };
    /// The least that is worth having: 170 KiB, and 8 KiB a thread.
    pub const LEAST: Self = Self { slots: 512, more: 192, names: 512, text: 24 << 10, threads: 16, events: 256 };

    /// The largest that takes at most an eighth of `free` bytes with eight threads; `None` where even the
    /// least would not fit at all.
    pub fn for_space(free: u64) -> Option<Self> {
        [Self::FULL, Self::SMALL]
            .into_iter()
            .find(|size| size.bytes_with(8) <= free / 8)
            .or_else(|| (Self::LEAST.bytes_with(2) <= free).then_some(Self::LEAST))
    }

    fn bytes_with(self, threads: usize) -> u64 {
        let places = Places::of(self);
        (places.rings + threads * places.ring_bytes()) as u64
    }
}

/// Where each section begins, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) names: usize,
    pub(crate) text: usize,
    pub(crate) slots: usize,
    pub(crate) more: usize,
    pub(crate) threads: usize,
    pub(crate) rings: usize,
    pub(crate) end: usize,
    pub(crate) size: Size,
}

impl Places {
    /// Sections one behind the other, each on a page of its own.
    pub(crate) fn of(size: Size) -> Self {
        let mut at = PAGE;
        let mut take = |bytes: usize| {
            let here = at;
            at = (at + bytes).next_multiple_of(PAGE);
            here
        };
        let names = take(size.names * name::WORDS * WORD);
        let text = take(size.text);
        let slots = take(size.slots * slot::WORDS * WORD);
        let more = take(size.more * more::WORDS * WORD);
        let threads = take(size.threads * thread::WORDS * WORD);
        let rings = take(size.threads * size.events * cell::WORDS * WORD);
        Self { names, text, slots, more, threads, rings, end: at, size }
    }

    pub(crate) fn ring_bytes(&self) -> usize {
        self.size.events * cell::WORDS * WORD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(free: u64, expected: Option<Size>) {
        assert_eq!(Size::for_space(free), expected);
    }

    #[test]
    fn the_size_follows_the_room() {
        check(24 << 30, Some(Size::FULL));
        check(64 << 20, Some(Size::FULL));
        check(16 << 20, Some(Size::SMALL));
        check(1 << 20, Some(Size::LEAST));
        check(100 << 10, None);
    }

    #[test]
    fn commit_words_come_apart_again() {
        let commit = slot::with_outcome(slot::commit(77, slot::OPEN) | slot::HAS_MORE, 3);
        assert_eq!((slot::generation(commit), slot::state(commit), slot::outcome(commit)), (77, slot::OPEN, 3));
        let phase = slot::phase(commit, 4711);
        assert_eq!(slot::index(phase), 4711);
        assert_eq!(more::split(more::entry(513, 5, 300)), (513, 5, 300));
        assert_eq!(cell::split(cell::head(2, 9, 65535, 4_000_000)), (2, 9, 65535, 4_000_000));
        assert_eq!(name::unpack(name::pack(256, 70_000)), Some((256, 70_000)));
    }
}
