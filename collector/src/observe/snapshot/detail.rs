//! Second step, for processes that are kept: threads, what they wait in, descriptors, namespaces.
//! In the order of what can block least; what hangs a process is skipped for the rest of it.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{FdDetail, Namespaces, SocketFact, SocketFamily, SocketState};
use hangdog_schemas::record::SnapshotExtent;
use hangdog_schemas::{Fd, Inode, Observed, Pid, ThreadId, Tid, When};

use super::links::{Link, ListOf, Names};
use super::scene::{Seen, Task};
use super::{Status, Taking};
use crate::observe::parse::text::{lines, number, text, words};
use crate::observe::parse::{dirents, limits, mountinfo, status};
use crate::observe::syscalls;
use crate::observe::worker::{Answer, Ask, Hazard, Kind, Row, parts};

impl Taking {
    /// Reads all there is to know about these processes.
    pub(super) async fn detail(&mut self, pids: &[Pid]) {
        self.read_threads(pids).await;
        self.read_plain_infos(pids).await;
        self.read_mounts(pids).await;
        self.read_memory(pids).await;
        self.read_awaited_infos().await;
        self.read_semaphores(pids).await;
        self.read_message_queues(pids).await;
        self.read_epoll_infos(pids).await;
        self.read_awaited_infos().await;
        self.read_sockets(pids).await;
        self.read_queued_infos(pids).await;
        self.read_frozen(pids).await;
        for &pid in pids {
            let why = self.scene.processes.get(&pid).and_then(|seen| seen.no_links.clone());
            if let Some(why) = why.filter(|why| *why != Observed::Vanished) {
                self.gap(Some(pid), "fd", why);
            }
        }
    }

    /// Threads with what they wait in, and of each process the namespaces, directories, control groups and timers.
    async fn read_threads(&mut self, pids: &[Pid]) {
        let full = self.request.extent == SnapshotExtent::Full;
        let (place, alone) = if full { (Row::Program, Row::AloneInProgram) } else { (Row::Place, Row::AloneInPlace) };
        let mut wanted = Vec::new();
        for (pid, tids) in self.threads_of(pids).await {
            let Some(tids) = tids else {
                // `status` of a process is that of its first thread, and was read already.
                wanted.push(((pid, About::Alone), Ask::row(pid, None, alone)));
                continue;
            };
            let rows = tids.into_iter().map(|tid| ((pid, About::Thread(tid)), Ask::row(pid, Some(tid), Row::Thread)));
            wanted.extend(rows);
            let shown_by = self.scene.processes.get(&pid).and_then(|seen| seen.shown_by);
            wanted.push(((pid, About::Place), Ask::row(pid, shown_by, place)));
            // The timers are shown for the process alone.
            wanted.extend(shown_by.map(|_| ((pid, About::Timers), Ask::file(pid, Hazard::None, "timers"))));
        }
        let began = self.clock.now();
        // A kernel without checkpoint/restore has no such file.
        let has_timers = std::path::Path::new("/proc/self/timers").exists();
        let (scene, ticks) = (&mut self.scene, &self.request.ticks);
        let read = self.reader.each(wanted, |(pid, about), answer| {
            let Some(seen) = scene.processes.get_mut(&pid) else { return };
            match about {
                About::Alone => {
                    let [schedstat, children, cgroup, timers, wchan, call, stack, place @ ..] =
                        members::<17>(&answer);
                    let [cwd, root, mnt, net, pids, user, ipc, exe, io, cmdline] = place;
                    let status = Observed::Seen(seen.status.clone());
                    let task = (Tid(pid.0), seen.when);
                    let wait = [schedstat, children, wchan, call, stack];
                    seen.take_thread(task, status, wait, ticks, &mut scene.names);
                    let place = [cgroup, timers, cwd, root, mnt, net, pids, user, ipc, exe, io, cmdline];
                    seen.take_place(place, has_timers, &mut scene.names);
                }
                About::Thread(tid) => {
                    let [status, schedstat, children, wchan, call, stack] = members(&answer);
                    let status = parsed_bytes(status, status::status, "no status");
                    // The time is told when all are there.
                    let rest = [schedstat, children, wchan, call, stack];
                    seen.take_thread((tid, When::default()), status, rest, ticks, &mut scene.names);
                }
                About::Timers if has_timers => seen.timers = answer.map(|bytes| count_timers(&bytes)),
                About::Timers => {}
                About::Place => seen.take_place(members(&answer), has_timers, &mut scene.names),
            }
        });
        read.await;
        let when = self.clock.since(began);
        for pid in pids {
            let Some(seen) = self.scene.processes.get_mut(pid) else { continue };
            seen.tasks.iter_mut().filter(|task| task.when == When::default()).for_each(|task| task.when = when);
            seen.tasks.sort_by_key(|task| task.tid);
        }
    }

