//! The worker itself: does reads, one after the other, and may get stuck in any of them.
//!
//! It runs in a forked copy of a process that may have had other threads. So from [`main`] on
//! nothing allocates, locks or panics outwards: system calls, and memory that was there before.
#![expect(unsafe_code, reason = "descriptor clean-up of a forked helper")]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::futex;

use super::ask::{
    DESCRIPTORS, DIR, FILE, HEAD, Infos, LINK, MAPPING, MEMORY, MESSAGE_QUEUES, ROW, SEMAPHORE, SOCK_DIAG, STATUS,
};
use super::elsewhere::{message_queues, semaphore, sock_diag};
use super::path;
use super::reads::{dir, file, link, mapping, memory, open};
use super::room::Room;
use super::several::{descriptors, row};
use super::shared::{Shared, Slot};

/// Ends the process when something unwinds: the code above the fork must never run twice.
struct NoWayBack;

impl Drop for NoWayBack {
    fn drop(&mut self) {
        // SAFETY: ends this process at once, running nothing of it.
        unsafe { libc::_exit(70) }
    }
}

/// Serves batches until the supervisor ends or kills it. `parent` is the supervisor.
pub(super) fn main(mut shared: Shared, parent: u32) -> ! {
    let _end = NoWayBack;
    settle(parent);
    let mut last = 0;
    loop {
        let bell = shared.control().bell.load(Ordering::Acquire);
        if bell == last {
            let _ = futex::wait(&shared.control().bell, futex::Flags::empty(), last, None);
            continue;
        }
        last = bell;
        batch(&mut shared);
        shared.control().finished.store(bell, Ordering::Release);
        shared.doorbell().ring();
    }
}

/// Lets go of all that was inherited: an unkillable worker keeps what it has open for ever, and a
/// pipe of the watched command that never closes is a hang of our own making.
fn settle(parent: u32) {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if rustix::process::getppid().is_none_or(|now| now.as_raw_nonzero().get() as u32 != parent) {
        // SAFETY: the supervisor ended before the line above; nobody will ever ask.
        unsafe { libc::_exit(0) }
    }
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir(c"/");
    let _ = rustix::thread::set_name(c"hangdog-reader");
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty());
    for fd in 0..3 {
        match &null {
            // SAFETY: replaces a standard stream by /dev/null; no Rust object owns that number here.
            Ok(null) => unsafe { libc::dup2(null.as_raw_fd(), fd) },
            // SAFETY: the same without a /dev/null.
            Err(_) => unsafe { libc::close(fd) },
        };
    }
    std::mem::forget(null);
    // SAFETY: closes descriptors by number; nothing of this process uses one from here on.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if closed != 0 {
        // Linux before 5.9. A table larger than this is a mistake of its own.
        for fd in 3..65_536 {
            // SAFETY: as above; most numbers are not open, which does no harm.
            unsafe { libc::close(fd) };
        }
    }
}

fn batch(shared: &mut Shared) {
    let mut n = 0;
    let mut used = None;
    let mut near = Near { dir: None, len: 0, path: [0; LONGEST_NEAR] };
    loop {
        let slot = if n < super::shared::SLOTS { shared.slot(n) } else { return };
        if slot.kind == 0 {
            return;
        }
        // The first slot says where the results may begin.
        let at = used.unwrap_or(slot.at as usize);
        let next = if n + 1 < super::shared::SLOTS { shared.slot(n + 1) } else { Slot::default() };
        near.step(shared, slot, next);
        shared.control().begin(at);
        match one(shared, slot, at, &near) {
            // No room left for it: the supervisor empties the arena and asks again from here.
            Done { cut: true, .. } if n > 0 => return,
            Done { outcome, len, cut } => {
                let errno = outcome.err().map_or(0, |e| e.raw_os_error() as u32);
                let (at, len) = (at as u32, len as u32);
                shared.set_slot(n, Slot { errno, at, len, cut: u32::from(cut), ..slot });
                used = Some((at + len).next_multiple_of(8) as usize);
            }
        }
        n += 1;
        shared.control().done.store(n as u32, Ordering::Release);
    }
}

