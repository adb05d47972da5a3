//! Files by which programs keep each other out: whoever could make it may go on, the others try again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Device, Inode, Observed, Pid, SnapshotId, When};

/// What a lock file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockFileShape {
    /// A regular file (`O_CREAT | O_EXCL`, `link`).
    File,
    /// A directory (`mkdir`).
    Directory,
    /// A symbolic link (`ln -s`), whose target says whose it is.
    Link,
}

/// A file that by its name may be a lock, in a directory of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockFileFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was read.
    #[serde(flatten)]
    pub when: When,
    /// Where.
    pub path: String,
    /// What it is.
    pub shape: LockFileShape,
    /// Its file system.
    pub device: Device,
    /// Its inode.
    pub inode: Inode,
    /// How long ago it was written last, by the wall clock, ns.
    pub age_ns: u64,
    /// How it begins; of a link, where it points. Not asked of one that is large, and of one on which there is a lease.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub text: Observed<String>,
    /// Numbers in it that may be processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedProcess>,
    /// Who made it, where file events say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<Maker>,
}

/// A number in a lock file that may be a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedProcess {
    /// The number.
    pub pid: Pid,
    /// Whether a process of the observer's pid namespace has that number now.
    pub exists: bool,
}

/// Who made a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Maker {
    /// The process, by the number it had then.
    pub pid: Pid,
    /// Its short name then, when it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// Whether a process of the observer's pid namespace has that number now.
    pub exists: bool,
}
