//! The run's directory on tmpfs: recorder files, phase lines, the spool. Nothing in it ever waits for a
//! disk. It is worked on through descriptors that were opened when it was made, so that nothing the run
//! mounts over it later is ever touched.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hangdog_schemas::ProcessId;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, fstatfs, open, openat, renameat, unlinkat};

use crate::store::{Claim, Life, remove_tree};

/// Magic number of tmpfs, statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// Files that the directory is made with.
const FILES: [&str; 3] = ["phases.jsonl", "spool.jsonl", OWNER];
/// All files of the directory itself, removed at the end.
const ALL_FILES: [&str; 6] = ["phases.jsonl", "spool.jsonl", OWNER, KEPT_OWNER, ASKED, NEW_ASKED];
/// Whose the directory is.
pub(crate) const OWNER: &str = "owner";
/// The same, when the spool is kept on purpose: only `hangdog clean` removes it.
pub(crate) const KEPT_OWNER: &str = "owner.kept";
/// What came of the last look that was asked for.
pub(crate) const ASKED: &str = "asked.json";
const NEW_ASKED: &str = "asked.json.new";
/// More than this is not told in the directory: a tmpfs is memory.
const MOST_ASKED: usize = 4 << 20;
/// What hangdog itself makes in it.
pub(super) const OWN_NAMES: [&str; 7] = ["flight", ALL_FILES[0], ALL_FILES[1], OWNER, KEPT_OWNER, ASKED, NEW_ASKED];

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    pub(crate) path: PathBuf,
    base: OwnedFd,
    own: OwnedFd,
    flight: OwnedFd,
    /// What dead runs left and could not be removed, a sentence each.
    pub(crate) troubles: Vec<String>,
}

impl RunDirectory {
    /// Makes it, for its user alone. What dead runs left is removed before.
    pub(crate) fn create(run: &str, runtime: Option<OsString>, uid: u32) -> io::Result<Self> {
        let base_path = base(runtime, uid)?;
        let base = open_private(&base_path, uid)?;
        let troubles = remove_dead(&base, &base_path);
        let name = format!("run-{run}");
        let own = make(&base, &name)?;
        let flight = make(&own, "flight")?;
        for file in FILES {
            create_file(&own, file)?;
        }
        let directory = Self { path: base_path.join(name), base, own, flight, troubles };
        directory.note(None);
        Ok(directory)
    }

    /// Notes whose command it is for too: it may live longer than whoever watches it.
    pub(crate) fn claim(&self, root: ProcessId) {
        self.note(Some(root));
    }

    /// So that a later run can tell when nobody needs it any more.
    fn note(&self, root: Option<ProcessId>) {
        let Some(text) = Claim::own(root).ok().and_then(|claim| serde_json::to_vec(&claim).ok()) else { return };
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
        if let Ok(file) = openat(&self.own, OWNER, flags, Mode::empty()) {
            let _ = rustix::io::write(&file, &text);
        }
    }

    /// Tells whoever asked for a look what came of it, all at once.
    pub(crate) fn publish(&self, text: &[u8]) {
        if text.len() > MOST_ASKED {
            return;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = openat(&self.own, NEW_ASKED, flags, Mode::RUSR | Mode::WUSR) else { return };
        // A tmpfs that is full tells nobody.
        if io::Write::write_all(&mut File::from(file), text).is_ok() {
            let _ = renameat(&self.own, NEW_ASKED, &self.own, ASKED);
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
        let _ = renameat(&self.own, OWNER, &self.own, KEPT_OWNER);
        for file in ALL_FILES.into_iter().filter(|file| !matches!(*file, "spool.jsonl" | KEPT_OWNER)) {
            let _ = unlinkat(&self.own, file, AtFlags::empty());
        }
        self.path.join("spool.jsonl")
    }
}

/// Where directories of runs may lie, the one that is taken first.
pub(crate) fn bases(runtime: Option<OsString>, uid: u32) -> Vec<PathBuf> {
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute() && is_tmpfs(path));
    let shared = is_tmpfs(Path::new("/dev/shm")).then(|| PathBuf::from(format!("/dev/shm/hangdog-{uid}")));
    runtime.map(|runtime| runtime.join("hangdog")).into_iter().chain(shared).collect()
}

fn base(runtime: Option<OsString>, uid: u32) -> io::Result<PathBuf> {
    let none = || io::Error::new(ErrorKind::NotFound, "neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs");
    let base = bases(runtime, uid).into_iter().next().ok_or_else(none)?;
    match DirBuilder::new().mode(0o700).create(&base) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(base),
    }
}

pub(crate) fn is_tmpfs(path: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).and_then(fstatfs).is_ok_and(|about| about.f_type as u64 == TMPFS)
}

pub(crate) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory that nobody else may have prepared for us.
pub(crate) fn open_private(path: &Path, uid: u32) -> io::Result<OwnedFd> {
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
    for file in ALL_FILES {
        let _ = unlinkat(own, file, AtFlags::empty());
    }
}

/// Removes the directories of runs whose watcher and command have both ended. What stays, and why.
fn remove_dead(base: &OwnedFd, path: &Path) -> Vec<String> {
    let mut troubles = Vec::new();
    for name in names(base) {
        if !name.to_str().is_some_and(|name| name.starts_with("run-")) {
            continue;
        }
        let Ok(own) = openat(base, &name, DIRECTORY, Mode::empty()) else { continue };
        // A directory that is just being made names nobody.
        if Claim::read(&own, OWNER).is_none_or(|claim| claim.life() != Life::Dead) {
            continue;
        }
        for stays in remove_tree(base.as_fd(), &name, path) {
            let (path, why) = (stays.path.display(), stays.why);
            troubles.push(format!("{path}, which a dead run left, cannot be removed: {why}"));
        }
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Owner;

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
        let dead = Owner { pid: child.id(), ..Owner::own().unwrap() };
        let claim = |directory: &RunDirectory, root: Option<Owner>| {
            let claim = Claim { watcher: dead.clone(), root };
            std::fs::write(directory.path.join(OWNER), serde_json::to_vec(&claim).unwrap()).unwrap();
        };
        claim(&gone, Some(dead.clone()));
        claim(&alive, Some(Owner::own().unwrap()));
        let next = RunDirectory::create("TESTOFTHERUNDIRECTORY00004", None, uid()).unwrap();
        assert!(!gone.path.exists());
        assert!(alive.path.exists());
        alive.remove();
        next.remove();
    }
}
