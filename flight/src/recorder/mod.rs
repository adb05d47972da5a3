//! The writer: opens, fills and closes phases in a recorder file.
//!
//! ```text
//!   begin ── value* ── publish          enter … exit   (each poll)         close
//!   slot: (free)       open             polls, thread's current            free
//!   ring:              what it means    ·                                  Close
//! ```
//!
//! Nothing here waits or panics, and nothing on the way of a phase asks the heap or the kernel: what does not fit
//! is counted as a [`Loss`]. A phase may be closed from any thread, at any age: one that is gone is left alone.
//!
//! | module | is |
//! | --- | --- |
//! | `opening` | a phase that is being filled: [`Opening`] |
//! | `here` | phases of a thread's stack: [`Here`] |
//! | `phases` | all others: told more, closed by their number |
//! | `inside` | going into them and out of them |
//! | `chunks` | which slots are free |
//! | `more` | what a phase says beyond its slot |
//! | `threads` | how threads come by an entry, a stack and a book |
//! | `rings` | the history |
//! | `resources` | traced locks and the like |
//! | `ends` | whose such a phase is |

mod chunks;
mod ends;
mod here;
mod inside;
mod more;
mod opening;
mod phases;
mod resources;
mod rings;
mod threads;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64 as Word;
use std::sync::atomic::Ordering::{Relaxed, Release};

use rustix::fs::FallocateFlags;

use crate::clock::{self, ClockSource};
use crate::identity::Owner;
use crate::layout::{MAGIC, MAJOR, MINOR, PAGE, Places, Size, WORD, cell, header, name, resource, slot, thread};
use crate::map::{self, Books, Words};
use crate::names::{self, Names};
use crate::place::{self, Place, PlaceError};
use crate::pool::Pool;
use crate::slot::Slot;
use crate::sync::AtomicU64;
use crate::{Loss, book};

pub use ends::used;
pub use here::{Here, OpeningHere, begin_here, begin_here_quickly};
pub use inside::{Before, enter, enter_as, enter_quickly, exit, exit_as, exit_quickly, resume, suspend};
pub use opening::{Opening, OpeningFields, Room, begin, begin_in, begin_quickly};
pub use phases::{abandon, close, current_phase, field, outcome, presume, set_role, set_task};
pub use resources::{Taken, resource};
pub use rings::{note, wait, wake};

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

/// How a recorder works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How large it may become; the largest that fits when not given.
    pub size: Option<Size>,
    /// What its times come from.
    pub clock: ClockSource,
    /// Which phases go into the history.
    pub history: History,
}

/// Which phases go into the history: the rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// Those that say by `hang.*` what they mean, and those that end by a panic or with an outcome.
    #[default]
    Meaning,
    /// All: 12 ns more a phase.
    All,
}

impl Default for Options {
    /// The largest size, a clock without a thread, history of what has a meaning.
    fn default() -> Self {
        Self { size: None, clock: ClockSource::Coarse, history: History::default() }
    }
}

/// A number by which a name is known in one recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(pub(crate) u16);

/// The writing side of a recorder file. Lives as long as the process.
pub struct Recorder {
    number: u64,
    /// Whether it is the recorder of this process, or of the one that this process was forked from: for these, call
    /// sites remember their numbers.
    is_own: bool,
    owner: Owner,
    path: Option<PathBuf>,
    places: Places,
    clock: ClockSource,
    history: History,
    /// Keeps the lock that says "my owner lives", and the memfd.
    file: OwnedFd,
    not_forked: &'static AtomicU64,
    /// The whole file; what follows are parts of it.
    all: Words,
    header: Words,
    slots: &'static [Slot],
    stacks: &'static [Slot],
    threads: Words,
    rings: Words,
    resources: Words,
    names: Names,
    books: Books,
    /// How many [`CHUNKS`] threads have made their own, how many [`RESOURCES`] have memory. The file is told, and not
    /// asked: others may write there.
    used: Words,
    /// Which thread's entry a chunk belongs to, + 1.
    chunk_owners: Words,
    /// For each entry, the first of its slots that other threads gave back + 1; each names the next.
    given_back: Words,
    /// For each slot, where what it says beyond is; see `more`.
    beyond: Words,
    free_resources: Pool,
    /// For each name, how many resources had it.
    resources_named: Words,
    first_generation: u64,
}

