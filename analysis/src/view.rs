//! A snapshot with what the rest of the capture adds to it: open phases, names, earlier looks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hangdog_schemas::fact::{Belonging, MountFact, ProcessFact, Syscall, TaskState, ThreadFact};
use hangdog_schemas::{Actor, FactRef, Fd, Inode, Pid, RunNs, Tid};
use hangdog_timeline::{Phase, Snapshot, Timeline};

use crate::wait::{Resolver, ThreadKey};

/// Stands for the threads of a process that were not seen. No thread has this number.
pub(crate) const HIDDEN: Tid = Tid(0);

/// Stands for any thread of a process: who could wake a futex that only this process can reach. One node for all
/// threads keeps a process with ten thousand parked threads from having a hundred million waits.
pub(crate) const ANY: Tid = Tid(u32::MAX);

/// One snapshot in its capture.
pub(crate) struct View<'a> {
    pub(crate) timeline: &'a Timeline,
    pub(crate) snapshot: &'a Snapshot,
    /// Timers beyond this do not make an orphaned process live.
    pub(crate) patience: Duration,
    /// Open phases by process, outermost first.
    phases: BTreeMap<Pid, Vec<&'a Phase>>,
    /// Threads that an earlier snapshot saw reading `/dev/fuse`.
    fuse_readers: BTreeSet<ThreadKey>,
}

impl<'a> View<'a> {
    pub(crate) fn new(timeline: &'a Timeline, snapshot: &'a Snapshot, patience: Duration) -> Self {
        let mut phases: BTreeMap<Pid, Vec<&Phase>> = BTreeMap::new();
        for phase in timeline.open_phases_at(Self::moment(timeline, snapshot)) {
            let pid = phase.id.process.pid;
            if snapshot.processes.get(&pid).is_some_and(|process| process.process == phase.id.process) {
                phases.entry(pid).or_default().push(phase);
            }
        }
        for list in phases.values_mut() {
            list.sort_by_key(|phase| (timeline.phase_path(phase).len(), phase.open.t, phase.id));
        }
        let fuse_readers = timeline
            .snapshots()
            .iter()
            .filter(|earlier| earlier.begin <= snapshot.begin)
            .flat_map(|earlier| earlier.threads.values().map(move |thread| (earlier, thread)))
            .filter(|(earlier, thread)| reads_fuse(earlier, thread))
            .map(|(_, thread)| (thread.thread.process.pid, thread.thread.tid))
            .collect();
        Self { timeline, snapshot, patience, phases, fuse_readers }
    }

    /// Phases are sampled; those opened while the snapshot was taken count.
    fn moment(timeline: &Timeline, snapshot: &Snapshot) -> RunNs {
        snapshot.end.max(snapshot.begin).min(timeline.end().max(snapshot.begin))
    }

