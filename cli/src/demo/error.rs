//! What can go wrong with the demo itself.

use std::io;
use std::path::PathBuf;

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A directory or file of the stage.
    #[error("{} cannot be used", path.display())]
    Stage {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process of the demo could not be started.
    #[error("{what} cannot be started")]
    Start {
        /// Which.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A call to the kernel failed.
    #[error("{call} failed")]
    Call {
        /// Which.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process of the demo did not do its part.
    #[error("{who} {what}")]
    Part {
        /// Which.
        who: &'static str,
        /// What it did instead.
        what: String,
    },
    /// The report that `hangdog run` wrote.
    #[error("the report {} cannot be read", path.display())]
    Report {
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl DemoError {
    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Stage { .. } => {
                Some("point TMPDIR at a directory on a local file system where you may create files")
            }
            _ => None,
        }
    }

    pub(super) fn call(call: &'static str) -> impl Fn(nix::errno::Errno) -> Self {
        move |errno| Self::Call { call, source: errno.into() }
    }
}
