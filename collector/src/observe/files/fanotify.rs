//! Whole local file systems watched by fanotify: who did what in which directory. As root only.
//!
//! A group only listens: it never has permission events, which would hold programs up. Each file system has a group
//! of its own, so that a handle is only ever opened on the one that it came from.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use rustix::fs::{Mode, OFlags, fstat, open};

/// Directory and name with each notice, and the file's own handle too (kernel 5.17).
const INIT: InitFlags = InitFlags::FAN_CLASS_NOTIF
    .union(InitFlags::FAN_CLOEXEC)
    .union(InitFlags::FAN_NONBLOCK)
    .union(InitFlags::from_bits_retain(libc::FAN_REPORT_DFID_NAME_TARGET));

/// A directory that is made counts as well: `mkdir` is a lock too.
const MASK: MaskFlags = MaskFlags::FAN_OPEN
    .union(MaskFlags::FAN_CREATE)
    .union(MaskFlags::FAN_DELETE)
    .union(MaskFlags::FAN_RENAME)
    .union(MaskFlags::FAN_CLOSE_WRITE)
    .union(MaskFlags::FAN_ONDIR);

/// One watched file system.
#[derive(Debug)]
pub(super) struct Group {
    fanotify: Fanotify,
    device: u64,
}

/// What a directory got.
#[derive(Debug)]
pub(super) enum Marked {
    /// Its file system is watched from now on; this is the directory.
    New(Group, OwnedFd),
    /// It was watched already.
    Already,
}

impl Group {
    /// Watches the file system that a directory lies on, which is local and whose path has no links.
    pub(super) fn mark(directory: &Path, groups: &[Self]) -> Result<Marked, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let errno = |error: rustix::io::Errno| Errno::from_raw(error.raw_os_error());
        let root = open(directory, flags, Mode::empty()).map_err(errno)?;
        let device = fstat(&root).map_err(errno)?.st_dev;
        if groups.iter().any(|group| group.device == device) {
            return Ok(Marked::Already);
        }
        let fanotify = Fanotify::init(INIT, EventFFlags::O_RDONLY)?;
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
        fanotify.mark::<_, Path>(flags, MASK, &root, None)?;
        Ok(Marked::New(Self { fanotify, device }, root))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fanotify.as_fd()
    }
}