    pub(crate) fn process(&self, pid: Pid) -> Option<&'a ProcessFact> {
        self.snapshot.processes.get(&pid)
    }

    pub(crate) fn thread(&self, key: ThreadKey) -> Option<&'a ThreadFact> {
        self.snapshot.threads.get(&key)
    }

    pub(crate) fn comm(&self, pid: Pid) -> &'a str {
        self.process(pid)
            .map(|process| process.comm.as_str())
            .or_else(|| self.snapshot.bystanders.get(&pid).map(|bystander| bystander.comm.as_str()))
            .unwrap_or("?")
    }

    /// The process that the user ran.
    pub(crate) fn root(&self) -> Option<Pid> {
        let marked = self.snapshot.processes.values().find(|process| process.belongs == Belonging::Root);
        let named = || self.process(self.timeline.header().root.pid);
        marked.or_else(named).map(|process| process.process.pid)
    }

    /// Whether a process belongs to the run.
    pub(crate) fn is_of_run(&self, pid: Pid) -> bool {
        self.process(pid).is_some_and(|process| matches!(process.belongs, Belonging::Run | Belonging::Root))
    }

    /// Whether whoever started this process has ended: it was adopted by the observer or by the system's
    /// first process, and it is not the command itself.
    pub(crate) fn is_orphan(&self, pid: Pid) -> bool {
        let Some(process) = self.process(pid) else { return false };
        process.belongs != Belonging::Root
            && (process.parent == self.timeline.header().observer.pid || process.parent.0 <= 1)
    }

    /// The mount namespace of a process, the observer's own when it could not be read.
    pub(crate) fn mount_namespace(&self, pid: Pid) -> Inode {
        self.process(pid)
            .and_then(|process| process.namespaces.seen())
            .map_or(self.timeline.header().mount_namespace, |namespaces| namespaces.mnt)
    }

    /// The mount on which a descriptor's file lies.
    pub(crate) fn mount_of_fd(&self, pid: Pid, fd: Fd) -> Option<&'a MountFact> {
        let fact = self.snapshot.fd(pid, fd)?;
        let namespace = self.mount_namespace(pid);
        fact.mount.and_then(|number| self.snapshot.mounts_of(namespace).find(|mount| mount.mount == number)).or_else(
            || fact.target.starts_with('/').then(|| self.snapshot.mount_of_path(namespace, &fact.target)).flatten(),
        )
    }

    /// All threads of a process as resolvers. A process without a visible thread has none.
    pub(crate) fn all_threads(&self, pid: Pid, how: &str, facts: &[FactRef]) -> Vec<Resolver> {
        let living =
            || self.snapshot.threads_of(pid).filter(|thread| !matches!(thread.state, TaskState::Z | TaskState::X));
        let hidden = self.hidden_threads(pid).map(|_| Resolver {
            thread: (pid, HIDDEN),
            how: "has threads that were not seen".to_owned(),
            facts: Vec::new(),
            exact: false,
            group: 0,
            set_aside: false,
        });
        let alone = hidden.is_none() && living().count() == 1;
        living()
            .map(|thread| Resolver {
                thread: (pid, thread.thread.tid),
                how: how.to_owned(),
                facts: facts.to_vec(),
                exact: alone,
                group: 0,
                set_aside: false,
            })
            .chain(hidden)
            .collect()
    }

    /// How many threads of a process the snapshot has not seen, when it is any.
    pub(crate) fn hidden_threads(&self, pid: Pid) -> Option<u32> {
        let seen = self.snapshot.threads_of(pid).count() as u32;
        self.process(pid)?.threads.checked_sub(seen).filter(|hidden| *hidden > 0)
    }

    /// Whether a thread was ever seen reading `/dev/fuse`.
    pub(crate) fn is_fuse_reader(&self, key: ThreadKey) -> bool {
        self.fuse_readers.contains(&key)
    }

    /// Open phases of a process, outer ones first.
    pub(crate) fn phases_of(&self, pid: Pid) -> &[&'a Phase] {
        self.phases.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// The innermost open phase that a thread is in.
    pub(crate) fn phase_of(&self, key: ThreadKey) -> Option<&'a Phase> {
        self.phases_of(key.0).iter().rev().find(|phase| phase.tid == Some(key.1)).copied()
    }

    /// Names of the phases that a thread is in, outermost first.
    pub(crate) fn phase_names(&self, key: ThreadKey) -> Option<String> {
        let phase = self.phase_of(key)?;
        let names: Vec<&str> = self.timeline.phase_path(phase).iter().map(|phase| phase.name.as_str()).collect();
        Some(names.join(" > "))
    }

    /// A thread as it stands in a report.
    pub(crate) fn actor(&self, key: ThreadKey) -> Actor {
        Actor { pid: key.0, tid: key.1, comm: self.comm(key.0).to_owned(), phase: self.phase_names(key) }
    }

    /// `indexd[4412]`, or `job[4390/4392]` for a thread that is not the first.
    pub(crate) fn name(&self, key: ThreadKey) -> String {
        let (pid, tid) = key;
        let comm = self.comm(pid);
        if pid.0 == tid.0 { format!("{comm}[{pid}]") } else { format!("{comm}[{pid}/{tid}]") }
    }

    /// The thread in which a process began.
    pub(crate) fn main_thread(pid: Pid) -> ThreadKey {
        (pid, Tid(pid.0))
    }

    pub(crate) fn process_ref(&self, pid: Pid) -> Vec<FactRef> {
        self.process(pid).map(|process| FactRef::process(self.snapshot.id, process.process)).into_iter().collect()
    }

    pub(crate) fn thread_ref(&self, key: ThreadKey) -> Vec<FactRef> {
        self.thread(key).map(|thread| FactRef::thread(self.snapshot.id, thread.thread)).into_iter().collect()
    }

    pub(crate) fn fd_ref(&self, pid: Pid, fd: Fd) -> Vec<FactRef> {
        self.process(pid).map(|process| FactRef::fd(self.snapshot.id, process.process, fd)).into_iter().collect()
    }

    /// Processes of the run whose descriptors could not be read: a holder may be hidden among them.
    pub(crate) fn hidden_fds(&self) -> Vec<Pid> {
        self.snapshot
            .gaps
            .iter()
            .filter(|gap| gap.what.starts_with("fd"))
            .filter_map(|gap| gap.pid)
            .filter(|pid| self.is_of_run(*pid))
            .collect()
    }
}

/// Whether a thread waits for a request on `/dev/fuse`: it sleeps in the driver's read, or in a read or poll of
/// such a descriptor.
pub(crate) fn reads_fuse(snapshot: &Snapshot, thread: &ThreadFact) -> bool {
    if !matches!(thread.state, TaskState::S | TaskState::D) {
        return false; // A stopped thread shows the call that it was in.
    }
    if thread.wchan.seen().is_some_and(|wchan| wchan.starts_with("fuse_dev_do_read")) {
        return true;
    }
    let Some(syscall) = thread.syscall.seen() else { return false };
    let is_read = matches!(syscall, Syscall::In { name, .. } if matches!(name.as_str(), "read" | "readv" | "splice"));
    is_read
        && syscall.int(0).and_then(|fd| u32::try_from(fd).ok()).is_some_and(|fd| {
            snapshot
                .fd(thread.thread.process.pid, Fd(fd))
                .is_some_and(|fact| matches!(fact.detail, hangdog_schemas::fact::FdDetail::FuseServer { .. }))
        })
}
