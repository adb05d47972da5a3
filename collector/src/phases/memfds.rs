//! Recorders of programs that reach no directory of ours (another mount namespace, a sandbox): each lies in a memfd
//! that only its owner's descriptors lead to.
//!
//! A snapshot says which descriptors these are. To open one, `/proc/PID/fd/N` has to be followed, which an
//! exec of that process can hold up for good: so a helper does it, with a deadline, and sends the file over. What the
//! helper opens is first held as a mere handle and looked at: a descriptor that became something else
//! meanwhile, or a file of that name on some mount, is never really opened. Reading a memfd waits for nobody.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hangdog_schemas::fact::Belonging;
use hangdog_schemas::{Fd, ProcessId, Record, RunNs};
use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags, StatxFlags, memfd_create, openat, readlinkat, statx};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage};

use crate::kernel::{Helper, fork_helper};

/// Memfds that are fetched in one run.
const MOST: usize = 64;
/// A helper that takes longer is stuck, and given up.
const DEADLINE: u64 = 1_000_000_000;

/// Fetches the memfds of a run, each once.
#[derive(Debug, Default)]
pub struct Memfds {
    asked: BTreeSet<(ProcessId, Fd)>,
    /// A forked child has its parent's memfd open too.
    inodes: BTreeSet<u64>,
    fetching: Option<Fetching>,
}

#[derive(Debug)]
struct Fetching {
    helper: Helper,
    socket: UnixDatagram,
    until: RunNs,
}

impl Memfds {
    /// Takes the facts of a snapshot, and sends for the memfds that are new.
    pub fn learn(&mut self, now: RunNs, facts: &[Record]) {
        if self.fetching.is_some() {
            return;
        }
        let target = target();
        let run: BTreeSet<ProcessId> = facts
            .iter()
            .filter_map(|fact| match fact {
                Record::Process(process) if matches!(process.belongs, Belonging::Root | Belonging::Run) => {
                    Some(process.process)
                }
                _ => None,
            })
            .collect();
        let mut wanted = Vec::new();
        for fact in facts {
            let Record::Fd(fd) = fact else { continue };
            let is_new = fd.target == target && run.contains(&fd.process) && self.asked.len() < MOST;
            if is_new && self.asked.insert((fd.process, fd.fd)) {
                wanted.push((fd.process.pid.0, fd.fd.0));
            }
        }
        if !wanted.is_empty() {
            // Without a helper these phases are missing, as they are when the owner may not be looked into.
            self.fetching = Fetching::start(&wanted, now).ok();
        }
    }

    /// The files that have come since the last look. Never waits.
    pub fn arrived(&mut self, now: RunNs) -> Vec<File> {
        let Some(fetching) = &self.fetching else { return Vec::new() };
        let files: Vec<File> = std::iter::from_fn(|| receive(&fetching.socket)).collect();
        if fetching.helper.wait(Duration::ZERO).is_some() {
            self.fetching = None;
        } else if now > fetching.until {
            // It stays a helper until it is gone: what this does not end is none of the run either.
            fetching.helper.kill();
        }
        let is_new = |file: &File| file.metadata().is_ok_and(|about| self.inodes.insert(about.ino()));
        files.into_iter().filter(is_new).collect()
    }

    /// The process that fetches.
    pub fn helper(&self) -> Option<u32> {
        self.fetching.as_ref().map(|fetching| fetching.helper.pid)
    }
}

impl Fetching {
    fn start(wanted: &[(u32, u32)], now: RunNs) -> io::Result<Self> {
        let (ours, theirs) = UnixDatagram::pair()?;
        ours.set_nonblocking(true)?;
        let helper = fork_helper(c"hangdog-fetch", &[theirs.as_fd()], || {
            for (pid, fd) in wanted {
                if let Some(file) = open(*pid, *fd) {
                    send(&theirs, &file);
                }
            }
            0
        })?;
        Ok(Self { helper, socket: ours, until: now.plus(DEADLINE) })
    }
}

fn target() -> String {
    format!("/memfd:{} (deleted)", hangdog_flight::MEMFD)
}

/// Opens a memfd of a recorder, and nothing else whatever is there.
fn open(pid: u32, fd: u32) -> Option<OwnedFd> {
    let handle = openat(CWD, format!("/proc/{pid}/fd/{fd}"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let own = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let link = readlinkat(CWD, &own, Vec::new()).ok()?;
    if link.to_bytes() != target().as_bytes()
        || device(&handle)? != device(&memfd_create("x", MemfdFlags::CLOEXEC).ok()?)?
    {
        return None;
    }
    openat(CWD, &own, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// All memfds lie on one device of the kernel's own. A file system is not asked (`AT_STATX_DONT_SYNC`).
fn device(fd: &OwnedFd) -> Option<(u32, u32)> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let about = statx(fd, "", flags, StatxFlags::TYPE).ok()?;
    Some((about.stx_dev_major, about.stx_dev_minor))
}

fn send(socket: &UnixDatagram, file: &OwnedFd) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&files));
    let _ = rustix::net::sendmsg(socket, &[IoSlice::new(b"m")], &mut control, rustix::net::SendFlags::NOSIGNAL);
}

fn receive(socket: &UnixDatagram) -> Option<File> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next().map(File::from),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorders_memfd_is_opened_and_nothing_else() {
        let own = std::process::id();
        let memfd = memfd_create(hangdog_flight::MEMFD, MemfdFlags::CLOEXEC).unwrap();
        rustix::io::write(&memfd, b"here").unwrap();
        let found = open(own, memfd.as_raw_fd() as u32).expect("it is one");
        assert_eq!(rustix::io::pread(&found, &mut [0; 8], 0), Ok(4));
        let other = memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
        assert!(open(own, other.as_raw_fd() as u32).is_none());
        // A file that is only called so.
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join(format!("memfd:{}", hangdog_flight::MEMFD))).unwrap();
        assert!(open(own, file.as_raw_fd() as u32).is_none());
        assert!(open(own, 1 << 20).is_none());
    }
}
