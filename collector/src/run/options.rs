//! What a run is given and what comes of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hangdog_schemas::Report;

/// What to do with a hung run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnHang {
    /// End all processes of the run, and free what it froze and mounted.
    #[default]
    Rescue,
    /// End all processes of the run; leave mounts and control groups alone.
    Kill,
    /// Say so, and let it go on; `--timeout` still ends it.
    Report,
    /// Say so, and leave it as it is for a person to look at; not even `--timeout` ends it.
    Wait,
}

impl OnHang {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rescue => "rescue",
            Self::Kill => "kill",
            Self::Report => "report",
            Self::Wait => "wait",
        }
    }
}

/// What the kernel's own recorder is asked for. Where it cannot be had, nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KernelTrace {
    /// Nothing.
    Off,
    /// What is rare: life of processes, signals, FUSE requests, file locks, TCP connections.
    #[default]
    On,
    /// What comes of system calls that name something as well: beside [`NamedCalls`].
    Results,
    /// All system calls and wake-ups as well.
    Syscalls,
}

impl KernelTrace {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Results => "results",
            Self::Syscalls => "syscalls",
        }
    }
}

/// Whether system calls that name something are noted with the names, and held up by chance. The kernel asks us about
/// each such call, which takes some 10 µs: for runs that are made to find something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NamedCalls {
    /// No.
    #[default]
    Off,
    /// They are noted.
    Noted,
    /// They are noted; some threads are late and some run at a lower priority, as this seed decides.
    Perturbed(u64),
}

/// Where the capture goes and when it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum KeepCapture {
    /// In the user's state directory; kept after a hang or a failure, dropped after a clean run.
    #[default]
    OnTrouble,
    /// In this file, in any case.
    In(PathBuf),
    /// No capture is written.
    Never,
}

/// What `run` is asked to do.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Program and arguments, as given; at least the program.
    pub command: Vec<OsString>,
    /// How long without progress until a hang is looked for in full (60 s by default).
    pub quiet_after: Duration,
    /// Limit on the wall clock of the whole run; none by default.
    pub timeout: Option<Duration>,
    /// What to do with a hung run.
    pub on_hang: OnHang,
    /// Where the capture goes.
    pub capture: KeepCapture,
    /// Whether stdout and stderr of the command are pipes to a relay, so that the capture keeps their text.
    pub tee: bool,
    /// Directories in which everybody's file events are kept, besides the run's own directories.
    pub watch_dirs: Vec<PathBuf>,
    /// What the kernel's own recorder is asked for.
    pub kernel_trace: KernelTrace,
    /// System calls that name something.
    pub named_calls: NamedCalls,
    /// Further options in force, for the header of the capture: `--patience=10s`.
    pub noted: Vec<String>,
}

impl RunOptions {
    /// The defaults for a command.
    pub fn new(command: Vec<OsString>) -> Self {
        Self {
            command,
            quiet_after: Duration::from_mins(1),
            timeout: None,
            on_hang: OnHang::default(),
            capture: KeepCapture::default(),
            tee: false,
            watch_dirs: Vec::new(),
            kernel_trace: KernelTrace::default(),
            named_calls: NamedCalls::default(),
            noted: Vec::new(),
        }
    }
}

/// How the command ended, as its caller is to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal, which hangdog did not send by its own decision.
    Signal(i32),
    /// hangdog ended it: a proven hang, or `--timeout`.
    HangEnded,
}

/// What came of a run.
#[derive(Clone, Debug)]
#[must_use]
pub struct RunOutcome {
    /// How it ended.
    pub end: Ended,
    /// What there is to say; `None` after a run in which nothing was wrong.
    pub report: Option<Report>,
    /// The capture, when it is kept.
    pub capture: Option<PathBuf>,
    /// What else the user should know (a capture that could not be written, what is left behind), one
    /// sentence each. Strings of other programs in them are not escaped.
    pub notes: Vec<String>,
    /// Name of the run.
    pub run: String,
}

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No program was named.
    #[error("no command was given")]
    NoCommand,
    /// There is no such program.
    #[error("{program:?} was not found")]
    NotFound {
        /// As it was asked for.
        program: OsString,
    },
    /// There is such a file, and it cannot be run.
    #[error("{program:?} cannot be run")]
    CannotRun {
        /// As it was asked for.
        program: OsString,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// hangdog's own trouble before the command was started.
    #[error("{what}")]
    Own {
        /// What could not be done.
        what: String,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl RunError {
    /// The exit code by the convention of `env`, `timeout` and `nohup`.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::NoCommand | Self::Own { .. } => 125,
            Self::CannotRun { .. } => 126,
            Self::NotFound { .. } => 127,
        }
    }

    /// What the user can do.
    pub fn advice(&self) -> String {
        match self {
            Self::NoCommand => "name a command after `--`, as in `hangdog run -- make test`".to_owned(),
            Self::NotFound { program } if program.as_encoded_bytes().contains(&b'/') => {
                "check the path and the working directory".to_owned()
            }
            Self::NotFound { .. } => "check the spelling and PATH".to_owned(),
            Self::CannotRun { source, .. } => match source.raw_os_error() {
                Some(libc::EACCES) => {
                    "make it executable with `chmod +x`, or name the file and not its folder".to_owned()
                }
                Some(libc::ENOEXEC) => "check that it was built for this machine".to_owned(),
                Some(libc::E2BIG) => "pass fewer or shorter arguments".to_owned(),
                _ => "check that the file is a program for this machine".to_owned(),
            },
            Self::Own { .. } => "run the command without hangdog, and report this message".to_owned(),
        }
    }

    pub(crate) fn own(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Own { what, source }
    }
}
