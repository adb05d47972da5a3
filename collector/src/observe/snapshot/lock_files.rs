//! Files that may be locks, in the directories of the run: how they begin, how old they are, and whether the processes
//! that they name exist.
//!
//! This is the one place where a snapshot looks up paths of the run. It does so through the guarded worker, only
//! where every mount on the way is a file system that asks nobody outside of this kernel, without following any link,
//! and reads no file that is not small and regular. A file with a lease is left alone: to open it would disturb its
//! holder.

use std::collections::BTreeMap;
use std::path::Path;

use hangdog_schemas::fact::{Belonging, LockClass, LockFileFact, LockFileShape, Maker, NamedProcess};
use hangdog_schemas::record::TriggerReason;
use hangdog_schemas::{Big, Device, Observed, Pid};
use rustix::process::test_kill_process;

use super::Taking;
use crate::observe::files::{is_shared_place, lies_on_local_mounts};
use crate::observe::parse::dirents;
use crate::observe::parse::lock_file::{is_lock_name, named};
use crate::observe::parse::text::text;
use crate::observe::worker::{Ask, What};

/// A file that file events told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockCandidate {
    /// Where, as the observer sees it.
    pub path: String,
    /// Who made it, and its short name, where that is known.
    pub maker: Option<(Pid, Option<String>)>,
}

/// Working directories that are listed.
const DIRECTORIES: usize = 8;
/// Files that are looked at.
const FILES: usize = 64;
/// A longer file is no lock.
const LARGEST: u64 = 4096;
/// So much of one is kept, bytes.
const KEPT: u32 = 256;

/// What the worker says of a file (see `status` in `worker/child.rs`).
struct Status {
    shape: LockFileShape,
    device: Device,
    inode: u64,
    size: u64,
    age_ns: u64,
    target: Option<String>,
}

impl Taking {
    /// Looks at files that may be locks.
    pub(super) async fn read_lock_files(&mut self) {
        if self.request.reason == TriggerReason::Still {
            return; // Light looks come often, and what polls is not still.
        }
        let mut makers: BTreeMap<String, Option<(Pid, Option<String>)>> = BTreeMap::new();
        for candidate in std::mem::take(&mut self.request.lock_files) {
            makers.insert(candidate.path, candidate.maker);
        }
        for path in self.listed().await {
            makers.entry(path).or_insert(None);
        }
        let asks = makers
            .into_iter()
            .filter(|(path, _)| lies_on_local_mounts(&self.mounts_here, Path::new(path)))
            .take(FILES)
            .map(|(path, maker)| {
                let ask = Ask { what: What::Status, ..Ask::table(path.clone()) };
                ((path, maker), ask)
            });
        let mut found = Vec::new();
        for ((path, maker), answer) in self.reader.ask_for(asks.collect()).await {
            // One that is gone is no lock any more.
            if let Some(status) = answer.seen().and_then(|bytes| status(bytes)) {
                found.push((path, maker, status));
            }
        }
        let heads = found.iter().filter_map(|(path, _, status)| Some((path.clone(), self.head(path, status)?)));
        let heads: BTreeMap<String, _> = self.reader.ask_for(heads.collect()).await.into_iter().collect();
        for (path, maker, status) in found {
            let head = heads.get(&path).cloned().unwrap_or_default();
            let fact = self.lock_file(path, maker, status, head);
            self.scene.lock_files.push(fact);
        }
    }

