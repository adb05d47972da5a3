//! Terminals: a person at the far end of `/dev/tty` or `/dev/pts/N`, a program at `/dev/ptmx`.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{FdDetail, FdFact, SocketFact, SocketFamily, SocketState, ThreadFact};
use hangdog_schemas::{Confidence, Device, Fd, Pid, ResourceKey};

use super::fd::{Direction, hidden_holders};
use super::{Class, Resolver, Wait};
use crate::view::View;

/// Major number of Unix98 pseudo terminals (Documentation/admin-guide/devices.txt).
const PTS_MAJOR: u32 = 136;

/// Whether a link names a terminal.
pub(super) fn is_terminal(target: &str) -> bool {
    pts_index(target).is_some()
        || matches!(target, "/dev/tty" | "/dev/console")
        || target
            .strip_prefix("/dev/tty")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == 'S'))
}

fn pts_index(target: &str) -> Option<u32> {
    let path = target.strip_suffix(" (deleted)").unwrap_or(target);
    path.strip_prefix("/dev/pts/")?.parse().ok()
}

/// The terminal behind a descriptor: `/dev/tty` means the controlling one.
fn index_of(view: &View<'_>, fact: &FdFact) -> Option<u32> {
    pts_index(&fact.target).or_else(|| {
        let terminal = view.process(fact.process.pid)?.terminal.seen()?.as_ref()?;
        (fact.target == "/dev/tty" && terminal.device.major == PTS_MAJOR).then_some(terminal.device.minor)
    })
}

/// A program at a terminal.
pub(super) fn of_slave(view: &View<'_>, thread: &ThreadFact, fact: &FdFact, direction: Direction) -> Wait {
    let index = index_of(view, fact);
    let pid = thread.thread.process.pid;
    let facts = view.fd_ref(pid, fact.fd);
    let device = index.map(|index| Device { major: PTS_MAJOR, minor: index });
    let key = device.map_or_else(|| ResourceKey::new("tty", &fact.target), ResourceKey::tty);
    let masters: BTreeSet<Pid> =
        index.map(|index| view.snapshot.pty_masters(index).map(|m| m.process.pid).collect()).unwrap_or_default();
    if !direction.reads() {
        let mut wait = Wait::new(Class::TerminalRoom, key, fact.target.clone())
            .because(format!("{} waits to write to {}", view.comm(pid), fact.target), facts.clone());
        // One that is read has room: then the output was stopped, and whoever stopped it may resume it.
        if masters.iter().any(|master| may_read(view, *master)) {
            return wait
                .because("the other side reads it: its output was stopped", facts)
                .open_to("whoever resumes the terminal");
        }
        for master in &masters {
            wait = wait.resolved(view.all_threads(*master, "holds the master side", &facts));
        }
        if masters.is_empty() || masters.iter().any(|master| passes_on(view, *master, index)) {
            return wait.open_to("whoever resumes the terminal");
        }
        for user in users(view, index).filter(|user| user.process.pid != pid) {
            // Output that was stopped can be resumed from this side too (tcflow).
            let user = user.process.pid;
            let may = view.all_threads(user, "uses the terminal", &facts).into_iter().map(Resolver::untold);
            wait = wait.resolved(may.collect());
        }
        let wait = wait.at_most(Confidence::Likely, "whether the output was stopped by Ctrl-S, or there is no room");
        return hidden_holders(view, wait);
    }
    let own = view.timeline.header().terminal;
    let mut wait = Wait::new(Class::TerminalInput, key, format!("terminal {}", fact.target))
        .because(format!("{} reads fd {} -> {}", view.comm(pid), fact.fd, fact.target), facts)
        .open_to("a person who types");
    for master in &masters {
        let first = view.snapshot.pty_masters(index.unwrap_or_default()).find(|fd| fd.process.pid == *master);
        let evidence = first.map(|fd| view.fd_ref(*master, fd.fd)).unwrap_or_default();
        wait = wait.because(
            format!("the master side of the terminal is held by {}[{master}]", view.comm(*master)),
            evidence,
        );
    }
    let may_type = |master: &Pid| passes_on(view, *master, index);
    let is_own = !masters.is_empty() && masters.iter().all(|master| *master == pid);
    if is_own && view.hidden_threads(pid).is_none() && view.snapshot.threads_of(pid).count() == 1 {
        // Nobody else could ever type: whoever wrote it made a mistake, or set a limit.
        return wait.at_most(Confidence::Possible, "whether the terminal has a time limit (VTIME)");
    }
    let person_is_there = device.is_some() && device == own || masters.is_empty() || masters.iter().any(may_type);
    let cap = if person_is_there { Confidence::Possible } else { Confidence::Likely };
    wait.at_most(cap, "whether somebody will type")
}

