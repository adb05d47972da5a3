//! A snapshot with its facts joined: who holds what, whose child is whom, which mount is which.
//!
//! Built from the fact records between `snapshot_begin` and `snapshot_end`. A snapshot that was cut
//! is usable and says that it is not [complete](Snapshot::complete).

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{
    CgroupFact, FdDetail, FdFact, FileLockFact, FuseFact, Gap, LimitFact, LockFileFact, MessageQueueFact, MountFact,
    ProcessFact, SemaphoreFact, SocketFact, ThreadFact,
};
use hangdog_schemas::record::{Bystander, Record, SnapshotBegin, SnapshotExtent, TriggerReason};
use hangdog_schemas::{Fd, FuseConnection, Inode, Pid, RunNs, SnapshotId, Tid};

/// The facts of one snapshot, by key.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its number.
    pub id: SnapshotId,
    /// How much was looked at.
    pub extent: SnapshotExtent,
    /// Why it was taken.
    pub reason: TriggerReason,
    /// When it began.
    pub begin: RunNs,
    /// When its last fact was read.
    pub end: RunNs,
    /// Whether its end was recorded.
    pub complete: bool,
    /// Reads that had to be given up.
    pub stalls: u32,
    /// Processes kept in full.
    pub processes: BTreeMap<Pid, ProcessFact>,
    /// Their threads, by process and thread number.
    pub threads: BTreeMap<(Pid, Tid), ThreadFact>,
    /// Their descriptors.
    pub fds: BTreeMap<Pid, BTreeMap<Fd, FdFact>>,
    /// All mounts, of all mount namespaces that occur, in the order of mountinfo.
    pub mounts: Vec<MountFact>,
    /// FUSE connections.
    pub fuse: BTreeMap<FuseConnection, FuseFact>,
    /// `/proc/locks`.
    pub locks: Vec<FileLockFact>,
    /// Files that may be locks.
    pub lock_files: Vec<LockFileFact>,
    /// Semaphores of System V at which somebody waits.
    pub semaphores: Vec<SemaphoreFact>,
    /// Message queues of System V at which somebody waits.
    pub message_queues: Vec<MessageQueueFact>,
    /// Limits that are nearly used up.
    pub limits: Vec<LimitFact>,
    /// Control groups of the run.
    pub groups: Vec<CgroupFact>,
    /// Sockets.
    pub sockets: Vec<SocketFact>,
    /// Processes that were only seen.
    pub bystanders: BTreeMap<Pid, Bystander>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    pipes: BTreeMap<Inode, Vec<(Pid, Fd)>>,
    socket_owners: BTreeMap<Inode, Vec<(Pid, Fd)>>,
    socket_by_inode: BTreeMap<Inode, usize>,
    sockets_at: BTreeMap<String, Vec<usize>>,
    unaccepted: BTreeMap<Inode, usize>,
    fuse_servers: BTreeMap<FuseConnection, Vec<(Pid, Fd)>>,
    pty_masters: BTreeMap<u32, Vec<(Pid, Fd)>>,
    children: BTreeMap<Pid, BTreeSet<Pid>>,
    mounts_of: BTreeMap<Inode, Vec<usize>>,
    mounts_of_fuse: BTreeMap<FuseConnection, Vec<usize>>,
}

impl Snapshot {
    /// An empty snapshot, to be filled with [`add`](Self::add).
    pub fn new(begin: &SnapshotBegin) -> Self {
        Self {
            id: begin.snapshot,
            extent: begin.extent,
            reason: begin.reason,
            begin: begin.when.t,
            end: begin.when.t,
            complete: false,
            stalls: 0,
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            fds: BTreeMap::new(),
            mounts: Vec::new(),
            fuse: BTreeMap::new(),
            locks: Vec::new(),
            lock_files: Vec::new(),
            semaphores: Vec::new(),
            message_queues: Vec::new(),
            limits: Vec::new(),
            groups: Vec::new(),
            sockets: Vec::new(),
            bystanders: BTreeMap::new(),
            gaps: Vec::new(),
            pipes: BTreeMap::new(),
            socket_owners: BTreeMap::new(),
            socket_by_inode: BTreeMap::new(),
            sockets_at: BTreeMap::new(),
            unaccepted: BTreeMap::new(),
            fuse_servers: BTreeMap::new(),
            pty_masters: BTreeMap::new(),
            children: BTreeMap::new(),
            mounts_of: BTreeMap::new(),
            mounts_of_fuse: BTreeMap::new(),
        }
    }

