//! Second step, for processes that are kept: threads, what they wait in, descriptors, namespaces.
//! In the order of what can block least; what hangs a process is skipped for the rest of it.

use hangdog_schemas::fact::{FdDetail, Namespaces};
use hangdog_schemas::record::SnapshotExtent;
use hangdog_schemas::{Fd, Inode, Observed, Pid, RunNs, ThreadId, Tid};

use super::Taking;
use super::scene::Task;
use crate::observe::parse::text::{lines, number, text, words};
use crate::observe::parse::{dirents, mountinfo, status};
use crate::observe::syscalls;
use crate::observe::worker::{Answer, Ask, Hazard};

impl Taking {
    /// Reads all there is to know about these processes.
    pub(super) async fn detail(&mut self, pids: &[Pid]) {
        self.read_tasks(pids).await;
        self.read_waits(pids).await;
        self.read_places(pids).await;
        self.read_plain_infos(pids).await;
        self.read_cmdlines(pids).await;
        self.read_mounts(pids).await;
        self.read_memory(pids).await;
        self.read_semaphores(pids).await;
        self.read_message_queues(pids).await;
        self.read_epoll_infos(pids).await;
        self.read_sockets(pids).await;
        self.read_frozen(pids).await;
        for &pid in pids {
            let why = self.scene.processes.get(&pid).and_then(|seen| seen.no_links.clone());
            if let Some(why) = why.filter(|why| *why != Observed::Vanished) {
                self.gap(Some(pid), "fd", why);
            }
        }
    }

    /// Threads, by files that never block.
    async fn read_tasks(&mut self, pids: &[Pid]) {
        let lists = self.reader.ask(pids.iter().map(|&pid| Ask::dir(pid, "task")).collect()).await;
        let mut tasks: Vec<(Pid, Tid)> = Vec::new();
        for (&pid, answer) in pids.iter().zip(&lists) {
            let tids = answer.seen().map(|bytes| dirents::numbers(bytes)).unwrap_or_default();
            tasks.extend(tids.into_iter().map(|tid| (pid, Tid(tid))));
        }
        let mut asks = Vec::new();
        for (pid, tid) in &tasks {
            for file in ["status", "schedstat", "children"] {
                asks.push(Ask::file(*pid, Hazard::None, &format!("task/{tid}/{file}")));
            }
        }
        let began = self.clock.now();
        let answers = self.reader.ask(asks).await;
        let when = self.since(began);
        for ((pid, tid), three) in tasks.into_iter().zip(answers.chunks_exact(3)) {
            let Some(seen) = self.scene.processes.get_mut(&pid) else { continue };
            let Some(status) = three[0].seen().and_then(|bytes| status::status(bytes)) else { continue };
            let is_tick = self.request.ticks.contains(&ThreadId { process: seen.id, tid });
            if is_tick && status.comm == hangdog_flight::TICK_THREAD {
                // Nor is it one that could not be seen.
                seen.status.threads = seen.status.threads.saturating_sub(1);
                continue;
            }
            let cpu_ns = three[1].seen().and_then(|bytes| words(bytes).next().and_then(number));
            let children = three[2].seen().map(|bytes| words(bytes).filter_map(number).map(Pid).collect());
            seen.tasks.push(Task {
                tid,
                when,
                status,
                cpu_ns,
                children: children.unwrap_or_default(),
                wchan: Observed::NotAsked,
                stack: Observed::NotAsked,
                syscall: Observed::NotAsked,
            });
        }
    }

