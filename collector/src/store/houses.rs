//! The directories in which `flake` makes its runs, `$TMPDIR/hangdog-flake-4412-0`: whose they are, and who is in them.
//!
//! A file in the directory names the hangdog that made it. When that has ended a run may still go on: so nobody may
//! have his TMPDIR, his working directory or an open file there, and everybody must have been looked at.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fstat, openat};

use super::runs::Claim;
use super::scan::{everybody, told};
use crate::run::{DIRECTORY, OWNER, names};

const NAME: &str = "hangdog-flake-";

/// One of them.
#[derive(Debug)]
pub(super) struct House {
    pub(super) path: PathBuf,
    pub(super) claim: Option<Claim>,
    pub(super) base: OwnedFd,
    pub(super) entry: OsString,
}

/// Notes in a directory that this process has made that it is its own.
pub fn claim_house(path: &Path) -> io::Result<()> {
    let text = serde_json::to_vec(&Claim::own(None)?)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path.join(OWNER))?.write_all(&text)
}

/// Removes such a directory when nothing but that note is in it.
pub fn leave_house(path: &Path) {
    let is_empty =
        std::fs::File::open(path).is_ok_and(|directory| names(&directory).iter().all(|name| name == OWNER));
    if is_empty {
        let _ = std::fs::remove_file(path.join(OWNER));
        let _ = std::fs::remove_dir(path);
    }
}

/// Those of a user in a place. What others may enter proves nothing.
pub(super) fn houses(place: &Path, uid: u32) -> Vec<House> {
    let Ok(base) = std::fs::File::open(place).map(OwnedFd::from) else { return Vec::new() };
    let house = |entry: OsString| {
        entry.to_str().filter(|name| name.starts_with(NAME))?;
        let directory = openat(&base, &entry, DIRECTORY, Mode::empty()).ok()?;
        fstat(&directory).ok().filter(|about| about.st_uid == uid && about.st_mode.trailing_zeros() >= 6)?;
        let claim = Claim::read(&directory, OWNER);
        let base = base.as_fd().try_clone_to_owned().ok()?;
        Some(House { path: place.join(&entry), claim, base, entry })
    };
    let mut all: Vec<House> = names(&base).into_iter().filter_map(house).collect();
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

/// Processes that live in one of these directories, with which; `None` when not everybody could be looked at in time.
pub(super) fn tenants(houses: &[PathBuf]) -> Option<BTreeSet<(u32, usize)>> {
    let (lines, is_whole) = told(|| look(houses));
    let pairs = lines.iter().map(|line| {
        let (pid, house) = line.split_once(' ')?;
        Some((pid.parse().ok()?, house.parse().ok()?))
    });
    pairs.collect::<Option<_>>().filter(|_| is_whole)
}

fn look(houses: &[PathBuf]) -> impl Iterator<Item = String> {
    let uid = rustix::process::geteuid();
    let is_own = move |pid: &u32| {
        uid.is_root() || std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|about| about.uid() == uid.as_raw())
    };
    everybody().filter(is_own).filter_map(move |pid| {
        let place = houses.iter().position(|house| lives_in(pid, house))?;
        Some(format!("{pid} {place}"))
    })
}

fn lives_in(pid: u32, house: &Path) -> bool {
    let link = |name: &Path| std::fs::read_link(name).is_ok_and(|place| place.starts_with(house));
    let own = PathBuf::from(format!("/proc/{pid}"));
    let fds = std::fs::read_dir(own.join("fd")).into_iter().flatten().flatten();
    let has_variable = || {
        use std::os::unix::ffi::OsStrExt;
        let environment = std::fs::read(own.join("environ")).unwrap_or_default();
        let values = environment.split(|byte| *byte == 0).filter_map(|variable| variable.strip_prefix(b"TMPDIR="));
        values.map(|value| Path::new(std::ffi::OsStr::from_bytes(value))).any(|value| value.starts_with(house))
    };
    link(&own.join("cwd")) || fds.map(|entry| entry.path()).any(|path| link(&path)) || has_variable()
}
