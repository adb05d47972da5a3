//! Memory as words: the recorder file mapped shared, and the writer's own books beside it.
//!
//! All words are atomics, so that a reader in this or another process may look at any moment; no
//! reference to anything but an atomic is ever made into this memory. Nothing is ever unmapped: a recorder
//! lives as long as its process, which is what lets threads keep `&'static` into it while they end.
#![expect(unsafe_code, reason = "maps memory that is shared with other processes")]

use std::os::fd::BorrowedFd;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::layout::{PAGE, WORD};

/// A row of shared words.
pub(crate) type Words = &'static [AtomicU64];

/// Maps `bytes` of a file for reading and writing. The file has that length: it was just made.
pub(crate) fn shared(file: BorrowedFd<'_>, bytes: usize) -> rustix::io::Result<Words> {
    // SAFETY: the kernel picks an address where nothing is mapped, so no memory in use is replaced.
    let start = unsafe {
        rustix::mm::mmap(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
    }?;
    Ok(words(start, bytes))
}

/// Zeroed memory of this process alone.
pub(crate) fn private(bytes: usize) -> rustix::io::Result<Words> {
    // SAFETY: the kernel picks an address where nothing is mapped, so no memory in use is replaced.
    let start = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    }?;
    Ok(words(start, bytes))
}

/// A word that is 1 here and 0 in every process that was forked from here, however it was forked
/// (`pthread_atfork` misses a bare `clone`). Needs Linux 4.14.
pub(crate) fn not_forked() -> rustix::io::Result<&'static AtomicU64> {
    let page = private(PAGE)?;
    // SAFETY: `page` is one whole private anonymous page that was mapped above; the advice changes
    // nothing in this process.
    unsafe { rustix::mm::madvise(page.as_ptr().cast_mut().cast(), PAGE, Advice::LinuxWipeOnFork) }?;
    page[0].store(1, Ordering::Release);
    Ok(&page[0])
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

fn words(start: *mut std::ffi::c_void, bytes: usize) -> Words {
    // SAFETY: `start` is page-aligned and `bytes` long, mapped readable and writable until the process ends;
    // any bit pattern is a valid AtomicU64, and atomics may be shared between threads and processes.
    unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>().cast_const(), bytes / WORD) }
}
