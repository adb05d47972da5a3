//! Which directories are watched, and where each really is: found component by component with the mount table
//! beside it, so that nothing on FUSE or on a network is ever looked up.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use hangdog_schemas::record::Whose;

use crate::observe::parse::mountinfo::{MountLine, mountinfo};

/// A directory that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    /// As it was named, absolute.
    pub(crate) path: PathBuf,
    pub(crate) whose: Whose,
    /// Names in it that are hangdog's own.
    pub(crate) omitted: &'static [&'static str],
    /// A place that strangers use as well is watched only where events say who did it.
    pub(crate) is_shared: bool,
}

/// File systems that ask nobody outside of this kernel. On all others no path is looked up.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "ntfs3",
    "overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "vfat", "xfs", "zfs",
];

/// Places of everybody.
const SHARED: [&str; 4] = ["/", "/tmp", "/var/tmp", "/dev/shm"];

/// Whether strangers use a directory as well.
pub(crate) fn is_shared_place(path: &Path) -> bool {
    SHARED.iter().any(|shared| Path::new(shared) == path)
}

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// The directory that a path leads to, or why it is not gone to.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, String> {
    let table =
        std::fs::read("/proc/self/mountinfo").map_err(|error| format!("the mounts cannot be read: {error}"))?;
    resolve_in(&mountinfo(&table), path, |path| std::fs::read_link(path).ok())
}

/// `link` says where a symbolic link leads; it is asked only about paths on local file systems.
fn resolve_in(mounts: &[MountLine], path: &Path, link: impl Fn(&Path) -> Option<PathBuf>) -> Result<PathBuf, String> {
    let mut here = PathBuf::from("/");
    let mut ahead: Vec<OsString> = reversed(path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        let kind = kind_at(mounts, &next).unwrap_or("a file system that is not in the mount table");
        if !LOCAL.contains(&kind) {
            return Err(format!("{} is on {kind}, and nothing is looked up there", next.display()));
        }
        let Some(target) = link(&next) else {
            here = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err(format!("too many links on the way to {}", path.display()));
        }
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        ahead.extend(reversed(&target));
    }
    match kind_at(mounts, &here) {
        Some(kind) if LOCAL.contains(&kind) => Ok(here),
        kind => Err(format!("{} is on {}", here.display(), kind.unwrap_or("an unknown file system"))),
    }
}

/// Whether a path without links lies on local file systems all the way from the root.
pub(crate) fn lies_on_local_mounts(mounts: &[MountLine], path: &Path) -> bool {
    let is_plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let is_local = |part: &Path| kind_at(mounts, part).is_some_and(|kind| LOCAL.contains(&kind));
    path.is_absolute() && is_plain && path.ancestors().all(is_local)
}

/// The names of a path, the first one last.
fn reversed(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// The type of the file system that a path without links lies on.
fn kind_at<'a>(mounts: &'a [MountLine], path: &Path) -> Option<&'a str> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.mount_point));
    // Of two at one point the later one covers the earlier.
    let mount = above.max_by_key(|mount| Path::new(&mount.mount_point).components().count())?;
    Some(&mount.fs_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw
25 22 0:5 / /mnt/far rw - nfs4 server:/ rw
26 22 0:6 / /tmp rw - tmpfs tmp rw
27 26 0:7 / /tmp/f rw - fuse.sshfs x rw
";

    /// Links as `from>to`.
    #[track_caller]
    fn check(path: &str, links: &[&str], expected: Result<&str, &str>) {
        let link = |path: &Path| {
            assert!(!path.starts_with("/mnt/far") && !path.starts_with("/tmp/f"), "{} was looked up", path.display());
            let mut pairs = links.iter().filter_map(|link| link.split_once('>'));
            pairs.find(|(from, _)| Path::new(from) == path).map(|(_, to)| PathBuf::from(to))
        };
        match (resolve_in(&mountinfo(TABLE), Path::new(path), link), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, Path::new(expected)),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn every_mount_on_the_way_has_to_be_local() {
        let mounts = mountinfo(TABLE);
        for (path, expected) in [
            ("/home/u/a.lock", true),
            ("/tmp/a.lock", true),
            ("/tmp/f/a.lock", false),
            ("/mnt/far/x/a.lock", false),
            ("/tmp/../mnt/far/a", false),
            ("a.lock", false),
        ] {
            assert_eq!(lies_on_local_mounts(&mounts, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn links_are_followed_and_what_is_not_local_is_left_alone() {
        check("/home/u/work", &[], Ok("/home/u/work"));
        check("/home/u/./work/../tmp", &["/home/u/tmp>/tmp"], Ok("/tmp"));
        check("/a/b", &["/a>../tmp/./x"], Ok("/tmp/x/b"));
        check("/mnt/far/x", &[], Err("/mnt/far is on nfs4"));
        check("/tmp/f/x", &[], Err("/tmp/f is on fuse.sshfs"));
        check("/a/x", &["/a>/mnt/far"], Err("nfs4"));
        check("/a", &["/a>/a"], Err("too many links"));
    }
}
