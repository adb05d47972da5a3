//! File locks of the snapshot at the cursor: the kernel's list, and what only the holders' fdinfo shows.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{FdFact, FileLockFact, LockClass, LockMode};
use hangdog_schemas::{Big, Device, Inode, Pid, RunNs};
use hangdog_timeline::Snapshot;

use super::descriptors::comm;
use super::table::{Cell, Column, Cut, Table, empty_snapshot};
use crate::model::Model;
use crate::state::Row;
use crate::text::clean;
use crate::theme::{DIM, PLAIN, STRONG};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::new("", 5),
        Column::new("lock", 12),
        Column::stretching("file", 20, 3).cut(Cut::Front),
        Column::new("bytes", 14).from(90),
        Column::stretching("who", 20, 2),
    ],
    rows,
    cells,
    empty: |model, t| empty_snapshot(model, t, "This snapshot holds no file locks."),
};

/// Lines of `/proc/locks`, those that somebody waits for first, holders before those who wait for them; and held locks
/// that have no line there.
fn rows(model: &Model, t: RunNs) -> Vec<Row> {
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    let mut lines: Vec<usize> = (0..snapshot.locks.len()).collect();
    let wanted: BTreeSet<_> = snapshot.locks.iter().filter(|lock| lock.waits).map(|lock| lock.number).collect();
    lines.sort_by_key(|i| {
        let lock = &snapshot.locks[*i];
        (!wanted.contains(&lock.number), lock.number, lock.waits)
    });
    let listed: BTreeSet<_> = snapshot.locks.iter().map(|lock| (lock.class, lock.device, lock.inode)).collect();
    let held = snapshot.fds.values().flat_map(|fds| fds.values()).flat_map(|fd| {
        fd.locks.iter().enumerate().map(move |(n, lock)| (Row::HeldLock(fd.process.pid, fd.fd, n), lock))
    });
    let unlisted = held.filter(|(_, lock)| !listed.contains(&(lock.class, lock.device, lock.inode)));
    lines.into_iter().map(Row::Lock).chain(unlisted.map(|(row, _)| row)).collect()
}

/// `flock write`, `posix read`.
pub(super) fn lock_words(class: LockClass, mode: LockMode) -> String {
    format!("{class:?} {mode:?}").to_lowercase()
}

/// The file of a lock: a path that some descriptor has for it, else device and inode.
pub(super) fn file(snapshot: &Snapshot, device: Device, inode: Inode) -> String {
    let holds = |fd: &&FdFact| fd.locks.iter().any(|lock| (lock.device, lock.inode) == (device, inode));
    let path = snapshot.fds.values().flat_map(|fds| fds.values()).find(holds);
    path.map_or_else(|| format!("{device}:{inode}"), |fd| clean(&fd.target).into_owned())
}

/// Who really holds a lock, by fdinfo; by the kernel's remembered number when no fdinfo shows it.
pub(super) fn holders(snapshot: &Snapshot, lock: &FileLockFact) -> String {
    let same = |fd: &&FdFact| {
        fd.locks.iter().any(|held| {
            (held.class, held.device, held.inode, held.start) == (lock.class, lock.device, lock.inode, lock.start)
        })
    };
    let pids: BTreeSet<Pid> =
        snapshot.fds.values().flat_map(|fds| fds.values()).filter(same).map(|fd| fd.process.pid).collect();
    let names: Vec<String> = pids.iter().map(|pid| format!("{}[{pid}]", comm(snapshot, *pid))).collect();
    if names.is_empty() { remembered(snapshot, lock.pid) } else { names.join(" ") }
}

fn remembered(snapshot: &Snapshot, pid: i64) -> String {
    match u32::try_from(pid) {
        Ok(pid) => format!("{}[{pid}]", comm(snapshot, Pid(pid))),
        Err(_) => "an open file".to_owned(),
    }
}

fn bytes(start: Big, end: Option<Big>) -> String {
    match (start.0, end) {
        (0, None) => "all".to_owned(),
        (start, None) => format!("{start}-end"),
        (start, Some(end)) => format!("{start}-{end}"),
    }
}

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    let Some(snapshot) = model.snapshot(t) else { return Vec::new() };
    match row {
        Row::Lock(i) => {
            let Some(lock) = snapshot.locks.get(i) else { return Vec::new() };
            let who = if lock.waits { remembered(snapshot, lock.pid) } else { holders(snapshot, lock) };
            vec![
                if lock.waits { Cell::styled("waits", STRONG) } else { Cell::new("held") },
                Cell::styled(lock_words(lock.class, lock.mode), if lock.waits { STRONG } else { PLAIN }),
                Cell::new(file(snapshot, lock.device, lock.inode)),
                Cell::styled(bytes(lock.start, lock.end), DIM),
                Cell::new(who),
            ]
        }
        Row::HeldLock(pid, fd, n) => {
            let fact = snapshot.fd(pid, fd);
            let Some((fact, lock)) = fact.and_then(|fact| Some((fact, fact.locks.get(n)?))) else {
                return Vec::new();
            };
            vec![
                Cell::new("held"),
                Cell::new(lock_words(lock.class, lock.mode)),
                Cell::new(clean(&fact.target).into_owned()),
                Cell::styled(bytes(lock.start, lock.end), DIM),
                Cell::new(format!("{}[{pid}]", comm(snapshot, pid))),
            ]
        }
        _ => Vec::new(),
    }
}
