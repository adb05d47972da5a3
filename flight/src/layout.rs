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
    /// See [`crate::ClockSource`].
    pub(crate) const CLOCK_SOURCE: usize = 9;
    pub(crate) const CLOCK_RESOLUTION: usize = 10;
    /// The thread that keeps the tick clock; 0 for none.
    pub(crate) const TICK_TID: usize = 11;
    /// Sections: an offset in bytes, then a count of entries.
    pub(crate) const NAMES: usize = 16;
    pub(crate) const TEXT: usize = 18;
    pub(crate) const SLOTS: usize = 20;
    pub(crate) const STACKS: usize = 22;
    pub(crate) const THREADS: usize = 24;
    /// Offset, then events a ring.
    pub(crate) const RINGS: usize = 26;
    pub(crate) const RESOURCES: usize = 28;
    /// What was dropped, a word for each [`crate::Loss`].
    pub(crate) const DROPPED: usize = 40;
    /// Names claimed so far.
    pub(crate) const NAMES_USED: usize = 48;
    /// Words of text claimed so far.
    pub(crate) const TEXT_USED: usize = 49;
    /// Chunks of slots that threads have made their own.
    pub(crate) const CHUNKS_USED: usize = 50;
    /// No thread at or above this index ever recorded.
    pub(crate) const THREADS_HIGH: usize = 51;
    /// No resource at or above this index was ever used.
    pub(crate) const RESOURCES_HIGH: usize = 52;
    /// The clocks read together at the start, see [`super::anchor`].
    pub(crate) const FIRST_ANCHOR: usize = 64;
    /// Again, now and then: two copies, written in turn; the newer one counts.
    pub(crate) const LATER_ANCHORS: usize = 72;
    /// How many gaps there were, then [`GAPS`](super::gap::COUNT) of them, used in turn.
    pub(crate) const GAPS_SEEN: usize = 96;
    pub(crate) const GAPS: usize = 98;
    pub(crate) const WORDS: usize = super::PAGE / super::WORD;
    pub(crate) const READY: u64 = 1;
}

/// The clocks of a process read together.
pub(crate) mod anchor {
    pub(crate) const WORDS: usize = 8;
    pub(crate) const MONOTONIC: usize = 0;
    pub(crate) const BOOTTIME: usize = 1;
    pub(crate) const REALTIME: usize = 2;
    /// The time stamp counter, where that is the clock.
    pub(crate) const TSC: usize = 3;
    /// How long it took to read them all, ns.
    pub(crate) const WITHIN: usize = 4;
    /// 0 while the rest is written; otherwise counts up.
    pub(crate) const NUMBER: usize = 7;
}

/// A time during which the tick clock stood still: `[from, to]`, ns of `CLOCK_MONOTONIC`.
pub(crate) mod gap {
    pub(crate) const WORDS: usize = 2;
    pub(crate) const COUNT: usize = 16;
}

/// An entry of the names table: `[kind:2 | length:16 @16 | offset in words:32 @32, hash]`.
pub(crate) mod name {
    pub(crate) const WORDS: usize = 2;
    pub(crate) const MAX_BYTES: usize = 256;
    /// A text.
    pub(crate) const TEXT: u64 = 1;
    /// A call site: numbers of 16 bits, first that of its name, then those of its keys.
    pub(crate) const SITE: u64 = 2;

    pub(crate) fn pack(kind: u64, length: usize, offset_words: usize) -> u64 {
        kind | (length as u64) << 16 | (offset_words as u64) << 32
    }

    /// Kind, length in bytes and offset in words; `None` while it is being written.
    pub(crate) fn unpack(word: u64) -> Option<(u64, usize, usize)> {
        let kind = word & 3;
        (kind != 0).then_some((kind, (word >> 16 & 0xffff) as usize, (word >> 32) as usize))
    }
}

