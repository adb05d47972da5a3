//! Whether this program records, and where.

use std::fmt;
use std::path::PathBuf;

use hangdog_flight::State;

/// What became of the recorder of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing was recorded yet, or the recorder is being made at this moment.
    NotStarted,
    /// It records.
    Recording {
        /// The file; `None` for a memfd.
        file: Option<PathBuf>,
        /// The tmpfs has little room, so fewer phases fit and the history is shorter.
        small: bool,
        /// Why better places were not taken.
        refusals: Vec<String>,
    },
    /// No recorder could be had, and phases and spans go nowhere.
    Off {
        /// Why each place was not taken.
        refusals: Vec<String>,
    },
}

/// Whether this program records, and where. Never starts anything.
pub fn status() -> Status {
    match hangdog_flight::state() {
        State::On { path, small, refusals } => Status::Recording { file: path, small, refusals },
        State::Off { refusals } => Status::Off { refusals },
        State::NotStarted => Status::NotStarted,
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("hangdog has recorded nothing yet"),
            Self::Recording { file, small, refusals } => {
                match file {
                    Some(file) => write!(f, "hangdog records to {}", file.display())?,
                    None => f.write_str("hangdog records to a memfd")?,
                }
                if *small {
                    f.write_str(", with a short history because the tmpfs is small")?;
                }
                if !refusals.is_empty() {
                    write!(f, " ({})", refusals.join("; "))?;
                }
                Ok(())
            }
            Self::Off { refusals } => write!(f, "hangdog does not record: {}", refusals.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &Status, expected: &str) {
        assert_eq!(status.to_string(), expected);
    }

    #[test]
    fn it_says_where_or_why_not() {
        let refusals = vec!["/x is full".to_owned()];
        check(&Status::NotStarted, "hangdog has recorded nothing yet");
        check(
            &Status::Recording { file: Some("/dev/shm/a".into()), small: true, refusals: Vec::new() },
            "hangdog records to /dev/shm/a, with a short history because the tmpfs is small",
        );
        check(
            &Status::Recording { file: None, small: false, refusals: refusals.clone() },
            "hangdog records to a memfd (/x is full)",
        );
        check(&Status::Off { refusals }, "hangdog does not record: /x is full");
    }
}
