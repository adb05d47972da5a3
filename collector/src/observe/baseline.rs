//! Mounts, FUSE connections, semaphores and message queues that were there before the run: what is not among them,
//! the run made (or somebody else did meanwhile: whoever acts on it must have a second reason).

use std::collections::BTreeSet;
use std::io;

use hangdog_schemas::{Device, FuseConnection};

use super::parse::mountinfo::{MountLine, mountinfo};

/// What was mounted when the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    mounts: BTreeSet<(u32, Device, String)>,
    devices: BTreeSet<Device>,
    connections: BTreeSet<FuseConnection>,
    semaphore_sets: BTreeSet<u32>,
    message_queues: BTreeSet<u32>,
}

impl Baseline {
    /// Takes it now. `mountinfo` and the listing of the control file system never block.
    pub fn take() -> io::Result<Self> {
        let lines = mountinfo(&std::fs::read("/proc/self/mountinfo")?);
        let mut connections = BTreeSet::new();
        if let Some(control) = fuse_control(&lines) {
            for entry in std::fs::read_dir(control).into_iter().flatten().flatten() {
                connections.extend(entry.file_name().to_str().and_then(|n| n.parse().ok()).map(FuseConnection));
            }
        }
        Ok(Self {
            devices: lines.iter().map(|line| line.device).collect(),
            mounts: lines.into_iter().map(|line| (line.mount, line.device, line.mount_point)).collect(),
            connections,
            semaphore_sets: numbers("/proc/sysvipc/sem"),
            message_queues: numbers("/proc/sysvipc/msg"),
        })
    }

    /// Whether a mount of the observer's own namespace is new.
    pub(super) fn is_new_here(&self, line: &MountLine) -> bool {
        !self.mounts.contains(&(line.mount, line.device, line.mount_point.clone()))
    }

    /// Whether a mount of another namespace is new: its numbers are new anyway, so its device decides.
    pub(super) fn is_new_elsewhere(&self, line: &MountLine) -> bool {
        !self.devices.contains(&line.device)
    }

    /// Whether a set of System V semaphores is new.
    pub(super) fn is_new_semaphore_set(&self, set: u32) -> bool {
        !self.semaphore_sets.contains(&set)
    }

    /// Whether a message queue of System V is new.
    pub(super) fn is_new_message_queue(&self, queue: u32) -> bool {
        !self.message_queues.contains(&queue)
    }

    /// Whether a connection is new.
    pub(super) fn is_new_connection(&self, connection: FuseConnection) -> bool {
        !self.connections.contains(&connection) && !self.devices.contains(&Device { major: 0, minor: connection.0 })
    }
}

/// Numbers of what System V IPC has there. A kernel without it has no such file.
fn numbers(table: &str) -> BTreeSet<u32> {
    let table = std::fs::read_to_string(table).unwrap_or_default();
    table.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect()
}

/// Takes the baseline of a run. See [`Baseline`].
pub fn baseline() -> io::Result<Baseline> {
    Baseline::take()
}

/// Where the control files of FUSE connections are: mostly `/sys/fs/fuse/connections`.
pub(super) fn fuse_control(mounts: &[MountLine]) -> Option<&str> {
    mounts.iter().find(|line| line.fs_type == "fusectl").map(|line| line.mount_point.as_str())
}