/// An open phase: 64 bytes.
///
/// There are two kinds of slots, of one shape. A thread's *stack* holds phases that end in the order in which
/// they began, on that thread: there the depth is all that is needed to open and close one. All others
/// are in *chunks* of slots, each the property of one thread.
pub(crate) mod slot {
    pub(crate) const WORDS: usize = 8;
    pub(crate) const COMMIT: usize = 0;
    /// In ticks of the recorder's clock.
    pub(crate) const START: usize = 1;
    /// `index:19 | generation:23 | inside:1 | polls:21` of the phase around it; its whole number in a stack; the next
    /// free slot while this one is free.
    pub(crate) const PARENT: usize = 2;
    /// `site:16 | shape 0:8 | shape 1:8 | when it was last left:32`
    pub(crate) const SHAPE: usize = 3;
    /// `tid:22 | task:42`; unused in a stack.
    pub(crate) const ENTRY: usize = 4;
    /// 8 bytes of a field's value.
    pub(crate) const VALUE_0: usize = 5;
    /// 16 bytes of another field's value.
    pub(crate) const VALUE_1: usize = 6;

    /// The lower bits of a phase's number are its slot.
    pub(crate) const INDEX_BITS: u32 = 19;
    /// Most slots of a file, those of stacks included.
    pub(crate) const MAX: usize = 1 << INDEX_BITS;
    pub(crate) const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
    /// Slots of a chunk: a page.
    pub(crate) const CHUNK: usize = 64;
    /// Slots of a thread's stack: a page too. The last of them is no phase's, but says where the thread is.
    pub(crate) const STACK: usize = 64;
    /// Phases that fit into a stack.
    pub(crate) const STACK_DEPTH: usize = STACK - 1;

    pub(crate) const FREE: u64 = 0;
    pub(crate) const OPEN: u64 = 1;
    /// Not a phase, but what one says beyond its own slot; see [`super::more`].
    pub(crate) const MORE: u64 = 2;
    /// Set in a commit word when the phase says more than fits into its slot.
    pub(crate) const HAS_MORE: u64 = 1 << 2;
    const OUTCOME_SHIFT: u32 = 3;
    pub(crate) const OUTCOME_MASK: u64 = 7 << OUTCOME_SHIFT;
    /// A phase that is open, has no outcome and says nothing beyond its slot has only [`OPEN`] of these.
    pub(crate) const STATE_AND_SAID: u64 = 3 | HAS_MORE | OUTCOME_MASK | MEANS | SAID;
    /// A phase that is open and goes into the history, and nothing more, has only these.
    pub(crate) const ONLY_HISTORY: u64 = OPEN | MEANS | SAID;
    /// Which of the site's keys the two values belong to, 5 bits each.
    pub(crate) const KEY_0_SHIFT: u32 = 6;
    pub(crate) const KEY_1_SHIFT: u32 = 11;
    /// Both of them.
    pub(crate) const BOTH_KEYS: u64 = KEY_MASK << KEY_0_SHIFT | KEY_MASK << KEY_1_SHIFT;
    /// Set in a commit word when the phase says by `hang.*` what it means.
    pub(crate) const MEANS: u64 = 1 << 16;
    /// Set in a commit word when there is more to do at the end than to free the slot: one of the flags above.
    pub(crate) const SAID: u64 = 1 << 17;
    /// Set in a commit word when a panic was on its way already when the phase began.
    pub(crate) const WHILE_PANICKING: u64 = 1 << 18;
    /// In [`super::more`]: which slot of the phase's chain this is.
    pub(crate) const PLACE_SHIFT: u32 = 6;
    pub(crate) const KEY_MASK: u64 = 31;

    /// `generation:45 | while panicking:1 | said:1 | means:1 | key 1:5 | key 0:5 | outcome:3 | has more:1 | state:2`
    pub(crate) fn state(commit: u64) -> u64 {
        commit & 3
    }

    /// The commit word without its flags: the generation, in its place.
    pub(crate) fn generation(commit: u64) -> u64 {
        commit & !INDEX_MASK
    }

    pub(crate) fn with_outcome(commit: u64, outcome: u64) -> u64 {
        commit & !OUTCOME_MASK | outcome << OUTCOME_SHIFT & OUTCOME_MASK
    }

