//! The worker's side of requests for several reads at once: a row of one directory, or all descriptors of a process.
//!
//! Here as in all of the worker nothing allocates, locks or panics outwards.
#![expect(unsafe_code, reason = "getdents64 into a buffer of our own")]

use std::ffi::CStr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;

use super::ask::Infos;
use super::parts::Kind;
use super::reads::{at_once, errno, file, link, mode, open};
use super::room::Room;
use super::row::{How, Row};

/// `task/4194304/children`, with some room.
const LONGEST_OF_THREAD: usize = 64;

/// Reads the first `count` members of a row.
pub(super) fn row(path: &CStr, row: u64, count: usize, room: &mut Room<'_>) -> Result<(), Errno> {
    let row = Row::from_number(row).ok_or(Errno::INVAL)?;
    let dir = open(CWD, path, OFlags::PATH | OFlags::DIRECTORY)?;
    room.tick();
    for (n, member) in row.members().iter().take(count).enumerate() {
        room.part(Kind::Member, n as u32, |room| match member.how {
            How::AtOnce => at_once(dir.as_fd(), member.name, room),
            How::ToItsEnd => file(dir.as_fd(), member.name, room),
            How::OfFirstThread => of_first_thread(dir.as_fd(), path, member.name, room),
            How::Link => link(dir.as_fd(), member.name, room),
        });
        if room.cut {
            break;
        }
    }
    Ok(())
}

/// A file below `task/PID/`, of the process to which `path` leads.
fn of_first_thread(dir: BorrowedFd<'_>, path: &CStr, name: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let process = path.to_bytes();
    let number = process.iter().rposition(|&byte| byte == b'/').map_or(process, |at| &process[at + 1..]);
    let mut whole = [0; LONGEST_OF_THREAD];
    let mut len = 0;
    for piece in [b"task/", number, b"/", name.to_bytes()] {
        whole.get_mut(len..len + piece.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(piece);
        len += piece.len();
    }
    file(dir, CStr::from_bytes_until_nul(&whole).map_err(|_| Errno::NAMETOOLONG)?, room)
}

/// Reads where the descriptors of a process point, from number `from` on, and the `fdinfo` of those that `infos` wants.
pub(super) fn descriptors(path: &CStr, from: u32, infos: Infos, room: &mut Room<'_>) -> Result<(), Errno> {
    let dir = open(CWD, path, OFlags::PATH | OFlags::DIRECTORY)?;
    let list = open(dir.as_fd(), c"fd", OFlags::RDONLY | OFlags::DIRECTORY)?;
    room.tick();
    let mut info_dir: Option<OwnedFd> = None;
    let mut entries = [0; 8192];
    loop {
        room.begin(Kind::List, 0);
        // SAFETY: getdents64 writes at most `len` bytes to a buffer of that length.
        let got =
            unsafe { libc::syscall(libc::SYS_getdents64, list.as_raw_fd(), entries.as_mut_ptr(), entries.len()) };
        room.tick();
        let mut rest = match got {
            0 => return Ok(()),
            n if n > 0 => entries.get(..n as usize).unwrap_or_default(),
            _ => return Err(errno()),
        };
        while let Some((name, after)) = next(rest) {
            rest = after;
            let Some(fd) = number(name).filter(|fd| *fd >= from) else { continue };
            let before = room.len;
            let target = room.part(Kind::Link, fd, |room| link(list.as_fd(), name, room));
            let target = target.filter(|_| !room.cut).map(|target| room.last(target));
            let wants_mode = target.is_some_and(|target| infos.wants_mode(target));
            if target.is_some_and(|target| infos.wants(target)) {
                if info_dir.is_none() {
                    info_dir = open(dir.as_fd(), c"fdinfo", OFlags::PATH | OFlags::DIRECTORY).ok();
                }
                // It went away just now: then the link is all there is.
                let Some(info_dir) = &info_dir else { continue };
                room.part(Kind::Info, fd, |room| at_once(info_dir.as_fd(), name, room));
            } else if wants_mode {
                room.part(Kind::Mode, fd, |room| mode(list.as_fd(), name, room));
            }
            if room.cut {
                // Whoever asks goes on from here: with the link again, when there was room for that.
                room.len = before;
                room.mark(Kind::More, fd);
                return Ok(());
            }
        }
    }
}

/// The next name of `struct linux_dirent64`: inode and offset of 8 bytes each, length, type, name.
fn next(entries: &[u8]) -> Option<(&CStr, &[u8])> {
    let length = usize::from(u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?));
    let name = CStr::from_bytes_until_nul(entries.get(19..length)?).ok()?;
    Some((name, entries.get(length..)?))
}

fn number(name: &CStr) -> Option<u32> {
    let digits = name.to_bytes();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits.iter().fold(0_u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')))
    })
}
