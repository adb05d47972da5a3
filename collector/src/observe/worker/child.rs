//! The worker itself: does reads, one after the other, and may get stuck in any of them.
//!
//! It runs in a forked copy of a process that may have had other threads. So from [`main`] on
//! nothing allocates, locks or panics outwards: system calls, and memory that was there before.
#![expect(unsafe_code, reason = "ioctl, setns and descriptor clean-up of a forked helper")]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::thread::futex;

use super::ask::{DIR, FILE, HEAD, LINK, MAPPING, MEMORY, SEMAPHORE, SOCK_DIAG, STATUS};
use super::path;
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
        let _ = futex::wake(&shared.control().finished, futex::Flags::empty(), 1);
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

/// The end of the arena where a read puts its result, and the place to say "still alive".
pub(super) struct Room<'a> {
    free: &'a mut [u8],
    len: usize,
    cut: bool,
    control: *const super::shared::Control,
}

impl Room<'_> {
    pub(super) fn rest(&mut self) -> &mut [u8] {
        &mut self.free[self.len..]
    }

    /// `n` more bytes are there.
    pub(super) fn add(&mut self, n: usize) {
        self.len += n;
        self.tick();
    }

    pub(super) fn tick(&self) {
        // SAFETY: points at the control block of the mapping, which outlives the batch.
        let control = unsafe { &*self.control };
        control.progress.fetch_add(1, Ordering::Release);
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self.free.get_mut(self.len..self.len + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.cut = true,
        }
    }
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
        SEMAPHORE => semaphore(path, slot.number as u32, slot.size, &mut room),
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

fn open(from: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(from, path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

fn file(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
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

fn link(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    let limit = room.rest().len().min(4096);
    if limit < 4096 {
        room.cut = true;
        return Ok(());
    }
    let n = rustix::fs::readlinkat_raw(from, path, &mut room.rest()[..limit])?;
    room.add(n);
    Ok(())
}

fn dir(from: BorrowedFd<'_>, path: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
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

fn errno() -> Errno {
    Errno::from_raw_os_error(nix::errno::Errno::last_raw())
}

/// `struct procmap_query` of include/uapi/linux/fs.h (Linux 6.11).
#[repr(C)]
#[derive(Default)]
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

fn mapping(path: &CStr, address: u64, room: &mut Room<'_>) -> Result<(), Errno> {
    let fd = open(CWD, path, OFlags::RDONLY)?;
    room.tick();
    let mut name = [0_u8; 256];
    let mut query = ProcmapQuery {
        size: size_of::<ProcmapQuery>() as u64,
        query_addr: address,
        vma_name_size: name.len() as u32,
        vma_name_addr: name.as_mut_ptr() as u64,
        ..ProcmapQuery::default()
    };
    // SAFETY: the structure says its own size and the buffer's, and both live through the call.
    if unsafe { libc::ioctl(fd.as_raw_fd(), PROCMAP_QUERY as _, &raw mut query) } != 0 {
        // A name that is too long for the buffer: the mapping without its name will do.
        if errno() != Errno::NAMETOOLONG {
            return Err(errno());
        }
        query.vma_name_size = 0;
        query.vma_name_addr = 0;
        // SAFETY: as above.
        if unsafe { libc::ioctl(fd.as_raw_fd(), PROCMAP_QUERY as _, &raw mut query) } != 0 {
            return Err(errno());
        }
    }
    let device = u64::from(query.dev_major) << 32 | u64::from(query.dev_minor);
    for word in [query.vma_start, query.vma_end, query.vma_flags, device] {
        room.push(&word.to_ne_bytes());
    }
    room.push(&name[..(query.vma_name_size as usize).min(name.len())]);
    room.tick();
    Ok(())
}

fn memory(path: &CStr, address: u64, len: usize, room: &mut Room<'_>) -> Result<(), Errno> {
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

/// Value, how many wait for it to grow, and the process that changed it last. None of the three waits for anything.
fn semaphore(namespace: &CStr, set: u32, number: u32, room: &mut Room<'_>) -> Result<(), Errno> {
    let (own, theirs) = (c"/proc/self/ns/ipc", namespace);
    within(own, theirs, libc::CLONE_NEWIPC, room, |room| {
        for command in [libc::GETVAL, libc::GETNCNT, libc::GETPID] {
            // SAFETY: these commands take no further argument and write nothing to this process.
            let value = unsafe { libc::semctl(set as i32, number as i32, command) };
            if value < 0 {
                return Err(errno());
            }
            room.push(&value.to_ne_bytes());
            room.tick();
        }
        Ok(())
    })
}

/// Does something in another namespace, unless its path is empty.
fn within(
    own: &CStr,
    theirs: &CStr,
    kind: i32,
    room: &mut Room<'_>,
    work: impl FnOnce(&mut Room<'_>) -> Result<(), Errno>,
) -> Result<(), Errno> {
    if theirs.is_empty() {
        return work(room);
    }
    let (own, theirs) = (open(CWD, own, OFlags::RDONLY)?, open(CWD, theirs, OFlags::RDONLY)?);
    room.tick();
    enter(&theirs, kind)?;
    let outcome = work(room);
    // A worker that cannot go back would answer for the wrong namespace from here on.
    if enter(&own, kind).is_err() {
        // SAFETY: ends this process; the supervisor starts another one.
        unsafe { libc::_exit(71) }
    }
    outcome
}

/// `NETLINK_SOCK_DIAG`.
const SOCK_DIAG_PROTOCOL: u32 = 4;

fn sock_diag(namespace: &CStr, request: &[u8], room: &mut Room<'_>) -> Result<(), Errno> {
    within(c"/proc/self/ns/net", namespace, libc::CLONE_NEWNET, room, |room| dump(request, room))
}

fn enter(namespace: &OwnedFd, kind: i32) -> Result<(), Errno> {
    // SAFETY: setns changes what sockets and semaphores this single-threaded process opens.
    if unsafe { libc::setns(namespace.as_raw_fd(), kind) } == 0 { Ok(()) } else { Err(errno()) }
}

fn dump(request: &[u8], room: &mut Room<'_>) -> Result<(), Errno> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        std::num::NonZeroU32::new(SOCK_DIAG_PROTOCOL).map(rustix::net::Protocol::from_raw),
    )?;
    rustix::net::send(&socket, request, SendFlags::empty())?;
    loop {
        if room.rest().len() < 32 * 1024 {
            room.cut = true;
            return Ok(());
        }
        let n = receive(&socket, room)?;
        let at = room.len;
        room.add(n);
        match end_of(&room.free[at..at + n]) {
            None => {}
            Some(outcome) => {
                // The last message is no fact.
                return outcome;
            }
        }
    }
}

fn receive(socket: impl AsFd, room: &mut Room<'_>) -> Result<usize, Errno> {
    let (n, _) = rustix::net::recv(socket, room.rest(), RecvFlags::empty())?;
    Ok(n)
}

/// Whether a datagram holds `NLMSG_DONE` (3) or `NLMSG_ERROR` (2).
fn end_of(mut bytes: &[u8]) -> Option<Result<(), Errno>> {
    loop {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let value = bytes.get(16..20).and_then(|b| b.try_into().ok()).map_or(0, i32::from_ne_bytes);
        match kind {
            2 | 3 if value < 0 => return Some(Err(Errno::from_raw_os_error(-value))),
            2 | 3 => return Some(Ok(())),
            _ => bytes = bytes.get((length.max(16) + 3) & !3..)?,
        }
    }
}
