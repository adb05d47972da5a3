//! Single reads, as the worker does them.
#![expect(unsafe_code, reason = "getdents64 and PROCMAP_QUERY into buffers of our own")]

use std::ffi::CStr;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, statat};
use rustix::io::Errno;

use super::room::Room;

pub(super) fn open(from: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(from, path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

pub(super) fn file(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(from, path, OFlags::RDONLY)?;
    room.tick();
    loop {
        if room.rest().is_empty() {
            room.cut = true;
            return Ok(());
        }
        match rustix::io::read(&fd, room.rest())? {
            0 => return Ok(()),
            n => room.add(n),
        }
    }
}

/// A file that one read gives whole.
pub(super) fn at_once(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(from, path, OFlags::RDONLY)?;
    let n = rustix::io::read(&fd, room.rest())?;
    room.cut = n == room.rest().len();
    room.add(n);
    Ok(())
}

pub(super) fn link(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let limit = room.rest().len().min(4096);
    if limit < 4096 {
        room.cut = true;
        return Ok(());
    }
    let n = rustix::fs::readlinkat_raw(from, path, &mut room.rest()[..limit])?;
    room.add(n);
    Ok(())
}

/// The mode of a link, which is not followed.
pub(super) fn mode(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let about = statat(from, path, AtFlags::SYMLINK_NOFOLLOW)?;
    room.push(&about.st_mode.to_ne_bytes());
    room.tick();
    Ok(())
}

pub(super) fn dir(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(from, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    room.tick();
    loop {
        // The kernel refuses a buffer that holds no single name.
        if room.rest().len() < 512 {
            room.cut = true;
            return Ok(());
        }
        let place = room.rest();
        // SAFETY: getdents64 writes at most `len` bytes to a buffer of that length.
        let got = unsafe { libc::syscall(libc::SYS_getdents64, fd.as_raw_fd(), place.as_mut_ptr(), place.len()) };
        match got {
            0 => return Ok(()),
            n if n > 0 => room.add(n as usize),
            _ => return Err(errno()),
        }
    }
}

pub(super) fn errno() -> Errno {
    Errno::from_raw_os_error(nix::errno::Errno::last_raw())
}

/// `struct procmap_query` of include/uapi/linux/fs.h (Linux 6.11).
#[repr(C)]
#[derive(Debug, Default, PartialEq, Eq)]
struct ProcmapQuery {
    size: u64,
    query_flags: u64,
    query_addr: u64,
    vma_start: u64,
    vma_end: u64,
    vma_flags: u64,
    vma_page_size: u64,
    vma_offset: u64,
    inode: u64,
    dev_major: u32,
    dev_minor: u32,
    vma_name_size: u32,
    build_id_size: u32,
    vma_name_addr: u64,
    build_id_addr: u64,
}

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: u64 = 0xc068_6611;

pub(super) fn mapping(path: &CStr, address: u64, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(CWD, path, OFlags::RDONLY)?;
    room.tick();
    let mut name = [0_u8; 256];
    let mut query = query_mapping(fd.as_fd(), address, &mut name);
    if query == Err(Errno::NAMETOOLONG) {
        // For the buffer: the mapping without its name will do.
        query = query_mapping(fd.as_fd(), address, &mut []);
    }
    let query = query?;
    let device = u64::from(query.dev_major) << 32 | u64::from(query.dev_minor);
    for word in [query.vma_start, query.vma_end, query.vma_flags, device] {
        room.push(&word.to_ne_bytes());
    }
    room.push(&name[..(query.vma_name_size as usize).min(name.len())]);
    room.tick();
    Ok(())
}

fn query_mapping(maps: BorrowedFd<'_>, address: u64, name: &mut [u8]) -> Result<ProcmapQuery, Errno> {
    let place = if name.is_empty() { 0 } else { name.as_mut_ptr() as u64 };
    let mut query = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        query_addr: address,
        vma_name_size: name.len() as u32,
        vma_name_addr: place,
        ..ProcmapQuery::default()
    };
    // SAFETY: the structure says its own size and the buffer's, and both live through the call.
    let outcome = unsafe { libc::ioctl(maps.as_raw_fd(), PROCMAP_QUERY as _, &raw mut query) };
    if outcome == 0 { Ok(query) } else { Err(errno()) }
}

/// Why the kernel does not say where one address lies (Linux 6.11), if so: tried on a variable of our own.
pub fn mapping_query_fails() -> Option<std::io::Error> {
    let own = 0_u8;
    let maps = match open(CWD, c"/proc/self/maps", OFlags::RDONLY) {
        Ok(maps) => maps,
        Err(error) => return Some(error.into()),
    };
    query_mapping(maps.as_fd(), &raw const own as u64, &mut []).err().map(Into::into)
}

pub(super) fn memory(path: &CStr, address: u64, len: usize, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(CWD, path, OFlags::RDONLY)?;
    room.tick();
    if room.rest().len() < len {
        room.cut = true;
        return Ok(());
    }
    let n = rustix::io::pread(&fd, &mut room.rest()[..len], address)?;
    room.add(n);
    Ok(())
}