    /// What each thread waits in.
    async fn read_waits(&mut self, pids: &[Pid]) {
        let mut wanted = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            for (n, task) in seen.tasks.iter().enumerate() {
                for file in ["wchan", "syscall", "stack"] {
                    wanted.push(((pid, n), Ask::file(pid, Hazard::Exec, &format!("task/{}/{file}", task.tid))));
                }
            }
        }
        let answers = self.reader.ask_for(wanted).await;
        let mut answers = answers.into_iter();
        while let (Some(((pid, n), wchan)), Some((_, call)), Some((_, stack))) =
            (answers.next(), answers.next(), answers.next())
        {
            let Some(task) = self.scene.processes.get_mut(&pid).and_then(|seen| seen.tasks.get_mut(n)) else {
                continue;
            };
            task.wchan = wchan.map(|bytes| text(bytes.trim_ascii()));
            task.syscall = parsed(call, syscalls::syscall, "no system call line");
            task.stack = stack.map(|bytes| frames(&bytes));
        }
    }

    /// Namespaces, directories, control groups, POSIX timers.
    async fn read_places(&mut self, pids: &[Pid]) {
        const NAMESPACES: [&str; 5] = ["ns/mnt", "ns/net", "ns/pid", "ns/user", "ns/ipc"];
        let full = self.request.extent == SnapshotExtent::Full;
        let mut asks = Vec::new();
        for &pid in pids {
            asks.extend(["cgroup", "timers"].map(|name| Ask::file(pid, Hazard::None, name)));
            asks.extend([Ask::link(pid, "cwd"), Ask::link(pid, "root")]);
            asks.extend(NAMESPACES.map(|name| Ask::link(pid, name)));
            if full {
                asks.push(Ask::link(pid, "exe"));
            }
        }
        let each = asks.len() / pids.len().max(1);
        let mut answers = self.reader.ask(asks).await.into_iter();
        // A kernel without checkpoint/restore has no such file.
        let has_timers = std::path::Path::new("/proc/self/timers").exists();
        for &pid in pids {
            let mut answers = answers.by_ref().take(each);
            let mut next = || answers.next().unwrap_or_default();
            let (cgroup, timers, cwd, root) = (next(), next(), next(), next());
            let namespaces = namespaces([next(), next(), next(), next(), next()]);
            let exe = next();
            let Some(seen) = self.scene.processes.get_mut(&pid) else { continue };
            seen.cgroups = cgroup.map(|bytes| lines(&bytes).map(cgroup_line).collect());
            seen.timers = if has_timers { timers.map(|bytes| count_timers(&bytes)) } else { Observed::Unsupported };
            seen.cwd = cwd.map(|bytes| text(&bytes));
            seen.root = root.map(|bytes| text(&bytes));
            seen.exe = exe.map(|bytes| text(&bytes));
            seen.namespaces = namespaces;
        }
    }

    /// fdinfo of what cannot block: not of epoll sets; sockets have nothing to say there.
    async fn read_plain_infos(&mut self, pids: &[Pid]) {
        let mut wanted = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            let plain = seen.links.iter().filter(|link| !link.is_socket() && !link.is_epoll() && link.info.is_none());
            wanted.extend(plain.map(|link| info(pid, link.fd, Hazard::None)));
        }
        self.read_infos(wanted).await;
    }

    /// fdinfo of epoll sets: the one that can even be unkillable, so it comes last.
    async fn read_epoll_infos(&mut self, pids: &[Pid]) {
        let mut wanted = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            let sets = seen.links.iter().filter(|link| link.is_epoll() && link.info.is_none());
            wanted.extend(sets.map(|link| info(pid, link.fd, Hazard::Epoll)));
        }
        self.read_infos(wanted).await;
    }

    async fn read_cmdlines(&mut self, pids: &[Pid]) {
        if self.request.extent != SnapshotExtent::Full {
            return;
        }
        let answers =
            self.reader.ask(pids.iter().map(|&pid| Ask::file(pid, Hazard::Memory, "cmdline")).collect()).await;
        for (pid, answer) in pids.iter().zip(answers) {
            let Some(seen) = self.scene.processes.get_mut(pid) else { continue };
            seen.cmdline = answer.map(|bytes| {
                let whole = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
                if whole.is_empty() { Vec::new() } else { whole.split(|&b| b == 0).map(text).collect() }
            });
        }
    }

    /// A moment that lasted from `began` until now.
    pub(super) fn since(&self, began: RunNs) -> hangdog_schemas::When {
        let half = self.clock.now().0.saturating_sub(began.0) / 2;
        hangdog_schemas::When { t: began.plus(half), err: half }
    }
}

fn info(pid: Pid, fd: Fd, hazard: Hazard) -> ((Pid, Fd), Ask) {
    ((pid, fd), Ask::file(pid, hazard, &format!("fdinfo/{fd}")))
}

