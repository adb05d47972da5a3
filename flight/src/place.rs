//! Where recorder files lie, and making one.
//!
//! 1. `$HANGDOG_RUN_DIR/flight/` under `hangdog run`,
//! 2. else a directory of the user on tmpfs, `/dev/shm/hangdog-<uid>/`,
//! 3. else a memfd, which readers find through its owner's fd links.
//!
//! **Never on a disk**: a thread that writes into a mapped page of ext4 sleeps in `ext4_page_mkwrite` while the
//! file system is frozen or written back (seen: 2 s in D for a 2 s `fsfreeze`). The recorder would be the hang.
//! So the file system's type is asked of the open directory, and only memory is taken.
//!
//! Directories are 0700 and the caller's own, files 0600, created exclusively, no link is followed. A file is
//! locked by its owner as long as it lives (see `lock`): that is how the next start tells what dead processes
//! left, also those of another pid namespace, and removes it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FallocateFlags, FileType, MemfdFlags, Mode, OFlags, SealFlags, StatFs};

use crate::Size;
use crate::identity::Owner;
use crate::layout::Places;
use crate::lock;
use crate::mounts;

/// Name of the memfd; its fd link reads `/memfd:hangdog-flight (deleted)`.
pub const MEMFD: &str = "hangdog-flight";
/// Ending of recorder files.
pub const ENDING: &str = ".flight";

const TMPFS_MAGIC: u64 = 0x0102_1994;
const RAMFS_MAGIC: u64 = 0x8584_58f6;
/// Most files of dead processes that one start looks at.
const MOST_REMOVED: usize = 256;

/// Where a recorder's file may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The run's own directory. Whoever made the run removes it.
    Run(PathBuf),
    /// The user's directory, shared by all processes of the user.
    User(PathBuf),
    /// A memfd.
    Memfd,
}

impl Place {
    /// The directory, if it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Run(path) | Self::User(path) => Some(path),
            Self::Memfd => None,
        }
    }
}

/// Why a place was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Not memory: writing there may wait for a disk or a server.
    #[error("{path} is on a file system of type {kind}, and a recorder goes only where writing never waits (tmpfs)")]
    NotMemory {
        /// The directory.
        path: PathBuf,
        /// Its type: a name of mountinfo, or `f_type` of statfs(2).
        kind: String,
    },
    /// Not the caller's own, or open to others.
    #[error(
        "{path} belongs to user {uid} with mode {mode:03o}, and a recorder needs a directory of its own user with mode 700"
    )]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// No room.
    #[error("{path} has {free} bytes free, and the smallest recorder does not fit")]
    Full {
        /// The directory.
        path: PathBuf,
        /// Bytes free there.
        free: u64,
    },
    /// A limit on the size of files (`ulimit -f`), which ends a program that makes a longer one.
    #[error("files of this process may have {limit} bytes, and the smallest recorder has {bytes}")]
    Limited {
        /// `RLIMIT_FSIZE`.
        limit: u64,
        /// Length of the smallest recorder.
        bytes: u64,
    },
    /// The kernel refused.
    #[error("{what} failed for {path}")]
    Refused {
        /// The system call.
        what: &'static str,
        /// What it was asked for.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

/// The places for a recorder of this process, best first.
pub fn places() -> Vec<Place> {
    let run = std::env::var_os("HANGDOG_RUN_DIR").filter(|dir| !dir.is_empty());
    places_for(run, rustix::process::geteuid().as_raw())
}

fn places_for(run: Option<OsString>, uid: u32) -> Vec<Place> {
    let run = run.map(|dir| Place::Run(Path::new(&dir).join("flight")));
    run.into_iter().chain([Place::User(user_directory(uid)), Place::Memfd]).collect()
}

/// Where recorders of a user lie who is not under `hangdog run`.
pub fn user_directory(uid: u32) -> PathBuf {
    PathBuf::from(format!("/dev/shm/hangdog-{uid}"))
}

/// The first place that can be had now, made if need be.
pub fn directory() -> Place {
    places()
        .into_iter()
        .find(|place| place.directory().is_none_or(|path| open_directory(path).is_ok()))
        .unwrap_or(Place::Memfd)
}

/// A new file for a recorder, of its full length, with memory behind its fixed part.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) file: OwnedFd,
    pub(crate) places: Places,
    pub(crate) path: Option<PathBuf>,
}

