//! What hangdog did to a run, as records and in words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FuseConnection, ProcessId, When};

/// What was done to the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// What.
    #[serde(rename = "do")]
    pub deed: Deed,
    /// `None` when it was done, else why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A thing that hangdog can do to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// SIGKILL by pidfd.
    Kill(ProcessId),
    /// Another signal, passed on.
    Signal {
        /// To whom.
        process: ProcessId,
        /// Which.
        signal: i32,
    },
    /// Wrote `1` to the connection's `abort` file.
    AbortFuse(FuseConnection),
    /// `umount2(MNT_DETACH | UMOUNT_NOFOLLOW)`.
    Detach {
        /// Where.
        mount_point: String,
    },
    /// Thawed a control group.
    Thaw {
        /// Its path.
        cgroup: String,
    },
    /// Waited for an ended child.
    Reap(ProcessId),
    /// Looked for what is left: this is, and this command frees it.
    Left {
        /// What is left.
        what: String,
        /// The command that frees it.
        command: Option<String>,
    },
}

impl Action {
    /// What a reader wants to know of it; `None` for the bookkeeping. `name` knows the names of processes.
    pub fn in_words(&self, name: impl Fn(ProcessId) -> Option<String>) -> Option<String> {
        let name = |process: &ProcessId| match name(*process) {
            Some(name) => format!("{name}[{}]", process.pid),
            None => format!("process {}", process.pid),
        };
        let what = match &self.deed {
            Deed::Kill(process) => format!("killed {}", name(process)),
            Deed::Signal { process, signal } => format!("passed signal {signal} on to {}", name(process)),
            Deed::AbortFuse(connection) => format!("aborted FUSE connection {connection}"),
            Deed::Detach { mount_point } => format!("detached the mount at {mount_point}"),
            Deed::Thaw { cgroup } => format!("thawed {cgroup}"),
            Deed::Reap(_) => return None,
            Deed::Left { what, command: Some(command) } => format!("left: {what}; `{command}` frees it"),
            Deed::Left { what, command: None } => format!("left: {what}"),
        };
        Some(match &self.failed {
            None => what,
            Some(why) => format!("{what}: failed, {why}"),
        })
    }
}
