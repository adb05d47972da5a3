//! The run's directory on tmpfs: recorder files, phase lines, the spool. Nothing in it ever waits for a
//! disk. It is worked on through descriptors that were opened when it was made, so that nothing the run
//! mounts over it later is ever touched.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, fstatfs, open, openat, unlinkat};

/// Magic number of tmpfs, statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// What hangdog itself makes in it.
pub(super) const OWN_NAMES: [&str; 4] = ["flight", FILES[0], FILES[1], FILES[2]];
/// Files of the directory itself, removed at the end.
const FILES: [&str; 3] = ["phases.jsonl", "spool.jsonl", "owner"];

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    pub(crate) path: PathBuf,
    base: OwnedFd,
    own: OwnedFd,
    flight: OwnedFd,
}

impl RunDirectory {
    /// Makes it, for its user alone. What dead runs left is removed before.
    pub(crate) fn create(run: &str, runtime: Option<OsString>, uid: u32) -> io::Result<Self> {
        let base_path = base(runtime, uid)?;
        let base = open_private(&base_path, uid)?;
        remove_dead(&base);
        let name = format!("run-{run}");
        let own = make(&base, &name)?;
        let flight = make(&own, "flight")?;
        for file in FILES {
            create_file(&own, file)?;
        }
        Ok(Self { path: base_path.join(name), base, own, flight })
    }

    /// Notes whose it is, so that a later run can tell when nobody needs it any more.
    pub(crate) fn claim(&self, watcher: u32, root: u32) {
        if let Ok(file) = openat(&self.own, "owner", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
            let _ = rustix::io::write(&file, format!("{watcher} {root}").as_bytes());
        }
    }

    /// The directory with the recorder files.
    pub(crate) fn flight(&self) -> BorrowedFd<'_> {
        self.flight.as_fd()
    }

    /// A file of the directory, for reading and appending.
    pub(crate) fn open(&self, name: &str) -> io::Result<File> {
        Ok(openat(&self.own, name, OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    /// Removes it with all its files.
    pub(crate) fn remove(&self) {
        clear(&self.own, &self.flight);
        if let Some(name) = self.path.file_name() {
            let _ = unlinkat(&self.base, name, AtFlags::REMOVEDIR);
        }
    }

    /// Removes all but the spool, which then holds the only facts of the run.
    pub(crate) fn remove_all_but_spool(&self) -> PathBuf {
        for name in names(&self.flight) {
            let _ = unlinkat(&self.flight, name, AtFlags::empty());
        }
        let _ = unlinkat(&self.own, "flight", AtFlags::REMOVEDIR);
        for file in FILES.into_iter().filter(|file| *file != "spool.jsonl") {
            let _ = unlinkat(&self.own, file, AtFlags::empty());
        }
        self.path.join("spool.jsonl")
    }
}

fn base(runtime: Option<OsString>, uid: u32) -> io::Result<PathBuf> {
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute() && is_tmpfs(path));
    let base = match runtime {
        Some(runtime) => runtime.join("hangdog"),
        None if is_tmpfs(Path::new("/dev/shm")) => PathBuf::from(format!("/dev/shm/hangdog-{uid}")),
        None => return Err(io::Error::new(ErrorKind::NotFound, "neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs")),
    };
    match DirBuilder::new().mode(0o700).create(&base) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(base),
    }
}

fn is_tmpfs(path: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).and_then(fstatfs).is_ok_and(|about| about.f_type as u64 == TMPFS)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory that nobody else may have prepared for us.
fn open_private(path: &Path, uid: u32) -> io::Result<OwnedFd> {
    let directory = open(path, DIRECTORY, Mode::empty())?;
    let about = fstat(&directory)?;
    if about.st_uid != uid || about.st_mode & 0o077 != 0 {
        let what = format!("{} belongs to another user, or others may enter it", path.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, what));
    }
    Ok(directory)
}

fn make(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
    Ok(openat(parent, name, DIRECTORY, Mode::empty())?)
}

fn create_file(directory: &OwnedFd, name: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(())
}

/// The names in a directory.
pub(crate) fn names(directory: impl AsFd) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    let Ok(listing) = Dir::read_from(directory) else { return Vec::new() };
    listing
        .flatten()
        .map(|entry| OsString::from_vec(entry.file_name().to_bytes().to_vec()))
        .filter(|name| name != "." && name != "..")
        .collect()
}

fn clear(own: &OwnedFd, flight: &OwnedFd) {
    for name in names(flight) {
        let _ = unlinkat(flight, name, AtFlags::empty());
    }
    let _ = unlinkat(own, "flight", AtFlags::REMOVEDIR);
    for file in FILES {
        let _ = unlinkat(own, file, AtFlags::empty());
    }
}

/// Removes the directories of runs whose watcher and command have both ended.
fn remove_dead(base: &OwnedFd) {
    for name in names(base) {
        if !name.to_str().is_some_and(|name| name.starts_with("run-")) {
            continue;
        }
        let Ok(own) = openat(base, &name, DIRECTORY, Mode::empty()) else { continue };
        if !is_dead(&own) {
            continue;
        }
        if let Ok(flight) = openat(&own, "flight", DIRECTORY, Mode::empty()) {
            clear(&own, &flight);
        }
        let _ = unlinkat(base, &name, AtFlags::REMOVEDIR);
    }
}

/// Whether `owner` names processes that are all gone. A directory that is just being made has an empty one.
fn is_dead(own: &OwnedFd) -> bool {
    let Ok(file) = openat(own, "owner", OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) else {
        return false;
    };
    let mut bytes = [0; 64];
    let len = rustix::io::read(&file, &mut bytes).unwrap_or(0);
    let text = std::str::from_utf8(&bytes[..len]).unwrap_or_default();
    let mut pids = text.split(' ').map(str::parse::<u32>).peekable();
    pids.peek().is_some_and(Result::is_ok)
        && pids.all(|pid| pid.is_ok_and(|pid| crate::kernel::open_process(pid).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_directory_is_private_and_goes_with_its_files() {
        let directory = RunDirectory::create("TESTOFTHERUNDIRECTORY00001", None, uid()).unwrap();
        let about = std::fs::metadata(&directory.path).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o700);
        File::create(directory.path.join("flight/4412")).unwrap();
        assert_eq!(names(directory.flight()), ["4412"]);
        directory.remove();
        assert!(!directory.path.exists());
    }

    #[test]
    fn what_a_dead_run_left_is_removed_by_the_next() {
        let gone = RunDirectory::create("TESTOFTHERUNDIRECTORY00002", None, uid()).unwrap();
        let alive = RunDirectory::create("TESTOFTHERUNDIRECTORY00003", None, uid()).unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        gone.claim(child.id(), child.id());
        alive.claim(child.id(), std::process::id());
        let next = RunDirectory::create("TESTOFTHERUNDIRECTORY00004", None, uid()).unwrap();
        assert!(!gone.path.exists());
        assert!(alive.path.exists());
        alive.remove();
        next.remove();
    }
}
