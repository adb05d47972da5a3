//! System calls that name something: the words that a caller gave, read while the kernel held it.
//!
//! Only `hangdog flake` asks for them. A call is told when it begins; what came of it is in the kernel events
//! (`syscall_end` of the same thread and number), where the kernel's recorder may be had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pid, Tid, When};

/// A system call that names a file, a mount or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// When the kernel held it; it went on `held_ns` later.
    #[serde(flatten)]
    pub when: When,
    /// The process.
    pub pid: Pid,
    /// The thread.
    pub tid: Tid,
    /// The process that started it, as it was then.
    pub parent: Pid,
    /// The number that the process has in its own pid namespace, where that is another one than hangdog's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<Pid>,
    /// Short name of the thread.
    pub comm: String,
    /// Name of the call: `openat`.
    pub name: String,
    /// Its number on this architecture.
    pub number: u32,
    /// Paths as they were asked for; relative ones have their directory in front, where it could be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Flags that say what is meant: `O_CREAT`, `AT_REMOVEDIR`, `MNT_DETACH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The address of `connect` and `bind`: `127.0.0.1:8080`, a path, `@name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The descriptor of a socket call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<crate::Fd>,
    /// First line of an HTTP request that was sent, without what follows a `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How long it was held on purpose, ns.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_ns: u64,
}

impl Call {
    /// Whether a flag is set.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