/// The program that holds the master side and waits for output of the terminal's users, or for room.
pub(super) fn of_master(view: &View<'_>, fact: &FdFact, index: u32, direction: Direction) -> Wait {
    let pid = fact.process.pid;
    let class = if direction.reads() { Class::TerminalOutput } else { Class::TerminalRoom };
    let mut wait = Wait::new(class, ResourceKey::pty(index), format!("terminal /dev/pts/{index}"))
        .because(format!("{} holds the master side of /dev/pts/{index}", view.comm(pid)), view.fd_ref(pid, fact.fd));
    let mut seen = BTreeSet::new();
    for user in users(view, Some(index)) {
        if seen.insert(user.process.pid) {
            let how = format!("uses the terminal as fd {}", user.fd);
            wait = wait.resolved(view.all_threads(user.process.pid, &how, &view.fd_ref(user.process.pid, user.fd)));
        }
    }
    wait
}

/// Whether a thread of the program that holds the master side waits to read, there or in a poll.
fn may_read(view: &View<'_>, master: Pid) -> bool {
    view.snapshot.threads_of(master).any(|thread| {
        let Some(call) = thread.syscall.seen() else { return true };
        match call.name().unwrap_or_default() {
            "read" | "readv" => {
                let number = call.arg(0).and_then(|number| u32::try_from(number).ok()).map(Fd);
                let fd = number.and_then(|number| view.snapshot.fd(master, number));
                fd.is_none_or(|fd| matches!(fd.detail, FdDetail::PtyMaster { .. }))
            }
            "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => true,
            _ => false,
        }
    })
}

/// Descriptors of programs at a terminal.
fn users<'v>(view: &'v View<'_>, index: Option<u32>) -> impl Iterator<Item = &'v FdFact> {
    let all = view.snapshot.fds.values().flat_map(|fds| fds.values());
    all.filter(move |other| index.is_some() && index_of(view, other) == index)
}

/// Whether somebody may be behind the master side. Where the run itself holds it, nobody can type or resume unless
/// that program passes it on from elsewhere.
fn passes_on(view: &View<'_>, master: Pid, index: Option<u32>) -> bool {
    !view.is_of_run(master) || has_far_end(view, master, index)
}

/// Whether a program could pass on what somebody types elsewhere: it has another terminal, or a connection to
/// another host (script, ssh, an editor).
fn has_far_end(view: &View<'_>, pid: Pid, inner: Option<u32>) -> bool {
    let Some(fds) = view.snapshot.fds.get(&pid) else { return true };
    fds.values().any(|fd| {
        let other_terminal = is_terminal(&fd.target) && (index_of(view, fd).is_none() || index_of(view, fd) != inner);
        let remote = fd.socket().and_then(|inode| view.snapshot.socket(inode)).is_some_and(|socket| {
            socket.family == SocketFamily::Tcp
                && socket.state == SocketState::Established
                && !is_on_this_host(view, socket)
        });
        other_terminal || remote
    })
}

fn is_on_this_host(view: &View<'_>, socket: &SocketFact) -> bool {
    view.snapshot.sockets.iter().any(|other| other.local == socket.remote && other.remote == socket.local)
}
