//! Processes and threads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fact::{Io, Syscall};
use crate::{Inode, Observed, Pid, ProcessId, SnapshotId, ThreadId, When};

/// The state letter of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TaskState {
    /// Running or runnable.
    R,
    /// Sleeping, interruptible. Most FUSE waits are in this state.
    S,
    /// Sleeping, not interruptible (or only by a fatal signal).
    D,
    /// Stopped by a signal.
    T,
    /// Stopped by a tracer.
    #[serde(rename = "t")]
    Traced,
    /// Ended, not yet waited for.
    Z,
    /// Ending.
    X,
    /// Idle kernel thread.
    I,
    /// A letter that this version does not know.
    #[serde(other, rename = "?")]
    Unknown,
}

impl TaskState {
    /// From the kernel's letter.
    pub fn from_letter(letter: char) -> Self {
        match letter {
            'R' => Self::R,
            'S' => Self::S,
            'D' => Self::D,
            'T' => Self::T,
            't' => Self::Traced,
            'Z' => Self::Z,
            'X' | 'x' => Self::X,
            'I' => Self::I,
            _ => Self::Unknown,
        }
    }

    /// The kernel's letter.
    pub fn letter(self) -> char {
        match self {
            Self::R => 'R',
            Self::S => 'S',
            Self::D => 'D',
            Self::T => 'T',
            Self::Traced => 't',
            Self::Z => 'Z',
            Self::X => 'X',
            Self::I => 'I',
            Self::Unknown => '?',
        }
    }
}

/// How a process came into a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Belonging {
    /// It is the command that `hangdog run` was given (exactly one process), or one that `hangdog attach` was given.
    Root,
    /// It descends from the command or was adopted from it; or it is among those that `attach` was to watch.
    Run,
    /// Another program, kept since it holds something that the run waits for.
    Outside,
    /// hangdog itself.
    Observer,
}

/// Inodes of the namespaces of a process; equal inodes, same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Namespaces {
    /// Mounts.
    pub mnt: Inode,
    /// Network.
    pub net: Inode,
    /// Process numbers.
    pub pid: Inode,
    /// User numbers.
    pub user: Inode,
    /// System V IPC and POSIX queues.
    pub ipc: Inode,
}

/// The controlling terminal of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terminal {
    /// Its device, e.g. `136:3` for `/dev/pts/3`.
    pub device: crate::Device,
    /// The foreground process group of that terminal, -1 when none.
    pub foreground: i32,
}

/// Signal masks of `/proc/PID/status`, bit n-1 for signal n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signals {
    /// Pending for this thread or for the whole process.
    pub pending: crate::Address,
    /// Held back.
    pub blocked: crate::Address,
    /// Ignored.
    pub ignored: crate::Address,
    /// With a handler.
    pub caught: crate::Address,
}

/// A process in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was read.
    #[serde(flatten)]
    pub when: When,
    /// Who.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Run or outside.
    pub belongs: Belonging,
    /// Its short name (15 bytes at most).
    pub comm: String,
    /// State of its first thread; `Z` when it ended and nobody waited for it.
    pub state: TaskState,
    /// Who gets its exit status now.
    pub parent: Pid,
    /// Process group, in the observer's pid namespace.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub group: Observed<Pid>,
    /// Session.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub session: Observed<Pid>,
    /// Controlling terminal; `null` when it has none.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub terminal: Observed<Option<Terminal>>,
    /// Its numbers from the observer's namespace inwards (`NSpid`); one entry when in no nested one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ns_pids: Vec<u32>,
    /// Who traces it, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracer: Option<Pid>,
    /// Real and effective user number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Arguments, secrets removed.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub cmdline: Observed<Vec<String>>,
    /// Program file.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub exe: Observed<String>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub cwd: Observed<String>,
    /// Root directory.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub root: Observed<String>,
    /// Namespaces.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub namespaces: Observed<Namespaces>,
    /// Control groups, as `controllers:path` lines without the leading number.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub cgroups: Observed<Vec<String>>,
    /// Whether its control group is frozen (v2 `cgroup.events`, v1 `freezer.state`).
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub frozen: Observed<bool>,
    /// Signal masks.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub signals: Observed<Signals>,
    /// POSIX timers (`timer_create`) that it has, armed or not: each may send it a signal or start a thread.
    /// From `/proc/PID/timers`; timers of `setitimer` and `alarm` are not among them.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub timers: Observed<u32>,
    /// What it has read and written so far. In full snapshots, of processes of the run.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub io: Observed<Io>,
    /// Number of threads.
    #[serde(default)]
    pub threads: u32,
}

/// A thread in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// When it was read.
    #[serde(flatten)]
    pub when: When,
    /// Who.
    #[serde(flatten)]
    pub thread: ThreadId,
    /// The thread's own short name.
    pub comm: String,
    /// State.
    pub state: TaskState,
    /// Kernel function it sleeps in; `0` or empty when it runs.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub wchan: Observed<String>,
    /// Kernel stack, innermost first, function names without offsets. Needs `CAP_SYS_ADMIN`.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub stack: Observed<Vec<String>>,
    /// System call.
    #[serde(default, skip_serializing_if = "Observed::is_not_asked")]
    pub syscall: Observed<Syscall>,
    /// Times it gave up the processor by itself; unchanged between two snapshots = the same wait.
    pub voluntary_switches: u64,
    /// Times it was taken off the processor.
    pub involuntary_switches: u64,
    /// Time on a processor, ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Children of this thread that are alive or zombies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Pid>,
}
