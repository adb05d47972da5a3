//! What is asked of the kernel in another namespace: semaphores, message queues and sockets.
#![expect(unsafe_code, reason = "setns and semctl")]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::reads::{errno, file, open};
use super::room::Room;

/// Value, how many wait for it to grow, and the process that changed it last. None of the three waits for anything.
pub(super) fn semaphore(namespace: &CStr, set: u32, number: u32, room: &mut Room<'_>) -> Result<(), Errno> {
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

/// The kernel shows the queues of the reader's own namespace.
pub(super) fn message_queues(namespace: &CStr, room: &mut Room<'_>) -> Result<(), Errno> {
    within(c"/proc/self/ns/ipc", namespace, libc::CLONE_NEWIPC, room, |room| file(CWD, c"/proc/sysvipc/msg", room))
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

pub(super) fn sock_diag(namespace: &CStr, request: &[u8], room: &mut Room<'_>) -> Result<(), Errno> {
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