    /// Takes in one fact. Facts may come in any order; of two about the same thing the later counts.
    pub fn add(&mut self, record: Record) {
        if let Some(t) = record.when() {
            self.end = self.end.max(t);
        }
        match record {
            Record::SnapshotBegin(begin) => {
                self.extent = begin.extent;
                self.reason = begin.reason;
                self.begin = begin.when.t;
            }
            Record::Process(fact) => {
                self.processes.insert(fact.process.pid, *fact);
            }
            Record::Bystander(fact) => {
                self.bystanders.insert(fact.process.pid, fact);
            }
            Record::Thread(fact) => {
                self.threads.insert((fact.thread.process.pid, fact.thread.tid), *fact);
            }
            Record::Fd(fact) => {
                self.fds.entry(fact.process.pid).or_default().insert(fact.fd, *fact);
            }
            Record::Mount(fact) => self.mounts.push(*fact),
            Record::Fuse(fact) => {
                self.fuse.insert(fact.connection, fact);
            }
            Record::FileLock(fact) => self.locks.push(fact),
            Record::LockFile(fact) => self.lock_files.push(*fact),
            Record::Semaphore(fact) => self.semaphores.push(fact),
            Record::MessageQueue(fact) => self.message_queues.push(fact),
            Record::Limit(fact) => self.limits.push(fact),
            Record::Cgroup(fact) => self.groups.push(fact),
            Record::Socket(fact) => self.sockets.push(*fact),
            Record::Gap(fact) => self.gaps.push(fact),
            Record::SnapshotEnd(fact) => {
                self.complete = true;
                self.stalls = fact.stalls;
            }
            _ => {}
        }
    }

    /// Builds the joins. Call after the last [`add`](Self::add).
    pub fn index(&mut self) {
        self.drop_doubles();
        self.pipes.clear();
        self.socket_owners.clear();
        self.fuse_servers.clear();
        self.pty_masters.clear();
        self.children.clear();
        self.mounts_of.clear();
        self.mounts_of_fuse.clear();
        for (n, mount) in self.mounts.iter().enumerate() {
            self.mounts_of.entry(mount.namespace).or_default().push(n);
            if let Some(connection) = mount.fuse() {
                self.mounts_of_fuse.entry(connection).or_default().push(n);
            }
        }
        for fd in self.fds.values().flat_map(BTreeMap::values) {
            let holder = (fd.process.pid, fd.fd);
            if let Some(inode) = fd.pipe() {
                self.pipes.entry(inode).or_default().push(holder);
            }
            if let Some(inode) = fd.socket() {
                self.socket_owners.entry(inode).or_default().push(holder);
            }
            match &fd.detail {
                FdDetail::FuseServer { connection: Some(connection) } => {
                    self.fuse_servers.entry(*connection).or_default().push(holder);
                }
                FdDetail::PtyMaster { index } => self.pty_masters.entry(*index).or_default().push(holder),
                _ => {}
            }
        }
        self.socket_by_inode =
            self.sockets.iter().enumerate().filter(|(_, s)| s.inode.0 != 0).map(|(i, s)| (s.inode, i)).collect();
        self.sockets_at.clear();
        self.unaccepted.clear();
        for (n, socket) in self.sockets.iter().enumerate() {
            self.sockets_at.entry(socket.local.clone()).or_default().push(n);
            for inode in &socket.pending {
                self.unaccepted.entry(*inode).or_insert(n);
            }
        }
        let families = self
            .processes
            .values()
            .map(|p| (p.parent, p.process.pid))
            .chain(self.bystanders.values().map(|b| (b.parent, b.process.pid)));
        for (parent, child) in families {
            self.children.entry(parent).or_default().insert(child);
        }
    }

    /// Leaves out lines of tables that were recorded twice. Of two about the same thing the later counts.
    fn drop_doubles(&mut self) {
        keep_last(&mut self.mounts, |mount| Some((mount.namespace, mount.mount)));
        // Connections that nobody has accepted yet have no inode.
        keep_last(&mut self.sockets, |socket| (socket.inode.0 != 0).then_some(socket.inode));
        keep_last(&mut self.lock_files, |file| Some(file.path.clone()));
        keep_last(&mut self.locks, |lock| Some((lock.number, lock.waits, lock.pid, lock.start, lock.end)));
    }

