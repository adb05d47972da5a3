//! A snapshot with what the rest of the capture adds to it: open phases, names, earlier looks.

use std::collections::BTreeSet;
use std::time::Duration;

use hangdog_schemas::fact::{Belonging, FdDetail, FdFact, MountFact, ProcessFact, Syscall, TaskState, ThreadFact};
use hangdog_schemas::record::Lost;
use hangdog_schemas::{Actor, Big, FactRef, Fd, Inode, Pid, Tid, Watched};
use hangdog_timeline::{Phase, Snapshot, Timeline};

use crate::key::{Key, ThreadKey};
use crate::phases::{AsyncTask, Phases};
use crate::wait::Resolver;

/// One snapshot in its capture.
pub(crate) struct View<'a> {
    pub(crate) timeline: &'a Timeline,
    pub(crate) snapshot: &'a Snapshot,
    /// Timers beyond this do not make an orphaned process live.
    pub(crate) patience: Duration,
    /// The snapshot that has to agree on each wait.
    pub(crate) before: Option<&'a Snapshot>,
    /// Its open phases.
    pub(crate) phases: Phases<'a>,
    /// Threads that an earlier snapshot saw reading `/dev/fuse`.
    fuse_readers: BTreeSet<ThreadKey>,
    /// Processes of the run whose descriptors could not be read.
    hidden_fds: Vec<Pid>,
    /// Unix sockets in which descriptors wait to be received.
    carriers: Vec<&'a FdFact>,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        timeline: &'a Timeline,
        snapshot: &'a Snapshot,
        before: Option<&'a Snapshot>,
        patience: Duration,
    ) -> Self {
        let phases = Phases::new(timeline, snapshot, before);
        let fuse_readers = timeline
            .snapshots()
            .iter()
            .filter(|earlier| earlier.begin <= snapshot.begin)
            .flat_map(|earlier| earlier.threads.values().map(move |thread| (earlier, thread)))
            .filter(|(earlier, thread)| reads_fuse(earlier, thread))
            .map(|(_, thread)| (thread.thread.process.pid, thread.thread.tid))
            .collect();
        let all = snapshot.fds.values().flat_map(|fds| fds.values());
        let carriers = all.filter(|fd| matches!(fd.detail, FdDetail::UnixSocket { in_flight: 1.. })).collect();
        let hidden_fds = Vec::new();
        let mut view = Self { timeline, snapshot, patience, before, phases, fuse_readers, hidden_fds, carriers };
        view.hidden_fds = view.find_hidden_fds();
        view
    }

    pub(crate) fn process(&self, pid: Pid) -> Option<&'a ProcessFact> {
        self.snapshot.processes.get(&pid)
    }

    pub(crate) fn thread(&self, key: impl Into<Key>) -> Option<&'a ThreadFact> {
        self.snapshot.threads.get(&key.into().thread()?)
    }

    pub(crate) fn comm(&self, pid: Pid) -> &'a str {
        self.process(pid)
            .map(|process| process.comm.as_str())
            .or_else(|| self.snapshot.bystanders.get(&pid).map(|bystander| bystander.comm.as_str()))
            .unwrap_or("?")
    }

    /// Whether somebody has declared that this is a hang.
    pub(crate) fn is_declared(&self) -> bool {
        self.timeline.is_declared()
    }

    /// The process that the user ran; of processes that ran already those that were named.
    pub(crate) fn roots(&self) -> Vec<Pid> {
        let roots = self.snapshot.processes.values().filter(|process| process.belongs == Belonging::Root);
        let mut roots: Vec<Pid> = roots.map(|process| process.process.pid).collect();
        if self.watched() == Watched::Command {
            roots.truncate(1);
            let named = || self.process(self.timeline.header().root.pid).map(|process| process.process.pid);
            return roots.pop().or_else(named).into_iter().collect();
        }
        roots
    }

    /// What was watched.
    pub(crate) fn watched(&self) -> Watched {
        self.timeline.header().watched
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

    /// Where a process finds the semaphores and queues of System V that it names by number.
    pub(crate) fn ipc_namespace(&self, pid: Pid) -> Option<Inode> {
        Some(self.process(pid)?.namespaces.seen()?.ipc)
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
        let hidden = self
            .hidden_threads(pid)
            .map(|_| Resolver::new(Key::Hidden(pid), "has threads that were not seen", Vec::new()));
        let alone = hidden.is_none() && living().count() == 1;
        living()
            .map(|thread| {
                let resolver = Resolver::new(Key::Thread(pid, thread.thread.tid), how, facts.to_vec());
                if alone { resolver.exact() } else { resolver }
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
    pub(crate) fn is_fuse_reader(&self, key: Key) -> bool {
        key.thread().is_some_and(|key| self.fuse_readers.contains(&key))
    }

    /// The phase that a task is in: of an async task one that says what it waits for, where there is one.
    pub(crate) fn phase_of(&self, key: Key) -> Option<&'a Phase> {
        if let Some(thread) = key.thread() {
            return self.phases.of_thread(thread);
        }
        let innermost = &self.phases.task(key)?.innermost;
        innermost.iter().rev().find(|phase| phase.hang.wait.is_some()).or(innermost.last()).copied()
    }

    /// Names of the phases that a task is in, outermost first.
    pub(crate) fn phase_names(&self, key: Key) -> Option<String> {
        let phase = self.phase_of(key)?;
        let names: Vec<&str> = self.timeline.phase_path(phase).iter().map(|phase| phase.name.as_str()).collect();
        Some(names.join(" > "))
    }

    /// A task as it stands in a report. Of an async task the thread is where it was polled last.
    pub(crate) fn actor(&self, key: Key) -> Actor {
        let pid = key.pid();
        let tid = match key {
            Key::Thread(_, tid) | Key::Future(_, tid) | Key::Gone(_, tid) => tid,
            Key::Task(..) => self.phases.task(key).and_then(AsyncTask::tid).unwrap_or(Tid(0)),
            Key::Hidden(_) | Key::Any(_) => Tid(0),
        };
        let task = if let Key::Task(_, task) = key { Some(Big(task)) } else { None };
        Actor { pid, tid, task, comm: self.comm(pid).to_owned(), phase: self.phase_names(key) }
    }

    /// `indexd[4412]`, `job[4390/4392]` for a thread that is not the first, `task 7 of svc[4412]`.
    pub(crate) fn name(&self, key: impl Into<Key>) -> String {
        let key = key.into();
        let pid = key.pid();
        let comm = self.comm(pid);
        match key {
            Key::Task(_, task) => format!("task {task} of {comm}[{pid}]"),
            Key::Thread(_, tid) | Key::Future(_, tid) | Key::Gone(_, tid) if tid.0 != pid.0 && tid.0 != 0 => {
                format!("{comm}[{pid}/{tid}]")
            }
            _ => format!("{comm}[{pid}]"),
        }
    }

    pub(crate) fn process_ref(&self, pid: Pid) -> Vec<FactRef> {
        self.process(pid).map(|process| FactRef::process(self.snapshot.id, process.process)).into_iter().collect()
    }

    pub(crate) fn thread_ref(&self, key: impl Into<Key>) -> Vec<FactRef> {
        self.thread(key).map(|thread| FactRef::thread(self.snapshot.id, thread.thread)).into_iter().collect()
    }

    pub(crate) fn fd_ref(&self, pid: Pid, fd: Fd) -> Vec<FactRef> {
        self.process(pid).map(|process| FactRef::fd(self.snapshot.id, process.process, fd)).into_iter().collect()
    }

    /// What the recorder of a process lost, or may have: then not all who hold or serve something are on record.
    pub(crate) fn losses(&self, pid: Pid) -> Option<String> {
        let own = format!("phases of {pid}");
        let is_of_others = |at: &str| at.starts_with("phases of ") && at != own;
        let is_of_it = |lost: &&Lost| lost.records > 0 && !is_of_others(&lost.at) && !lost.is_of_events();
        let lost = self.timeline.lost().iter().find(is_of_it)?;
        Some(format!("{} records that were lost at {}: they may name another holder", lost.records, lost.at))
    }

    /// Processes of the run whose descriptors could not be read: a holder may be hidden among them.
    pub(crate) fn hidden_fds(&self) -> &[Pid] {
        &self.hidden_fds
    }

    /// Descriptors of unix sockets in which others wait to be received.
    pub(crate) fn carriers(&self) -> &[&'a FdFact] {
        &self.carriers
    }

    /// One that has ended has no descriptors, though the kernel denies an ordinary user to see that; and where the
    /// first thread alone has ended, `/proc/PID/fd` is empty and the others have them still (kernel 6.18).
    fn find_hidden_fds(&self) -> Vec<Pid> {
        let unread = self.snapshot.gaps.iter().filter(|gap| gap.what.starts_with("fd")).filter_map(|gap| gap.pid);
        let headless = self.snapshot.processes.keys().copied().filter(|pid| {
            let first = self.snapshot.threads.get(&(*pid, Tid(pid.0)));
            first.is_none_or(has_ended) && !self.snapshot.fds.contains_key(pid)
        });
        let all: BTreeSet<Pid> = unread.chain(headless).collect();
        all.into_iter().filter(|pid| self.is_of_run(*pid) && !self.is_over(*pid)).collect()
    }

    /// Whether all threads of a process have ended.
    fn is_over(&self, pid: Pid) -> bool {
        let mut threads = self.snapshot.threads_of(pid).peekable();
        threads.peek().is_some() && self.hidden_threads(pid).is_none() && threads.all(has_ended)
    }
}

fn has_ended(thread: &ThreadFact) -> bool {
    matches!(thread.state, TaskState::Z | TaskState::X)
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