    pub(crate) fn outcome(commit: u64) -> u64 {
        (commit & OUTCOME_MASK) >> OUTCOME_SHIFT
    }

    /// The number of the phase in this slot, 0 when there never was one.
    pub(crate) fn phase(commit: u64, index: usize) -> u64 {
        if generation(commit) == 0 { 0 } else { generation(commit) | index as u64 }
    }

    pub(crate) fn index(phase: u64) -> usize {
        (phase & INDEX_MASK) as usize
    }

    /// Bits of a parent's number that are kept. Its generation is cut: that a phase outlives its parent, whose
    /// slot is then used exactly a multiple of 8 million times until somebody looks, is not going to happen.
    pub(crate) const PARENT_BITS: u32 = 42;
    pub(crate) const PARENT_MASK: u64 = (1 << PARENT_BITS) - 1;
    pub(crate) const INSIDE: u64 = 1 << PARENT_BITS;
    const POLLS_SHIFT: u32 = PARENT_BITS + 1;
    /// Most polls that are counted: the uppermost bit is set from there on, and nothing is added.
    #[cfg(test)]
    pub(crate) const POLLS_MAX: u32 = 1 << (63 - POLLS_SHIFT);

    pub(crate) fn polls(parent: u64) -> u32 {
        (parent >> POLLS_SHIFT) as u32
    }

    /// Entered once more.
    #[inline(always)]
    pub(crate) fn entered(parent: u64) -> u64 {
        let once_more = if (parent as i64) < 0 { parent } else { parent.wrapping_add(1 << POLLS_SHIFT) };
        once_more | INSIDE
    }

    pub(crate) const TID_BITS: u32 = 22;
    pub(crate) const TID_MASK: u64 = (1 << TID_BITS) - 1;

    pub(crate) fn entry(tid: u32, task: u64) -> u64 {
        u64::from(tid) & TID_MASK | task << TID_BITS
    }

    /// Site and shapes in the lower half of that word; in the upper the time at which the phase was left last, in units
    /// of 4 million ticks, cut: it is the first such time after the start (208 days, then it begins again).
    const LEFT_SHIFT: u32 = 32;
    const LEFT_UNIT_SHIFT: u32 = 22;

    #[inline(always)]
    pub(crate) fn with_left(shape: u64, now: u64) -> u64 {
        shape & u64::from(u32::MAX) | now >> LEFT_UNIT_SHIFT << LEFT_SHIFT
    }

    /// In ticks. Whoever asks knows that it was left at all.
    pub(crate) fn left(shape: u64, start: u64) -> u64 {
        let units = ((shape >> LEFT_SHIFT) as u32).wrapping_sub((start >> LEFT_UNIT_SHIFT) as u32);
        start.saturating_add(u64::from(units) << LEFT_UNIT_SHIFT)
    }

    /// Shape of a value: `kind:3 | length:5`.
    pub(crate) const SHAPE_0_SHIFT: u32 = 16;
    pub(crate) const SHAPE_0_MASK: u64 = 0xff << SHAPE_0_SHIFT;
    pub(crate) const SHAPE_1_SHIFT: u32 = 24;
    pub(crate) const SHAPE_1_MASK: u64 = 0xff << SHAPE_1_SHIFT;

    #[inline(always)]
    pub(crate) fn shape(kind: u8, length: usize) -> u8 {
        kind | (length as u8) << 3
    }
}

/// The last slot of a thread's stack: where the thread is. Its first word is never other than free.
pub(crate) mod home {
    /// The phase the thread is in.
    pub(crate) const CURRENT: usize = 1;
    /// The async task that it polls; 0 for none.
    pub(crate) const TASK: usize = 2;
}

/// What a phase says beyond its slot: further slots, a chain.
///
/// Word 0 is a commit word in state [`slot::MORE`] with the slot's place in the chain, word 1 the phase. The other
/// words of all slots of the chain are one row of entries, appended and never changed:
/// `[key:16 | kind:8 | _:8 | length:16 | _:15 | 1, bytes…]`. A later entry of the same key counts.
pub(crate) mod more {
    /// The phase's number.
    pub(crate) const OWNER: usize = 1;
    pub(crate) const BODY: usize = 2;
    /// Words of entries in one slot.
    pub(crate) const BODY_WORDS: usize = super::slot::WORDS - BODY;
    /// Most slots of a chain.
    pub(crate) const MAX_CHAIN: usize = 16;

