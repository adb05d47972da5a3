//! Where captures lie, and how many of them stay.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::store::{LOCK_NAME, Lock};

/// Captures older than this are removed.
const MOST_AGE: Duration = Duration::from_hours(30 * 24);
/// More captures than this are not kept; the oldest go first.
const MOST_NUMBER: usize = 100;
/// All of them together hold at most this many bytes; the newest one stays in any case.
const MOST_BYTES: u64 = 1 << 30;

/// Where a capture goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file that the user named. Kept in any case.
    Named(PathBuf),
    /// `<run>.hang` in the user's state directory.
    Default {
        /// The directory.
        directory: PathBuf,
        /// Name of the run.
        run: String,
    },
}

impl Place {
    pub(super) fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// Creates the file: readable by its user only, since it holds arguments and phases of a program.
    pub(super) fn open(&self) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
        let (path, made) = match self {
            Self::Named(path) => (path.clone(), Ok(())),
            Self::Default { directory, run } => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
                (directory.join(format!("{run}.hang")), made)
            }
        };
        let file =
            made.and_then(|()| OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path));
        match file {
            Ok(file) => Ok((path, file)),
            Err(error) => Err((path, error)),
        }
    }

    pub(super) fn prune(&self) {
        let Self::Default { directory, .. } = self else { return };
        // Whoever has the lock removes what is too much; what comes in meanwhile is left to the next run.
        if let Ok(_lock) = Lock::take(&directory.join(LOCK_NAME)) {
            prune(directory, SystemTime::now());
        }
    }
}

/// The directory for captures without a name: `$XDG_STATE_HOME/hangdog` or `~/.local/state/hangdog`.
/// `None` without a home.
pub fn default_place(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("hangdog"))
}

/// Removes captures that are too old, too many or too large together. Touches nothing whose name is not
/// that of a run's capture.
pub fn prune(directory: &Path, now: SystemTime) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut captures: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_capture_name))
        .filter_map(|entry| {
            let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((about.modified().ok()?, about.len(), entry.path()))
        })
        .collect();
    captures.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (place, (modified, size, path)) in captures.into_iter().enumerate() {
        bytes += size;
        let is_old = now.duration_since(modified).is_ok_and(|age| age > MOST_AGE);
        if place > 0 && (is_old || place >= MOST_NUMBER || bytes > MOST_BYTES) {
            // Another hangdog may have removed it just now.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_capture_name(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    name.strip_suffix(".hang").is_some_and(|run| run.len() == 26 && run.bytes().all(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_place(variables: &[(&str, &str)], expected: Option<&str>) {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into());
        assert_eq!(default_place(variable), expected.map(PathBuf::from));
    }

    #[test]
    fn captures_go_to_the_state_directory() {
        check_place(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")], Some("/s/hangdog"));
        check_place(&[("HOME", "/h")], Some("/h/.local/state/hangdog"));
        check_place(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], Some("/h/.local/state/hangdog"));
        check_place(&[("HOME", "")], None);
        check_place(&[], None);
    }

    #[test]
    fn pruning_keeps_the_newest_hundred_and_every_foreign_file() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for n in 0..103_u64 {
            let path = folder.path().join(format!("{n:026}.hang"));
            let file = File::create(path).unwrap();
            file.set_modified(now - Duration::from_secs(1000 - n)).unwrap();
        }
        let old = File::create(folder.path().join("0000000000000000000000OLD1.hang")).unwrap();
        old.set_modified(now - MOST_AGE - Duration::from_mins(1)).unwrap();
        let foreign = folder.path().join("notes.hang");
        File::create(&foreign).unwrap().set_modified(now - MOST_AGE * 2).unwrap();

        prune(folder.path(), now);
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left.len(), 101);
        assert_eq!(left[0], format!("{:026}.hang", 3));
        assert!(foreign.exists());
    }
}
