//! tracefs and an instance in it: a ring of one's own, with events and options of its own.
//!
//! Where tracefs is mounted it is used from there. Where it is not, it is mounted on no path (`fsmount(2)` gives a
//! descriptor), so that nothing changes for others. Not so always: kernel 6.18 forgets the owner and mode that its one
//! file system was mounted with when it is mounted again.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::layout::Layout;

/// Magic number of tracefs, linux/magic.h.
const TRACEFS: u64 = 0x7472_6163;
/// No file of tracefs that is read here is longer.
const LONGEST: usize = 256 << 10;

/// Why the kernel's recorder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The kernel counts processes otherwise than this process does.
    #[error("this is not the first pid namespace: the kernel's recorder has other numbers for threads")]
    Namespace,
    /// Not allowed.
    #[error("tracefs cannot be mounted: {0}")]
    Denied(io::Error),
    /// Not there.
    #[error("this kernel has no tracefs")]
    NotThere,
    /// Its numbers lie the other way round.
    #[error("its events are read on little-endian machines only")]
    Endian,
}

/// Whether the kernel's recorder can be had.
pub fn available() -> Result<(), Missing> {
    Tracefs::open().map(drop)
}

/// The file system.
#[derive(Debug)]
pub(super) struct Tracefs(OwnedFd);

impl Tracefs {
    /// Mounts it for whoever has the descriptor.
    pub(super) fn open() -> Result<Self, Missing> {
        if cfg!(target_endian = "big") {
            return Err(Missing::Endian);
        }
        if !crate::kernel::is_first_pid_namespace() {
            return Err(Missing::Namespace);
        }
        if let Some(root) = mounted() {
            return Ok(Self(root));
        }
        let mounted = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).and_then(|context| {
            fsconfig_create(context.as_fd())?;
            let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
                | MountAttrFlags::MOUNT_ATTR_NODEV
                | MountAttrFlags::MOUNT_ATTR_NOEXEC;
            let root = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
            // Without CONFIG_TRACING there is a file system with nothing in it.
            openat(&root, "instances", DIRECTORY, Mode::empty())?;
            Ok(root)
        });
        match mounted {
            Ok(root) => Ok(Self(root)),
            Err(Errno::NODEV | Errno::NOENT | Errno::NOSYS) => Err(Missing::NotThere),
            Err(error) => Err(Missing::Denied(error.into())),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The names of all instances.
    pub(super) fn instances(&self) -> Vec<OsString> {
        openat(&self.0, "instances", LISTING, Mode::empty()).map(crate::run::names).unwrap_or_default()
    }

    /// Removes an instance. Takes a tenth of a second, and fails while somebody has a file of it open.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, format!("instances/{name}"), AtFlags::REMOVEDIR)?)
    }
}

/// The root of tracefs at its usual place, if it is there.
fn mounted() -> Option<OwnedFd> {
    let root = open("/sys/kernel/tracing", DIRECTORY, Mode::empty()).ok()?;
    let is_tracefs = rustix::fs::fstatfs(&root).is_ok_and(|about| about.f_type as u64 == TRACEFS);
    is_tracefs.then_some(root)
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const LISTING: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A ring of one's own.
#[derive(Debug)]
pub(super) struct Instance(OwnedFd);

impl Instance {
    /// Makes it. It records nothing yet.
    pub(super) fn create(tracefs: &Tracefs, name: &str) -> io::Result<Self> {
        let path = format!("instances/{name}");
        mkdirat(&tracefs.0, &path, Mode::RWXU)?;
        Ok(Self(openat(&tracefs.0, &path, DIRECTORY, Mode::empty())?))
    }

    /// Writes a word into a file of it.
    pub(super) fn write(&self, file: &str, word: &str) -> io::Result<()> {
        let fd = openat(&self.0, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        let written = rustix::io::write(&fd, word.as_bytes())?;
        if written == word.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Reads a file of it.
    pub(super) fn read(&self, file: &str) -> io::Result<String> {
        let fd = openat(&self.0, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = Vec::new();
        let mut block = [0; 4096];
        while text.len() < LONGEST {
            match rustix::io::read(&fd, &mut block)? {
                0 => break,
                n => text.extend_from_slice(&block[..n]),
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Switches an event on, and says what it looks like. `None` when this kernel does not have it.
    pub(super) fn enable(&self, event: &str) -> Option<Layout> {
        let layout = Layout::parse(event, &self.read(&format!("events/{event}/format")).ok()?)?;
        self.write(&format!("events/{event}/enable"), "1").ok()?;
        Some(layout)
    }

    /// The processors' parts of the ring, by their names: `cpu0`.
    pub(super) fn processors(&self) -> Vec<String> {
        let listing = openat(&self.0, "per_cpu", LISTING, Mode::empty()).map(crate::run::names).unwrap_or_default();
        listing.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    /// The pages of one processor's part of the ring, which they leave. Does not wait for more.
    pub(super) fn pages(&self, processor: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(&self.0, format!("per_cpu/{processor}/trace_pipe_raw"), flags, Mode::empty())?)
    }

    /// How many events of one processor gave way to newer ones so far.
    pub(super) fn overwritten(&self, processor: &str) -> u64 {
        let text = self.read(&format!("per_cpu/{processor}/stats")).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("overrun: ")?.trim().parse().ok()).unwrap_or(0)
    }
}
