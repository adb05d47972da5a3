//! What `attach` is given, and what comes of it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use hangdog_schemas::Report;

use crate::watchdog::Stay;

/// Who is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These processes and what they started.
    Processes(Vec<u32>),
    /// Who is in a control group or below it.
    Cgroup(PathBuf),
    /// All processes of this user; of all users for root.
    All,
}

impl Whom {
    /// As on the command line.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Processes(pids) => pids.iter().flat_map(|pid| ["-p".to_owned(), pid.to_string()]).collect(),
            Self::Cgroup(path) => vec!["--cgroup".to_owned(), path.display().to_string()],
            Self::All => vec!["--all".to_owned()],
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// What `attach` is asked to do.
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// Who.
    pub whom: Whom,
    /// Until there is a verdict, or until told to go.
    pub stay: Stay,
    /// For how long at most.
    pub limit: Option<Duration>,
    /// Where the capture goes; without, none of the whole time is written.
    pub capture: Option<PathBuf>,
    /// Hangs of a watch that get a capture in the store; later ones are only told.
    pub most_captures: u64,
    /// Further options in force, for the header of the capture.
    pub noted: Vec<String>,
}

/// How the looking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// There is a verdict, or the time was over.
    Looked,
    /// All of the processes have ended.
    Gone,
    /// A signal asked for it.
    Asked,
}

/// What came of it.
#[derive(Clone, Debug)]
#[must_use]
pub struct AttachOutcome {
    /// How it ended.
    pub left: Left,
    /// What there is to say; `None` when there were not two looks.
    pub report: Option<Report>,
    /// How many hangs a watch has told.
    pub hangs: u64,
    /// How many processes there were at the end.
    pub processes: usize,
    /// The capture, when one was asked for.
    pub capture: Option<PathBuf>,
    /// What else the user should know, one sentence each.
    pub notes: Vec<String>,
    /// Name of this look.
    pub run: String,
}

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no such process, or it is one of the kernel or hangdog itself.
    #[error("there is no process {pid} that can be looked at")]
    NoProcess {
        /// Its number.
        pid: u32,
    },
    /// It belongs to another user.
    #[error("process {pid} belongs to user {uid}")]
    NotYours {
        /// Its number.
        pid: u32,
        /// Whose it is.
        uid: u32,
    },
    /// There is no such control group.
    #[error("{} is no control group", path.display())]
    NoGroup {
        /// As it was asked for.
        path: PathBuf,
    },
    /// Nobody is there.
    #[error("no process is there for {whom}")]
    Nobody {
        /// As it was asked for.
        whom: String,
    },
    /// hangdog's own trouble.
    #[error("{what}")]
    Own {
        /// What could not be done.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl AttachError {
    /// What the user can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoProcess { .. } => "check the number with `ps`; of a thread, give the number of its process",
            Self::NotYours { .. } => "look at it as that user, or as root",
            Self::NoGroup { .. } => "take the path from /proc/PID/cgroup, or give the directory below /sys/fs/cgroup",
            Self::Nobody { .. } => "check who is there with `ps`; processes of other users need root",
            Self::Own { .. } => "report this message",
        }
    }

    pub(in crate::run) fn own(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Own { what, source }
    }
}
