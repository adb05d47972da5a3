//! File descriptors of the snapshot at the cursor.

use hangdog_schemas::fact::{Access, FdDetail, FdFact};
use hangdog_schemas::{Pid, RunNs};
use hangdog_timeline::Snapshot;

use super::locks::lock_words;
use super::table::{Cell, Column, Cut, Table, empty_snapshot};
use crate::model::Model;
use crate::state::Row;
use crate::text::{clean, lasting};
use crate::theme::DIM;

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::number("pid", 7),
        Column::new("process", 15).from(100),
        Column::number("fd", 4),
        Column::new("for", 3),
        Column::stretching("target", 20, 3).cut(Cut::Front),
        Column::stretching("more", 16, 4),
    ],
    rows: |model, t| {
        let snapshot = model.snapshot(t);
        let all = snapshot.into_iter().flat_map(|snapshot| snapshot.fds.values()).flat_map(|fds| fds.values());
        all.map(|fact| Row::Descriptor(fact.process.pid, fact.fd)).collect()
    },
    cells,
    empty: |model, t| {
        empty_snapshot(model, t, "This snapshot holds no file descriptors (a light one leaves most out).")
    },
};

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    let Row::Descriptor(pid, fd) = row else { return Vec::new() };
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    let Some(fact) = snapshot.fd(pid, fd) else { return Vec::new() };
    vec![
        Cell::new(pid.to_string()),
        Cell::new(comm(snapshot, pid)),
        Cell::new(fd.to_string()),
        Cell::new(access(fact.access)),
        Cell::new(clean(&fact.target).into_owned()),
        Cell::styled(more(snapshot, fact), DIM),
    ]
}

pub(super) fn comm(snapshot: &Snapshot, pid: Pid) -> String {
    let known = snapshot.processes.get(&pid).map(|fact| fact.comm.as_str());
    let seen = known.or_else(|| snapshot.bystanders.get(&pid).map(|fact| fact.comm.as_str()));
    clean(seen.unwrap_or("?")).into_owned()
}

pub(super) fn access(access: Option<Access>) -> &'static str {
    match access {
        Some(Access::Read) => "r",
        Some(Access::Write) => "w",
        Some(Access::ReadWrite) => "rw",
        Some(Access::Path) => "o",
        None => "",
    }
}

/// What else is known of a descriptor: the other ends, the addresses, what its kind says.
pub(super) fn more(snapshot: &Snapshot, fact: &FdFact) -> String {
    let mut words = Vec::new();
    let own = (fact.process.pid, fact.fd);
    let others = |holders: Vec<&FdFact>| {
        let holders: Vec<String> = holders
            .iter()
            .filter(|other| (other.process.pid, other.fd) != own)
            .map(|other| format!("{}:{}{}", other.process.pid, other.fd, access(other.access)))
            .collect();
        match holders.len() {
            0 => "nobody else has it".to_owned(),
            1..=4 => format!("also {}", holders.join(" ")),
            n => format!("also {} and {} more", holders[..4].join(" "), n - 4),
        }
    };
    if let Some(inode) = fact.pipe() {
        words.push(others(snapshot.pipe_holders(inode).collect()));
    }
    if let Some(inode) = fact.socket() {
        words.push(match snapshot.socket(inode) {
            Some(socket) => super::sockets::words(socket),
            None => others(snapshot.socket_holders(inode).collect()),
        });
    }
    match &fact.detail {
        FdDetail::Plain => {}
        FdDetail::Epoll(targets) => {
            let fds: Vec<String> = targets.iter().take(8).map(|target| target.fd.to_string()).collect();
            words.push(format!("watches {}", if fds.is_empty() { "nothing".to_owned() } else { fds.join(" ") }));
        }
        FdDetail::Eventfd { count, .. } => words.push(format!("counter {count}")),
        FdDetail::Timerfd { value_ns: 0, .. } => words.push("disarmed".to_owned()),
        FdDetail::Timerfd { value_ns, .. } => words.push(format!("fires in {}", lasting(*value_ns))),
        FdDetail::Signalfd { mask } => words.push(format!("signals {mask}")),
        FdDetail::Pidfd { pid: Some(pid) } => words.push(format!("process {pid}")),
        FdDetail::Pidfd { pid: None } => words.push("of an ended process".to_owned()),
        FdDetail::IoUring { to_submit, completed } => {
            words.push(format!("{to_submit} to submit, {completed} completed"));
        }
        FdDetail::Userfaultfd { pending, waiting } => words.push(format!("{waiting} faults, {pending} not read")),
        FdDetail::Inotify { watches } => words.push(format!("{watches} watches")),
        FdDetail::FuseServer { connection: Some(connection) } => {
            let mounts: Vec<_> =
                snapshot.mounts_of_fuse(*connection).map(|mount| clean(&mount.mount_point)).collect();
            words.push(format!("serves FUSE {connection} {}", mounts.join(" ")));
        }
        FdDetail::FuseServer { connection: None } => words.push("serves a FUSE mount".to_owned()),
        FdDetail::UnixSocket { in_flight } => words.push(format!("{in_flight} descriptors in flight")),
        FdDetail::PtyMaster { index } => words.push(format!("master of /dev/pts/{index}")),
    }
    words.extend(fact.locks.iter().map(|lock| format!("holds {}", lock_words(lock.class, lock.mode))));
    if fact.is_nonblocking() {
        words.push("nonblocking".to_owned());
    }
    words.join(", ").trim_end().to_owned()
}