/// A value parsed from an answer.
pub(super) fn parsed<T>(answer: Answer, parse: impl Fn(&[u8]) -> Option<T>, otherwise: &str) -> Observed<T> {
    match answer {
        Observed::Seen(bytes) => {
            parse(&bytes).map_or_else(|| Observed::Garbled(otherwise.to_owned()), Observed::Seen)
        }
        other => other.map(|_| unreachable!("the seen case is above")),
    }
}

fn namespaces(answers: [Answer; 5]) -> Observed<Namespaces> {
    let [mnt, net, pid, user, ipc] = answers.map(|answer| parsed(answer, mountinfo::namespace, "no namespace link"));
    let inode = |seen: &Observed<u64>| seen.seen().copied().map(hangdog_schemas::Big);
    let all = |mnt: Inode| {
        Some(Namespaces { mnt, net: inode(&net)?, pid: inode(&pid)?, user: inode(&user)?, ipc: inode(&ipc)? })
    };
    match inode(&mnt).and_then(all) {
        Some(all) => Observed::Seen(all),
        // Denied and stuck alike hit all of these links: the first says why.
        None => [mnt, net, pid, user, ipc]
            .into_iter()
            .find(|one| one.seen().is_none())
            .map_or(Observed::NotAsked, |one| one.map(|_| unreachable!("only those that are missing"))),
    }
}

/// `[<0>] fuse_flush+0x1b/0x2f0 [fuse]` is `fuse_flush`.
fn frames(bytes: &[u8]) -> Vec<String> {
    lines(bytes)
        .filter_map(|line| words(line).nth(1))
        .map(|word| text(word.split(|&b| b == b'+').next().unwrap_or(word)))
        .collect()
}

/// Each timer has one line `ID: n`, and some others.
fn count_timers(bytes: &[u8]) -> u32 {
    lines(bytes).filter(|line| line.starts_with(b"ID:")).count() as u32
}

/// `4:freezer:/x` without its number.
fn cgroup_line(line: &[u8]) -> String {
    let line = text(line);
    line.split_once(':').map_or_else(|| line.clone(), |(_, rest)| rest.to_owned())
}

/// The descriptors of an epoll set, with their sets inside sets, to a depth.
pub(super) fn epoll_targets(seen: &super::scene::Seen, fd: u32, depth: u8, into: &mut Vec<u32>) {
    let Some(FdDetail::Epoll(targets)) = seen.link(fd).and_then(|link| link.detail()) else { return };
    for target in targets {
        into.push(target.fd.0);
        if depth > 0 {
            epoll_targets(seen, target.fd.0, depth - 1, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_lines_are_names() {
        let lines =
            b"[<0>] request_wait_answer+0x112/0x240\n[<0>] fuse_flush+0x1b/0x2f0 [fuse]\n[<0>] do_syscall_64\n";
        assert_eq!(frames(lines), ["request_wait_answer", "fuse_flush", "do_syscall_64"]);
    }

    #[test]
    fn control_groups_without_their_number() {
        assert_eq!(cgroup_line(b"4:freezer:/a b"), "freezer:/a b");
        assert_eq!(cgroup_line(b"0::/user.slice"), ":/user.slice");
    }

    #[test]
    fn timers_are_counted_by_their_ids() {
        let two = b"ID: 0\nsignal: 14/0000000000000000\nnotify: signal/pid.7\nClockID: 1\nID: 1\nsignal: 0/0\n";
        assert_eq!((count_timers(two), count_timers(b"")), (2, 0));
    }

    #[test]
    fn one_missing_namespace_says_why() {
        let seen = |n: &str| Observed::Seen(n.as_bytes().to_vec());
        let all = [seen("mnt:[1]"), seen("net:[2]"), seen("pid:[3]"), seen("user:[4]"), seen("ipc:[5]")];
        assert_eq!(namespaces(all).seen().map(|ns| (ns.mnt.0, ns.ipc.0)), Some((1, 5)));
        let some = [seen("mnt:[1]"), Observed::Denied, seen("pid:[3]"), seen("user:[4]"), seen("ipc:[5]")];
        assert_eq!(namespaces(some), Observed::Denied);
    }
}