/// Makes a file at `place`, of the size given or the largest that fits.
pub(crate) fn make(place: &Place, owner: &Owner, size: Option<Size>) -> Result<Made, PlaceError> {
    let longest = longest_file()?;
    let Some(directory) = place.directory() else { return make_memfd(size.unwrap_or(longest)) };
    let (dir, room) = open_directory(directory)?;
    if matches!(place, Place::User(_)) {
        remove_dead(&dir);
    }
    let free = room.f_bavail.saturating_mul(room.f_bsize as u64);
    // A tmpfs without a limit (size=0) has no blocks to count.
    let fits = if room.f_blocks == 0 { Some(Size::FULL) } else { Size::for_space(free) };
    let size = size.or(fits).ok_or_else(|| PlaceError::Full { path: directory.to_owned(), free })?;
    let size = if size.slots > longest.slots { longest } else { size };
    let (file, name) = create(&dir, directory, owner)?;
    let path = directory.join(&name);
    let made = Made { places: Places::of(size), file, path: Some(path.clone()) };
    size_it(&made).map_err(|source| {
        // Nothing was recorded yet: half a file helps nobody.
        let _gone = rustix::fs::unlinkat(&dir, name.as_str(), AtFlags::empty());
        PlaceError::Refused { what: "fallocate", path, source }
    })?;
    Ok(made)
}

/// The largest size that `RLIMIT_FSIZE` allows: beyond it the kernel sends SIGXFSZ, for tmpfs and memfds too.
fn longest_file() -> Result<Size, PlaceError> {
    let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Fsize).current else {
        return Ok(Size::FULL);
    };
    let length = |size: Size| Places::of(size).end as u64;
    [Size::FULL, Size::SMALL, Size::LEAST]
        .into_iter()
        .find(|size| length(*size) <= limit)
        .ok_or(PlaceError::Limited { limit, bytes: length(Size::LEAST) })
}

/// All length at once, and memory behind the fixed part: a hole in a full tmpfs would be a SIGBUS later.
fn size_it(made: &Made) -> io::Result<()> {
    rustix::fs::ftruncate(&made.file, made.places.end as u64)?;
    Ok(rustix::fs::fallocate(&made.file, FallocateFlags::empty(), 0, made.places.fixed() as u64)?)
}

fn create(dir: &OwnedFd, directory: &Path, owner: &Owner) -> Result<(OwnedFd, String), PlaceError> {
    let stem = format!("{}-{}", owner.pid, owner.start_ticks);
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    // Another pid namespace may have the same numbers; a remover may be quicker than our lock.
    for try_number in 0..8 {
        let name = if try_number == 0 { format!("{stem}{ENDING}") } else { format!("{stem}-{try_number}{ENDING}") };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, name.as_str(), flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                let locked = lock::take(file.as_fd()).is_ok();
                let linked = rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_nlink > 0);
                if locked && linked {
                    return Ok((file, name));
                }
            }
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => {
                last = errno.into();
                break;
            }
        }
    }
    Err(PlaceError::Refused { what: "open", path: directory.join(format!("{stem}{ENDING}")), source: last })
}

fn make_memfd(size: Size) -> Result<Made, PlaceError> {
    let refused =
        |what| move |errno: rustix::io::Errno| PlaceError::Refused { what, path: MEMFD.into(), source: errno.into() };
    let file = rustix::fs::memfd_create(MEMFD, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(refused("memfd_create"))?;
    let _nobody_else_knows_it_yet = lock::take(file.as_fd());
    let made = Made { file, places: Places::of(size), path: None };
    size_it(&made).map_err(|source| PlaceError::Refused { what: "fallocate", path: MEMFD.into(), source })?;
    // Nobody can then shorten it under our mapping.
    rustix::fs::fcntl_add_seals(&made.file, SealFlags::SHRINK | SealFlags::GROW).map_err(refused("F_ADD_SEALS"))?;
    Ok(made)
}

/// Opens a directory of ours, making it if its parent is there.
fn open_directory(path: &Path) -> Result<(OwnedFd, StatFs), PlaceError> {
    let refused = |what: &'static str, errno: rustix::io::Errno| PlaceError::Refused {
        what,
        path: path.to_owned(),
        source: errno.into(),
    };
    // Nothing below may be asked of a file system that is frozen or whose server is gone: mkdir(2) and even lookup
    // would wait for it. So it is asked of the mount table first.
    if let Some(kind) = mounts::kind_at(path).filter(|kind| !matches!(kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs"))
    {
        return Err(PlaceError::NotMemory { path: path.to_owned(), kind });
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(refused("mkdir", errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| refused("open", errno))?;
    let stat = rustix::fs::fstat(&dir).map_err(|errno| refused("fstat", errno))?;
    let room = rustix::fs::fstatfs(&dir).map_err(|errno| refused("fstatfs", errno))?;
    let kind = room.f_type as u64 & 0xffff_ffff;
    if kind != TMPFS_MAGIC && kind != RAMFS_MAGIC {
        return Err(PlaceError::NotMemory { path: path.to_owned(), kind: format!("{kind:#x}") });
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
        return Err(PlaceError::NotPrivate { path: path.to_owned(), uid: stat.st_uid, mode: stat.st_mode & 0o777 });
    }
    Ok((dir, room))
}

/// Removes the files whose owners are gone. Whatever cannot be removed stays.
fn remove_dead(dir: &OwnedFd) {
    let Ok(entries) = Dir::read_from(dir) else { return };
    let recorders = entries.flatten().filter(|entry| {
        matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown)
            && entry.file_name().to_bytes().ends_with(ENDING.as_bytes())
    });
    for entry in recorders.take(MOST_REMOVED) {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(dir, entry.file_name(), flags, Mode::empty()) else { continue };
        if lock::take(file.as_fd()).is_ok() {
            let _stays = rustix::fs::unlinkat(dir, entry.file_name(), AtFlags::empty());
        }
    }
}

/// Whether the program that writes a recorder file has ended. Takes nothing from it.
pub fn is_dead(file: &Path) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(file, flags, Mode::empty())?;
    Ok(!lock::is_taken(file.as_fd())?)
}

/// Removes a recorder file whose program has ended. One that is gone is removed; one in use is an error.
pub fn remove_dead_file(file: &Path) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = match rustix::fs::open(file, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        open => open?,
    };
    lock::take(open.as_fd())?;
    std::fs::remove_file(file)
}

/// The recorder files in a directory, by name. A directory that is not there has none.
pub fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes()))
        .collect();
    files.sort();
    Ok(files)
}

