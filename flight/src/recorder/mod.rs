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
//!
//! The parts: `phases` (the 64-byte slots), `second_slots` (what a phase says beyond), `rings` (history and threads).

mod phases;
mod rings;
mod second_slots;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

use crate::clock::Anchor;
use crate::identity::Owner;
use crate::layout::{MAGIC, MAJOR, MINOR, Places, Size, WORD, header, more, name, slot, thread};
use crate::local;
use crate::map::{self, Words};
use crate::names::{self, Names};
use crate::place::{self, Place, PlaceError};
use crate::pool::Pool;
use crate::{Loss, PhaseId};

pub use phases::Opening;

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
        if self.is_foreign() {
            return None;
        }
        local::with(|local| {
            local.thread_in(self);
            local.current()
        })
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
