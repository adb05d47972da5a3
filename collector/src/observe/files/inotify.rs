//! Directories watched one by one by inotify, for users who may not use fanotify: names, and nobody who did it.
//!
//! Each directory is opened below the watched one with `RESOLVE_NO_XDEV`: what is mounted in it, before or during
//! the run, is refused by the kernel before the mounted file system hears of it.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hangdog_schemas::record::FileOp;
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, open, openat2};

/// Directories that are watched, over all, and how deep below the first.
pub(super) const MOST: usize = 512;
pub(super) const DEEPEST: usize = 6;

/// Notices that are understood before anything else is looked at.
const MOST_AT_ONCE: usize = 4096;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What happened to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) op: FileOp,
    pub(super) path: PathBuf,
    pub(super) to: Option<PathBuf>,
    pub(super) is_directory: bool,
}

/// All watches.
#[derive(Debug)]
pub(super) struct Inotify {
    fd: OwnedFd,
    roots: Vec<(PathBuf, OwnedFd)>,
    watches: HashMap<i32, Place>,
    /// Directories that are not watched since there were too many.
    left_out: u64,
}

#[derive(Clone, Debug)]
struct Place {
    root: usize,
    path: PathBuf,
    depth: usize,
}

impl Inotify {
    pub(super) fn new() -> rustix::io::Result<Self> {
        let fd = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { fd, roots: Vec::new(), watches: HashMap::new(), left_out: 0 })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Watches a directory, which is local and whose path has no links, and those below it.
    pub(super) fn watch(&mut self, path: &Path) -> rustix::io::Result<()> {
        let fd = open(path, OFlags::PATH | DIRECTORY, Mode::empty())?;
        self.roots.push((path.to_owned(), fd));
        let root = self.roots.len() - 1;
        self.add(&Place { root, path: path.to_owned(), depth: 0 })?;
        Ok(())
    }

    /// How many directories were left out since the last call.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Watches a directory and all below it, nearest first.
    fn add(&mut self, place: &Place) -> rustix::io::Result<()> {
        let mut waiting = std::collections::VecDeque::from([place.clone()]);
        let mut first = Ok(());
        while let Some(place) = waiting.pop_front() {
            match self.add_one(&place) {
                Ok(below) => waiting.extend(below),
                Err(error) if place.depth == 0 => first = Err(error),
                // It is gone again, or something is mounted on it.
                Err(_) => {}
            }
            if waiting.len() > MOST {
                self.left_out += (waiting.len() - MOST) as u64;
                waiting.truncate(MOST);
            }
        }
        first
    }

    fn add_one(&mut self, place: &Place) -> rustix::io::Result<Vec<Place>> {
        if self.watches.len() >= MOST || place.depth > DEEPEST {
            self.left_out += 1;
            return Ok(Vec::new());
        }
        let (root, fd) = &self.roots[place.root];
        let below = place.path.strip_prefix(root).unwrap_or(Path::new(""));
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let only_here = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        let directory = openat2(fd, below, DIRECTORY, Mode::empty(), only_here)?;
        let wanted = WatchFlags::OPEN
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ONLYDIR
            | WatchFlags::EXCL_UNLINK;
        let number = add_watch(&self.fd, format!("/proc/self/fd/{}", directory.as_raw_fd()), wanted)?;
        self.watches.insert(number, place.clone());
        let entries = Dir::new(directory)?;
        let is_directory = |entry: &rustix::fs::DirEntry| entry.file_type() == FileType::Directory;
        let names = entries.flatten().filter(is_directory).map(|entry| entry.file_name().to_owned());
        let names = names.filter(|name| !matches!(name.to_bytes(), b"." | b".."));
        let child = |name: std::ffi::CString| place.child(name.to_bytes());
        Ok(names.map(child).collect())
    }

    /// What happened since, and how often the kernel's queue was full.
    pub(super) fn read(&mut self) -> (Vec<Change>, u64) {
        let mut told = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        while told.len() < MOST_AT_ONCE
            && let Ok(event) = reader.next()
        {
            let name = event.file_name().map(|name| name.to_bytes().to_vec()).unwrap_or_default();
            told.push(Told { number: event.wd(), what: event.events(), cookie: event.cookie(), name });
        }
        let lost = told.iter().filter(|told| told.what.contains(ReadFlags::QUEUE_OVERFLOW)).count();
        let mut changes = Vec::new();
        let mut moved = None;
        for told in told {
            self.understand(&told, &mut moved, &mut changes);
        }
        self.moved_away(moved, &mut changes);
        (changes, lost as u64)
    }

