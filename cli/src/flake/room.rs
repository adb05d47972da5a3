//! The directories of one run: its own TMPDIR, its output, its capture. They go when it has passed.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Where all runs of a series have their directories.
#[derive(Debug)]
pub(crate) struct House {
    temporary: PathBuf,
    kept: PathBuf,
}

/// The directories of one run.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// All that goes with it.
    all: PathBuf,
    pub(crate) capture: PathBuf,
    pub(crate) output: PathBuf,
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

impl House {
    /// Makes the directories. `kept` is where captures of failures stay; without one they get a directory of their own.
    pub(crate) fn build(kept: Option<PathBuf>) -> io::Result<Self> {
        let number = std::process::id();
        let unused = |under: &Path| {
            let mut names = (0..1000).map(|n| under.join(format!("hangdog-flake-{number}-{n}")));
            names.find_map(|path| match make(&path) {
                Ok(()) => Some(Ok(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                Err(error) => Some(Err(error)),
            })
        };
        let temporary = unused(&std::env::temp_dir()).ok_or(io::ErrorKind::AlreadyExists)??;
        // `hangdog clean` removes it when we are killed.
        hangdog_collector::store::claim_house(&temporary)?;
        let kept = match kept {
            Some(path) => {
                fs::create_dir_all(&path)?;
                std::path::absolute(path)?
            }
            None => temporary.join("captures"),
        };
        if !kept.is_dir() {
            make(&kept)?;
        }
        Ok(Self { temporary, kept })
    }

    /// The directories of a run.
    pub(crate) fn room(&self, number: u32) -> io::Result<Room> {
        // Long enough not to be taken for a part of a name.
        let all = self.temporary.join(format!("{number:05}"));
        make(&all)?;
        make(&all.join("tmp"))?;
        let name = |ending: &str| self.kept.join(format!("run-{number:05}.{ending}"));
        Ok(Room { all, capture: name("hang"), output: name("txt") })
    }

    /// Removes what is empty now. Whether anything stays is seen by whoever looks.
    pub(crate) fn leave(&self) {
        let _ = fs::remove_dir(&self.kept);
        hangdog_collector::store::leave_house(&self.temporary);
    }
}

impl Room {
    /// Its TMPDIR.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.all.join("tmp")
    }

    /// Where it writes what belongs to its own view of a directory.
    pub(crate) fn own(&self, number: usize) -> PathBuf {
        self.all.join(format!("own-{number}"))
    }

    /// Removes the temporary files, and never crosses a mount. What stays, and why.
    pub(crate) fn clear(&self) -> Vec<String> {
        hangdog_collector::store::remove_directory(&self.all)
    }

    /// Removes what nobody will read.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_file(&self.capture);
        let _ = fs::remove_file(&self.output);
    }
}
