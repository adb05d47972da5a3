//! What a worker can be asked for. A read only: nothing here changes, signals or attaches to anything.

use hangdog_schemas::Pid;

/// File to read, from the beginning.
pub(super) const FILE: u32 = 1;
/// Symbolic link to read.
pub(super) const LINK: u32 = 2;
/// Directory to list.
pub(super) const DIR: u32 = 3;
/// Mapping that holds an address, by `PROCMAP_QUERY`.
pub(super) const MAPPING: u32 = 4;
/// Memory at an address, through `/proc/PID/mem`.
pub(super) const MEMORY: u32 = 5;
/// A netlink `sock_diag` dump, in the network namespace that the path names (empty: our own).
pub(super) const SOCK_DIAG: u32 = 6;
/// What a path leads to, no link followed: type, device, inode, size, age, and where a link points.
pub(super) const STATUS: u32 = 8;
/// The beginning of a small regular file, no link followed.
pub(super) const HEAD: u32 = 9;
/// A semaphore of System V: value, how many wait for more, who changed it last.
pub(super) const SEMAPHORE: u32 = 7;

/// Which lock of the kernel a read takes: the first that gets stuck tells which others would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hazard {
    /// Never seen to block.
    None,
    /// `exec_update_lock`: held by an exec that closes a file of a dead FUSE mount.
    Exec,
    /// `mmap_lock`, and the exec lock before it.
    Memory,
    /// The mutex of one epoll set.
    Epoll,
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file, as long as it is.
    File,
    /// Where a link points.
    Link,
    /// Names in a directory, as `getdents64` gives them.
    Dir,
    /// The mapping that holds an address; the path is `/proc/PID/maps`.
    Mapping {
        /// The address.
        address: u64,
    },
    /// Bytes of a program; the path is `/proc/PID/mem`.
    Memory {
        /// From here.
        address: u64,
        /// At most so many.
        len: u32,
    },
    /// A semaphore; the path is `/proc/PID/ns/ipc`, or empty for our own namespace.
    Semaphore {
        /// Number of the set.
        set: u32,
        /// Which of the set.
        number: u16,
    },
    /// What a path of a local file system leads to; no link is followed.
    Status,
    /// The beginning of a regular file of a local file system; no link is followed.
    Head {
        /// At most so many bytes.
        len: u32,
        /// Of a longer file nothing.
        largest: u64,
    },
    /// Sockets; the path is `/proc/PID/ns/net`, or empty for our own namespace.
    SockDiag {
        /// The netlink request.
        request: Vec<u8>,
    },
}

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of which process, if of one: what got stuck is skipped by process.
    pub pid: Option<Pid>,
    /// What could block it.
    pub hazard: Hazard,
    /// Which file.
    pub path: String,
    /// What of it.
    pub what: What,
}

impl Ask {
    /// A file of a process, `name` below `/proc/PID/`.
    pub fn file(pid: Pid, hazard: Hazard, name: &str) -> Self {
        Self { pid: Some(pid), hazard, path: format!("/proc/{pid}/{name}"), what: What::File }
    }

    /// A link of a process. Every link of `/proc/PID` takes the exec lock.
    pub fn link(pid: Pid, name: &str) -> Self {
        Self { pid: Some(pid), hazard: Hazard::Exec, path: format!("/proc/{pid}/{name}"), what: What::Link }
    }

    /// A directory of a process.
    pub fn dir(pid: Pid, name: &str) -> Self {
        Self { pid: Some(pid), hazard: Hazard::None, path: format!("/proc/{pid}/{name}"), what: What::Dir }
    }

    /// A file of the whole system.
    pub fn table(path: impl Into<String>) -> Self {
        Self { pid: None, hazard: Hazard::None, path: path.into(), what: What::File }
    }

    /// The word for it in a list of gaps.
    pub fn name(&self) -> String {
        let of_process = self.pid.and_then(|pid| self.path.strip_prefix(&format!("/proc/{pid}/")));
        match (&self.what, of_process) {
            (What::SockDiag { .. }, _) => "sock_diag".to_owned(),
            (What::Semaphore { set, .. }, _) => format!("semaphore {set}"),
            (_, Some(name)) => name.to_owned(),
            (_, None) => self.path.clone(),
        }
    }

    pub(super) fn kind(&self) -> u32 {
        match self.what {
            What::File => FILE,
            What::Link => LINK,
            What::Dir => DIR,
            What::Mapping { .. } => MAPPING,
            What::Memory { .. } => MEMORY,
            What::Semaphore { .. } => SEMAPHORE,
            What::Status => STATUS,
            What::Head { .. } => HEAD,
            What::SockDiag { .. } => SOCK_DIAG,
        }
    }
}
