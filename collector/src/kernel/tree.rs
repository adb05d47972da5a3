//! Who descends from whom, by reads that never block.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::record::ExitStatus;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};

/// These processes and all that descend from them and from nobody in `but`. Zombies are among them.
pub(super) fn below(starts: BTreeSet<u32>, but: &BTreeSet<u32>) -> BTreeSet<u32> {
    let mut open: Vec<u32> = starts.iter().copied().collect();
    let mut found = starts;
    let by_parent = if has_children_files() { None } else { Some(all_by_parent()) };
    while let Some(pid) = open.pop() {
        let children = match &by_parent {
            None => listed_children(pid),
            Some(table) => table.get(&pid).cloned().unwrap_or_default(),
        };
        for child in children {
            if !but.contains(&child) && found.insert(child) {
                open.push(child);
            }
        }
    }
    found
}

/// These processes and all that descend from them.
pub(crate) fn descendants_of(pids: &BTreeSet<u32>) -> BTreeSet<u32> {
    below(pids.clone(), &BTreeSet::new())
}

/// This process and all that it descends from.
pub(crate) fn ancestors() -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid != 0 && found.insert(*pid)) {
        next = parent_of(pid);
    }
    found
}

/// The children of a process.
pub(super) fn children_of(pid: u32) -> Vec<u32> {
    if has_children_files() { listed_children(pid) } else { all_by_parent().remove(&pid).unwrap_or_default() }
}

/// The parent of a process, from `status`.
fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Without CONFIG_PROC_CHILDREN the file is missing, and the parents of everybody have to be asked.
fn has_children_files() -> bool {
    std::path::Path::new("/proc/self/task").join(std::process::id().to_string()).join("children").exists()
}

fn listed_children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

fn all_by_parent() -> BTreeMap<u32, Vec<u32>> {
    let mut table: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Some(parent) = parent_of(pid) {
            table.entry(parent).or_default().push(pid);
        }
    }
    table
}

pub(super) fn reap_one(pid: u32) -> Option<ExitStatus> {
    let pid = Pid::from_raw(pid as i32)?;
    let status = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok()??;
    Some(exit_status(&status))
}

pub(crate) fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => ExitStatus::Code(125),
    }
}