/// What came of one request.
struct Done {
    outcome: Result<(), Errno>,
    len: usize,
    cut: bool,
}

fn one(shared: &mut Shared, slot: Slot, at: usize, near: &Near) -> Done {
    let control = std::ptr::from_ref(shared.control());
    let arena = shared.all();
    let at = at.min(arena.len());
    let (asked, free) = arena.split_at_mut(at);
    let path_at = slot.path_at as usize;
    let path = asked.get(path_at..path_at + slot.path_len as usize + 1).map(CStr::from_bytes_with_nul);
    let Some(Ok(path)) = path else {
        return Done { outcome: Err(Errno::INVAL), len: 0, cut: false };
    };
    let mut room = Room { free, len: 0, cut: false, control };
    let (from, name) = near.shorten(path);
    let outcome = match slot.kind {
        FILE => file(from, name, &mut room),
        LINK => link(from, name, &mut room),
        DIR => dir(from, name, &mut room),
        MAPPING => mapping(path, slot.number, &mut room),
        MEMORY => memory(path, slot.number, slot.size as usize, &mut room),
        STATUS => path::status(path, &mut room),
        HEAD => path::head(path, slot.number, slot.size as usize, &mut room),
        ROW => row(path, slot.number, slot.size as usize, &mut room),
        DESCRIPTORS => descriptors(path, slot.number as u32, Infos::from_number(slot.size), &mut room),
        SEMAPHORE => semaphore(path, slot.number as u32, slot.size, &mut room),
        MESSAGE_QUEUES => message_queues(path, &mut room),
        SOCK_DIAG => {
            let message_at = slot.message_at as usize;
            match asked.get(message_at..message_at + slot.size as usize) {
                Some(request) => sock_diag(path, request, &mut room),
                None => Err(Errno::INVAL),
            }
        }
        _ => Err(Errno::INVAL),
    };
    Done { outcome, len: room.len, cut: room.cut }
}

/// `/proc/4194304/task/4194304/` and longer.
const LONGEST_NEAR: usize = 64;

/// The directory of the last request, kept open while the next ones lie in it: most come in such rows, and the
/// way from the root costs as much as a link itself.
struct Near {
    dir: Option<OwnedFd>,
    /// Length of its path with the last slash.
    len: usize,
    path: [u8; LONGEST_NEAR],
}

impl Near {
    /// Goes along to the directory of `slot`, if the one after it lies there too.
    fn step(&mut self, shared: &mut Shared, slot: Slot, next: Slot) {
        let arena = shared.all();
        let path = |slot: Slot| arena.get(slot.path_at as usize..(slot.path_at + slot.path_len) as usize);
        let len = |path: &[u8]| path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let Some(here) = path(slot) else { return };
        let here = &here[..len(here)];
        if self.dir.is_some() && &self.path[..self.len] == here {
            return;
        }
        self.dir = None;
        let is_row =
            matches!(next.kind, FILE | LINK | DIR) && path(next).is_some_and(|next| &next[..len(next)] == here);
        if !is_row || !here.starts_with(b"/proc/") || here.len() >= self.path.len() {
            return;
        }
        self.len = here.len();
        self.path = [0; LONGEST_NEAR];
        self.path[..self.len].copy_from_slice(here);
        let Ok(name) = CStr::from_bytes_until_nul(&self.path) else { return };
        self.dir = open(CWD, name, OFlags::PATH | OFlags::DIRECTORY).ok();
    }

    /// A path as it is from there.
    fn shorten<'a>(&'a self, path: &'a CStr) -> (BorrowedFd<'a>, &'a CStr) {
        let rest = path.to_bytes().strip_prefix(&self.path[..self.len]).map(|_| &path[self.len..]);
        match (&self.dir, rest) {
            (Some(dir), Some(rest)) => (dir.as_fd(), rest),
            _ => (CWD, path),
        }
    }
}