/// The recorder in a memfd of process `pid`, if it has one, open for reading.
///
/// The link is opened as a mere handle first and looked at again, so that an fd which became something else in
/// between (a file on a dead mount, say) is never really opened.
pub fn memfd_of(pid: u32) -> io::Result<Option<std::fs::File>> {
    let wanted = format!("/memfd:{MEMFD} (deleted)");
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        let link = entry.path();
        if std::fs::read_link(&link).is_ok_and(|target| target.as_os_str() == wanted.as_str()) {
            let handle = rustix::fs::open(&link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            let mine = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle.as_fd()));
            if std::fs::read_link(&mine).is_ok_and(|target| target.as_os_str() == wanted.as_str()) {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                return Ok(Some(rustix::fs::open(&mine, flags, Mode::empty())?.into()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_run_comes_before_the_user_and_the_memfd_last() {
        let user = Place::User("/dev/shm/hangdog-7".into());
        assert_eq!(
            places_for(Some("/run/x".into()), 7)[..],
            [Place::Run("/run/x/flight".into()), user.clone(), Place::Memfd]
        );
        assert_eq!(places_for(None, 7)[..], [user, Place::Memfd]);
    }

    #[track_caller]
    fn check_refused(path: &Path, expected: &str) {
        let error = make(&Place::Run(path.to_owned()), &Owner::me().unwrap(), None).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn refused_places_say_why() {
        // procfs is surely no tmpfs, and sub-directories of /proc/self are our own.
        check_refused(Path::new("/proc/self/fdinfo"), "of type proc");
        let shm = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = shm.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o750)).unwrap();
        check_refused(&open, "mode 750");
        let link = shm.path().join("link");
        std::os::unix::fs::symlink(shm.path(), &link).unwrap();
        check_refused(&link, "open failed");
        check_refused(&shm.path().join("no/such"), "mkdir failed");
    }

    #[test]
    fn the_next_start_removes_what_the_dead_left_and_nothing_else() {
        let shm = tempfile::tempdir_in("/dev/shm").unwrap();
        let directory = shm.path().join("user");
        let place = Place::User(directory.clone());
        let owner = Owner::me().unwrap();
        let dead = make(&place, &owner, Some(Size::LEAST)).unwrap();
        std::fs::write(directory.join("other"), "").unwrap();
        let dead_path = dead.path.clone().unwrap();
        let alive = make(&place, &Owner { pid: 1, ..owner }, Some(Size::LEAST)).unwrap();
        assert!(dead_path.exists(), "its owner still holds the lock");
        drop(dead);
        let third = make(&place, &Owner { pid: 2, ..owner }, Some(Size::LEAST)).unwrap();
        assert!(!dead_path.exists());
        assert_eq!(list(&directory).unwrap(), [alive.path.unwrap(), third.path.unwrap()]);
        assert!(directory.join("other").exists());
    }

    #[test]
    fn files_are_private_and_a_taken_name_is_no_obstacle() {
        let shm = tempfile::tempdir_in("/dev/shm").unwrap();
        let owner = Owner::me().unwrap();
        let first = make(&Place::Run(shm.path().join("flight")), &owner, Some(Size::LEAST)).unwrap();
        let second = make(&Place::Run(shm.path().join("flight")), &owner, Some(Size::LEAST)).unwrap();
        assert_ne!(first.path, second.path);
        let metadata = std::fs::metadata(first.path.unwrap()).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    }
}
