//! Third step: which processes outside the run hold a key that a kept, blocked process waits on.
//! A join by keys, no judgement: too many rather than too few.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Argument, FdDetail, SocketFact, SocketState, Syscall};
use hangdog_schemas::{Device, FuseConnection, Inode, Pid};

use super::Taking;
use super::detail::epoll_targets;
use super::links::Target;
use super::scene::{Scene, Seen, Task, fuse_of};
use crate::observe::syscalls;
use crate::observe::worker::Hazard;

/// Most processes outside the run that one round keeps.
const MOST_HOLDERS: usize = 128;

/// What somebody can hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A descriptor whose link says exactly this: pipes, sockets, terminals, named pipes.
    Target(Target),
    /// A lock on a file.
    Lock(Device, Inode),
    /// Serving a FUSE connection.
    Fuse(FuseConnection),
    /// The master side of a terminal.
    Master(u32),
    /// Being this process.
    Process(Pid),
}

impl Taking {
    /// Processes that are to be kept next: holders of what kept ones wait for.
    pub(super) async fn holders(&mut self) -> Vec<Pid> {
        let mut wanted = BTreeSet::new();
        for (_, seen) in self.scene.kept() {
            wanted.extend(seen.status.tracer.map(Key::Process));
            for task in &seen.tasks {
                wants(&self.scene, seen, task, &mut wanted);
            }
        }
        if wanted.iter().any(|key| matches!(key, Key::Lock(..))) {
            self.read_lock_holders().await;
        }
        let mut found: Vec<Pid> = self
            .scene
            .processes
            .iter()
            .filter(|(pid, seen)| seen.kept.is_none() && holds_any(&self.scene, **pid, seen, &wanted))
            .map(|(&pid, _)| pid)
            .collect();
        if found.len() > MOST_HOLDERS {
            let why = hangdog_schemas::Observed::NotAsked;
            self.gap(None, &format!("fd holders: {} left out", found.len() - MOST_HOLDERS), why);
            found.truncate(MOST_HOLDERS);
        }
        found
    }

    /// Locks show in fdinfo alone, so files of processes outside the run are read when a lock is waited for.
    async fn read_lock_holders(&mut self) {
        let mut wanted = Vec::new();
        for seen in self.scene.processes.values().filter(|seen| seen.kept.is_none()) {
            let files = seen.links.iter().filter(|link| !link.has_info() && link.is_file());
            wanted.extend(files.map(|link| seen.info(link.fd, Hazard::None)));
        }
        self.read_infos(wanted).await;
    }
}

/// The keys that a thread waits on.
fn wants(scene: &Scene, seen: &Seen, task: &Task, into: &mut BTreeSet<Key>) {
    let Some(call) = task.waits_in() else { return };
    let name = call.name().unwrap_or_default();
    for fd in waited_fds(seen, call) {
        wants_fd(scene, seen, fd, name, into);
    }
    for arg in 0..6 {
        if let Some(path) = call.path(arg) {
            wants_path(scene, seen, call, arg, path, into);
        }
        if let Some(Argument::SocketAddress(address)) = call.memory(arg).and_then(|value| value.seen()) {
            wants_address(scene, address, into);
        }
    }
    if matches!(name, "wait4" | "waitid" | "vfork" | "clone" | "clone3") {
        into.extend(seen.tasks.iter().flat_map(|task| task.children.iter().copied()).map(Key::Process));
    }
    // close, exit and page faults name no mount: any connection with unanswered requests may be it.
    let wchan = task.wchan.seen().map(|wchan| wchan.as_str()).unwrap_or_default();
    if wchan.starts_with("request_wait") || wchan.starts_with("fuse_") || wchan.starts_with("folio_wait") {
        let busy = scene.fuse.iter().filter(|(_, waiting)| waiting.seen().is_none_or(|&n| n > 0));
        into.extend(busy.map(|(&connection, _)| Key::Fuse(connection)));
    }
}

/// Descriptors that the call waits on, sets and epoll targets included.
pub(super) fn waited_fds(seen: &Seen, call: &Syscall) -> Vec<u32> {
    let mut fds = syscalls::descriptors(call);
    for fd in fds.clone() {
        epoll_targets(seen, fd, 2, &mut fds);
    }
    for arg in 0..6 {
        match call.memory(arg).and_then(|value| value.seen()) {
            Some(Argument::PollFds(polled)) => fds.extend(polled.iter().filter(|p| p.fd >= 0).map(|p| p.fd as u32)),
            Some(Argument::FdSet(set)) => fds.extend(set),
            _ => {}
        }
    }
    for fd in fds.clone() {
        epoll_targets(seen, fd, 2, &mut fds);
    }
    fds
}

fn wants_fd(scene: &Scene, seen: &Seen, fd: u32, name: &str, into: &mut BTreeSet<Key>) {
    let Some(link) = seen.link(fd) else { return };
    match link.detail() {
        Some(FdDetail::PtyMaster { index }) => drop(into.insert(named(&format!("/dev/pts/{index}")))),
        Some(FdDetail::Pidfd { pid: Some(pid) }) => drop(into.insert(Key::Process(*pid))),
        _ => {}
    }
    if let Some(inode) = link.socket() {
        wants_socket(scene, inode, into);
    } else if let Some(index) = terminal_index(seen, link.name()) {
        into.insert(Key::Master(index));
    } else if matches!(link.target(), Target::Pipe(_)) || link.is_file() {
        into.insert(Key::Target(link.target()));
    }
    into.extend(scene.mount_of(seen, link).and_then(fuse_of).map(Key::Fuse));
    if matches!(name, "flock" | "fcntl") {
        into.extend(scene.file(seen, link).map(|(device, inode)| Key::Lock(device, inode)));
    }
}

