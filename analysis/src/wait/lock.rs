//! File locks. `/proc/locks` names who asked, even when dead; who really holds the lock says fdinfo (KERNEL.md §9).

use hangdog_schemas::fact::{FdFact, FdLock, FileLockFact, LockClass, LockMode, Syscall, ThreadFact};
use hangdog_schemas::{Confidence, Device, Inode, Pid, ResourceKey};

use super::call::{Outcome, descriptor};
use super::fd::hidden_holders;
use super::{Class, Wait, path};
use crate::view::View;

const F_SETLKW: i32 = 7;
const F_OFD_SETLKW: i32 = 38;

/// Whether the call waits for a lock.
pub(super) fn waits(syscall: &Syscall, name: &str) -> bool {
    name == "flock" || syscall.int(1).is_some_and(|command| matches!(command, F_SETLKW | F_OFD_SETLKW))
}

pub(super) fn wait(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str) -> Outcome {
    let pid = thread.thread.process.pid;
    let Some(number) = descriptor(syscall, 0) else {
        return Outcome::Opaque("its descriptor is no number".to_owned());
    };
    if path::is_fuse_fd(view, pid, number) {
        return path::by_fd(view, thread, syscall);
    }
    let class = match (name, syscall.int(1)) {
        ("flock", _) => LockClass::Flock,
        (_, Some(F_OFD_SETLKW)) => LockClass::Ofd,
        _ => LockClass::Posix,
    };
    let file = view.snapshot.fd(pid, number);
    let target = file.map_or_else(|| format!("fd {number}"), |fact| fact.target.clone());
    let Some((device, inode)) = locked_file(view, pid, class, file) else {
        return Outcome::Opaque(format!("which file it waits to lock is not known ({target})"));
    };
    let word = match class {
        LockClass::Flock => "flock",
        LockClass::Ofd => "open file description lock",
        LockClass::Posix => "POSIX lock",
        LockClass::Lease => "lease",
    };
    let mut wait =
        Wait::new(Class::FileLock, ResourceKey::file_lock(device, inode), format!("the {word} on {target}"))
            .because(format!("{}[{pid}] waits for a {word} on {target}", view.comm(pid)), view.fd_ref(pid, number));
    let wanted = Wanted::of(view, pid, class, syscall, inode);
    if wanted.is_none() {
        wait = wait.at_most(Confidence::Possible, "which part of the file it waits to lock");
    }
    for (holder, lock) in holders(view, class, device, inode, wanted) {
        let owner = holder.process.pid;
        if owner == pid && class == LockClass::Posix {
            continue; // A process never waits for its own POSIX lock.
        }
        let how = format!("holds the lock through fd {}", holder.fd);
        let mut text = format!("fdinfo of fd {} of {}[{owner}] lists the lock", holder.fd, view.comm(owner));
        if lock.pid > 0 && lock.pid != i64::from(owner.0) {
            let taker = u32::try_from(lock.pid).map(Pid).ok().filter(|taker| view.process(*taker).is_some());
            let taken = match taker {
                Some(taker) => format!("; it was taken by {}[{taker}] and the open file is shared", view.comm(taker)),
                None => format!("; it was taken by pid {}, which is dead: the descriptor was inherited", lock.pid),
            };
            text.push_str(&taken);
        }
        // All who hold it have to let go; copies of one open file (the same taker) only together hold it once.
        let group = if class == LockClass::Flock { lock.pid.unsigned_abs() } else { u64::from(owner.0) };
        let mut threads = view.all_threads(owner, &how, &view.fd_ref(owner, holder.fd));
        for thread in &mut threads {
            thread.group = group;
        }
        wait = wait.because(text, view.fd_ref(owner, holder.fd)).resolved(threads);
    }
    if wait.resolvers.is_empty() {
        // The kernel says that it is locked, so there is a holder; we just do not see it.
        return Outcome::Opaque(format!("who holds the {word} on {target} is not visible"));
    }
    // Descriptors of other users' processes outside the run may share the lock.
    if view.snapshot.gaps.iter().any(|gap| gap.pid.is_none() && gap.what.starts_with("fd")) {
        wait = wait.at_most(Confidence::Likely, "descriptors of processes outside the run that could not be read");
    }
    Outcome::Waits(vec![hidden_holders(view, wait)])
}

/// Device and inode as `/proc/locks` writes them: of the waiter's own line, else of the descriptor.
fn locked_file(view: &View<'_>, pid: Pid, class: LockClass, file: Option<&FdFact>) -> Option<(Device, Inode)> {
    let inode = file.and_then(|fact| fact.inode);
    let waiting = |lock: &&FileLockFact| lock.waits && lock.class == class;
    let own = |lock: &&FileLockFact| lock.pid == i64::from(pid.0) || (lock.pid <= 0 && inode == Some(lock.inode));
    let fits = |lock: &&FileLockFact| inode.is_none_or(|inode| inode == lock.inode);
    view.snapshot.locks.iter().filter(waiting).filter(own).find(fits).map(|lock| (lock.device, lock.inode)).or_else(
        || {
            let fact = file?;
            let mount = view.mount_of_fd(pid, fact.fd)?;
            Some((mount.device, fact.inode?))
        },
    )
}

/// The part of a file that somebody waits to lock, and how.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    mode: LockMode,
    start: u64,
    end: u64,
}

impl Wanted {
    /// By the waiter's own line in `/proc/locks`. A flock is for the whole file, and the call says how.
    fn of(view: &View<'_>, pid: Pid, class: LockClass, syscall: &Syscall, inode: Inode) -> Option<Self> {
        const LOCK_SH: u64 = 1;
        if class == LockClass::Flock {
            let mode = if syscall.arg(1)? & LOCK_SH != 0 { LockMode::Read } else { LockMode::Write };
            return Some(Self { mode, start: 0, end: u64::MAX });
        }
        let lines =
            || view.snapshot.locks.iter().filter(|lock| lock.waits && lock.class == class && lock.inode == inode);
        let own: Vec<&FileLockFact> = lines().filter(|lock| lock.pid == i64::from(pid.0)).collect();
        // OFD locks carry no pid; where one line alone waits, it is this one.
        let all: Vec<&FileLockFact> = lines().collect();
        match (&own[..], &all[..]) {
            ([line], _) | ([], [line]) => {
                Some(Self { mode: line.mode, start: line.start.0, end: line.end.map_or(u64::MAX, |end| end.0) })
            }
            _ => None,
        }
    }

    fn is_hindered_by(self, lock: &FdLock) -> bool {
        let overlaps = lock.start.0 <= self.end && self.start <= lock.end.map_or(u64::MAX, |end| end.0);
        overlaps && (self.mode == LockMode::Write || lock.mode == LockMode::Write)
    }
}

/// Descriptors whose open file holds a lock that stands in the way.
fn holders<'a>(
    view: &View<'a>,
    class: LockClass,
    device: Device,
    inode: Inode,
    wanted: Option<Wanted>,
) -> impl Iterator<Item = (&'a FdFact, &'a FdLock)> {
    let in_the_way = move |lock: &FdLock| {
        let same_class = match class {
            LockClass::Flock => lock.class == LockClass::Flock,
            _ => matches!(lock.class, LockClass::Posix | LockClass::Ofd),
        };
        let hinders = wanted.is_none_or(|wanted| wanted.is_hindered_by(lock));
        same_class && hinders && lock.inode == inode && lock.device == device
    };
    view.snapshot
        .fds
        .values()
        .flat_map(|fds| fds.values())
        .flat_map(move |fd| fd.locks.iter().filter(move |lock| in_the_way(lock)).map(move |lock| (fd, lock)).take(1))
}
