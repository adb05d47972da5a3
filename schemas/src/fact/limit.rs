//! Limits that are nearly used up, what processes read and wrote, and how control groups fare.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Big, Pid, SnapshotId};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Descriptors of a process below its soft `RLIMIT_NOFILE`: when none is free, every `open`, `accept` and `pipe` fails.
    Descriptors,
    /// inotify instances of a user (`fs.inotify.max_user_instances`). Descriptors that a child has with its parent's
    /// numbers count as the parent's: what is used may be more.
    InotifyInstances,
    /// Tasks of a control group and those below it (`pids.max`): when none is free, every fork and new thread fails.
    Tasks,
    /// Bytes of the tmpfs in which hangdog and the recorders of this run keep what they know.
    RunDirectory,
}

/// A limit of which at least nine tenths are used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// What is limited.
    pub limit: LimitKind,
    /// Whose limit it is: `4412` of a process, `1000` of a user, the path of a control group, a directory.
    pub of: String,
    /// The process of the run that has the most of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pid>,
    /// How much of it that process has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_process: Option<Big>,
    /// How much is used in all.
    pub used: Big,
    /// How much there is.
    pub most: Big,
}

/// A control group in which a process of the run is, or one above it. Files that a kernel or a hierarchy has not are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CgroupFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// `controllers:path`, as in `process.cgroups`.
    pub group: String,
    /// Memory in use, bytes, the page cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Big>,
    /// Most that it may use, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<Big>,
    /// Processes that the kernel has killed for want of memory, since the group was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<Big>,
    /// Times that it had used up its share of the processors and had to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Big>,
    /// For how long in all, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_us: Option<Big>,
    /// Share of the last ten seconds in which some task waited for a processor, in hundredths of a percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure: Option<u32>,
    /// The same for memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_pressure: Option<u32>,
    /// The same for disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_pressure: Option<u32>,
}

impl CgroupFact {
    /// Of which nothing is known yet.
    pub fn new(snapshot: SnapshotId, group: String) -> Self {
        Self {
            snapshot,
            group,
            memory: None,
            memory_max: None,
            oom_kills: None,
            throttled: None,
            throttled_us: None,
            cpu_pressure: None,
            memory_pressure: None,
            io_pressure: None,
        }
    }
}

/// What a process has read and written so far (`/proc/PID/io`), its ended threads included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Io {
    /// Bytes that `read` and its like returned.
    pub read: Big,
    /// Bytes that `write` and its like took.
    pub written: Big,
    /// Calls of `read` and its like.
    pub reads: Big,
    /// Calls of `write` and its like.
    pub writes: Big,
    /// Bytes that came from disks.
    pub from_disk: Big,
    /// Bytes that are to go to disks.
    pub to_disk: Big,
}
