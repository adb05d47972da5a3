//! What a dead run left outside of its directory: processes, FUSE connections and mounts.
//!
//! | what | is the run's when |
//! | --- | --- |
//! | a process | its number and its begin are on record as the run's, or it descends from one of which they are |
//! | a mount | its number, which the kernel never gives out again, is on record as the run's |
//! | a FUSE connection | such a mount lies on it, or it was made during the run, and nobody but such processes serves it |
//!
//! Records are those that the hangdog of the run wrote into the run's own directory, which nobody else can write to. An
//! environment that names the run proves nothing: it is told, and left alone.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;

use hangdog_schemas::{ProcessId, Record};
use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::owner::{Life, Owner};
use super::runs::Claim;
use super::scan::Scan;
use crate::act::{Mount, own_mounts};
use crate::kernel::{descendants_of, has_ended, mount_ids, open_process};
use crate::run::{CONNECTIONS_BEFORE, NOTED_MOUNTS, SPOOL};

/// Longest file that is read of a run's directory.
const LONGEST: u64 = 16 << 20;

/// A mount that is the run's, as its hangdog noted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct NotedMount {
    /// The number that is never given out again.
    pub(crate) unique: u64,
    /// The connection under it.
    pub(crate) connection: u32,
}

/// A process, behind a pidfd that is this very process.
#[derive(Debug)]
pub(super) struct Remaining {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    pub(super) is_on_record: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Remains {
    pub(super) processes: Vec<Remaining>,
    pub(super) connections: BTreeSet<u32>,
    pub(super) mounts: Vec<Mount>,
}

/// Looks for what is there of a dead run. `directory` is the run's, `servers` serve connections at this moment.
pub(super) fn remains(directory: &OwnedFd, claim: &Claim, scan: &Scan) -> Remains {
    let processes = processes(directory, claim);
    let noted: Vec<NotedMount> = json(directory, NOTED_MOUNTS).unwrap_or_default();
    let there = if noted.is_empty() { Vec::new() } else { mount_ids().unwrap_or_default() };
    let is_there = |noted: &NotedMount| there.iter().find(|mount| mount.unique == noted.unique);
    let mine = |pid: u32| processes.iter().any(|process| process.pid == pid && !has_ended(&process.pidfd));
    let mut connections: BTreeSet<u32> =
        noted.iter().filter(|noted| is_there(noted).is_some()).map(|noted| noted.connection).collect();
    let Some(servers) = &scan.servers else { return Remains { processes, ..Remains::default() } };
    if let Some(before) = json::<BTreeSet<u32>>(directory, CONNECTIONS_BEFORE) {
        let served = servers.iter().filter(|(pid, _)| mine(*pid)).map(|(_, connection)| *connection);
        connections.extend(served.filter(|connection| !before.contains(connection)));
    }
    // One that somebody else can serve is not the run's alone.
    let is_foreign = |connection: &u32| servers.iter().any(|(pid, other)| other == connection && !mine(*pid));
    connections.retain(|connection| !is_foreign(connection));
    let mounts = own_mounts().into_iter().filter(|mount| mount.fuse().is_some_and(|on| connections.contains(&on)));
    Remains { processes, mounts: mounts.collect(), connections }
}

/// Whether anything of a dead run is there that only its records can prove to be its.
pub(crate) fn has_remains(directory: &OwnedFd, claim: &Claim) -> bool {
    let noted: Vec<NotedMount> = json(directory, NOTED_MOUNTS).unwrap_or_default();
    let is_mounted =
        |noted: &NotedMount| mount_ids().unwrap_or_default().iter().any(|mount| mount.unique == noted.unique);
    noted.iter().any(is_mounted) || !alive(directory, claim).is_empty()
}

fn processes(directory: &OwnedFd, claim: &Claim) -> Vec<Remaining> {
    let on_record = alive(directory, claim);
    let opened: Vec<(u32, OwnedFd)> =
        descendants_of(&on_record).into_iter().filter_map(|pid| Some((pid, open_process(pid)?))).collect();
    // Who is found, is opened, and is found again surely is that process.
    let again = descendants_of(&alive(directory, claim));
    let proven = opened.into_iter().filter(|(pid, pidfd)| again.contains(pid) && !has_ended(pidfd));
    proven.map(|(pid, pidfd)| Remaining { pid, pidfd, is_on_record: on_record.contains(&pid) }).collect()
}

/// The numbers of those on record that live.
fn alive(directory: &OwnedFd, claim: &Claim) -> BTreeSet<u32> {
    let owner = |process: &ProcessId| Owner { pid: process.pid.0, start: process.start.0, ..claim.watcher.clone() };
    let is_alive = |process: &ProcessId| {
        // Most have ended, and most of their numbers are free.
        open_process(process.pid.0).is_some() && owner(process).life() == Life::Alive
    };
    on_record(directory).into_iter().filter(is_alive).map(|process| process.pid.0).collect()
}

/// The processes of the run as far as the first facts go, but for those that were seen to end.
fn on_record(directory: &OwnedFd) -> BTreeSet<ProcessId> {
    let mut found = BTreeSet::new();
    let Some(file) = open(directory, SPOOL) else { return found };
    for line in BufReader::new(file.take(LONGEST)).split(b'\n').map_while(Result::ok) {
        // The last line may be half a line.
        match serde_json::from_slice(&line) {
            Ok(Record::ProcessStart(start)) => drop(found.insert(start.process)),
            Ok(Record::ProcessEnd(end)) => drop(found.remove(&end.process)),
            _ => {}
        }
    }
    found
}

fn json<T: for<'a> Deserialize<'a>>(directory: &OwnedFd, name: &str) -> Option<T> {
    let mut text = Vec::new();
    open(directory, name)?.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn open(directory: &OwnedFd, name: &str) -> Option<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Some(openat(directory, name, flags, Mode::empty()).ok()?.into())
}