    /// The threads of each of these processes; `None` where there is but one.
    async fn threads_of(&mut self, pids: &[Pid]) -> Vec<(Pid, Option<Vec<Tid>>)> {
        let count = |pid: &Pid| self.scene.processes.get(pid).map_or(0, |seen| seen.status.threads);
        let (one, more): (Vec<Pid>, Vec<Pid>) = pids.iter().partition(|pid| count(pid) == 1);
        let asks = more.into_iter().map(|pid| (pid, Ask::dir(pid, "task"))).collect();
        let lists = self.reader.ask_for(asks).await.into_iter().map(|(pid, answer)| {
            let tids = answer.seen().map(|bytes| dirents::numbers(bytes)).unwrap_or_default();
            (pid, Some(tids.into_iter().map(Tid).collect()))
        });
        let one = one.into_iter().map(|pid| (pid, None));
        lists.chain(one).collect()
    }

    /// fdinfo of what cannot block, where it did not come with the links: of those who were outside the run then.
    async fn read_plain_infos(&mut self, pids: &[Pid]) {
        let mut wanted = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid).filter(|seen| !seen.is_spared()) else { continue };
            let plain = seen.links.iter().filter(|link| link.has_plain_info() && !link.has_info());
            wanted.extend(plain.map(|link| seen.info(link.fd, Hazard::None)));
        }
        self.read_infos(wanted).await;
    }

    /// fdinfo of unix sockets with something in their queue, which may be descriptors. Of datagrams only the first one's
    /// bytes are told, and it may have none.
    async fn read_queued_infos(&mut self, pids: &[Pid]) {
        let scene = &self.scene;
        let may_carry = |socket: &&SocketFact| match socket.family {
            SocketFamily::UnixStream => socket.receive_queue != Some(0) && socket.state != SocketState::Listen,
            family => family.is_unix(),
        };
        let sockets = scene.sockets.values().flatten().filter(may_carry);
        let carriers: BTreeSet<u64> = sockets.map(|socket| socket.inode.0).collect();
        let may_carry = |link: &Link| link.socket().is_some_and(|inode| carriers.contains(&inode));
        let mut wanted = Vec::new();
        for seen in pids.iter().filter_map(|pid| scene.processes.get(pid)) {
            let queued = seen.links.iter().filter(|link| !link.has_info() && may_carry(link));
            wanted.extend(queued.map(|link| seen.info(link.fd, Hazard::None)));
        }
        self.read_infos(wanted).await;
    }
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

/// The members of a row, in their order; those that were not read are not asked.
pub(super) fn members<const N: usize>(answer: &Answer) -> [Observed<&[u8]>; N] {
    let mut members = [const { Observed::NotAsked }; N];
    match answer {
        Observed::Seen(bytes) => {
            for part in parts(bytes).filter(|part| part.kind == Kind::Member) {
                if let Some(place) = members.get_mut(part.number as usize) {
                    *place = part.value;
                }
            }
        }
        // The directory itself could not be opened.
        why => members.fill_with(|| why.clone().map(|_| [].as_slice())),
    }
    members
}

/// A value parsed from a member of a row.
pub(super) fn parsed_bytes<T>(
    member: Observed<&[u8]>,
    parse: impl Fn(&[u8]) -> Option<T>,
    otherwise: &str,
) -> Observed<T> {
    match member {
        Observed::Seen(bytes) => parse(bytes).map_or_else(|| Observed::Garbled(otherwise.to_owned()), Observed::Seen),
        other => other.map(|_| unreachable!("the seen case is above")),
    }
}

impl Seen {
    /// Asks what `fdinfo` says of a descriptor.
    pub(super) fn info(&self, fd: Fd, hazard: Hazard) -> ((Pid, Fd), Ask) {
        let pid = self.id.pid;
        ((pid, fd), Ask::file(pid, hazard, &self.path(&format!("fdinfo/{fd}"))))
    }