    /// Threads of a process.
    pub fn threads_of(&self, pid: Pid) -> impl Iterator<Item = &ThreadFact> {
        self.threads.range((pid, Tid(0))..=(pid, Tid(u32::MAX))).map(|(_, thread)| thread)
    }

    /// A descriptor.
    pub fn fd(&self, pid: Pid, fd: Fd) -> Option<&FdFact> {
        self.fds.get(&pid)?.get(&fd)
    }

    /// Descriptors that are ends of a pipe.
    pub fn pipe_holders(&self, inode: Inode) -> impl Iterator<Item = &FdFact> {
        self.holders(self.pipes.get(&inode))
    }

    /// Descriptors of a socket.
    pub fn socket_holders(&self, inode: Inode) -> impl Iterator<Item = &FdFact> {
        self.holders(self.socket_owners.get(&inode))
    }

    /// Descriptors of `/dev/fuse` that serve a connection.
    pub fn fuse_servers(&self, connection: FuseConnection) -> impl Iterator<Item = &FdFact> {
        self.holders(self.fuse_servers.get(&connection))
    }

    /// Descriptors of the master side of `/dev/pts/N`.
    pub fn pty_masters(&self, index: u32) -> impl Iterator<Item = &FdFact> {
        self.holders(self.pty_masters.get(&index))
    }

    fn holders<'a>(&'a self, list: Option<&'a Vec<(Pid, Fd)>>) -> impl Iterator<Item = &'a FdFact> {
        list.into_iter().flatten().filter_map(|(pid, fd)| self.fd(*pid, *fd))
    }

    /// A socket by its inode.
    pub fn socket(&self, inode: Inode) -> Option<&SocketFact> {
        self.socket_by_inode.get(&inode).map(|i| &self.sockets[*i])
    }

    /// Sockets whose own address is this.
    pub fn sockets_at(&self, local: &str) -> impl Iterator<Item = &SocketFact> {
        self.sockets_at.get(local).into_iter().flatten().map(|i| &self.sockets[*i])
    }

    /// The listener at which a connection waits to be accepted.
    pub fn listener_before(&self, inode: Inode) -> Option<&SocketFact> {
        self.unaccepted.get(&inode).map(|i| &self.sockets[*i])
    }

    /// Children of a process, zombies included.
    pub fn children_of(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        self.children.get(&pid).into_iter().flatten().copied()
    }

    /// Mounts of one mount namespace.
    pub fn mounts_of(&self, namespace: Inode) -> impl Iterator<Item = &MountFact> {
        self.mounts_of.get(&namespace).into_iter().flatten().map(|n| &self.mounts[*n])
    }

    /// The mount on which an absolute path lies, as its namespace sees it: the longest mount point that
    /// is a prefix; of equal ones the last, which covers the others.
    pub fn mount_of_path(&self, namespace: Inode, path: &str) -> Option<&MountFact> {
        self.mounts_of(namespace)
            .filter(|mount| is_below(path, &mount.mount_point))
            .max_by_key(|mount| mount.mount_point.len())
    }

    /// The mounts of a device (of a FUSE connection), in any namespace.
    pub fn mounts_of_fuse(&self, connection: FuseConnection) -> impl Iterator<Item = &MountFact> {
        self.mounts_of_fuse.get(&connection).into_iter().flatten().map(|n| &self.mounts[*n])
    }
}

/// Of facts with the same key keeps the last, at the place of the first. Those without a key all stay.
fn keep_last<T, K: Ord>(facts: &mut Vec<T>, key: impl Fn(&T) -> Option<K>) {
    let mut places = BTreeMap::new();
    let mut kept: Vec<T> = Vec::with_capacity(facts.len());
    for fact in facts.drain(..) {
        let place = key(&fact).map_or(kept.len(), |key| *places.entry(key).or_insert(kept.len()));
        match kept.get_mut(place) {
            Some(earlier) => *earlier = fact,
            None => kept.push(fact),
        }
    }
    *facts = kept;
}

fn is_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_path_is_below_whole_names_only() {
        for (path, folder, expected) in
            [("/a/b", "/a", true), ("/a", "/a", true), ("/ab", "/a", false), ("/x", "/", true), ("/", "/a", false)]
        {
            assert_eq!(is_below(path, folder), expected, "{path} below {folder}");
        }
    }
}
