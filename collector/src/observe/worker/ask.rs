//! What a worker can be asked for. A read only: nothing here changes, signals or attaches to anything.

use hangdog_schemas::{Pid, Tid};

use super::parts::Kind;
use super::row::Row;

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
pub(super) const STATUS: u32 = 10;
/// The beginning of a small regular file, no link followed.
pub(super) const HEAD: u32 = 11;
/// A semaphore of System V: value, how many wait for more, who changed it last.
pub(super) const SEMAPHORE: u32 = 7;
/// All message queues of System V.
pub(super) const MESSAGE_QUEUES: u32 = 12;
/// Several files and links of one directory.
pub(super) const ROW: u32 = 8;
/// All descriptors of a process.
pub(super) const DESCRIPTORS: u32 = 9;

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

/// Of which descriptors `fdinfo` is read along with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Infos {
    /// Of those that say there whom they serve: `/dev/fuse` and the masters of terminals.
    Servers,
    /// Of those that say more than every open file does, but for epoll sets. Of pipes only for what they were opened, which
    /// takes a fifth of the time.
    Kinds,
    /// Of all that can say something, but for epoll sets: theirs can get stuck for good. Sockets have nothing to say.
    Plain,
}

impl Infos {
    /// Whether it is read for a descriptor that points there.
    pub(super) fn wants(self, target: &[u8]) -> bool {
        match self {
            Self::Servers => matches!(target, b"/dev/fuse" | b"/dev/ptmx" | b"/dev/pts/ptmx"),
            Self::Kinds => {
                Self::Servers.wants(target) || (target.starts_with(b"anon_inode:") && Self::Plain.wants(target))
            }
            Self::Plain => !target.starts_with(b"socket:[") && target != b"anon_inode:[eventpoll]",
        }
    }

    /// Whether the mode of the link is read for a descriptor that points there.
    pub(super) fn wants_mode(self, target: &[u8]) -> bool {
        self == Self::Kinds && target.starts_with(b"pipe:[")
    }

    pub(super) fn number(self) -> u32 {
        self as u32
    }

    pub(super) fn from_number(number: u32) -> Self {
        [Self::Servers, Self::Kinds].into_iter().find(|infos| infos.number() == number).unwrap_or(Self::Plain)
    }
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
    /// Several files and links of the directory that the path names; the answer is [`parts`](super::parts).
    Row(Row),
    /// Where the descriptors of a process point, and what their `fdinfo` says; the path is `/proc/PID` or that of a
    /// thread, the answer is [`parts`](super::parts).
    Descriptors {
        /// From this number on.
        from: u32,
        /// Of which `fdinfo` is read.
        infos: Infos,
    },
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
    /// The message queues, as `/proc/sysvipc/msg` shows them; the path is `/proc/PID/ns/ipc`, or empty for our own
    /// namespace.
    MessageQueues,
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

    /// A row of a process; of one of its threads when that is named.
    pub fn row(pid: Pid, thread: Option<Tid>, row: Row) -> Self {
        let path = match thread {
            Some(tid) => format!("/proc/{pid}/task/{tid}"),
            None => format!("/proc/{pid}"),
        };
        Self { pid: Some(pid), hazard: Hazard::None, path, what: What::Row(row) }
    }

    /// The descriptors of a process; as one of its threads has them when that is named.
    pub fn descriptors(pid: Pid, thread: Option<Tid>, from: u32, infos: Infos) -> Self {
        let what = What::Descriptors { from, infos };
        Self { what, ..Self::row(pid, thread, Row::Identity) }
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
            (What::MessageQueues, _) => "message queues".to_owned(),
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
            What::MessageQueues => MESSAGE_QUEUES,
            What::Status => STATUS,
            What::Head { .. } => HEAD,
            What::SockDiag { .. } => SOCK_DIAG,
            What::Row(_) => ROW,
            What::Descriptors { .. } => DESCRIPTORS,
        }
    }

    /// The single read in which an ask of several got stuck: number `n` of a row, or something of descriptor `n`.
    pub(super) fn single(&self, kind: Kind, n: u32) -> Self {
        let alone =
            |hazard, name: &str, what| Self { pid: self.pid, hazard, path: format!("{}/{name}", self.path), what };
        match (&self.what, kind) {
            (What::Row(row), _) => match row.members().get(n as usize) {
                Some(member) => alone(member.hazard, member.file_name(), member.what()),
                None => self.clone(),
            },
            (What::Descriptors { .. }, Kind::Link | Kind::Mode) => {
                alone(Hazard::Exec, &format!("fd/{n}"), What::Link)
            }
            (What::Descriptors { .. }, Kind::Info) => alone(Hazard::None, &format!("fdinfo/{n}"), What::File),
            (What::Descriptors { .. }, _) => alone(Hazard::None, "fd", What::Dir),
            _ => self.clone(),
        }
    }

    /// Whether a single read is part of this ask.
    pub(super) fn has(&self, single: &Self) -> bool {
        if self == single {
            return true;
        }
        let Some(name) = single.path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        match &self.what {
            What::Row(row) => row.members().iter().any(|member| member.file_name() == name),
            What::Descriptors { .. } => name == "fd" || name.starts_with("fd/") || name.starts_with("fdinfo/"),
            _ => false,
        }
    }
}