/// The number of the pseudo terminal that a link names.
fn terminal_index(seen: &Seen, target: &str) -> Option<u32> {
    if let Some(number) = target.strip_prefix("/dev/pts/") {
        return number.parse().ok();
    }
    let terminal = seen.stat.seen().and_then(|stat| stat.terminal)?;
    // Unix98 slaves have the major numbers 136 to 143.
    (target == "/dev/tty" && (136..144).contains(&terminal.major))
        .then(|| (terminal.major - 136) * 256 + terminal.minor)
}

/// The other end of a socket, or the listener that has not accepted it.
fn wants_socket(scene: &Scene, inode: u64, into: &mut BTreeSet<Key>) {
    let Some(own) = scene.socket(inode) else { return };
    into.extend(own.peer.map(socket_key));
    let all = || scene.sockets.values().flatten();
    if own.family.is_unix() {
        into.extend(all().filter(|other| other.pending.contains(&own.inode)).map(|other| socket_key(other.inode)));
        return;
    }
    if own.state == SocketState::Listen || own.remote.is_empty() {
        return;
    }
    let other_end = all().find(|other| other.local == own.remote && other.remote == own.local);
    match other_end {
        Some(other) if other.inode.0 != 0 => drop(into.insert(socket_key(other.inode))),
        _ => wants_address(scene, &own.remote, into),
    }
}

/// Whoever listens at an address.
fn wants_address(scene: &Scene, address: &str, into: &mut BTreeSet<Key>) {
    let all = scene.sockets.values().flatten();
    into.extend(all.filter(|socket| listens_at(socket, address)).map(|socket| socket_key(socket.inode)));
}

/// Whether a listener takes connections to `address` (`127.0.0.1:8080`, `unix:/path`).
pub(super) fn listens_at(socket: &SocketFact, address: &str) -> bool {
    if socket.state != SocketState::Listen {
        return false;
    }
    if let Some(path) = address.strip_prefix("unix:") {
        return socket.family.is_unix() && socket.local == path;
    }
    let (Some((host, port)), Some((_, wanted))) = (socket.local.rsplit_once(':'), address.rsplit_once(':')) else {
        return false;
    };
    socket.local == address || port == wanted && matches!(host, "0.0.0.0" | "[::]")
}

fn socket_key(inode: Inode) -> Key {
    Key::Target(Target::Socket(inode.0))
}

fn named(name: &str) -> Key {
    Key::Target(Target::Name(name.to_owned().into()))
}

fn wants_path(scene: &Scene, seen: &Seen, call: &Syscall, arg: u8, path: &str, into: &mut BTreeSet<Key>) {
    let Some(absolute) = absolute(seen, call, arg, path) else { return };
    into.extend(scene.mount_at(seen, &absolute).and_then(fuse_of).map(Key::Fuse));
    if matches!(call.name(), Some("open" | "openat" | "openat2")) {
        // A named pipe that nobody holds the other end of, or somebody does.
        into.insert(named(&absolute));
    }
}

/// A path argument joined with the directory it belongs to. As a text: nothing is looked up.
pub(super) fn absolute(seen: &Seen, call: &Syscall, arg: u8, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let place = syscalls::directory_of(call.name().unwrap_or_default(), arg);
    let directory = match place.and_then(|n| call.int(n)) {
        Some(fd) if fd >= 0 => seen.link(fd as u32)?.name(),
        _ => seen.cwd.seen()?.as_str(),
    };
    Some(if path.is_empty() { directory.to_owned() } else { format!("{}/{path}", directory.trim_end_matches('/')) })
}

fn holds_any(scene: &Scene, pid: Pid, seen: &Seen, wanted: &BTreeSet<Key>) -> bool {
    if wanted.contains(&Key::Process(pid)) {
        return true;
    }
    let locks: BTreeMap<Inode, Device> = wanted
        .iter()
        .filter_map(|key| if let Key::Lock(device, inode) = key { Some((*inode, *device)) } else { None })
        .collect();
    // A traditional record lock belongs to the process: it shows by number, too.
    let by_number = scene
        .locks
        .iter()
        .any(|lock| !lock.waits && lock.pid == i64::from(pid.0) && locks.get(&lock.inode) == Some(&lock.device));
    by_number
        || seen.links.iter().any(|link| {
            let by_detail = match link.detail() {
                // Kernels before 6.16 do not say which connection: then it may be any.
                Some(FdDetail::FuseServer { connection: None }) => {
                    wanted.iter().any(|key| matches!(key, Key::Fuse(_)))
                }
                Some(FdDetail::FuseServer { connection: Some(connection) }) => {
                    wanted.contains(&Key::Fuse(*connection))
                }
                Some(FdDetail::PtyMaster { index }) => wanted.contains(&Key::Master(*index)),
                _ => false,
            };
            let held = link.locks();
            by_detail
                || held.iter().any(|lock| locks.get(&lock.inode) == Some(&lock.device))
                || wanted.contains(&Key::Target(link.target()))
        })
}
