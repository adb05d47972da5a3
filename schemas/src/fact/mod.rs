//! Snapshot facts: what was so at one moment, one JSON line each. No conclusion stands here.
//!
//! Strings of other programs are kept as they are (bytes that are no UTF-8 as `\xNN`): whoever
//! prints them escapes them (`hangdog-report`).

mod fd;
mod kernel;
mod limit;
mod lock_file;
mod process;
mod socket;
mod syscall;

pub use fd::{Access, EpollTarget, FdDetail, FdFact, FdLock, LockClass, LockMode};
pub use kernel::{FileLockFact, FuseFact, Gap, MessageQueueFact, MountFact, SemaphoreFact};
pub use limit::{CgroupFact, Io, LimitFact, LimitKind};
pub use lock_file::{LockFileFact, LockFileShape, Maker, NamedProcess};
pub use process::{Belonging, Namespaces, ProcessFact, Signals, TaskState, Terminal, ThreadFact};
pub use socket::{SocketFact, SocketFamily, SocketState};
pub use syscall::{Argument, PollFd, SemaphoreOperation, Syscall};
