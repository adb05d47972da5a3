//! Where recorders lie of programs that hangdog did not start: in the directories of their users, and in those of other
//! runs. All are on tmpfs, and of the user whom their name tells; nothing else is entered.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fstat, open, openat};

use super::directory::{DIRECTORY, is_tmpfs, names};

/// Directories that are looked into.
const MOST: usize = 256;

/// All directories in which recorders may lie, opened.
pub(super) fn directories() -> Vec<OwnedFd> {
    let mut found = Vec::new();
    for (path, uid) in bases() {
        let Some(base) = private(&path, uid) else { continue };
        for name in names(&base) {
            if found.len() >= MOST {
                return found;
            }
            let run = name.to_str().is_some_and(|name| name.starts_with("run-")).then_some(&name);
            let run = run.and_then(|name| openat(&base, name, DIRECTORY, Mode::empty()).ok());
            found.extend(run.and_then(|run| openat(&run, "flight", DIRECTORY, Mode::empty()).ok()));
        }
        found.push(base);
    }
    found
}

/// `/dev/shm/hangdog-1000`, `/run/user/1000/hangdog`.
fn bases() -> Vec<(PathBuf, u32)> {
    let of = |place: &str, uid_of: fn(&str) -> Option<u32>, below: &str| {
        let Some(place) = Some(Path::new(place)).filter(|place| is_tmpfs(place)) else { return Vec::new() };
        let Ok(listing) = open(place, DIRECTORY, Mode::empty()) else { return Vec::new() };
        let users = names(&listing).into_iter().filter_map(|name| Some((place.join(&name), uid_of(name.to_str()?)?)));
        users.map(|(path, uid)| (if below.is_empty() { path } else { path.join(below) }, uid)).collect()
    };
    let mut bases: Vec<(PathBuf, u32)> = of("/dev/shm", |name| name.strip_prefix("hangdog-")?.parse().ok(), "");
    bases.extend(of("/run/user", |name| name.parse().ok(), "hangdog"));
    bases
}

fn private(path: &Path, uid: u32) -> Option<OwnedFd> {
    if !is_tmpfs(path) {
        return None;
    }
    let directory = open(path, DIRECTORY, Mode::empty()).ok()?;
    let about = fstat(&directory).ok()?;
    (about.st_uid == uid && about.st_mode & 0o022 == 0).then_some(directory)
}
