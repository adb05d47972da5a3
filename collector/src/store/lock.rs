//! A lock of the store: a file that names its holder, in one piece from its first moment on.
//!
//! ```text
//! free:   own file, whole ── link ──▶ lock          (fails when there is one)
//! stale:  open lock ── flock its inode ── is it still the lock? ── rename own file over it
//! ```
//!
//! Who replaces a stale lock holds the kernel's lock on that very inode, so there is one who does; whoever dies while
//! they do it lets go of that by dying. A lock of somebody who lives is never touched, nor one of whom it cannot be
//! told.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::owner::{Life, Owner};

/// The lock of a directory of the store, on disk or in memory: one at a time removes what is not its own there.
pub(crate) const LOCK_NAME: &str = "lock";

/// How often a lock that changes under our eyes is looked at again; a millisecond lies between.
const MOST_TRIES: u32 = 1000;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A lock that is held; it is let go of with this value.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Why a lock is not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("{} is held by process {} on {}, which {}", path.display(), holder.pid, holder.host, standing(life))]
    Held {
        /// The lock.
        path: PathBuf,
        /// Whose it is.
        holder: Box<Owner>,
        /// Whether they live.
        life: Life,
    },
    /// It names nobody: hangdog did not write it.
    #[error("{} is no lock of hangdog's", path.display())]
    Unreadable {
        /// The lock.
        path: PathBuf,
    },
    /// It changed hands all the time.
    #[error("{} changes hands all the time", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// The directory does not take it.
    #[error("{} cannot be locked", path.display())]
    Refused {
        /// The lock.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

fn standing(life: &Life) -> String {
    match life {
        Life::Alive => "is alive".to_owned(),
        Life::Dead => "has ended".to_owned(),
        Life::Unknown(why) => format!("may be alive: {why}"),
    }
}

impl LockError {
    /// What the user can do.
    pub fn advice(&self) -> String {
        match self {
            Self::Held { life: Life::Alive, holder, .. } => {
                format!("wait until it has ended: `tail --pid={} -f /dev/null`", holder.pid)
            }
            Self::Held { path, holder, .. } => format!(
                "look for process {} on {}; when it has ended there, `rm {}`",
                holder.pid,
                holder.host,
                quoted(path)
            ),
            Self::Unreadable { path } => {
                format!("look at it with `cat {}`; move it away if nobody needs it", quoted(path))
            }
            Self::Busy { .. } => "try again".to_owned(),
            Self::Refused { .. } => "check that the directory is there, is yours and has room".to_owned(),
        }
    }
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

impl Lock {
    /// Takes it, or says who has it. Waits for nobody.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let refused = |source| LockError::Refused { path: path.to_owned(), source };
        let (own, file) = prepared(path).map_err(refused)?;
        let taken = try_often(path, &own);
        if !matches!(taken, Ok(Way::Renamed)) {
            // What was linked has its name; what was not is of no use.
            let _ = std::fs::remove_file(&own);
        }
        taken.map(|_| Self { path: path.to_owned(), file })
    }

    /// Whose it is, and whether they live; `None` when it is free.
    pub fn holder(path: &Path) -> Result<Option<(Owner, Life)>, LockError> {
        match read(path) {
            Ok((_, holder)) => {
                let life = holder.life();
                Ok(Some((holder, life)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path, error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A person may have removed it, and somebody else taken it since.
        if is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

enum Way {
    Linked,
    Renamed,
}

fn try_often(path: &Path, own: &Path) -> Result<Way, LockError> {
    for _ in 0..MOST_TRIES {
        match std::fs::hard_link(own, path) {
            Ok(()) => return Ok(Way::Linked),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(LockError::Refused { path: path.to_owned(), source }),
        }
        let (file, holder) = match read(path) {
            Ok(found) => found,
            // It was let go of.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(path, error)),
        };
        let life = holder.life();
        if life != Life::Dead {
            return Err(LockError::Held { path: path.to_owned(), holder: Box::new(holder), life });
        }
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_at(&file, path) {
            // It is the stale one, and nobody else may replace it while we hold its inode.
            return match std::fs::rename(own, path) {
                Ok(()) => Ok(Way::Renamed),
                Err(source) => Err(LockError::Refused { path: path.to_owned(), source }),
            };
        }
        // Somebody else is just taking it over.
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(LockError::Busy { path: path.to_owned() })
}

/// A file of our own beside the lock, with all that it is to say.
fn prepared(path: &Path) -> io::Result<(PathBuf, File)> {
    let owner = Owner::own()?;
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(ErrorKind::InvalidInput)?);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{}-{number}", owner.pid, owner.start));
    let own = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&own)?;
    let written =
        serde_json::to_writer(&mut file, &owner).map_err(io::Error::from).and_then(|()| file.write_all(b"\n"));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&own);
        return Err(error);
    }
    Ok((own, file))
}

fn read(path: &Path) -> io::Result<(File, Owner)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let mut text = Vec::new();
    (&file).take(4096).read_to_end(&mut text)?;
    let owner = serde_json::from_slice(&text).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    Ok((file, owner))
}

fn unreadable(path: &Path, source: io::Error) -> LockError {
    let path = path.to_owned();
    if source.kind() == ErrorKind::InvalidData {
        LockError::Unreadable { path }
    } else {
        LockError::Refused { path, source }
    }
}

/// Whether this open file is the one at that path.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, owner: &Owner) {
        std::fs::write(path, serde_json::to_vec(owner).unwrap()).unwrap();
    }

    #[test]
    fn a_lock_names_its_holder_and_a_stale_one_is_taken_over() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let names = || std::fs::read_dir(place.path()).unwrap().count();
        let held = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.to_string().contains("is alive"), "{error}");
        assert!(error.advice().contains("tail --pid"), "{}", error.advice());
        assert_eq!(names(), 1);
        drop(held);
        assert_eq!(names(), 0);

        let own = Owner::own().unwrap();
        write(&path, &Owner { start: own.start + 1, ..own.clone() });
        let held = Lock::take(&path).unwrap();
        assert_eq!(Lock::holder(&path).unwrap().unwrap().0, own);
        drop(held);
        assert_eq!(names(), 0);

        write(&path, &Owner { host: "elsewhere".to_owned(), boot: "b".to_owned(), ..own });
        let error = Lock::take(&path).unwrap_err();
        assert!(error.advice().contains("rm '") && error.to_string().contains("elsewhere"), "{error}");
        std::fs::write(&path, "notes of somebody").unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Unreadable { .. })));
        assert_eq!(names(), 1);
    }
}
