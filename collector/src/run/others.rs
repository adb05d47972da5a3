//! Processes that ran already: which they are, now and a moment later.
//!
//! | asked for | are |
//! | --- | --- |
//! | `-p PID` | these processes, each behind a pidfd: when one has ended, its number means nothing any more |
//! | `--cgroup PATH` | whoever is in the group or in one below it, read again each time |
//! | `--all` | all processes of this user, of all users for root; none of the kernel's |
//!
//! What these start belongs to them: the tree follows their children. Reads are of `status`, listings of `/proc`, and
//! the lists of members of the cgroup file system, which the kernel itself serves.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hangdog_schemas::{Big, Pid, ProcessId};

use super::attach::{AttachError, Whom};
use crate::kernel::{has_ended, open_process};
use crate::observe::worker::{Ask, Hazard, Room, Worker};

/// Groups that are looked through below one.
const MOST_GROUPS: usize = 1024;
/// Processes that are followed; the rest is counted as lost.
pub(super) const MOST: usize = 4096;
/// How long a start time may take: an exec can hold that read up.
const START_TIME: Duration = Duration::from_millis(200);

/// Who is followed.
#[derive(Debug)]
pub(super) struct Others {
    which: Which,
    first: ProcessId,
    left_out: u64,
}

#[derive(Debug)]
enum Which {
    Named(Vec<(ProcessId, OwnedFd)>),
    Group(PathBuf),
    OfUser(Option<u32>),
}

impl Others {
    /// Finds them. `own` stands for the first of those that nobody named.
    pub(super) fn find(whom: &Whom, own: ProcessId) -> Result<Self, AttachError> {
        let which = match whom {
            Whom::Processes(pids) => Which::Named(named(pids, own.pid)?),
            Whom::Cgroup(path) => Which::Group(group(path)?),
            Whom::All => {
                let uid = rustix::process::geteuid();
                Which::OfUser((!uid.is_root()).then(|| uid.as_raw()))
            }
        };
        let first = match &which {
            Which::Named(named) => named.first().map_or(own, |(process, _)| *process),
            _ => own,
        };
        let mut others = Self { which, first, left_out: 0 };
        if others.roots().iter().all(|pid| *pid == own.pid) {
            return Err(AttachError::Nobody { whom: whom.to_string() });
        }
        Ok(others)
    }

    pub(super) fn first(&self) -> ProcessId {
        self.first
    }

    /// Those that were named and have not ended.
    pub(super) fn named(&self) -> BTreeSet<Pid> {
        match &self.which {
            Which::Named(named) => named.iter().map(|(process, _)| process.pid).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Who they are now. Never waits.
    pub(super) fn roots(&mut self) -> Vec<Pid> {
        let mut pids = match &mut self.which {
            Which::Named(named) => {
                named.retain(|(_, pidfd)| !has_ended(pidfd));
                named.iter().map(|(process, _)| process.pid).collect()
            }
            Which::Group(path) => members(path),
            Which::OfUser(uid) => of_user(*uid),
        };
        self.left_out = pids.len().saturating_sub(MOST) as u64;
        pids.truncate(MOST);
        pids
    }

    /// How many there was no room for at the last look.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}

fn named(pids: &[u32], own: Pid) -> Result<Vec<(ProcessId, OwnedFd)>, AttachError> {
    let mut worker = Worker::spawn(Room::Small).map_err(AttachError::own("no helper can be started"))?;
    let uid = rustix::process::geteuid();
    let mut found = Vec::new();
    for &pid in pids.iter().collect::<BTreeSet<_>>() {
        // The first of the main loop is the first that was named.
        let Some(pidfd) = open_process(pid).filter(|_| pid != own.0) else {
            return Err(AttachError::NoProcess { pid });
        };
        let status = Status::of(pid).filter(|status| !status.is_of_kernel);
        let status = status.ok_or(AttachError::NoProcess { pid })?;
        if !uid.is_root() && status.uid != uid.as_raw() {
            return Err(AttachError::NotYours { pid, uid: status.uid });
        }
        worker.start(vec![Ask::file(Pid(pid), Hazard::Exec, "stat")]);
        let stat = worker.wait(Instant::now() + START_TIME).and_then(|mut answers| answers.pop()?.seen().cloned());
        let start = stat.and_then(|stat| crate::kernel::own_stat_field(&String::from_utf8_lossy(&stat), 22));
        worker.cut();
        worker.poll(Instant::now());
        found.push((ProcessId { pid: Pid(pid), start: Big(start.unwrap_or(0)) }, pidfd));
    }
    let place = |pid: Pid| pids.iter().position(|named| *named == pid.0);
    found.sort_by_key(|(process, _)| place(process.pid));
    Ok(found)
}

/// What `status` says of whose a process is.
struct Status {
    uid: u32,
    is_of_kernel: bool,
}

impl Status {
    fn of(pid: u32) -> Option<Self> {
        let text = std::fs::read(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &[u8]| {
            let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name))?;
            std::str::from_utf8(line).ok()?.split_whitespace().next()?.parse::<u32>().ok()
        };
        let is_of_kernel = match field(b"Kthread:") {
            Some(word) => word == 1,
            // Before Linux 6.8 the field is missing; kernel threads descend from number 2 of the first namespace.
            None => {
                pid == 2 && field(b"PPid:") == Some(0) || field(b"PPid:") == Some(2) && field(b"VmSize:").is_none()
            }
        };
        Some(Self { uid: field(b"Uid:")?, is_of_kernel })
    }
}

fn of_user(uid: Option<u32>) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_meant = |pid: &u32| {
        Status::of(*pid).is_some_and(|status| !status.is_of_kernel && uid.is_none_or(|uid| status.uid == uid))
    };
    pids.filter(is_meant).map(Pid).collect()
}

/// The directory of a control group. No look-up ever leaves the cgroup file system: a path that is not below one of
/// its mount points is one of version 2.
fn group(path: &Path) -> Result<PathBuf, AttachError> {
    let none = || AttachError::NoGroup { path: path.to_owned() };
    if path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(none());
    }
    let points = mount_points();
    let is_below = points.iter().any(|(_, point)| path.starts_with(point));
    let directory = if is_below {
        path.to_owned()
    } else {
        let (_, point) = points.iter().find(|(fs_type, _)| fs_type == "cgroup2").ok_or_else(none)?;
        point.join(path.strip_prefix("/").unwrap_or(path))
    };
    if directory.join("cgroup.procs").exists() { Ok(directory) } else { Err(none()) }
}

/// Type and place of the mounts of the cgroup file system.
fn mount_points() -> Vec<(String, PathBuf)> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let fs_type = right.split(' ').next().filter(|fs_type| matches!(*fs_type, "cgroup" | "cgroup2"))?;
        Some((fs_type.to_owned(), PathBuf::from(left.split(' ').nth(4)?)))
    });
    lines.collect()
}

fn members(group: &Path) -> Vec<Pid> {
    let mut found = BTreeSet::new();
    let mut open = vec![group.to_owned()];
    let mut looked = 0;
    while let Some(group) = open.pop().filter(|_| looked < MOST_GROUPS) {
        looked += 1;
        let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        // A process of another pid namespace stands as 0.
        found.extend(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).map(Pid));
        let below = std::fs::read_dir(&group).into_iter().flatten().flatten();
        open.extend(
            below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
    found.into_iter().collect()
}
