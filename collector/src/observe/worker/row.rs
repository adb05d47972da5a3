//! What is read in a row: files and links of one directory, with one request and one way there.
//!
//! The order is that of what can block least, so where a row gets stuck the rest of it would be stuck as well.

use std::ffi::CStr;

use super::ask::{Hazard, What};

/// How a member of a row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A file that the kernel gives whole with the first read that has room for it: a second read to see its end
    /// would be a tenth of the cost.
    AtOnce,
    /// A file that may need more reads.
    ToItsEnd,
    /// The same, below `task/PID/`: a process has no such file.
    OfFirstThread,
    /// A link.
    Link,
}

/// One of a row.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static CStr,
    pub(super) how: How,
    pub(super) hazard: Hazard,
}

impl Member {
    pub(super) fn file_name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    pub(super) fn what(&self) -> What {
        if self.how == How::Link { What::Link } else { What::File }
    }
}

const fn at_once(name: &'static CStr, hazard: Hazard) -> Member {
    Member { name, how: How::AtOnce, hazard }
}

const fn to_its_end(name: &'static CStr, hazard: Hazard) -> Member {
    Member { name, how: How::ToItsEnd, hazard }
}

const fn link(name: &'static CStr) -> Member {
    Member { name, how: How::Link, hazard: Hazard::Exec }
}

const fn of_first_thread(name: &'static CStr) -> Member {
    Member { name, how: How::OfFirstThread, hazard: Hazard::None }
}

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Of `/proc/PID`: `status`, `stat`.
    Identity,
    /// Of `/proc/PID/task/TID`: `status`, `schedstat`, `children`, `wchan`, `syscall`, `stack`.
    Thread,
    /// Of `/proc/PID`: `cgroup`, `timers`, `cwd`, `root`, and the namespaces of mounts, network, pids, users and IPC.
    Place,
    /// The same, then `exe`, `io` and `cmdline`.
    Program,
    /// What a thread has but for `status`, and what its process has as a place: of a process with one thread.
    AloneInPlace,
    /// The same, then `exe`, `io` and `cmdline`.
    AloneInProgram,
}

const ROWS: [Row; 6] = [Row::Identity, Row::Thread, Row::Place, Row::Program, Row::AloneInPlace, Row::AloneInProgram];

const IDENTITY: [Member; 2] = [at_once(c"status", Hazard::None), at_once(c"stat", Hazard::Exec)];

const THREAD: [Member; 6] = [
    at_once(c"status", Hazard::None),
    at_once(c"schedstat", Hazard::None),
    to_its_end(c"children", Hazard::None),
    at_once(c"wchan", Hazard::Exec),
    at_once(c"syscall", Hazard::Exec),
    at_once(c"stack", Hazard::Exec),
];

const PROGRAM: [Member; 12] = [
    at_once(c"cgroup", Hazard::None),
    to_its_end(c"timers", Hazard::None),
    link(c"cwd"),
    link(c"root"),
    link(c"ns/mnt"),
    link(c"ns/net"),
    link(c"ns/pid"),
    link(c"ns/user"),
    link(c"ns/ipc"),
    link(c"exe"),
    at_once(c"io", Hazard::Exec),
    to_its_end(c"cmdline", Hazard::Memory),
];

const ALONE: [Member; 17] = [
    at_once(c"schedstat", Hazard::None),
    of_first_thread(c"children"),
    at_once(c"cgroup", Hazard::None),
    to_its_end(c"timers", Hazard::None),
    at_once(c"wchan", Hazard::Exec),
    at_once(c"syscall", Hazard::Exec),
    at_once(c"stack", Hazard::Exec),
    link(c"cwd"),
    link(c"root"),
    link(c"ns/mnt"),
    link(c"ns/net"),
    link(c"ns/pid"),
    link(c"ns/user"),
    link(c"ns/ipc"),
    link(c"exe"),
    at_once(c"io", Hazard::Exec),
    to_its_end(c"cmdline", Hazard::Memory),
];

impl Row {
    pub(super) fn members(self) -> &'static [Member] {
        match self {
            Self::Identity => &IDENTITY,
            Self::Thread => &THREAD,
            Self::Place => &PROGRAM[..9],
            Self::Program => &PROGRAM,
            Self::AloneInPlace => &ALONE[..14],
            Self::AloneInProgram => &ALONE,
        }
    }

    pub(super) fn number(self) -> u64 {
        self as u64
    }

    pub(super) fn from_number(number: u64) -> Option<Self> {
        ROWS.into_iter().find(|row| row.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_from_harmless_to_risky_and_have_numbers() {
        for row in ROWS {
            assert_eq!(Row::from_number(row.number()), Some(row));
            assert!(row.members().is_sorted_by_key(|member| member.hazard), "{row:?}");
        }
        assert_eq!(Row::from_number(ROWS.len() as u64), None);
    }
}