    /// One notice. `moved` is the first half of a move; its other half follows at once, or never.
    fn understand(&mut self, told: &Told, moved: &mut Option<(u32, Change)>, changes: &mut Vec<Change>) {
        let what = told.what;
        let other_half = moved.take_if(|(cookie, _)| what.contains(ReadFlags::MOVED_TO) && *cookie == told.cookie);
        self.moved_away(moved.take(), changes);
        let place = self.watches.get(&told.number).filter(|_| !told.name.is_empty());
        let place = place.map(|place| place.child(&told.name));
        if what.contains(ReadFlags::IGNORED) {
            self.watches.remove(&told.number);
        }
        let Some(place) = place else { return };
        let is_directory = what.contains(ReadFlags::ISDIR);
        let change = |op| Change { op, path: place.path.clone(), to: None, is_directory };
        let ops = [
            (ReadFlags::CREATE, FileOp::Create),
            (ReadFlags::OPEN, FileOp::Open),
            (ReadFlags::CLOSE_WRITE, FileOp::CloseWrite),
            (ReadFlags::DELETE, FileOp::Unlink),
        ];
        if what.contains(ReadFlags::MOVED_FROM) {
            *moved = Some((told.cookie, change(FileOp::Unlink)));
        } else if what.contains(ReadFlags::MOVED_TO) {
            changes.push(match other_half {
                Some((_, from)) => Change { op: FileOp::Rename, to: Some(place.path.clone()), ..from },
                None => change(FileOp::Create),
            });
        } else if let Some((_, op)) = ops.into_iter().find(|(flag, _)| what.contains(*flag))
            // Looking through a directory is no event; we do it ourselves.
            && !(is_directory && op == FileOp::Open)
        {
            changes.push(change(op));
        }
        if is_directory && what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            // A directory that is known already gets its new name this way.
            let _ = self.add(&place);
        }
    }

    /// It went to where nobody watches; if it is a directory, what happens in it has no name here any more.
    fn moved_away(&mut self, moved: Option<(u32, Change)>, changes: &mut Vec<Change>) {
        let Some((_, from)) = moved else { return };
        if from.is_directory {
            let below = self.watches.extract_if(|_, place| place.path.starts_with(&from.path));
            for (number, _) in below {
                let _ = remove_watch(&self.fd, number);
            }
        }
        changes.push(from);
    }
}

/// A notice as it came.
struct Told {
    number: i32,
    what: ReadFlags,
    cookie: u32,
    name: Vec<u8>,
}

impl Place {
    fn child(&self, name: &[u8]) -> Self {
        let path = self.path.join(std::ffi::OsStr::from_bytes(name));
        Self { root: self.root, path, depth: self.depth + 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_told_and_new_directories_are_watched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("old")).unwrap();
        let mut inotify = Inotify::new().unwrap();
        inotify.watch(folder.path()).unwrap();
        let mut told = || {
            let (changes, lost) = inotify.read();
            assert_eq!(lost, 0);
            let name = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
            let line = |change: Change| {
                let to = change.to.map(|to| format!(" {}", name(&to))).unwrap_or_default();
                format!("{} {}{to}", change.op.word(), name(&change.path))
            };
            changes.into_iter().map(line).collect::<Vec<String>>()
        };
        fs::write(at("old/a"), "x").unwrap();
        fs::rename(at("old/a"), at("b")).unwrap();
        fs::remove_file(at("b")).unwrap();
        fs::create_dir(at("new")).unwrap();
        assert_eq!(
            told(),
            ["create old/a", "open old/a", "close_write old/a", "rename old/a b", "unlink b", "create new"]
        );
        fs::rename(at("new"), at("newer")).unwrap();
        assert_eq!(told(), ["rename new newer"]);
        fs::write(at("newer/c"), "x").unwrap();
        assert_eq!(told(), ["create newer/c", "open newer/c", "close_write newer/c"]);
        let elsewhere = tempfile::tempdir().unwrap();
        fs::rename(at("newer"), elsewhere.path().join("away")).unwrap();
        assert_eq!(told(), ["unlink newer"]);
        fs::write(elsewhere.path().join("away/d"), "x").unwrap();
        assert_eq!(told(), Vec::<String>::new());
    }

    #[test]
    fn there_is_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..MOST + 10 {
            fs::create_dir(folder.path().join(n.to_string())).unwrap();
        }
        let mut inotify = Inotify::new().unwrap();
        inotify.watch(folder.path()).unwrap();
        assert_eq!((inotify.watches.len(), inotify.take_left_out()), (MOST, 11));
    }
}
