//! A wait inside mmap(2): the thread has the lock of the whole address space, and does not give it back.
#![expect(unsafe_code, reason = "mmap")]

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap};

const PAGE: usize = 4096;

/// Maps a file, writes to it, and maps it again through a descriptor that goes past the page cache.
///
/// Kernel 6.18: for the second mapping FUSE first writes back what the first one changed (`fuse_launder_folio`), and
/// waits for the server with `mmap_lock` held for writing.
pub(crate) fn twice(path: &str) -> io::Result<()> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    // Both before anything is changed: opening, too, writes back what was.
    let (cached, direct) = (File::options().read(true).write(true).open(path)?, File::open(path)?);
    // SAFETY: the kernel picks an address where nothing is mapped.
    let page = unsafe { mmap(ptr::null_mut(), PAGE, both, MapFlags::SHARED, cached.as_fd(), 0) }?;
    // SAFETY: one byte of a page that was just mapped for writing, of a file that has this byte.
    unsafe { page.cast::<u8>().write_volatile(1) };
    // SAFETY: as above.
    unsafe { mmap(ptr::null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE, direct.as_fd(), 0) }?;
    Ok(())
}
