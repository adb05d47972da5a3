//! The writer: opens, fills and closes phases in a recorder file.
//!
//! ```text
//!   begin ── field* ── publish          enter … exit   (each poll)         close
//!   slot: writing      open             tid, polls, thread's current      free
//!   ring:              Open, Wait       ·                                 Close, Wake
//! ```
//!
//! Nothing here waits, allocates or panics: what does not fit is counted as a [`Loss`]. All methods may be
//! called from any thread, with any number of any age: a phase that is gone is left alone.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

use rustix::fs::FallocateFlags;

use crate::clock::{self, Anchor};
use crate::identity::Owner;
use crate::layout::{
    HANG_OUTCOME, HANG_WAIT, KNOWN, MAGIC, MAJOR, MINOR, Places, Size, WORD, cell, header, more, name, slot, thread,
};
use crate::local;
use crate::map::{self, Words};
use crate::names::{self, Names};
use crate::place::{self, Place, PlaceError};
use crate::pool::Pool;
use crate::value::{self, MAX_VALUE, Text, Value};
use crate::{Loss, Outcome, PhaseId};

/// Why there is no recorder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The place cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// `/proc/self` could not be read.
    #[error("this process cannot read its own identity in /proc")]
    Identity(#[source] std::io::Error),
    /// Mapping failed, or the kernel is older than 4.14 (`MADV_WIPEONFORK`).
    #[error("the recorder's memory cannot be mapped")]
    Map(#[source] std::io::Error),
}

/// A number by which a name is known in one recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub(crate) u16);

/// The writing side of a recorder file. Lives as long as the process.
pub struct Recorder {
    number: u64,
    owner: Owner,
    path: Option<PathBuf>,
    size: Size,
    /// Keeps the lock that says "my owner lives", and the memfd.
    file: OwnedFd,
    not_forked: &'static AtomicU64,
    header: Words,
    slots: Words,
    more: Words,
    threads: Words,
    rings: Words,
    names: Names,
    free_slots: Pool,
    free_more: Pool,
    /// Slot number to second slot's number + 1.
    more_of: Words,
    first_generation: u64,
    ring_places: (usize, usize),
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("owner", &self.owner).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes a recorder for this process at `place`, of the size given or the largest that fits.
    ///
    /// It stays until the process ends; a program has one, by [`crate::current`].
    pub fn start(place: &Place, size: Option<Size>) -> Result<&'static Self, StartError> {
        Self::start_after(place, size, None)
    }

    /// The recorder of a forked child, which knows the names of `parent`.
    pub(crate) fn start_after(
        place: &Place,
        size: Option<Size>,
        parent: Option<&'static Self>,
    ) -> Result<&'static Self, StartError> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let owner = Owner::me().map_err(StartError::Identity)?;
        let made = place::make(place, &owner, size)?;
        let number = NUMBER.fetch_add(1, Relaxed);
        let recorder = Self::map(made, owner, number).map_err(|errno| StartError::Map(errno.into()))?;
        if let Some(parent) = parent {
            recorder.names.inherit(&parent.names);
        }
        recorder.header[header::STATE].store(header::READY, Release);
        Ok(Box::leak(Box::new(recorder)))
    }

    fn map(made: place::Made, owner: Owner, number: u64) -> rustix::io::Result<Self> {
        use std::os::fd::AsFd;
        let Places { names, text, slots, more, threads, rings, end, size } = made.places;
        let all = map::shared(made.file.as_fd(), end)?;
        map::populate(&all[..rings / WORD]);
        let part = |at: usize, bytes: usize| &all[at / WORD..(at + bytes) / WORD];
        let header = part(0, header::WORDS * WORD);
        write_header(header, &made.places, &owner);
        Ok(Self {
            number,
            owner,
            path: made.path,
            size,
            not_forked: map::not_forked()?,
            header,
            slots: part(slots, size.slots * slot::WORDS * WORD),
            more: part(more, size.more * more::WORDS * WORD),
            threads: part(threads, size.threads * thread::WORDS * WORD),
            rings: part(rings, size.threads * made.places.ring_bytes()),
            names: Names::new(
                part(names, size.names * name::WORDS * WORD),
                part(text, size.text),
                &header[header::NAMES_USED],
                &header[header::TEXT_USED],
            )?,
            free_slots: Pool::new(size.slots)?,
            free_more: Pool::new(size.more)?,
            more_of: map::private(size.slots * WORD)?,
            // A forked child begins elsewhere, so that it does not take its parent's phases for its own.
            first_generation: (number & 15) << 40 | 1,
            ring_places: (rings, made.places.ring_bytes()),
            file: made.file,
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Who records.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its file; `None` when it is a memfd.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The recorder's file, to be read with [`crate::Reader::from_file`].
    pub fn file(&self) -> std::io::Result<std::fs::File> {
        Ok(self.file.try_clone()?.into())
    }

    /// Whether this is a forked child of the process that the recorder belongs to. Then nothing is written.
    pub fn is_foreign(&self) -> bool {
        self.not_forked.load(Relaxed) == 0
    }

    /// The number of a text that lives as long as the program.
    pub fn name(&self, text: &'static str) -> Name {
        self.named(|names| names.number_of_static(text))
    }

    /// The number of any text. Names are never given up again: not for texts without bound.
    pub fn name_of(&self, text: &str) -> Name {
        self.named(|names| names.number(text))
    }

    fn named(&self, number: impl FnOnce(&Names) -> Result<u16, names::NamesFull>) -> Name {
        if self.is_foreign() {
            return Name(0);
        }
        Name(number(&self.names).unwrap_or_else(|_| {
            self.lose(Loss::Name);
            0
        }))
    }

    pub(crate) fn lose(&self, loss: Loss) {
        self.header[header::DROPPED + loss as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn lose_early(&self, calls: u64) {
        self.header[header::DROPPED + Loss::Early as usize].fetch_add(calls, Relaxed);
    }

    /// Shows that the process lives, for a thread that does nothing else.
    pub fn beat(&self) {
        if !self.is_foreign() {
            self.header[header::HEARTBEAT].fetch_add(1, Relaxed);
        }
    }

    /// The phase that the calling thread is in.
    pub fn current(&'static self) -> Option<PhaseId> {
        local::with(|local| {
            local.thread_in(self);
            local.current()
        })
    }

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
        if self.append(phase, key.0, value) && usize::from(key.0) < KNOWN.len() {
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

    /// A note in the calling thread's history.
    pub fn note(&'static self, phase: Option<PhaseId>, key: Name, text: &str) {
        if !self.is_foreign() {
            self.push(cell::NOTE, 0, key.0, phase.map_or(0, PhaseId::word), 0, text);
        }
    }

    /// The calling thread begins to wait for `resource`.
    pub fn wait(&'static self, phase: Option<PhaseId>, resource: &str) {
        if !self.is_foreign() {
            self.push(cell::WAIT, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, resource);
        }
    }

    /// The calling thread has what it waited for.
    pub fn wake(&'static self, phase: Option<PhaseId>) {
        if !self.is_foreign() {
            self.push(cell::WAKE, 0, HANG_WAIT, phase.map_or(0, PhaseId::word), 0, "");
        }
    }

    fn slot(&self, index: usize) -> &'static [AtomicU64] {
        &self.slots[index * slot::WORDS..(index + 1) * slot::WORDS]
    }

    /// Slot and name of a phase that is open.
    fn open_slot(&self, phase: PhaseId) -> Option<(&'static [AtomicU64], u16)> {
        let index = slot::index(phase.word());
        if index >= self.size.slots {
            return None;
        }
        let words = self.slot(index);
        let commit = words[slot::COMMIT].load(Acquire);
        let open = slot::phase(commit, index) == phase.word() && slot::state(commit) != slot::FREE;
        open.then(|| (words, words[slot::SHAPE].load(Relaxed) as u16))
    }

    /// The second slot of an open phase, taken if it has none yet.
    fn more_for(&'static self, phase: PhaseId) -> Option<&'static [AtomicU64]> {
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
    fn give_back_more(&self, index: usize) -> bool {
        let Some(at) = (self.more_of[index].swap(0, AcqRel) as usize).checked_sub(1) else { return false };
        let words = &self.more[at * more::WORDS..(at + 1) * more::WORDS];
        let waits = words[more::STATE].load(Relaxed) & more::WAITS != 0;
        words[more::OWNER].store(0, Release);
        self.free_more.free(at);
        waits
    }

    /// Appends an entry to the second slot.
    fn append(&'static self, phase: PhaseId, key: u16, value: Value<'_>) -> bool {
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
    fn note_meaning(&'static self, phase: PhaseId, name: u16, key: u16, value: Value<'_>) {
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

    fn now_in(&self, thread: Option<u32>, phase: u64) {
        if let Some(words) = thread.and_then(|thread| self.thread(thread)) {
            words[thread::CURRENT].store(phase, Release);
            words[thread::BEATS].store(words[thread::BEATS].load(Relaxed).wrapping_add(1), Relaxed);
        } else {
            self.header[header::HEARTBEAT].fetch_add(1, Relaxed);
        }
    }

    fn thread(&self, thread: u32) -> Option<&'static [AtomicU64]> {
        let at = thread as usize * thread::WORDS;
        self.threads.get(at..at + thread::WORDS)
    }

    fn push(&'static self, kind: u8, argument: u8, name: u16, phase: u64, last: u64, text: &str) {
        let (thread, tid) = local::with(|local| local.thread_in(self));
        self.push_as((thread, tid), clock::now(), kind, argument, name, phase, last, text);
    }

    /// Writes an event to the ring of the calling thread.
    #[expect(clippy::too_many_arguments, reason = "the words of a cell, in their order")]
    fn push_as(
        &self,
        (thread, tid): (Option<u32>, u32),
        now: u64,
        kind: u8,
        argument: u8,
        name: u16,
        phase: u64,
        last: u64,
        text: &str,
    ) {
        let Some((thread, words)) = thread.and_then(|thread| Some((thread as usize, self.thread(thread)?))) else {
            self.lose(Loss::Event);
            return;
        };
        let text = Text::<{ cell::MAX_TEXT }>::of(text);
        let bytes = text.as_str().as_bytes();
        let ring = &self.rings[thread * self.size.events * cell::WORDS..][..self.size.events * cell::WORDS];
        let head = words[thread::HEAD].load(Relaxed);
        let store = |at: u64, cell: [u64; cell::WORDS]| {
            let place = (at as usize & (self.size.events - 1)) * cell::WORDS;
            for (word, value) in ring[place..place + cell::WORDS].iter().zip(cell) {
                word.store(value, Relaxed);
            }
        };
        let argument = if bytes.is_empty() { argument } else { bytes.len() as u8 };
        store(head, [now, phase, cell::head(kind, argument, name, tid), last]);
        let mut next = head + 1;
        for part in bytes.chunks(cell::TEXT_BYTES) {
            let word = |at: usize| names::word_of(part.get(at..part.len().min(at + WORD)).unwrap_or_default());
            store(next, [word(0), word(8), cell::head(cell::TEXT, 0, 0, tid), word(16)]);
            next += 1;
        }
        words[thread::HEAD].store(next, Release);
        words[thread::BEATS].store(words[thread::BEATS].load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Makes an entry and its ring the calling thread's own: a fresh one, else that of the thread which ended
    /// longest ago.
    #[cold]
    pub(crate) fn attach(&self, tid: u32) -> Option<u32> {
        if self.is_foreign() {
            return None;
        }
        for _ in 0..4 {
            let entries = || self.threads.chunks_exact(thread::WORDS).enumerate();
            let mine = |words: &[AtomicU64]| words[thread::TID].load(Relaxed) == u64::from(tid);
            // The thread came back from another recorder.
            if let Some((at, _)) =
                entries().find(|(_, words)| words[thread::COMMIT].load(Acquire) & 3 == thread::LIVE && mine(words))
            {
                return Some(at as u32);
            }
            let longest_ended = entries()
                .filter(|(_, words)| {
                    matches!(words[thread::COMMIT].load(Acquire) & 3, thread::NEVER | thread::ENDED_STATE)
                })
                .min_by_key(|(_, words)| words[thread::ENDED].load(Relaxed));
            let Some((at, words)) = longest_ended else { break };
            let commit = words[thread::COMMIT].load(Relaxed);
            let free = matches!(commit & 3, thread::NEVER | thread::ENDED_STATE);
            let claimed = commit & !3 | thread::CLAIMED;
            if free && words[thread::COMMIT].compare_exchange(commit, claimed, AcqRel, Relaxed).is_ok() {
                return self.settle(at, words, commit, tid);
            }
        }
        self.lose(Loss::Thread);
        None
    }

    fn settle(&self, at: usize, words: &[AtomicU64], commit: u64, tid: u32) -> Option<u32> {
        if commit >> 2 == 0 {
            // Pages for the ring, now: a hole in a tmpfs that has become full would be a SIGBUS later.
            let (rings, bytes) = self.ring_places;
            let from = rings + at * bytes;
            if rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from as u64, bytes as u64).is_err() {
                words[thread::COMMIT].store(commit, Release);
                self.lose(Loss::Thread);
                return None;
            }
            map::populate(&self.rings[at * bytes / WORD..(at + 1) * bytes / WORD]);
        }
        words[thread::TID].store(u64::from(tid), Relaxed);
        words[thread::CURRENT].store(0, Relaxed);
        let mut comm = [0; 16];
        if let Ok(name) = rustix::thread::name() {
            let name = name.as_bytes();
            comm[..name.len().min(16)].copy_from_slice(&name[..name.len().min(16)]);
        }
        names::store_bytes(&words[thread::COMM..thread::COMM + 2], &comm);
        words[thread::COMMIT].store(((commit >> 2) + 1) << 2 | thread::LIVE, Release);
        Some(at as u32)
    }

    /// The thread of this entry ends.
    pub(crate) fn detach(&self, thread: u32) {
        if self.is_foreign() {
            return;
        }
        if let Some(words) = self.thread(thread) {
            words[thread::CURRENT].store(0, Relaxed);
            words[thread::ENDED].store(clock::now(), Relaxed);
            let commit = words[thread::COMMIT].load(Relaxed);
            words[thread::COMMIT].store(commit & !3 | thread::ENDED_STATE, Release);
        }
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
        let meaning = usize::from(key.0) < KNOWN.len();
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

fn high_water(word: &AtomicU64, index: usize) {
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

fn write_header(header: &[AtomicU64], places: &Places, owner: &Owner) {
    let set = |at: usize, value: u64| header[at].store(value, Relaxed);
    let section = |at: usize, offset: usize, count: usize| {
        set(at, offset as u64);
        set(at + 1, count as u64);
    };
    set(header::MAGIC, MAGIC);
    set(header::VERSION, u64::from(MAJOR) | u64::from(MINOR) << 16);
    set(header::FILE_BYTES, places.end as u64);
    set(header::PID, u64::from(owner.pid));
    set(header::START_TICKS, owner.start_ticks);
    set(header::BOOT_ID, (owner.boot_id.0 >> 64) as u64);
    set(header::BOOT_ID + 1, owner.boot_id.0 as u64);
    set(header::PID_NAMESPACE, owner.pid_namespace);
    let anchor = Anchor::now();
    set(header::MONOTONIC, anchor.monotonic_ns);
    set(header::BOOTTIME, anchor.boottime_ns);
    set(header::REALTIME, anchor.realtime_ns);
    set(header::CLOCK_SOURCE, anchor.source.number());
    set(header::CLOCK_RESOLUTION, anchor.resolution_ns);
    section(header::NAMES, places.names, places.size.names);
    section(header::TEXT, places.text, places.size.text);
    section(header::SLOTS, places.slots, places.size.slots);
    section(header::MORE, places.more, places.size.more);
    section(header::THREADS, places.threads, places.size.threads);
    section(header::RINGS, places.rings, places.size.events);
}
