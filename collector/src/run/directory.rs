//! The run's directory on tmpfs: recorder files, phase lines, the spool. Nothing in it ever waits for a
//! disk. It is worked on through descriptors that were opened when it was made, so that nothing the run
//! mounts over it later is ever touched.
//!
//! While it is made and while it is removed its name tells whose it is; in between a file in it does. So whenever its
//! hangdog is killed, the next one knows that nobody needs it.
//!
//! ```text
//! half-NAMESPACE-PID-START-RUN ── has all its files ──▶ run-RUN ── is over ──▶ half-… ──▶ gone
//! ```

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hangdog_schemas::ProcessId;
use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, RenameFlags, fstat, fstatfs, open, openat, renameat, renameat_with, unlinkat,
};

use crate::act::Before;
use crate::store::{Claim, LOCK_NAME, Life, Lock, NotedMount, Owner, has_remains, remove_tree};

/// Magic number of tmpfs, statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// Files that the directory is made with.
const FILES: [&str; 2] = ["phases.jsonl", SPOOL];
/// The first facts.
pub(crate) const SPOOL: &str = "spool.jsonl";
/// The FUSE connections that were there before the run, and the mounts that are the run's: with these a later
/// `hangdog clean` proves what is whose.
pub(crate) const CONNECTIONS_BEFORE: &str = "connections-before.json";
pub(crate) const NOTED_MOUNTS: &str = "mounts.json";
const NEW_NOTES: &str = "notes.new";
/// All files of the directory itself, removed at the end: what hangdog makes in it, but for the directory of recorders.
const ALL_FILES: &[&str] = OWN_NAMES.split_at(1).1;
/// Whose the directory is.
pub(crate) const OWNER: &str = "owner";
const NEW_OWNER: &str = "owner.new";
/// The same, when the spool is kept on purpose: only `hangdog clean` removes it.
pub(crate) const KEPT_OWNER: &str = "owner.kept";
/// What came of the last look that was asked for.
pub(crate) const ASKED: &str = "asked.json";
const NEW_ASKED: &str = "asked.json.new";
/// Directories of dead runs that stay for what they prove.
const MOST_PROOFS: usize = 16;
/// More than this is not told in the directory: a tmpfs is memory.
const MOST_ASKED: usize = 4 << 20;
/// What hangdog itself makes in it; the directory of recorders first.
pub(super) const OWN_NAMES: [&str; 11] = [
    "flight",
    "phases.jsonl",
    SPOOL,
    OWNER,
    NEW_OWNER,
    KEPT_OWNER,
    ASKED,
    NEW_ASKED,
    CONNECTIONS_BEFORE,
    NOTED_MOUNTS,
    NEW_NOTES,
];

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    pub(crate) path: PathBuf,
    /// Its name while it is made and removed.
    half: String,
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
        let (name, half) = (format!("run-{run}"), half(run, &Owner::own()?));
        let own = make(&base, &half)?;
        let flight = make(&own, "flight")?;
        for file in FILES {
            create_file(&own, file)?;
        }
        let directory = Self { path: base_path.join(&name), half, base, own, flight, troubles };
        directory.note(None)?;
        // One that is there already is never taken for a new one.
        renameat_with(&directory.base, &directory.half, &directory.base, &name, RenameFlags::NOREPLACE)?;
        Ok(directory)
    }

    /// Notes whose command it is for too: it may live longer than whoever watches it.
    pub(crate) fn claim(&self, root: ProcessId) {
        // A tmpfs that is full has the first note still: the directory is the watcher's.
        let _ = self.note(Some(root));
    }

    /// So that a later run can tell when nobody needs it any more. There is always a whole note.
    fn note(&self, root: Option<ProcessId>) -> io::Result<()> {
        let text = serde_json::to_vec(&Claim::own(root)?)?;
        self.replace(OWNER, NEW_OWNER, &text)
    }

    /// Writes a file all at once, under another name first.
    fn replace(&self, name: &str, new: &str, text: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.own, new, flags, Mode::RUSR | Mode::WUSR)?;
        io::Write::write_all(&mut File::from(file), text)?;
        Ok(renameat(&self.own, new, &self.own, name)?)
    }

    /// Notes which FUSE connections were there before the run.
    pub(crate) fn note_before(&self, before: &Before) {
        self.note_json(CONNECTIONS_BEFORE, before.connections());
    }

    /// Notes which mounts are the run's.
    pub(crate) fn note_mounts(&self, mounts: &[NotedMount]) {
        self.note_json(NOTED_MOUNTS, mounts);
    }

    /// What could not be noted is not proven later.
    fn note_json(&self, name: &str, value: &(impl serde::Serialize + ?Sized)) {
        let _ = serde_json::to_vec(value).map(|text| self.replace(name, NEW_NOTES, &text));
    }

    /// Bytes of its tmpfs that are used, and that there are; `None` when it is as large as it likes. Never waits: it
    /// is asked through a descriptor, and of a tmpfs.
    pub(crate) fn room(&self) -> Option<(u64, u64)> {
        let about = fstatfs(&self.own).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(about.f_bsize as u64);
        (about.f_blocks > 0).then(|| (bytes(about.f_blocks.saturating_sub(about.f_bfree)), bytes(about.f_blocks)))
    }

    /// Tells whoever asked for a look what came of it, all at once.
    pub(crate) fn publish(&self, text: &[u8]) {
        if text.len() <= MOST_ASKED {
            // A tmpfs that is full tells nobody.
            let _ = self.replace(ASKED, NEW_ASKED, text);
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
        let Some(name) = self.path.file_name() else { return };
        let is_half = renameat_with(&self.base, name, &self.base, &self.half, RenameFlags::NOREPLACE).is_ok();
        clear(&self.own, &self.flight);
        let name = if is_half { self.half.as_ref() } else { name };
        let _ = unlinkat(&self.base, name, AtFlags::REMOVEDIR);
    }

    /// Removes all but the spool, which then holds the only facts of the run.
    pub(crate) fn remove_all_but_spool(&self) -> PathBuf {
        for name in names(&self.flight) {
            let _ = unlinkat(&self.flight, name, AtFlags::empty());
        }
        let _ = unlinkat(&self.own, "flight", AtFlags::REMOVEDIR);
        let _ = renameat(&self.own, OWNER, &self.own, KEPT_OWNER);
        for file in ALL_FILES.iter().copied().filter(|file| !matches!(*file, SPOOL | KEPT_OWNER)) {
            let _ = unlinkat(&self.own, file, AtFlags::empty());
        }
        self.path.join(SPOOL)
    }
}

