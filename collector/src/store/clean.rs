//! What dead runs left: found, told, and removed only when somebody says so.
//!
//! | what | is a dead run's when |
//! | --- | --- |
//! | a run's directory on tmpfs | its watcher and its command have ended: boot, pid namespace, pid, start time |
//! | first facts that were kept | the same; they are removed by nobody else |
//! | a recorder file of the user | nobody holds the lock that its program takes for life |
//! | a lock of the store, and files beside it | whom it names has ended |

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::lock::{LOCK_NAME, Lock, LockError};
use super::owner::{Life, Owner};
use super::remove::remove_tree;
use super::runs::{Run, runs};

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The directory of a run.
    Directory,
    /// The first facts of a run whose capture could not be written.
    FirstFacts,
    /// A recorder of a program that no run watched.
    Recorder,
    /// A lock of the store.
    Lock,
}

impl Kind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Directory => "directory of a run",
            Self::FirstFacts => "first facts of a run",
            Self::Recorder => "recorder of a program",
            Self::Lock => "lock of the store",
        }
    }
}

/// Whether it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whose it was has ended.
    Dead,
    /// It is in use by this process.
    InUse(u32),
    /// Whether anybody needs it cannot be told, and why.
    Unknown(String),
}

/// Something that a run left, or still needs.
#[derive(Debug)]
pub struct Leftover {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub path: PathBuf,
    /// Whether it may go.
    pub standing: Standing,
    run: Option<Run>,
}

/// All there is of a user: on tmpfs, and in the directory of captures, if there is one.
pub fn leftovers(runtime: Option<OsString>, uid: u32, captures: Option<&Path>) -> io::Result<Vec<Leftover>> {
    let mut found: Vec<Leftover> = runs(runtime, uid)?.into_iter().map(of_run).collect();
    let directory = hangdog_flight::user_directory(uid);
    for path in hangdog_flight::list(&directory)? {
        let standing = match hangdog_flight::is_dead(&path) {
            Ok(true) => Standing::Dead,
            Ok(false) => Standing::InUse(pid_of(&path)),
            Err(error) => Standing::Unknown(error.to_string()),
        };
        found.push(Leftover { kind: Kind::Recorder, path, standing, run: None });
    }
    if let Some(captures) = captures {
        let path = captures.join(LOCK_NAME);
        match Lock::holder(&path) {
            Ok(None) => {}
            Ok(Some((holder, life))) => {
                found.push(Leftover { kind: Kind::Lock, path, standing: standing(&holder, life), run: None });
            }
            Err(error @ LockError::Unreadable { .. }) => {
                let standing = Standing::Unknown(error.to_string());
                found.push(Leftover { kind: Kind::Lock, path, standing, run: None });
            }
            Err(LockError::Refused { source, .. }) => return Err(source),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(found)
}

/// Removes what is dead, and returns what stays of it, with why. One at a time does so for a store.
pub fn apply(leftovers: &[Leftover], captures: Option<&Path>) -> Result<Vec<(PathBuf, String)>, LockError> {
    // Taking it takes a stale one over, and letting go of it removes it.
    let _lock = match captures.filter(|captures| captures.is_dir()) {
        Some(captures) => Some(Lock::take(&captures.join(LOCK_NAME))?),
        None => None,
    };
    let mut stays = Vec::new();
    for leftover in leftovers.iter().filter(|leftover| leftover.standing == Standing::Dead) {
        match (&leftover.run, leftover.kind) {
            (Some(run), _) => {
                let above = leftover.path.parent().unwrap_or(Path::new("/"));
                let left = remove_tree(run.base.as_fd(), &run.entry, above);
                stays.extend(left.into_iter().map(|stays| (stays.path, stays.why)));
            }
            (None, Kind::Recorder) => {
                if let Err(error) = hangdog_flight::remove_dead_file(&leftover.path) {
                    stays.push((leftover.path.clone(), error.to_string()));
                }
            }
            (None, _) => {}
        }
    }
    Ok(stays)
}

fn of_run(run: Run) -> Leftover {
    let kind = if run.is_kept { Kind::FirstFacts } else { Kind::Directory };
    let standing = match &run.claim {
        None => Standing::Unknown("it names nobody; when no hangdog runs, remove it by hand".to_owned()),
        Some(claim) => {
            // Of a directory that was kept only the watcher counts: its command may run on without it.
            let life = if run.is_kept { claim.watcher.life() } else { claim.life() };
            let holder = match &claim.root {
                Some(root) if claim.watcher.life() == Life::Dead => root,
                _ => &claim.watcher,
            };
            standing(holder, life)
        }
    };
    Leftover { kind, path: run.path.clone(), standing, run: Some(run) }
}

fn standing(holder: &Owner, life: Life) -> Standing {
    match life {
        Life::Dead => Standing::Dead,
        Life::Alive => Standing::InUse(holder.pid),
        Life::Unknown(why) => Standing::Unknown(format!("process {}: {why}", holder.pid)),
    }
}

/// The number in the name of a recorder, `4412-77120.flight`.
fn pid_of(path: &Path) -> u32 {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
