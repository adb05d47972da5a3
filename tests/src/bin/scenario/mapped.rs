//! Maps: a wait inside mmap(2), whose thread has the lock of the whole address space and does not give it back; and the
//! kernel asked for a single mapping.
#![expect(unsafe_code, reason = "mmap, and an ioctl that no crate has")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::Outcome;

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

/// Ends well where the kernel has `PROCMAP_QUERY` (Linux 6.11).
pub(crate) fn asks_for_a_mapping(_: &[String]) -> Outcome {
    /// `_IOWR('f', 17, struct procmap_query)`: the size of what is behind the pointer stands in its first word.
    const PROCMAP_QUERY: u64 = 0xc068_6611;
    const WORDS: usize = 0x68 / 8;
    /// The address that is asked for.
    const ADDRESS: usize = 2;
    let maps = File::open("/proc/self/maps")?;
    let mut query = [0_u64; WORDS];
    query[0] = size_of_val(&query) as u64;
    query[ADDRESS] = (&raw const query) as u64;
    // SAFETY: the structure says its own size and lives through the call; it names no buffer.
    let outcome = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY as _, &raw mut query) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}