/// Where directories of runs may lie, the one that is taken first.
pub(crate) fn bases(runtime: Option<OsString>, uid: u32) -> Vec<PathBuf> {
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute() && is_tmpfs(path));
    let shared = is_tmpfs(Path::new("/dev/shm")).then(|| PathBuf::from(format!("/dev/shm/hangdog-{uid}")));
    // In a user namespace user 0 is somebody else outside, who may have the first name.
    let inner = shared.as_ref().and_then(|shared| Some(shared.with_extension(inner_user_namespace()?.to_string())));
    runtime.map(|runtime| runtime.join("hangdog")).into_iter().chain(shared).chain(inner).collect()
}

/// The number of our user namespace, when it is not the first one of the machine.
fn inner_user_namespace() -> Option<u64> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let is_first = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let link = std::fs::read_link("/proc/self/ns/user").ok().filter(|_| !is_first)?;
    link.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// Why a run of this user would have no directory, if so.
pub fn run_directory_fails(runtime: Option<OsString>, uid: u32) -> Option<String> {
    base(runtime, uid).err().map(|error| error.to_string())
}

fn base(runtime: Option<OsString>, uid: u32) -> io::Result<PathBuf> {
    let none = || io::Error::new(ErrorKind::NotFound, "neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs");
    let mut outcome = Err(none());
    for base in bases(runtime, uid) {
        let made = match DirBuilder::new().mode(0o700).create(&base) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => open_private(&base, uid).map(drop),
        };
        match made {
            Ok(()) => return Ok(base),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
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
    for &file in ALL_FILES {
        let _ = unlinkat(own, file, AtFlags::empty());
    }
}

/// The name of a directory that is being made or removed.
fn half(run: &str, owner: &Owner) -> String {
    format!("half-{}-{}-{}-{run}", owner.pid_namespace, owner.pid, owner.start)
}

/// Whose a directory is by its name, when it was left half made or half removed. A tmpfs is no older than the boot.
pub(crate) fn claim_of_half(name: &str) -> Option<Claim> {
    let mut words = name.strip_prefix("half-")?.splitn(4, '-');
    let (pid_namespace, pid, start) = (words.next()?, words.next()?, words.next()?);
    words.next()?;
    let numbers = (pid_namespace.parse().ok()?, pid.parse().ok()?, start.parse().ok()?);
    let (pid_namespace, pid, start) = numbers;
    Some(Claim { watcher: Owner { pid_namespace, pid, start, ..Owner::own().ok()? }, root: None })
}

/// Directories of runs whose watcher and command have both ended. One that proves whose something is that is still
/// there stays until `hangdog clean` has used it; of many of these, the latest.
fn dead(base: &OwnedFd) -> Vec<OsString> {
    let mut proofs = 0;
    let mut is_dead = |name: &OsString| {
        let Some(text) = name.to_str() else { return false };
        if let Some(claim) = claim_of_half(text) {
            return claim.life() == Life::Dead;
        }
        let Some(own) = openat(base, name, DIRECTORY, Mode::empty()).ok().filter(|_| text.starts_with("run-")) else {
            return false;
        };
        let claim = Claim::read(&own, OWNER).filter(|claim| claim.life() == Life::Dead);
        claim.is_some_and(|claim| {
            let is_proof = proofs < MOST_PROOFS && has_remains(&own, &claim);
            proofs += usize::from(is_proof);
            !is_proof
        })
    };
    // A run's name begins with its time.
    let mut names = names(base);
    names.sort_by(|one, other| other.cmp(one));
    names.into_iter().filter(|name| is_dead(name)).collect()
}

/// Removes the directories of dead runs. What stays, and why.
fn remove_dead(base: &OwnedFd, path: &Path) -> Vec<String> {
    let mut troubles = Vec::new();
    let dead = dead(base);
    if dead.is_empty() {
        return troubles;
    }
    // Whoever has the lock removes them: nobody waits for that, nor is anything the matter when it comes later.
    let Ok(_lock) = Lock::take(&path.join(LOCK_NAME)) else { return troubles };
    for name in dead {
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
