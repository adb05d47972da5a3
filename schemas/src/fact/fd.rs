//! File descriptors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Device, Fd, FuseConnection, Inode, Pid, ProcessId, SnapshotId};

/// For what a descriptor was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
    /// `O_PATH`.
    Path,
}

impl Access {
    /// Whether the holder can read from it.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether the holder can write to it.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// What kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockClass {
    /// `flock(2)`: belongs to the open file, so to everybody who inherited it.
    Flock,
    /// `fcntl(F_SETLK)`: belongs to the process.
    Posix,
    /// `fcntl(F_OFD_SETLK)`: belongs to the open file.
    Ofd,
    /// `fcntl(F_SETLEASE)` and delegations.
    Lease,
}

/// Shared or exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Others may read too.
    Read,
    /// Nobody else.
    Write,
}

/// A `lock:` line of fdinfo: this descriptor's open file *really* holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FdLock {
    /// Class.
    pub class: LockClass,
    /// Mode.
    pub mode: LockMode,
    /// Who took it, as the kernel remembers; may be long dead. -1 for OFD locks.
    pub pid: i64,
    /// File: device.
    pub device: Device,
    /// File: inode.
    pub inode: Inode,
    /// First byte.
    pub start: crate::Big,
    /// Last byte; `None` = end of file.
    pub end: Option<crate::Big>,
}

/// One entry of an epoll set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EpollTarget {
    /// Descriptor number at the time it was added.
    pub fd: Fd,
    /// Events asked for (`EPOLLIN` = 1, `EPOLLET` = 1<<31).
    pub events: u32,
    /// Inode of the watched file.
    pub inode: Inode,
}

/// What fdinfo says beyond position and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FdDetail {
    /// Nothing more.
    #[default]
    Plain,
    /// `anon_inode:[eventpoll]`.
    Epoll(Vec<EpollTarget>),
    /// `anon_inode:[eventfd]`.
    Eventfd {
        /// Counter; not 0 = readable.
        count: crate::Big,
        /// `eventfd-id`, the same for all copies.
        id: Option<u32>,
    },
    /// `anon_inode:[timerfd]`.
    Timerfd {
        /// Time to the next expiry, ns; 0 = disarmed.
        value_ns: u64,
        /// Period, ns; 0 = once.
        interval_ns: u64,
    },
    /// `anon_inode:[signalfd]`.
    Signalfd {
        /// Signals, bit n-1 for signal n.
        mask: crate::Address,
    },
    /// `anon_inode:[pidfd]`.
    Pidfd {
        /// The process in the observer's namespace; `None` when it ended or is elsewhere.
        pid: Option<Pid>,
    },
    /// `anon_inode:inotify`.
    Inotify {
        /// Number of watches.
        watches: u32,
    },
    /// `anon_inode:[io_uring]`: entries of its two rings.
    IoUring {
        /// Submitted and not yet taken by the kernel.
        to_submit: u32,
        /// Completed and not yet taken by the program.
        completed: u32,
    },
    /// `anon_inode:[userfaultfd]`: the holder fills pages for whoever waits for them.
    Userfaultfd {
        /// Page faults that it has not read yet.
        pending: u32,
        /// All that wait, those that it has read included.
        waiting: u32,
    },
    /// `/dev/fuse`: the holder can serve this connection.
    FuseServer {
        /// The connection; `None` where the kernel does not say (before 6.16).
        connection: Option<FuseConnection>,
    },
    /// The master side of a pseudo terminal.
    PtyMaster {
        /// Number of the terminal: `/dev/pts/N`.
        index: u32,
    },
    /// A unix socket with descriptors in its queue, which no process has until somebody receives them (`SCM_RIGHTS`).
    UnixSocket {
        /// How many.
        in_flight: u32,
    },
}

impl FdDetail {
    /// Whether there is nothing more.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// A file descriptor in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FdFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Whose.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Number.
    pub fd: Fd,
    /// The link's text: a path, `pipe:[81234]`, `socket:[81240]`, `anon_inode:[eventpoll]`.
    pub target: String,
    /// Inode of a pipe or socket (from the target), or of the file where fdinfo says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<Inode>,
    /// For what it was opened; `None` when fdinfo was not read (sockets).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Open flags (`O_NONBLOCK` = 0o4000, `O_CLOEXEC` = 0o2000000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// Position in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Mount it lies on, a number of the holder's mount namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<u32>,
    /// More, by kind.
    #[serde(default, skip_serializing_if = "FdDetail::is_plain")]
    pub detail: FdDetail,
    /// Locks that this open file holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<FdLock>,
}

impl FdFact {
    /// Whether reads and writes of it never wait.
    pub fn is_nonblocking(&self) -> bool {
        self.flags.is_some_and(|flags| flags & 0o4000 != 0)
    }

    /// Inode of the pipe, when it is one (a FIFO opened by path counts by its fdinfo inode).
    pub fn pipe(&self) -> Option<Inode> {
        self.target.starts_with("pipe:[").then_some(self.inode).flatten()
    }

    /// Inode of the socket, when it is one.
    pub fn socket(&self) -> Option<Inode> {
        self.target.starts_with("socket:[").then_some(self.inode).flatten()
    }
}
