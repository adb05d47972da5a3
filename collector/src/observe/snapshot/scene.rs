//! What a snapshot has seen so far.

use std::collections::BTreeMap;
use std::rc::Rc;

use hangdog_schemas::fact::{
    Belonging, CgroupFact, FileLockFact, Gap, Io, LimitFact, LockFileFact, MessageQueueFact, Namespaces,
    SemaphoreFact, SocketFact, Syscall, TaskState,
};
use hangdog_schemas::{Device, FuseConnection, Inode, Observed, Pid, ProcessId, Tid, When};

use super::links::{Link, Names};
use crate::observe::parse::mountinfo::MountLine;
use crate::observe::parse::stat::Stat;
use crate::observe::parse::status::Status;
use crate::observe::worker::Infos;

/// A thread.
pub(super) struct Task {
    pub(super) tid: Tid,
    pub(super) when: When,
    pub(super) comm: Rc<String>,
    pub(super) state: TaskState,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    pub(super) cpu_ns: Option<u64>,
    pub(super) children: Vec<Pid>,
    pub(super) wchan: Observed<Rc<String>>,
    pub(super) stack: Observed<Rc<Vec<String>>>,
    pub(super) syscall: Observed<Syscall>,
}

impl Task {
    /// The system call that it waits in.
    pub(super) fn waits_in(&self) -> Option<&Syscall> {
        let gone = matches!(self.state, TaskState::Z | TaskState::X);
        self.syscall.seen().filter(|call| !gone && call.name().is_some())
    }
}

/// A process.
pub(super) struct Seen {
    pub(super) id: ProcessId,
    pub(super) when: When,
    pub(super) status: Status,
    pub(super) stat: Observed<Stat>,
    /// How it belongs, when it is kept in full.
    pub(super) kept: Option<Belonging>,
    /// The thread that shows what all of them share, when the first has ended and the others go on.
    pub(super) shown_by: Option<Tid>,
    /// Of which descriptors `fdinfo` was read along with the links, at least.
    pub(super) infos: Infos,
    pub(super) links: Vec<Link>,
    /// Why there are no links.
    pub(super) no_links: Option<Observed<()>>,
    pub(super) tasks: Vec<Task>,
    pub(super) cmdline: Observed<Rc<Vec<String>>>,
    pub(super) exe: Observed<Rc<String>>,
    pub(super) cwd: Observed<Rc<String>>,
    pub(super) root: Observed<Rc<String>>,
    pub(super) namespaces: Observed<Namespaces>,
    pub(super) cgroups: Observed<Rc<Vec<String>>>,
    pub(super) frozen: Observed<bool>,
    pub(super) timers: Observed<u32>,
    pub(super) io: Observed<Io>,
}

impl Seen {
    /// Whether `fdinfo` was left out of some descriptors that nobody may wait for.
    pub(super) fn is_spared(&self) -> bool {
        self.infos == Infos::Kinds
    }

    pub(super) fn link(&self, fd: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.fd.0 == fd)
    }

    /// Where below `/proc/PID` a file is that says something of all threads.
    pub(super) fn path(&self, name: &str) -> String {
        self.shown_by.map_or_else(|| name.to_owned(), |tid| format!("task/{tid}/{name}"))
    }

    /// Inode of its mount namespace, when known.
    pub(super) fn mount_namespace(&self) -> Option<Inode> {
        self.namespaces.seen().map(|ns| ns.mnt)
    }

    /// Inode of its network namespace, when known.
    pub(super) fn network(&self) -> Option<Inode> {
        self.namespaces.seen().map(|ns| ns.net)
    }
}

/// Everything seen.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) processes: BTreeMap<Pid, Seen>,
    /// What links say, and what else is the same for many.
    pub(super) names: Names,
    /// By mount namespace.
    pub(super) mounts: BTreeMap<Inode, Vec<MountLine>>,
    /// By network namespace and table: one list of all would be moved while it grows.
    pub(super) sockets: BTreeMap<(Inode, usize), Vec<SocketFact>>,
    pub(super) locks: Vec<FileLockFact>,
    pub(super) lock_files: Vec<LockFileFact>,
    pub(super) semaphores: Vec<SemaphoreFact>,
    pub(super) message_queues: Vec<MessageQueueFact>,
    pub(super) limits: Vec<LimitFact>,
    pub(super) groups: Vec<CgroupFact>,
    pub(super) fuse: BTreeMap<FuseConnection, Observed<u32>>,
    pub(super) gaps: Vec<Gap>,
}

impl Scene {
    /// Kept processes.
    pub(super) fn kept(&self) -> impl Iterator<Item = (Pid, &Seen)> {
        self.processes.iter().filter(|(_, seen)| seen.kept.is_some()).map(|(&pid, seen)| (pid, seen))
    }

    /// The mount on which a descriptor lies.
    pub(super) fn mount_of(&self, seen: &Seen, link: &Link) -> Option<&MountLine> {
        let number = link.mount()?;
        self.mounts.get(&seen.mount_namespace()?)?.iter().find(|line| line.mount == number)
    }

    /// The mount on which an absolute path lies, in the namespace of a process: the longest mount
    /// point that it begins with, the last of equal ones (it covers the others).
    pub(super) fn mount_at(&self, seen: &Seen, path: &str) -> Option<&MountLine> {
        let lines = self.mounts.get(&seen.mount_namespace()?)?;
        let holds = |point: &str| {
            let rest = path.strip_prefix(point.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        lines.iter().filter(|line| holds(&line.mount_point)).max_by_key(|line| line.mount_point.len())
    }

    /// A socket by its inode.
    pub(super) fn socket(&self, inode: u64) -> Option<&SocketFact> {
        self.sockets.values().flatten().find(|fact| fact.inode.0 == inode && inode != 0)
    }

    /// Device and inode of the file behind a descriptor, as file locks name it.
    pub(super) fn file(&self, seen: &Seen, link: &Link) -> Option<(Device, Inode)> {
        Some((self.mount_of(seen, link)?.device, link.inode()?))
    }
}

/// The FUSE connection of a mount.
pub(super) fn fuse_of(line: &MountLine) -> Option<FuseConnection> {
    let plain = line.fs_type.split('.').next().unwrap_or_default();
    matches!(plain, "fuse" | "fuseblk").then_some(FuseConnection(line.device.minor))
}
