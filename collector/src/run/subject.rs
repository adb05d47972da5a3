//! What a main loop follows: the command that it started, or processes that ran already.

use std::os::fd::BorrowedFd;

use hangdog_schemas::ProcessId;

use super::command::{Group, Started};
use super::others::Others;

/// What is followed.
#[derive(Debug)]
pub(super) enum Subject {
    /// It is passed signals, waited for, and ended when it hangs.
    Command(Started, Group),
    /// Nothing is ever done to them.
    Others(Others),
}

impl Subject {
    /// The command, or the first of the others.
    pub(super) fn process(&self) -> ProcessId {
        match self {
            Self::Command(started, _) => started.process,
            Self::Others(others) => others.first(),
        }
    }

    /// What becomes readable when something happens to it. Whether others have ended is seen by the samples.
    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Command(started, _) => [started.pidfd()].into_iter().chain(started.status_fd()).collect(),
            Self::Others(_) => Vec::new(),
        }
    }

    /// Whether the signals of a terminal reach it without us.
    pub(super) fn group(&self) -> Group {
        match self {
            Self::Command(_, group) => *group,
            Self::Others(_) => Group::Own,
        }
    }
}
