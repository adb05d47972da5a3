//! Last step: what was seen as records.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{
    FdDetail, FdFact, FuseFact, MountFact, ProcessFact, Signals, SocketFact, SocketState, Terminal, ThreadFact,
};
use hangdog_schemas::record::{Bystander, SnapshotBegin, SnapshotEnd};
use hangdog_schemas::{Big, Inode, Observed, Pid, Record, ThreadId, When};

use super::Taking;
use super::join::listens_at;
use super::scene::{Link, Scene, Seen, Task};

impl Taking {
    /// All records of the snapshot.
    pub(super) fn records(mut self, begin: SnapshotBegin) -> Vec<Record> {
        let stalls = self.reader.worker.borrow_mut().take_stalls();
        let truncated = self.reader.worker.borrow_mut().take_truncated();
        for stall in &stalls {
            self.gap(stall.ask.pid, &stall.ask.name(), Observed::TimedOut(stall.wchan.clone()));
        }
        for what in truncated {
            self.gap(None, &what, Observed::Garbled("longer than there is room".to_owned()));
        }
        if self.reader.cut.get() {
            self.gap(None, "the rest of the snapshot", Observed::NotAsked);
        }
        let snapshot = begin.snapshot;
        let mut out = vec![Record::SnapshotBegin(begin)];
        for (_, seen) in self.scene.kept() {
            out.push(Record::Process(Box::new(self.process(seen))));
            out.extend(seen.tasks.iter().map(|task| Record::Thread(Box::new(self.thread(seen, task)))));
            out.extend(seen.links.iter().map(|link| Record::Fd(Box::new(self.fd(seen, link)))));
        }
        out.extend(self.mounts().map(|mount| Record::Mount(Box::new(mount))));
        for (&connection, waiting) in &self.scene.fuse {
            let made_by_run = self.request.baseline.is_new_connection(connection);
            out.push(Record::Fuse(FuseFact { snapshot, connection, waiting: waiting.clone(), made_by_run }));
        }
        out.extend(self.scene.locks.iter().cloned().map(Record::FileLock));
        let mut semaphores = std::mem::take(&mut self.scene.semaphores);
        semaphores.dedup();
        out.extend(semaphores.into_iter().map(Record::Semaphore));
        out.extend(self.scene.limits.drain(..).map(Record::Limit));
        out.extend(self.scene.groups.drain(..).map(Record::Cgroup));
        out.extend(sockets(&self.scene).into_iter().map(|fact| Record::Socket(Box::new(fact.clone()))));
        let others = self.scene.processes.values().filter(|seen| seen.kept.is_none());
        out.extend(others.map(|seen| {
            Record::Bystander(Bystander {
                snapshot,
                process: seen.id,
                comm: seen.status.comm.clone(),
                state: seen.status.state,
                parent: seen.status.parent,
            })
        }));
        out.extend(self.scene.gaps.drain(..).map(Record::Gap));
        let when = When::exactly(self.clock.now());
        out.push(Record::SnapshotEnd(SnapshotEnd { when, snapshot, stalls: stalls.len() as u32 }));
        out
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
            cmdline: seen.cmdline.clone(),
            exe: seen.exe.clone(),
            cwd: seen.cwd.clone(),
            root: seen.root.clone(),
            namespaces: seen.namespaces.clone(),
            cgroups: seen.cgroups.clone(),
            frozen: seen.frozen.clone(),
            signals: Observed::Seen(Signals { ..status.signals }),
            timers: seen.timers.clone(),
            io: seen.io.clone(),
            threads: status.threads,
        }
    }

    fn thread(&self, seen: &Seen, task: &Task) -> ThreadFact {
        ThreadFact {
            snapshot: self.request.snapshot,
            when: task.when,
            thread: ThreadId { process: seen.id, tid: task.tid },
            comm: task.status.comm.clone(),
            state: task.status.state,
            wchan: task.wchan.clone(),
            stack: task.stack.clone(),
            syscall: task.syscall.clone(),
            voluntary_switches: task.status.voluntary,
            involuntary_switches: task.status.involuntary,
            cpu_ns: task.cpu_ns,
            children: task.children.clone(),
        }
    }

    fn fd(&self, seen: &Seen, link: &Link) -> FdFact {
        let info = link.info.as_ref();
        FdFact {
            snapshot: self.request.snapshot,
            process: seen.id,
            fd: link.fd,
            target: link.target.clone(),
            inode: link.number().map(Big).or_else(|| info.and_then(|info| info.inode)),
            access: info.and_then(super::FdInfo::access),
            flags: info.and_then(|info| info.flags),
            position: info.and_then(|info| info.position),
            mount: info.and_then(|info| info.mount),
            detail: info.map_or(FdDetail::Plain, |info| info.detail.clone()),
            locks: info.map(|info| info.locks.clone()).unwrap_or_default(),
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

/// Sockets that somebody kept has, their other ends, and the listeners they go to. A busy machine has
/// ten thousand others.
fn sockets(scene: &Scene) -> Vec<&SocketFact> {
    let held: BTreeSet<Inode> = scene
        .kept()
        .flat_map(|(_, seen)| seen.links.iter().filter(|link| link.is_socket()).filter_map(Link::number))
        .map(Big)
        .collect();
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
    all().filter(|socket| (socket.inode.0 != 0 && held.contains(&socket.inode)) || joins(socket)).collect()
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