    /// Files with a lock's name in the working directories of the run.
    async fn listed(&self) -> Vec<String> {
        let mut directories: Vec<String> = Vec::new();
        for (_, seen) in self.scene.kept() {
            let is_of_run = matches!(seen.kept, Some(Belonging::Root | Belonging::Run));
            let is_here = seen.mount_namespace() == self.own_mounts
                && seen.root.seen().is_some_and(|root| root.as_str() == "/");
            let Some(cwd) = seen.cwd.seen().filter(|_| is_of_run && is_here) else { continue };
            let cwd = cwd.as_str();
            if !directories.iter().any(|known| known == cwd)
                && !is_shared_place(Path::new(cwd))
                && directories.len() < DIRECTORIES
            {
                directories.push(cwd.to_owned());
            }
        }
        directories.retain(|path| lies_on_local_mounts(&self.mounts_here, Path::new(path)));
        let asks = directories
            .into_iter()
            .map(|path| (path.clone(), Ask { what: What::Dir, ..Ask::table(path) }))
            .collect::<Vec<_>>();
        let mut paths = Vec::new();
        for (directory, answer) in self.reader.ask_for(asks).await {
            let names = answer.seen().map(|bytes| dirents::names(bytes)).unwrap_or_default();
            let locks = names.into_iter().filter(|name| is_lock_name(name));
            paths.extend(locks.take(FILES).map(|name| format!("{}/{name}", directory.trim_end_matches('/'))));
        }
        paths
    }

    /// How to read the beginning of a file, if it may be read; of a directory, of the `pid` in it.
    fn head(&self, path: &str, status: &Status) -> Option<Ask> {
        let has_lease = self.scene.locks.iter().any(|lock| {
            lock.class == LockClass::Lease && (lock.device, lock.inode.0) == (status.device, status.inode)
        });
        let path = match status.shape {
            LockFileShape::File if status.size <= LARGEST && !has_lease => path.to_owned(),
            LockFileShape::Directory => format!("{path}/pid"),
            _ => return None,
        };
        Some(Ask { what: What::Head { len: KEPT, largest: LARGEST }, ..Ask::table(path) })
    }

    fn lock_file(
        &self,
        path: String,
        maker: Option<(Pid, Option<String>)>,
        status: Status,
        head: Observed<Vec<u8>>,
    ) -> LockFileFact {
        let said = match status.target {
            Some(target) => Observed::Seen(target),
            None => head.map(|bytes| text(&bytes)),
        };
        // A directory says nothing of itself, and most have no file in them.
        let said =
            if status.shape == LockFileShape::Directory && said.seen().is_none() { Observed::NotAsked } else { said };
        let numbers = said.seen().map(|said| named(said)).unwrap_or_default();
        LockFileFact {
            snapshot: self.request.snapshot,
            when: hangdog_schemas::When::exactly(self.clock.now()),
            path,
            shape: status.shape,
            device: status.device,
            inode: Big(status.inode),
            age_ns: status.age_ns,
            text: said,
            named: numbers.into_iter().map(|pid| NamedProcess { pid: Pid(pid), exists: exists(Pid(pid)) }).collect(),
            maker: maker.map(|(pid, comm)| Maker { pid, comm, exists: exists(pid) }),
        }
    }
}

/// Whether a process has this number, whoever may look at it (`kill(2)` with signal 0 sends nothing).
fn exists(pid: Pid) -> bool {
    let number = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
    number.is_some_and(|number| test_kill_process(number) != Err(rustix::io::Errno::SRCH))
}

fn status(bytes: &[u8]) -> Option<Status> {
    let (words, rest) = bytes.split_at_checked(7 * 8)?;
    let words: Vec<u64> =
        words.chunks_exact(8).filter_map(|word| Some(u64::from_ne_bytes(word.try_into().ok()?))).collect();
    let [mode, major, minor, inode, size, seconds, ns] = words[..] else { return None };
    let shape = match rustix::fs::FileType::from_raw_mode(mode as u32) {
        rustix::fs::FileType::RegularFile => LockFileShape::File,
        rustix::fs::FileType::Directory => LockFileShape::Directory,
        rustix::fs::FileType::Symlink => LockFileShape::Link,
        _ => return None,
    };
    let written = seconds.saturating_mul(1_000_000_000).saturating_add(ns);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    Some(Status {
        shape,
        device: Device { major: major as u32, minor: minor as u32 },
        inode,
        size,
        age_ns: now.saturating_sub(written),
        target: (shape == LockFileShape::Link).then(|| text(rest)),
    })
}