const CHUNKS: usize = 0;
const RESOURCES: usize = 1;

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("owner", &self.owner).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes a recorder for this process at `place`.
    ///
    /// It stays until the process ends; a program has one, by [`crate::current`].
    pub fn start(place: &Place, options: Options) -> Result<&'static Self, StartError> {
        Self::start_as(false, place, options, None)
    }

    /// The recorder of this process; in a forked child it knows the names of `parent`.
    pub(crate) fn start_own(
        place: &Place,
        options: Options,
        parent: Option<&'static Self>,
    ) -> Result<&'static Self, StartError> {
        Self::start_as(true, place, options, parent)
    }

    fn start_as(
        is_own: bool,
        place: &Place,
        options: Options,
        parent: Option<&'static Self>,
    ) -> Result<&'static Self, StartError> {
        static NUMBER: Word = Word::new(1);
        let owner = Owner::me().map_err(StartError::Identity)?;
        let made = place::make(place, &owner, options.size)?;
        let number = NUMBER.fetch_add(1, Relaxed);
        let mut recorder =
            Self::map(made, owner, number, is_own, options).map_err(|errno| StartError::Map(errno.into()))?;
        recorder.start_clock(parent);
        if let Some(parent) = parent {
            recorder.names.inherit(&parent.names);
        }
        recorder.header[header::STATE].store(header::READY, Release);
        Ok(Box::leak(Box::new(recorder)))
    }

    fn map(
        made: place::Made,
        owner: Owner,
        number: u64,
        is_own: bool,
        Options { clock, history, .. }: Options,
    ) -> rustix::io::Result<Self> {
        let places = made.places;
        let size = places.size;
        let all = map::shared(made.file.as_fd(), places.end)?;
        map::populate(&all[..places.fixed() / WORD]);
        let part = |at: usize, bytes: usize| &all[at / WORD..(at + bytes) / WORD];
        let slot_part = |at: usize, slots: usize| map::slots(part(at, slots * slot::WORDS * WORD));
        let header = part(0, header::WORDS * WORD);
        write_header(header, &places, &owner);
        let all_slots = size.slots + size.threads * slot::STACK;
        Ok(Self {
            number,
            is_own,
            owner,
            path: made.path,
            places,
            clock,
            history,
            not_forked: map::not_forked()?,
            all,
            header,
            slots: slot_part(places.slots, size.slots),
            stacks: slot_part(places.stacks, size.threads * slot::STACK),
            threads: part(places.threads, size.threads * thread::WORDS * WORD),
            rings: part(places.rings, size.threads * places.ring_bytes()),
            resources: part(places.resources, size.resources * resource::WORDS * WORD),
            names: Names::new(
                part(places.names, size.names * name::WORDS * WORD),
                part(places.text, size.text),
                &header[header::NAMES_USED],
                &header[header::TEXT_USED],
            )?,
            books: Books::new(size.threads)?,
            used: map::private(2 * WORD)?,
            chunk_owners: map::private(size.slots / slot::CHUNK * WORD)?,
            given_back: map::private(size.threads * WORD)?,
            beyond: map::private(all_slots * WORD)?,
            free_resources: Pool::new(size.resources)?,
            resources_named: map::private(size.names * WORD)?,
            // A forked child begins elsewhere, so that it does not take its parent's phases for its own.
            first_generation: ((number & 3) << 41) << slot::INDEX_BITS,
            file: made.file,
        })
    }

    /// Starts the thread that a clock needs; without it, takes the next best clock. A forked child has none: of
    /// the threads of its parent it has only one, and may not start more before an exec.
    fn start_clock(&mut self, parent: Option<&'static Self>) {
        let has_thread = match self.clock {
            ClockSource::Tick | ClockSource::Tsc if parent.is_none() => {
                clock::tick::start(self.header, self.clock).is_ok()
            }
            _ => false,
        };
        if self.clock == ClockSource::Tick && !has_thread {
            self.clock = ClockSource::Coarse;
        }
        self.header[header::CLOCK_SOURCE].store(self.clock.number(), Relaxed);
        self.header[header::CLOCK_RESOLUTION].store(self.clock.resolution_ns(), Relaxed);
        clock::write_first(self.header, self.clock);
        if let Some(parent) = parent {
            // The rate of a counter is known by the two starts.
            let first = header::FIRST_ANCHOR..header::LATER_ANCHORS;
            for (from, to) in parent.header[first.clone()].iter().zip(&self.header[first]) {
                to.store(from.load(Relaxed), Relaxed);
            }
            clock::write_later(self.header, self.clock);
        }
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

    /// How large it may become.
    pub fn size(&self) -> Size {
        self.places.size
    }

    /// What its times come from.
    pub fn clock(&self) -> ClockSource {
        self.clock
    }

    /// Which phases go into the history.
    pub fn history(&self) -> History {
        self.history
    }

    /// The recorder's file, to be read with [`crate::Reader::from_file`].
    pub fn file(&self) -> std::io::Result<std::fs::File> {
        Ok(self.file.try_clone()?.into())
    }

    /// Whether this is a forked child of the process that the recorder belongs to. Then nothing is written.
    pub fn is_foreign(&self) -> bool {
        self.not_forked.load(Relaxed) == 0
    }

    /// Works as if this were the recorder of the process, on this thread: for tests, which have several.
    pub fn with<R>(&'static self, work: impl FnOnce() -> R) -> R {
        book::with(self, work)
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

    /// Memory for a part of the file, at an offset in bytes: a hole in a tmpfs that has become full would be a
    /// SIGBUS later. Only on the way of something that is made once for many phases.
    ///
    /// Its pages are then touched one by one. `madvise` would do that at once, and wait for `mmap_lock`: seen to
    /// hold up a recording thread for good while another one was inside an mmap(2) that a FUSE server did not
    /// answer. A fault on memory that is there already takes only the lock of its own mapping (Linux 6.4).
    fn give_memory(&self, offset: usize, bytes: usize) -> bool {
        let given = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset as u64, bytes as u64).is_ok();
        if given {
            for page in self.all[offset / WORD..(offset + bytes) / WORD].chunks(PAGE / WORD) {
                page[0].fetch_or(0, Relaxed);
            }
        }
        given
    }
}

/// What a model looks at.
#[cfg(all(loom, test))]
impl Recorder {
    pub(crate) fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) fn all(&self) -> Words {
        self.all
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn first_generation(&self) -> u64 {
        self.first_generation
    }
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
    section(header::NAMES, places.names, places.size.names);
    section(header::TEXT, places.text, places.size.text);
    section(header::SLOTS, places.slots, places.size.slots);
    section(header::STACKS, places.stacks, places.size.threads * slot::STACK);
    section(header::THREADS, places.threads, places.size.threads);
    section(header::RESOURCES, places.resources, places.size.resources);
    section(header::RINGS, places.rings, places.size.events);
    debug_assert!(places.size.events.is_power_of_two() && places.size.events <= cell::MAX_RING);
}
