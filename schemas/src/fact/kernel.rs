//! Tables of the kernel: mounts, FUSE connections, file locks; and what could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fact::{LockClass, LockMode};
use crate::{Big, Device, FuseConnection, Inode, Observed, Pid, SnapshotId};

/// A line of `/proc/PID/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MountFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Mount namespace.
    pub namespace: Inode,
    /// Number of the mount.
    pub mount: u32,
    /// Number of the mount it sits on.
    pub parent: u32,
    /// Device; the minor number of a FUSE mount is its connection.
    pub device: Device,
    /// Folder of the file system that is mounted here (not `/` for binds).
    pub root: String,
    /// Where.
    pub mount_point: String,
    /// `ext4`, `fuse.sshfs`, …
    pub fs_type: String,
    /// What is mounted.
    pub source: String,
    /// Whether the run itself made it (it was not there when the run began).
    #[serde(default)]
    pub made_by_run: bool,
}

impl MountFact {
    /// The FUSE connection, when it is a FUSE mount.
    pub fn fuse(&self) -> Option<FuseConnection> {
        let plain = self.fs_type.split('.').next().unwrap_or_default();
        matches!(plain, "fuse" | "fuseblk").then_some(FuseConnection(self.device.minor))
    }
}

/// A FUSE connection. Who can serve it follows from [`FdDetail::FuseServer`](crate::fact::FdDetail).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FuseFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The connection.
    pub connection: FuseConnection,
    /// Requests without an answer, read by the server or not.
    pub waiting: Observed<u32>,
    /// Whether the run itself made it (it was not there when the run began).
    #[serde(default)]
    pub made_by_run: bool,
}

/// A semaphore of System V at which somebody waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SemaphoreFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// IPC namespace: each numbers its own. `None` in older captures, where no two of them occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Inode>,
    /// Number of the set.
    pub set: u32,
    /// Which of the set.
    pub number: u16,
    /// Its value.
    pub value: u32,
    /// Tasks that wait for it to grow.
    pub waiting: u32,
    /// The process that changed it last, as the observer's namespace numbers it; 0 for none.
    pub last: Pid,
    /// Whether the set was not there when the run began.
    #[serde(default)]
    pub made_by_run: bool,
}

/// A message queue of System V at which somebody waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageQueueFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// IPC namespace: each numbers its own. `None` in older captures, where no two of them occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Inode>,
    /// Number of the queue.
    pub queue: u32,
    /// Messages in it.
    pub messages: u32,
    /// Bytes of these.
    pub bytes: u32,
    /// The process that sent last, as the observer's namespace numbers it; 0 for none.
    pub last_sender: Pid,
    /// The process that received last, as the observer's namespace numbers it; 0 for none.
    pub last_receiver: Pid,
    /// Whether the queue was not there when the run began.
    #[serde(default)]
    pub made_by_run: bool,
}

/// A line of `/proc/locks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileLockFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Ordinal in `/proc/locks`; those who wait carry the number of the lock they wait for.
    pub number: u32,
    /// Whether this line is a waiter (`->`).
    pub waits: bool,
    /// Class.
    pub class: LockClass,
    /// Mode.
    pub mode: LockMode,
    /// Who asked for it; may be dead (flock) or -1 (OFD).
    pub pid: i64,
    /// File: device.
    pub device: Device,
    /// File: inode.
    pub inode: Inode,
    /// First byte.
    pub start: Big,
    /// Last byte; `None` = end of file.
    pub end: Option<Big>,
}

/// Something that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Of which process, if of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pid>,
    /// What was asked for, e.g. `cmdline`, `fd`, `/proc/locks`, `sock_diag`.
    pub what: String,
    /// Why it is missing.
    pub why: Observed<()>,
}
