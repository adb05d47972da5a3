//! Last step: what was seen as records, a piece at a time: so many at once would take more memory than the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hangdog_schemas::fact::{
    FdFact, FuseFact, MountFact, ProcessFact, Signals, SocketFact, SocketState, Terminal, ThreadFact,
};
use hangdog_schemas::record::{Bystander, SnapshotBegin, SnapshotEnd};
use hangdog_schemas::{Big, Inode, Observed, Pid, ProcessId, Record, SnapshotId, ThreadId, When};

use super::Taking;
use super::join::listens_at;
use super::links::Link;
use super::scene::{Scene, Seen, Task};

impl Taking {
    /// The records of the snapshot, in pieces: a process is forgotten when it was told.
    pub(super) async fn tell(mut self, begin: SnapshotBegin) {
        let stalls = self.note_stalls();
        let snapshot = begin.snapshot;
        let out = self.out.clone();
        out.add(Record::SnapshotBegin(begin));
        let sockets = take_sockets(&mut self.scene);
        let mut processes = std::mem::take(&mut self.scene.processes);
        while let Some((_, seen)) = processes.pop_first() {
            if seen.kept.is_none() {
                out.add(Record::Bystander(self.bystander(&seen)));
                out.is_taken().await;
                continue;
            }
            out.add(Record::Process(Box::new(self.process(&seen))));
            for task in &seen.tasks {
                out.add(Record::Thread(Box::new(thread(snapshot, seen.id, task))));
            }
            for link in &seen.links {
                out.add(Record::Fd(Box::new(self.fd(&seen, link))));
            }
            out.is_taken().await;
        }
        for mount in self.mounts() {
            out.add(Record::Mount(Box::new(mount)));
        }
        for (&connection, waiting) in &self.scene.fuse {
            let made_by_run = self.request.baseline.is_new_connection(connection);
            out.add(Record::Fuse(FuseFact { snapshot, connection, waiting: waiting.clone(), made_by_run }));
        }
        self.scene.locks.drain(..).for_each(|lock| out.add(Record::FileLock(lock)));
        self.scene.lock_files.drain(..).for_each(|file| out.add(Record::LockFile(Box::new(file))));
        let mut semaphores = std::mem::take(&mut self.scene.semaphores);
        semaphores.dedup();
        let scene = &mut self.scene;
        let small = semaphores
            .into_iter()
            .map(Record::Semaphore)
            .chain(scene.limits.drain(..).map(Record::Limit))
            .chain(scene.groups.drain(..).map(Record::Cgroup))
            .chain(scene.message_queues.drain(..).map(Record::MessageQueue));
        for record in small {
            out.add(record);
        }
        for fact in sockets.into_values().flatten() {
            out.add(Record::Socket(Box::new(fact)));
            out.is_taken().await;
        }
        self.scene.gaps.drain(..).for_each(|gap| out.add(Record::Gap(gap)));
        let when = When::exactly(self.clock.now());
        out.add(Record::SnapshotEnd(SnapshotEnd { when, snapshot, stalls }));
    }

    /// What could not be read, as gaps. How many reads got stuck.
    fn note_stalls(&mut self) -> u32 {
        let stalls = self.reader.crew.borrow_mut().take_stalls();
        let truncated = self.reader.crew.borrow_mut().take_truncated();
        for stall in &stalls {
            self.gap(stall.ask.pid, &stall.ask.name(), Observed::TimedOut(stall.wchan.clone()));
        }
        for what in truncated {
            self.gap(None, &what, Observed::Garbled("longer than there is room".to_owned()));
        }
        if self.reader.cut.get() {
            self.gap(None, "the rest of the snapshot", Observed::NotAsked);
        }
        stalls.len() as u32
    }

    fn bystander(&self, seen: &Seen) -> Bystander {
        Bystander {
            snapshot: self.request.snapshot,
            process: seen.id,
            comm: seen.status.comm.clone(),
            state: seen.status.state,
            parent: seen.status.parent,
        }
    }

    fn process(&self, seen: &Seen) -> ProcessFact {
        let status = &seen.status;
        let by_stat = |of: fn(&super::Stat) -> Pid| seen.stat.clone().map(|stat| of(&stat));
        ProcessFact {
            snapshot: self.request.snapshot,
            when: seen.when,
            process: seen.id,
            belongs: seen.kept.unwrap_or(hangdog_schemas::fact::Belonging::Outside),
            comm: status.comm.clone(),
            state: status.state,
            parent: status.parent,
            // `status` has both where the kernel knows pid namespaces, and never blocks.
            group: status.group.map_or_else(|| by_stat(|stat| stat.group), Observed::Seen),
            session: status.session.map_or_else(|| by_stat(|stat| stat.session), Observed::Seen),
            terminal: seen
                .stat
                .clone()
                .map(|stat| stat.terminal.map(|device| Terminal { device, foreground: stat.foreground })),
            ns_pids: status.ns_pids.clone(),
            tracer: status.tracer,
            uid: status.uid,
            cmdline: seen.cmdline.clone().map(own),
            exe: seen.exe.clone().map(own),
            cwd: seen.cwd.clone().map(own),
            root: seen.root.clone().map(own),
            namespaces: seen.namespaces.clone(),
            cgroups: seen.cgroups.clone().map(own),
            frozen: seen.frozen.clone(),
            signals: Observed::Seen(Signals { ..status.signals }),
            timers: seen.timers.clone(),
            io: seen.io.clone(),
            threads: status.threads,
        }
    }

