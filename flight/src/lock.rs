//! The lock by which a recorder file says "the program that writes me is still there".
//!
//! A lock of the *open file description*, held from start to end and dropped by the kernel at exit, SIGKILL
//! and also at exec, when pid and start time stay the same and yet none of the phases is true any more. Others
//! ask for it without taking it (`F_OFD_GETLK`), so that a look never gets in the way of a start; only who removes
//! files takes it first. It says nothing across an inherited descriptor: a forked child keeps it held.
#![expect(unsafe_code, reason = "open file description locks, which rustix does not have")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Takes the lock; `WouldBlock` when another program has it. The file is open for writing.
pub(crate) fn take(file: BorrowedFd<'_>) -> io::Result<()> {
    ask(file, libc::F_OFD_SETLK).map(|_| ())
}

/// Whether a program has it. Takes nothing, and needs no right to write.
pub(crate) fn is_taken(file: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(libc::c_int::from(ask(file, libc::F_OFD_GETLK)?.l_type) != libc::F_UNLCK)
}

fn ask(file: BorrowedFd<'_>, command: libc::c_int) -> io::Result<libc::flock> {
    // All of the file; `l_pid` has to be 0.
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel reads and writes one `flock`
    // through the pointer, which points to one.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(lock) }
}
