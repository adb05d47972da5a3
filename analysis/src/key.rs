//! Who stands in the wait graph: threads, async tasks, and some who stand for several.

use hangdog_schemas::{Pid, Tid};

/// A thread by its numbers.
pub(crate) type ThreadKey = (Pid, Tid);

/// A node of the wait graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// A thread.
    Thread(Pid, Tid),
    /// The threads of a process that were not seen.
    Hidden(Pid),
    /// Any thread of a process: who could wake a futex that only this process can reach, or poll an async task. One
    /// node for all threads keeps a process with ten thousand parked threads from having a hundred million waits.
    Any(Pid),
    /// An async task that no thread is polling, by the number its runtime gave it.
    Task(Pid, u64),
    /// The futures without a task number that this thread polled last: what a thread in `block_on` runs. Several on
    /// one thread count as one, since from outside they cannot be told from branches of one future.
    Future(Pid, Tid),
    /// A thread that has ended. Never in a graph: nothing can be hoped for from it.
    Gone(Pid, Tid),
}

impl Key {
    /// The thread in which a process began.
    pub(crate) fn main_of(pid: Pid) -> Self {
        Self::Thread(pid, Tid(pid.0))
    }

    pub(crate) fn pid(self) -> Pid {
        match self {
            Self::Thread(pid, _)
            | Self::Hidden(pid)
            | Self::Any(pid)
            | Self::Task(pid, _)
            | Self::Future(pid, _)
            | Self::Gone(pid, _) => pid,
        }
    }

    /// The thread that it is, if it is one.
    pub(crate) fn thread(self) -> Option<ThreadKey> {
        match self {
            Self::Thread(pid, tid) => Some((pid, tid)),
            _ => None,
        }
    }

    /// Whether it is an async task or future inside nobody.
    pub(crate) fn is_async(self) -> bool {
        matches!(self, Self::Task(..) | Self::Future(..))
    }
}

impl From<ThreadKey> for Key {
    fn from((pid, tid): ThreadKey) -> Self {
        Self::Thread(pid, tid)
    }
}
