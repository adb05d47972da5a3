//! The system call a thread is in, with what its pointers point at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Address, Observed};

/// `/proc/PID/task/TID/syscall`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Syscall {
    /// The thread was on a processor.
    Running,
    /// Blocked, and not by a system call (a page fault).
    None {
        /// Stack pointer.
        sp: Address,
        /// Program counter.
        pc: Address,
    },
    /// Blocked in a system call.
    In {
        /// Its number on this architecture.
        number: u32,
        /// Its name (`openat`), or `syscall_N` when unknown.
        name: String,
        /// The six argument registers.
        args: [Address; 6],
        /// Stack pointer.
        sp: Address,
        /// Program counter.
        pc: Address,
        /// What pointer arguments point at, by argument number, as far as it was read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        memory: Vec<(u8, Observed<Argument>)>,
    },
}

impl Syscall {
    /// Name of the system call, when the thread is in one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::In { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Argument register `n` (0 to 5).
    pub fn arg(&self, n: usize) -> Option<u64> {
        match self {
            Self::In { args, .. } => args.get(n).map(|a| a.0),
            _ => None,
        }
    }

    /// Argument register `n` as a C `int` (file descriptors, pids: the upper half is noise).
    pub fn int(&self, n: usize) -> Option<i32> {
        self.arg(n).map(|a| a as i32)
    }

    /// What argument `n` points at, when it was read.
    pub fn memory(&self, n: u8) -> Option<&Observed<Argument>> {
        match self {
            Self::In { memory, .. } => memory.iter().find(|(arg, _)| *arg == n).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The path that argument `n` points at, when it was read.
    pub fn path(&self, n: u8) -> Option<&str> {
        match self.memory(n)?.seen()? {
            Argument::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The time limit that argument `n` points at, in ns, when it was read.
    pub fn time(&self, n: u8) -> Option<u64> {
        match self.memory(n)?.seen()? {
            Argument::Time { ns } => Some(*ns),
            _ => None,
        }
    }
}

/// What a pointer argument points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// A path, as the program gave it (perhaps relative).
    Path(String),
    /// The array of `poll` and `ppoll`.
    PollFds(Vec<PollFd>),
    /// The descriptors set in an `fd_set` of `select`.
    FdSet(Vec<u32>),
    /// A `timespec` or `timeval`. Relative or absolute as the call says.
    Time {
        /// Nanoseconds.
        ns: u64,
    },
    /// 32-bit words at the address (a futex and what follows it).
    Words {
        /// As they were.
        values: Vec<u32>,
        /// Memory that other processes may share: what is mapped there (`/dev/shm/x`, `/dev/zero (deleted)`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shared: Option<String>,
    },
    /// The operations of `semop`.
    SemaphoreOperations(Vec<SemaphoreOperation>),
    /// A `struct flock`.
    FileLock {
        /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK` by number.
        lock_type: i16,
        /// First byte.
        start: i64,
        /// Length, 0 = to the end.
        len: i64,
    },
    /// A socket address, as `127.0.0.1:8080`, `[::1]:8080`, `unix:/path` or `unix:@name`.
    SocketAddress(String),
    /// A signal set, bit n-1 for signal n.
    SignalSet(Address),
}

/// One operation of `semop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SemaphoreOperation {
    /// Which semaphore of the set.
    pub number: u16,
    /// What is added; when it is below 0, so much is waited for; 0 waits for the value 0.
    pub add: i16,
}

/// One entry of a `pollfd` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PollFd {
    /// Descriptor; negative ones are ignored by the kernel.
    pub fd: i32,
    /// Events asked for (`POLLIN` = 1, `POLLOUT` = 4).
    pub events: i16,
}