    pub(crate) fn entry(key: u16, kind: u8, length: usize) -> u64 {
        u64::from(key) | u64::from(kind) << 16 | (length as u64) << 32 | 1 << 63
    }

    /// Key, kind, length in bytes; `None` where nothing was written yet.
    pub(crate) fn split(entry: u64) -> Option<(u16, u8, usize)> {
        (entry >> 63 == 1).then_some((entry as u16, (entry >> 16) as u8, (entry >> 32 & 0xffff) as usize))
    }
}

/// A traced lock, channel or the like: 64 bytes.
pub(crate) mod resource {
    pub(crate) const WORDS: usize = 8;
    /// `state:2 | primitive:8 | generation`
    pub(crate) const COMMIT: usize = 0;
    /// `name:16 | _:16 | which of that name:32`
    pub(crate) const NAME: usize = 1;
    /// `tid:22 | task:42` of the one who holds it alone; 0 for nobody.
    pub(crate) const HOLDER: usize = 2;
    /// The phase that took it.
    pub(crate) const PHASE: usize = 3;
    /// When.
    pub(crate) const SINCE: usize = 4;
    /// How often it was taken.
    pub(crate) const COUNT: usize = 5;
    pub(crate) const FREE: u64 = 0;
    pub(crate) const USED: u64 = 1;
    pub(crate) const MAX: usize = 1 << 17;
    /// Memory is given to so many at once: a page.
    pub(crate) const CHUNK: usize = 64;

    /// Beginning of the numbers of the phases that say who holds a resource alone: no slot ever gets there.
    pub(crate) const HOLDS: u64 = 1 << 62;

    /// Number of such a phase.
    pub(crate) fn hold(index: usize, count: u64) -> u64 {
        HOLDS | (index as u64) << 44 | count & ((1 << 44) - 1)
    }
}

/// A thread with its stack and its ring: 64 bytes, written by that thread alone.
pub(crate) mod thread {
    pub(crate) const WORDS: usize = 8;
    /// `state:2 | generation`
    pub(crate) const COMMIT: usize = 0;
    /// `tid:32 | role:8 @32`
    pub(crate) const TID: usize = 1;
    /// Cells ever written to the ring, by this thread and those before it.
    pub(crate) const HEAD: usize = 2;
    /// Two words: the thread's name.
    pub(crate) const COMM: usize = 3;
    /// When it ended.
    pub(crate) const ENDED: usize = 5;
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
    #[cfg(not(loom))]
    pub(crate) const MARGIN: u64 = 16;
    /// Events of a model have no text, and its rings are small.
    #[cfg(loom)]
    pub(crate) const MARGIN: u64 = 1;
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

/// How large each part of a file may become. Memory is given to it as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Phases that can be open at once beside those of the threads' stacks, 64 bytes each; a multiple of 64.
    pub slots: usize,
    /// Names and call sites.
    pub names: usize,
    /// Bytes of their texts.
    pub text: usize,
    /// Threads that record at once, 4 KiB each for the stack.
    pub threads: usize,
    /// Events of a ring, 32 bytes each; a power of two.
    pub events: usize,
    /// Traced locks, channels and the like, 64 bytes each; a multiple of 64.
    pub resources: usize,
}

impl Size {
    /// What a process gets where there is room: up to 262,144 open phases (16 MiB), and 128 KiB of history a thread.
    pub const FULL: Self =
        Self { slots: 1 << 18, names: 8192, text: 512 << 10, threads: 1024, events: 4096, resources: 1 << 16 };
    /// On a small tmpfs, such as a container's 64 MiB `/dev/shm`.
    pub const SMALL: Self =
        Self { slots: 1 << 16, names: 2048, text: 128 << 10, threads: 256, events: 1024, resources: 1 << 13 };
    /// The least that is worth having: 48 KiB, and 16 KiB a thread.
    pub const LEAST: Self =
        Self { slots: 8192, names: 512, text: 32 << 10, threads: 64, events: 256, resources: 512 };

