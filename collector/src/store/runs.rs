//! The runs of this user that have a directory, and asking one of them for a look.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hangdog_schemas::ProcessId;
use rustix::fs::{Mode, OFlags, openat};
use rustix::process::{Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::owner::{Life, Owner};
use crate::clock::monotonic_now;
use crate::kernel::{has_ended, open_process};
use crate::run::{ASKED, DIRECTORY, DUMP, KEPT_OWNER, OWNER, Published, bases, claim_of_half, names, open_private};

/// Longest file that is read of a run's directory.
const LONGEST: u64 = 16 << 20;

/// Whose a run's directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The hangdog that watches.
    pub watcher: Owner,
    /// The command, once there is one.
    pub root: Option<Owner>,
}

impl Claim {
    /// Of this process.
    pub(crate) fn own(root: Option<ProcessId>) -> io::Result<Self> {
        let root = root.map(|root| Owner::of(root.pid.0, root.start.0)).transpose()?;
        Ok(Self { watcher: Owner::own()?, root })
    }

    /// The one that a file of the directory tells.
    pub(crate) fn read(directory: &OwnedFd, name: &str) -> Option<Self> {
        serde_json::from_slice(&read(directory, name)?).ok()
    }

    /// Whether anybody of them lives.
    pub fn life(&self) -> Life {
        let watcher = self.watcher.life();
        match &self.root {
            Some(root) if watcher == Life::Dead => root.life(),
            _ => watcher,
        }
    }
}

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// Whose it is; `None` when it names nobody.
    pub claim: Option<Claim>,
    /// Whether its directory was kept on purpose, for its first facts.
    pub is_kept: bool,
    pub(super) base: OwnedFd,
    pub(super) entry: OsString,
}

impl Run {
    pub(super) fn directory(&self) -> io::Result<OwnedFd> {
        Ok(openat(&self.base, &self.entry, DIRECTORY, Mode::empty())?)
    }
}

/// The runs of a user, by name, and so by time.
pub fn runs(runtime: Option<OsString>, uid: u32) -> io::Result<Vec<Run>> {
    let mut found = Vec::new();
    for path in bases(runtime, uid) {
        let base = match open_private(&path, uid) {
            Ok(base) => base,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Somebody else's, as one user's is another's in a user namespace: none of our runs is in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
            Err(error) => return Err(error),
        };
        for entry in names(&base) {
            let Some(text) = entry.to_str() else { continue };
            let half = claim_of_half(text);
            let name = text.strip_prefix("run-").or(text.rsplit('-').next().filter(|_| half.is_some()));
            let Some(name) = name.map(str::to_owned) else { continue };
            let Ok(directory) = openat(&base, &entry, DIRECTORY, Mode::empty()) else { continue };
            let kept = Claim::read(&directory, KEPT_OWNER);
            let is_kept = kept.is_some();
            let claim = half.or(kept).or_else(|| Claim::read(&directory, OWNER));
            let base = base.as_fd().try_clone_to_owned()?;
            found.push(Run { name, path: path.join(&entry), claim, is_kept, base, entry });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// It answered.
    Answered(Box<Published>),
    /// It is not there any more.
    Gone,
    /// It is there and did not answer in time.
    Silent,
}

/// Asks the hangdog of a run for a look, and waits for what it finds, for `limit` at most. A look that was over before
/// does not count, whoever asked for it.
pub fn ask(run: &Run, limit: Duration) -> io::Result<Asked> {
    let Some(watcher) = run.claim.as_ref().map(|claim| &claim.watcher) else { return Ok(Asked::Gone) };
    // Opened first, compared then, not ended since: the number means this process, whatever happened before.
    let Some(pidfd) = open_process(watcher.pid) else { return Ok(Asked::Gone) };
    if watcher.life() != Life::Alive || has_ended(&pidfd) {
        return Ok(Asked::Gone);
    }
    let directory = run.directory()?;
    let asked = monotonic_now();
    let signal = Signal::from_named_raw(DUMP).ok_or(io::ErrorKind::Unsupported)?;
    pidfd_send_signal(&pidfd, signal)?;
    let until = Instant::now() + limit;
    while Instant::now() < until {
        if let Some(published) = published(&directory).filter(|published| published.looked > asked) {
            return Ok(Asked::Answered(Box::new(published)));
        }
        if has_ended(&pidfd) {
            return Ok(Asked::Gone);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Asked::Silent)
}

fn published(directory: &OwnedFd) -> Option<Published> {
    serde_json::from_slice(&read(directory, ASKED)?).ok()
}

fn read(directory: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: std::fs::File = openat(directory, name, flags, Mode::empty()).ok()?.into();
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    Some(text)
}
