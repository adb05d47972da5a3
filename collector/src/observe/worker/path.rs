//! Reads of a path on a local file system: what it leads to, and how it begins. Runs in the worker: nothing here
//! allocates. No link is followed on the way (`RESOLVE_NO_SYMLINKS`, Linux 5.6), and an open never waits.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, major, minor, openat2, readlinkat_raw};
use rustix::io::Errno;

use super::room::Room;

/// Longer targets of links are cut.
const LONGEST_TARGET: usize = 256;

fn open(path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
}

/// Mode, both parts of the device, inode, size, seconds and nanoseconds of the last change, 8 bytes each; of a link
/// where it points.
pub(super) fn status(path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(path, OFlags::PATH)?;
    room.tick();
    let about = fstat(&fd)?;
    let device = (u64::from(major(about.st_dev)), u64::from(minor(about.st_dev)));
    let written = (about.st_mtime as u64, about.st_mtime_nsec);
    for word in
        [u64::from(about.st_mode), device.0, device.1, about.st_ino, about.st_size as u64, written.0, written.1]
    {
        room.push(&word.to_ne_bytes());
    }
    if FileType::from_raw_mode(about.st_mode) == FileType::Symlink {
        let limit = room.rest().len().min(LONGEST_TARGET);
        if limit == 0 {
            return Ok(());
        }
        let length = readlinkat_raw(&fd, c"", &mut room.rest()[..limit])?;
        room.add(length);
    }
    room.tick();
    Ok(())
}

/// The first `len` bytes of a regular file that is no longer than `largest`.
pub(super) fn head(path: &CStr, largest: u64, len: usize, room: &mut Room<'_>) -> Result<(), Errno> {
    // Whoever may not keep the time of access as it was reads all the same.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = open(path, flags | OFlags::NOATIME).or_else(|_| open(path, flags))?;
    room.tick();
    let about = fstat(&fd)?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile || about.st_size as u64 > largest {
        return Err(Errno::INVAL);
    }
    let limit = room.rest().len().min(len);
    let length = rustix::io::pread(&fd, &mut room.rest()[..limit], 0)?;
    room.add(length);
    Ok(())
}