    /// The largest that is right for `free` bytes: with eight threads it takes at most an eighth of them. `None`
    /// where even the least would not fit at all.
    pub fn for_space(free: u64) -> Option<Self> {
        [Self::FULL, Self::SMALL]
            .into_iter()
            .find(|size| size.bytes_with(8) <= free / 8)
            .or_else(|| (Self::LEAST.bytes_with(2) <= free).then_some(Self::LEAST))
    }

    /// With so many threads, and their first chunks.
    fn bytes_with(self, threads: usize) -> u64 {
        let places = Places::of(self);
        (places.fixed() + threads * (places.ring_bytes() + 2 * PAGE)) as u64
    }
}

/// Where each section begins, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) names: usize,
    pub(crate) text: usize,
    pub(crate) threads: usize,
    pub(crate) resources: usize,
    pub(crate) slots: usize,
    pub(crate) stacks: usize,
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
        let threads = take(size.threads * thread::WORDS * WORD);
        let resources = take(size.resources * resource::WORDS * WORD);
        let slots = take(size.slots * slot::WORDS * WORD);
        let stacks = take(size.threads * slot::STACK * slot::WORDS * WORD);
        let rings = take(size.threads * size.events * cell::WORDS * WORD);
        Self { names, text, threads, resources, slots, stacks, rings, end: at, size }
    }

    /// Up to here a file has memory from the start; behind it, where it was asked for.
    pub(crate) fn fixed(&self) -> usize {
        self.resources
    }

    pub(crate) fn ring_bytes(&self) -> usize {
        self.size.events * cell::WORDS * WORD
    }
}

// The largest file has a number for every slot.
const _: () = assert!(Size::FULL.slots + Size::FULL.threads * slot::STACK <= slot::MAX);
const _: () = assert!(Size::FULL.resources <= resource::MAX);

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
        check(8 << 20, Some(Size::SMALL));
        check(2 << 20, Some(Size::LEAST));
        check(64 << 10, None);
    }

    #[test]
    fn packed_words_come_apart_again() {
        let generation = 77 << slot::INDEX_BITS;
        let commit = slot::with_outcome(generation | slot::OPEN | slot::HAS_MORE, 3);
        assert_eq!(
            (slot::generation(commit), slot::state(commit), slot::outcome(commit)),
            (generation, slot::OPEN, 3)
        );
        let phase = slot::phase(commit, 4711);
        assert_eq!((slot::index(phase), slot::generation(phase)), (4711, generation));
        assert_eq!(more::split(more::entry(513, 5, 300)), Some((513, 5, 300)));
        assert_eq!(more::split(0), None);
        assert_eq!(cell::split(cell::head(2, 9, 65535, 4_000_000)), (2, 9, 65535, 4_000_000));
        assert_eq!(name::unpack(name::pack(name::TEXT, 256, 70_000)), Some((name::TEXT, 256, 70_000)));
        assert_eq!(slot::entry(4_194_303, 7), 7 << 22 | 4_194_303);
    }

    #[test]
    fn polls_are_counted_up_to_the_most() {
        let parent = phase_bits();
        let twice = slot::entered(slot::entered(parent));
        assert_eq!((twice & slot::PARENT_MASK, slot::polls(twice)), (parent, 2));
        let most = u64::from(slot::POLLS_MAX) << 43 | parent;
        assert_eq!(slot::entered(most), most | slot::INSIDE);
    }

    fn phase_bits() -> u64 {
        slot::PARENT_MASK & 0x2aa_aaaa_aaaa
    }

    #[test]
    fn when_a_phase_was_left_is_told_from_its_start() {
        let start = 77 << 54 | 0x3f_ffff_ffff;
        for later in [0, 5 << 22, 1 << 40] {
            let left = slot::left(slot::with_left(0xffff_ffff, start + later), start);
            assert_eq!((left - start) >> 22, later >> 22);
        }
    }
}
