//! Removes a tree and never leaves its file system: each directory is opened from the one above it, by a look-up that
//! the kernel refuses where a mount lies in the way, and each name is removed through the open directory.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, openat2, unlinkat};
use rustix::io::Errno;

use crate::run::{KEPT_OWNER, OWNER, names};

/// Directories within each other; a run's has two.
const DEEPEST: usize = 32;

/// Something that could not be removed.
#[derive(Debug)]
pub(crate) struct Stays {
    /// What.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) why: String,
}

/// Removes `name` in `parent`, whose path is `at`, with all below it. What stays comes back; with it stay the
/// directories around it.
pub(crate) fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr, at: &Path) -> Vec<Stays> {
    let mut stays = Vec::new();
    remove(parent, name, &at.join(name), 0, &mut stays);
    stays
}

/// Removes a directory that its caller has made, with all below it. Says what stays, and why.
pub fn remove_directory(path: &Path) -> Vec<String> {
    let (Some(around), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let stays = match std::fs::File::open(around) {
        Ok(parent) => remove_tree(parent.as_fd(), name, around),
        Err(error) => vec![Stays { path: path.to_owned(), why: error.to_string() }],
    };
    stays.into_iter().map(|stays| format!("{} stays: {}", stays.path.display(), stays.why)).collect()
}

fn remove(parent: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize, stays: &mut Vec<Stays>) {
    let mut stay = |why: String| stays.push(Stays { path: path.to_owned(), why });
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return,
        Err(Errno::ISDIR) => {}
        Err(Errno::BUSY) => return stay(mounted()),
        Err(error) => return stay(io::Error::from(error).to_string()),
    }
    if depth == DEEPEST {
        return stay(format!("directories lie {DEEPEST} deep in each other"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let directory = match openat2(parent, name, flags, Mode::empty(), resolve) {
        Ok(directory) => directory,
        Err(Errno::XDEV) => return stay(mounted()),
        Err(error) => return stay(io::Error::from(error).to_string()),
    };
    let before = stays.len();
    let is_owner = |name: &OsStr| name == OWNER || name == KEPT_OWNER;
    let mut below = names(&directory);
    below.sort_by_key(|name| is_owner(name));
    for below in below {
        // What stays keeps the name of whose it was.
        if is_owner(&below) && stays.len() > before {
            return;
        }
        remove(directory.as_fd(), &below, &path.join(&below), depth + 1, stays);
    }
    if stays.len() > before {
        return;
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(Errno::BUSY) => stays.push(Stays { path: path.to_owned(), why: mounted() }),
        Err(error) => stays.push(Stays { path: path.to_owned(), why: io::Error::from(error).to_string() }),
    }
}

fn mounted() -> String {
    "a mount lies on it; see whose it is with `findmnt`, and take it away with `umount`".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_and_what_links_point_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let precious = place.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("file"), "x").unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&precious, tree.join("a/link")).unwrap();
        let parent = std::fs::File::open(place.path()).unwrap();
        assert!(remove_tree(parent.as_fd(), OsStr::new("tree"), place.path()).is_empty());
        assert!(!tree.exists());
        assert!(precious.join("file").exists());
    }
}
