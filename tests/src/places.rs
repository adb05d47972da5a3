//! Places in which a program is made to stand still: a disk that is frozen, a control group that is frozen, a file
//! system that does not answer. Each is undone when it is dropped, and when the test is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use tempfile::TempDir;

use crate::{Undo, until};

/// A small ext4 on a file.
#[derive(Debug)]
pub struct Disk {
    /// The loop device goes with the last user of the mount.
    _unmount: Undo,
    directory: TempDir,
}

impl Disk {
    /// Why there can be none here, if so.
    pub fn missing() -> Option<String> {
        let programs = ["mkfs.ext4", "mount", "fsfreeze"];
        let missing = programs.into_iter().find(|program| Command::new(program).arg("-V").output().is_err());
        crate::needs::root()
            .or_else(|| missing.map(|program| format!("needs {program}")))
            .or_else(|| (!Path::new("/dev/loop-control").exists()).then(|| "needs loop devices".to_owned()))
    }

    /// A new one, mounted.
    ///
    /// # Panics
    /// When there can be none.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "mounts something: nobody expects that of a default")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("hangdog-tests-").tempdir().expect("a directory");
        let (image, point) = (directory.path().join("image"), directory.path().join("disk"));
        fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
        fs::create_dir(&point).expect("a directory");
        run("mkfs.ext4", &["-q".as_ref(), image.as_ref()]);
        let unmount = Undo::by(r#"umount -l "$1/disk"; rm -r --one-file-system "$1""#, [directory.path()]);
        run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_ref(), point.as_ref()]);
        Self { _unmount: unmount, directory }
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// Nobody writes to it until the result is dropped.
    ///
    /// # Panics
    /// When it cannot be frozen.
    #[track_caller]
    pub fn freeze(&self) -> Undo {
        let thaw = Undo::by(r#"fsfreeze -u "$1""#, [self.path()]);
        run("fsfreeze", &["-f".as_ref(), self.path().as_ref()]);
        thaw
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&Path]) {
    let ended = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(ended.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// The two kinds of control groups that can be frozen.
#[derive(Clone, Copy, Debug)]
pub enum Freezer {
    /// A hierarchy of its own.
    V1,
    /// The unified one.
    V2,
}

impl Freezer {
    /// Why it cannot be used here, if so.
    pub fn missing(self) -> Option<String> {
        let none = || self.root().is_none().then(|| format!("needs control groups with a freezer, {self:?}"));
        crate::needs::root().or_else(none)
    }

    /// Where its groups are.
    pub fn root(self) -> Option<PathBuf> {
        let table = fs::read_to_string("/proc/self/mounts").ok()?;
        table.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
            let is_it = match self {
                Self::V1 => kind == "cgroup" && options.split(',').any(|option| option == "freezer"),
                Self::V2 => kind == "cgroup2",
            };
            is_it.then(|| point.into())
        })
    }
}

/// Thaws a group, lets its members into the one above, and removes it. One that has ended and was not waited for keeps
/// it busy, so the members have to be alive.
const REMOVE_GROUP: &str = r#"cd "$1" || exit
    [ -e freezer.state ] && echo THAWED > freezer.state
    [ -e cgroup.freeze ] && echo 0 > cgroup.freeze
    while read -r pid; do echo "$pid" > ../cgroup.procs; done < cgroup.procs
    cd .. && rmdir "$1""#;

/// A control group of its own.
#[derive(Debug)]
pub struct Group {
    freezer: Freezer,
    path: PathBuf,
    _remove: Undo,
}

impl Group {
    /// One with this process in it.
    ///
    /// # Panics
    /// When it cannot be made.
    #[track_caller]
    pub fn of(freezer: Freezer, pid: u32) -> Self {
        let path = freezer.root().expect("looked for before").join(format!("hangdog-tests-{pid}"));
        let remove = Undo::by(REMOVE_GROUP, [&path]);
        fs::create_dir(&path).expect("a control group");
        let group = Self { freezer, path, _remove: remove };
        fs::write(group.path.join("cgroup.procs"), pid.to_string()).expect("a process of ours");
        group
    }

    /// Freezes it, and waits until all of it stands still.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn freeze(&self) {
        let (file, word) = match self.freezer {
            Freezer::V1 => ("freezer.state", "FROZEN"),
            Freezer::V2 => ("cgroup.freeze", "1"),
        };
        fs::write(self.path.join(file), word).expect("to freeze");
        until("the frozen group", || self.is_frozen().then_some(()));
    }

    /// Whether all of it stands still.
    pub fn is_frozen(&self) -> bool {
        let (told, said) = match self.freezer {
            Freezer::V1 => ("freezer.state", "FROZEN"),
            Freezer::V2 => ("cgroup.events", "frozen 1"),
        };
        fs::read_to_string(self.path.join(told)).is_ok_and(|text| text.contains(said))
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it cannot.
    pub fn thaw(&self) {
        let (file, word) = match self.freezer {
            Freezer::V1 => ("freezer.state", "THAWED"),
            Freezer::V2 => ("cgroup.freeze", "0"),
        };
        fs::write(self.path.join(file), word).expect("to thaw");
    }
}

/// A tmpfs of its own, so small that it can be filled.
#[derive(Debug)]
pub struct SmallTmpfs {
    _unmount: Undo,
    directory: TempDir,
}

impl SmallTmpfs {
    /// A new one, mounted.
    ///
    /// # Panics
    /// When it cannot be mounted.
    #[track_caller]
    pub fn new(bytes: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("hangdog-tests-").tempdir().expect("a directory");
        let unmount = Undo::by(r#"umount -l "$1"; rmdir "$1""#, [directory.path()]);
        let options = format!("size={bytes},mode=700");
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("a tmpfs");
        Self { _unmount: unmount, directory }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all that is left of it, until the result is dropped.
    ///
    /// # Panics
    /// When it has no end.
    #[track_caller]
    pub fn fill(&self) -> fs::File {
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).expect("a file");
        fs::remove_file(path).expect("our own file");
        let full = std::io::copy(&mut std::io::repeat(0), &mut file).expect_err("it is bounded");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        file
    }
}