    /// Takes over what was read of a thread: see [`task`].
    fn take_thread(
        &mut self,
        (tid, when): (Tid, When),
        status: Observed<Status>,
        members: [Observed<&[u8]>; 5],
        ticks: &BTreeSet<ThreadId>,
        names: &mut Names,
    ) {
        let Observed::Seen(status) = status else { return };
        // It was there when its `status` was read, and no file of it is now.
        if members.iter().all(|member| *member == Observed::Vanished) {
            return;
        }
        if ticks.contains(&ThreadId { process: self.id, tid }) && status.comm == hangdog_flight::TICK_THREAD {
            // Nor is it one that could not be seen.
            self.status.threads = self.status.threads.saturating_sub(1);
            return;
        }
        if self.tasks.is_empty() {
            self.tasks.reserve_exact(self.status.threads as usize);
        }
        self.tasks.push(task((tid, when), &status, members, names));
    }

    /// Takes over what was read of the process as a whole.
    fn take_place(&mut self, members: [Observed<&[u8]>; 12], has_timers: bool, names: &mut Names) {
        let [cgroup, timers, cwd, root, mnt, net, pid, user, ipc, exe, io, cmdline] = members;
        self.cgroups =
            cgroup.map(|bytes| names.list(ListOf::Groups, bytes, |bytes| lines(bytes).map(cgroup_line).collect()));
        self.timers = match self.shown_by {
            _ if !has_timers => Observed::Unsupported,
            None => timers.map(count_timers),
            // A thread's directory has no such file.
            Some(_) => std::mem::take(&mut self.timers),
        };
        self.cwd = cwd.map(|bytes| names.name(bytes));
        self.root = root.map(|bytes| names.name(bytes));
        self.namespaces = namespaces([mnt, net, pid, user, ipc]);
        self.exe = exe.map(|bytes| names.name(bytes));
        self.io = parsed_bytes(io, limits::io, "no counters");
        self.cmdline = cmdline.map(|bytes| names.list(ListOf::Words, bytes, command_words));
    }
}

/// A thread by what was read of it: the counters, children, kernel function, system call and stack.
pub(super) fn task(
    (tid, when): (Tid, When),
    status: &Status,
    [schedstat, children, wchan, call, stack]: [Observed<&[u8]>; 5],
    names: &mut Names,
) -> Task {
    let numbers = |bytes: &&[u8]| words(bytes).filter_map(number).map(Pid).collect();
    Task {
        tid,
        when,
        comm: names.name(status.comm.as_bytes()),
        state: status.state,
        voluntary: status.voluntary,
        involuntary: status.involuntary,
        cpu_ns: schedstat.seen().and_then(|bytes| words(bytes).next().and_then(number)),
        children: children.seen().map(numbers).unwrap_or_default(),
        wchan: wchan.map(|bytes| names.name(bytes.trim_ascii())),
        syscall: parsed_bytes(call, syscalls::syscall, "no system call line"),
        stack: stack.map(|bytes| names.list(ListOf::Frames, bytes, frames)),
    }
}

/// What a row is about.
#[derive(Clone, Copy)]
enum About {
    /// A process and its only thread.
    Alone,
    /// One of several.
    Thread(Tid),
    /// The process.
    Place,
    /// The process, when its first thread has ended.
    Timers,
}

fn namespaces(answers: [Observed<&[u8]>; 5]) -> Observed<Namespaces> {
    let [mnt, net, pid, user, ipc] =
        answers.map(|answer| parsed_bytes(answer, mountinfo::namespace, "no namespace link"));
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

/// The words of a command line, each with a NUL at its end.
fn command_words(bytes: &[u8]) -> Vec<String> {
    let whole = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if whole.is_empty() { Vec::new() } else { whole.split(|&b| b == 0).map(text).collect() }
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
pub(super) fn epoll_targets(seen: &Seen, fd: u32, depth: u8, into: &mut Vec<u32>) {
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
        let seen = |n: &'static str| Observed::Seen(n.as_bytes());
        let all = [seen("mnt:[1]"), seen("net:[2]"), seen("pid:[3]"), seen("user:[4]"), seen("ipc:[5]")];
        assert_eq!(namespaces(all).seen().map(|ns| (ns.mnt.0, ns.ipc.0)), Some((1, 5)));
        let some = [seen("mnt:[1]"), Observed::Denied, seen("pid:[3]"), seen("user:[4]"), seen("ipc:[5]")];
        assert_eq!(namespaces(some), Observed::Denied);
    }
}
