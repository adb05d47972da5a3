//! Memory as words, slots and books: the recorder file mapped shared, and the writer's own memory beside it.
//!
//! All shared words are atomics, so that a reader in this or another process may look at any moment; no
//! reference to anything but an atomic is ever made into the file. Nothing is ever unmapped: a recorder
//! lives as long as its process, which is what lets threads keep `&'static` into it while they end.
#![expect(unsafe_code, reason = "maps memory that is shared with other processes, and memory that a fork wipes")]

use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::book::Book;
use crate::layout::{PAGE, WORD, slot};
use crate::slot::Slot;
use crate::sync::AtomicU64;

/// A row of shared words.
pub(crate) type Words = &'static [AtomicU64];

/// Maps `bytes` of a file for reading and writing. The file has that length: it was just made.
pub(crate) fn shared(file: BorrowedFd<'_>, bytes: usize) -> rustix::io::Result<Words> {
    // SAFETY: the kernel picks an address where nothing is mapped, so no memory in use is replaced.
    let start = unsafe {
        rustix::mm::mmap(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
    }?;
    // A core dump of the program has no use for it, and the file is sparse.
    // SAFETY: the range is the mapping that was just made; the advice changes no content.
    let _is_only_advice = unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxDontDump) };
    Ok(words(start, bytes))
}

/// Zeroed memory of this process alone. Costs nothing until it is touched.
pub(crate) fn private(bytes: usize) -> rustix::io::Result<Words> {
    Ok(words(anonymous(bytes)?, bytes))
}

fn anonymous(bytes: usize) -> rustix::io::Result<*mut std::ffi::c_void> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: the kernel picks an address where nothing is mapped, so no memory in use is replaced.
    unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) }
}

/// Zeroed memory that is zeroed again in every process that is forked from here, however it is forked
/// (`pthread_atfork` misses a bare `clone`). Needs Linux 4.14.
fn wiped_on_fork(bytes: usize) -> rustix::io::Result<*mut std::ffi::c_void> {
    let start = anonymous(bytes)?;
    // SAFETY: the range is the private anonymous mapping that was just made, in whole pages; the advice changes
    // nothing in this process.
    unsafe { rustix::mm::madvise(start, bytes, Advice::LinuxWipeOnFork) }?;
    Ok(start)
}

/// A word that is 1 here and 0 in every process that was forked from here.
pub(crate) fn not_forked() -> rustix::io::Result<&'static AtomicU64> {
    let page = words(wiped_on_fork(PAGE)?, PAGE);
    page[0].store(1, Release);
    Ok(&page[0])
}

/// The threads' books: one for each entry of the threads table, all of them wiped by a fork.
pub(crate) struct Books {
    first: *const Book,
    count: usize,
    /// Who has it, in memory that no other process can write to: the thread's tid, and [`GIVEN_BACK`].
    owners: Words,
}

const GIVEN_BACK: u64 = 1 << 32;

// SAFETY: the pointer is to memory that stays mapped as it is; what is behind it is only had from `claim`, by one
// thread at a time.
unsafe impl Send for Books {}
// SAFETY: as above.
unsafe impl Sync for Books {}

impl Books {
    pub(crate) fn new(count: usize) -> rustix::io::Result<Self> {
        let bytes = (count * size_of::<Book>()).next_multiple_of(PAGE);
        Ok(Self { first: wiped_on_fork(bytes)?.cast::<Book>().cast_const(), count, owners: private(count * WORD)? })
    }

    /// Makes the book of an entry the calling thread's own; says too whether it never was anybody's. `None` when another
    /// thread has it, or had it and has not ended yet: that one may still look at it, from a thread-local that is
    /// dropped after the one which gives the book back.
    pub(crate) fn claim(&self, entry: usize) -> Option<(&'static Book, bool)> {
        let me = rustix::thread::gettid().as_raw_nonzero().get() as u64;
        let owner = self.owners.get(entry).filter(|_| entry < self.count)?;
        let word = owner.load(Relaxed);
        let before = word & !GIVEN_BACK;
        let is_free = word == 0 || (word & GIVEN_BACK != 0 && (before == me || is_gone(before as i32)));
        if !is_free || owner.compare_exchange(word, me, Acquire, Relaxed).is_err() {
            return None;
        }
        // SAFETY: `first` begins a mapping of `count` books, and `entry` is one of them.
        let book = unsafe { self.first.add(entry) };
        // SAFETY: the memory is mapped for good, aligned to a page at its begin and by the book's own size behind it,
        // and all zeros is a book. No other thread has a reference to it: only one can win the exchange, references
        // cannot leave their thread because a book is not `Sync`, and the thread that had it before is gone or is
        // this one. What that one wrote, it wrote before it gave the book back or before it ended.
        let book = unsafe { &*book };
        Some((book, word == 0))
    }

    /// The calling thread needs the book of its entry no more.
    pub(crate) fn give_back(&self, entry: usize) {
        if let Some(owner) = self.owners.get(entry) {
            owner.fetch_or(GIVEN_BACK, Release);
        }
    }

    /// The calling thread claimed a book that was nobody's, and cannot use it.
    pub(crate) fn give_up(&self, entry: usize) {
        if let Some(owner) = self.owners.get(entry) {
            owner.store(0, Release);
        }
    }
}

/// A model begins each run with the same books.
#[cfg(all(loom, test))]
impl Books {
    pub(crate) fn copy(&self) -> Vec<u8> {
        // SAFETY: the mapping holds `count` books, and no thread has one at this moment.
        unsafe { std::slice::from_raw_parts(self.first.cast(), self.count * size_of::<Book>()) }.to_vec()
    }

    pub(crate) fn restore(&self, copy: &[u8]) {
        assert_eq!(copy.len(), self.count * size_of::<Book>());
        // SAFETY: the mapping is as long as the copy, and no thread has a book at this moment.
        unsafe { ptr::copy_nonoverlapping(copy.as_ptr(), self.first.cast_mut().cast(), copy.len()) };
    }
}

/// Whether a thread of this process has ended, with all that is dropped at its end.
fn is_gone(tid: i32) -> bool {
    let me = std::process::id() as i32;
    // SAFETY: signal 0 is never delivered; the call only says whether there is such a thread.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, me, tid, 0) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// Brings the pages of `part` in, so that a thread which records never waits for one. Best effort: before
/// Linux 5.14 the first touch pays for it.
pub(crate) fn populate(part: &[AtomicU64]) {
    // SAFETY: the range lies within one live mapping, because `part` borrows it; populating changes no
    // content. Sections begin and end on pages.
    let _before_5_14 = unsafe {
        rustix::mm::madvise(part.as_ptr().cast_mut().cast(), size_of_val(part), Advice::LinuxPopulateWrite)
    };
}

/// The same memory as slots. Begins on a page, as all sections do.
#[expect(clippy::cast_ptr_alignment, reason = "the alignment is asserted")]
pub(crate) fn slots(words: Words) -> &'static [Slot] {
    assert!(words.as_ptr().cast::<Slot>().is_aligned(), "a section begins on a page");
    // SAFETY: a slot is eight of these words and nothing else, its alignment was checked, and the length is
    // rounded down; the words are shared for good, and so are the slots.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<Slot>(), words.len() / slot::WORDS) }
}

fn words(start: *mut std::ffi::c_void, bytes: usize) -> Words {
    // SAFETY: `start` is page-aligned and `bytes` long, mapped readable and writable until the process ends;
    // any bit pattern is a valid AtomicU64, and atomics may be shared between threads and processes.
    unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>().cast_const(), bytes / WORD) }
}
