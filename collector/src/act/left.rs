//! What a run leaves behind.

use std::time::Duration;

use hangdog_schemas::record::Deed;

use super::owned::{Before, Owned, connections, is_on_top, own_mounts};
use super::{Done, Identify, identity};
use crate::kernel::Children;

/// How long it is asked whose an adopted process is.
const TIME_TO_DECIDE: Duration = Duration::from_millis(200);

/// Processes, mounts and FUSE connections that are proven to be the run's, with the command that frees each.
pub(super) fn census(owned: &Owned, before: &Before, children: &mut Children, identify: Identify<'_>) -> Vec<Done> {
    let mut left = Vec::new();
    children.settle(TIME_TO_DECIDE);
    for pid in children.of_run() {
        let Some(process) = alive(pid) else { continue };
        let who = identity(identify, pid);
        left.push((format!("process {} ({process})", who.pid), Some(format!("kill -9 {pid}"))));
    }
    let mounts = own_mounts();
    for mount in mounts.iter().filter(|mount| !before.has_mount(mount)) {
        // What is only new may be another program's: it is none of ours to name.
        if !mount.fuse().is_some_and(|connection| owned.owns_connection(connection)) {
            continue;
        }
        let what = format!("mount of the run: {} on {}", mount.fs_type, mount.point);
        left.push(if is_on_top(mount, &mounts) {
            let command = format!("umount -l '{}'", mount.point.replace('\'', r"'\''"));
            (what, Some(command))
        } else {
            (format!("{what}, covered by another mount there"), None)
        });
    }
    for connection in connections().into_iter().filter(|connection| owned.owns_connection(*connection)) {
        let command = format!("echo 1 > /sys/fs/fuse/connections/{connection}/abort");
        left.push((format!("FUSE connection {connection} of the run"), Some(command)));
    }
    left.into_iter().map(|(what, command)| (Deed::Left { what, command }, None)).collect()
}

/// Name and state of a process that has not ended.
fn alive(pid: u32) -> Option<String> {
    let status = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let state = field("State:")?;
    let is_over = state.starts_with('Z') || state.starts_with('X');
    (!is_over).then(|| format!("{}, state {}", field("Name:").unwrap_or("?"), &state[..1]))
}