    fn fd(&self, seen: &Seen, link: &Link) -> FdFact {
        FdFact {
            snapshot: self.request.snapshot,
            process: seen.id,
            fd: link.fd,
            target: link.target().to_string(),
            inode: link.number().map(Big).or_else(|| link.inode()),
            access: link.access(),
            flags: link.flags(),
            position: link.position(),
            mount: link.mount(),
            detail: link.detail().cloned().unwrap_or_default(),
            locks: link.locks().to_vec(),
        }
    }

    fn mounts(&self) -> impl Iterator<Item = MountFact> {
        self.scene.mounts.iter().flat_map(move |(&namespace, lines)| {
            lines.iter().map(move |line| MountFact {
                snapshot: self.request.snapshot,
                namespace,
                mount: line.mount,
                parent: line.parent,
                device: line.device,
                root: line.root.clone(),
                mount_point: line.mount_point.clone(),
                fs_type: line.fs_type.clone(),
                source: line.source.clone(),
                made_by_run: if Some(namespace) == self.own_mounts {
                    self.request.baseline.is_new_here(line)
                } else {
                    self.request.baseline.is_new_elsewhere(line)
                },
            })
        })
    }
}

/// A record has its own, whoever else has it.
fn own<T: Clone>(shared: Rc<T>) -> T {
    Rc::unwrap_or_clone(shared)
}

/// What was seen of a thread.
pub(super) fn thread(snapshot: SnapshotId, process: ProcessId, task: &Task) -> ThreadFact {
    ThreadFact {
        snapshot,
        when: task.when,
        thread: ThreadId { process, tid: task.tid },
        comm: own(Rc::clone(&task.comm)),
        state: task.state,
        wchan: task.wchan.clone().map(own),
        stack: task.stack.clone().map(own),
        syscall: task.syscall.clone(),
        voluntary_switches: task.voluntary,
        involuntary_switches: task.involuntary,
        cpu_ns: task.cpu_ns,
        children: task.children.clone(),
    }
}

/// Sockets that somebody kept has, their other ends, and the listeners they go to. A busy machine has
/// ten thousand others.
fn take_sockets(scene: &mut Scene) -> BTreeMap<(Inode, usize), Vec<SocketFact>> {
    let held: BTreeSet<Inode> =
        scene.kept().flat_map(|(_, seen)| seen.links.iter().filter_map(Link::socket)).map(Big).collect();
    let all = || scene.sockets.values().flatten();
    let own: Vec<&SocketFact> = all().filter(|socket| held.contains(&socket.inode)).collect();
    let peers: BTreeSet<Inode> =
        own.iter().flat_map(|socket| socket.peer.iter().chain(&socket.pending)).copied().collect();
    let ends: BTreeSet<(&str, &str)> = own
        .iter()
        .map(|socket| (socket.local.as_str(), socket.remote.as_str()))
        .filter(|(_, r)| !r.is_empty())
        .collect();
    let listeners: BTreeSet<&str> = own
        .iter()
        .filter(|s| s.state == SocketState::Listen && !s.family.is_unix())
        .map(|s| port(&s.local))
        .collect();
    let joins = |socket: &SocketFact| {
        peers.contains(&socket.inode)
            || ends.contains(&(socket.remote.as_str(), socket.local.as_str()))
            // A connection to a listener of ours that nobody accepted.
            || socket.inode.0 == 0 && socket.state != SocketState::TimeWait && listeners.contains(port(&socket.local))
            || socket.state == SocketState::Listen && own.iter().any(|o| listens_at(socket, &o.remote) || socket.pending.contains(&o.inode))
            || socket.state == SocketState::Listen && socket.family.is_unix() && is_named(scene, socket)
    };
    let is_told = |socket: &SocketFact| (socket.inode.0 != 0 && held.contains(&socket.inode)) || joins(socket);
    let mut told: Vec<bool> = all().map(is_told).collect();
    told.reverse();
    let mut sockets = std::mem::take(&mut scene.sockets);
    for facts in sockets.values_mut() {
        facts.retain(|_| told.pop().unwrap_or(false));
    }
    sockets
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(_, port)| port)
}

/// Whether a kept thread is just connecting to this listener by its path.
fn is_named(scene: &Scene, socket: &SocketFact) -> bool {
    use hangdog_schemas::fact::Argument;
    let mut calls = scene.kept().flat_map(|(_, seen)| seen.tasks.iter().filter_map(Task::waits_in));
    calls.any(|call| match call.memory(1).and_then(|value| value.seen()) {
        Some(Argument::SocketAddress(address)) => listens_at(socket, address),
        _ => false,
    })
}
