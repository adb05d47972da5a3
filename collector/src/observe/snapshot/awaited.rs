//! `fdinfo` of what somebody waits for, where a run has too many descriptors to read that of all: of the descriptor
//! itself, and of whatever else leads to the same file, since its holders may end the wait. Locks show in `fdinfo` alone, so
//! when a lock is waited for, all files are read.

use std::collections::BTreeSet;

use hangdog_schemas::{Fd, Observed, Pid};

use super::Taking;
use super::join::{absolute, waited_fds};
use super::links::{Link, Target};
use super::scene::{Scene, Seen};
use crate::observe::worker::Hazard;

/// Epoll sets in epoll sets are followed so far.
const SETS_IN_SETS: usize = 3;

impl Taking {
    /// `fdinfo` of what cannot block.
    pub(super) async fn read_awaited_infos(&mut self) {
        if !self.scene.kept().any(|(_, seen)| seen.is_spared()) {
            return;
        }
        let awaited = Awaited::of(&self.scene);
        let mut wanted = Vec::new();
        for (_, seen) in self.scene.kept().filter(|(_, seen)| seen.is_spared()) {
            let own = fds(seen);
            let is_awaited = |link: &&Link| own.contains(&link.fd.0) || awaited.has(link);
            let links = seen.links.iter().filter(|link| link.has_plain_info() && !link.has_info()).filter(is_awaited);
            wanted.extend(links.map(|link| seen.info(link.fd, Hazard::None)));
        }
        self.read_infos(wanted).await;
    }

    /// `fdinfo` of epoll sets: the one that can even be unkillable, so it comes last.
    pub(super) async fn read_epoll_infos(&mut self, pids: &[Pid]) {
        let mut asked: BTreeSet<(Pid, Fd)> = BTreeSet::new();
        // What is in a set shows when the set was read.
        for _ in 0..SETS_IN_SETS {
            let mut wanted = Vec::new();
            for seen in pids.iter().filter_map(|pid| self.scene.processes.get(pid)) {
                let own = if seen.is_spared() { fds(seen) } else { BTreeSet::new() };
                let is_wanted = |link: &&Link| !seen.is_spared() || own.contains(&link.fd.0);
                let sets = seen.links.iter().filter(|link| link.is_epoll() && !link.has_info()).filter(is_wanted);
                let sets = sets.filter(|link| asked.insert((seen.id.pid, link.fd)));
                wanted.extend(sets.map(|link| seen.info(link.fd, Hazard::Epoll)));
            }
            if wanted.is_empty() {
                return;
            }
            self.read_infos(wanted).await;
        }
    }

    /// Says of how many files it is not known how they were opened.
    pub(super) fn note_spared(&mut self) {
        let spared = self.scene.kept().filter(|(_, seen)| seen.is_spared());
        let count =
            spared.flat_map(|(_, seen)| &seen.links).filter(|link| link.has_path() && !link.has_info()).count();
        if count > 0 {
            let what = format!("flags and positions of {count} open files that nobody waits for");
            self.gap(None, &what, Observed::NotAsked);
        }
    }
}

/// Descriptors that threads of a process wait for.
fn fds(seen: &Seen) -> BTreeSet<u32> {
    seen.tasks.iter().filter_map(|task| task.waits_in()).flat_map(|call| waited_fds(seen, call)).collect()
}

/// What is waited for by name.
struct Awaited {
    targets: BTreeSet<Target>,
    has_locks: bool,
}

impl Awaited {
    fn of(scene: &Scene) -> Self {
        let (mut targets, mut has_locks) = (BTreeSet::new(), false);
        for (_, seen) in scene.kept() {
            let links = fds(seen).into_iter().filter_map(|fd| seen.link(fd)).filter(|link| link.has_path());
            targets.extend(links.map(Link::target));
            for call in seen.tasks.iter().filter_map(|task| task.waits_in()) {
                has_locks |= matches!(call.name(), Some("flock" | "fcntl"));
                let paths = (0..6).filter_map(|arg| absolute(seen, call, arg, call.path(arg)?));
                targets.extend(paths.map(|path| Target::Name(path.into())));
            }
        }
        Self { targets, has_locks }
    }

    fn has(&self, link: &Link) -> bool {
        link.has_path() && (self.has_locks || self.targets.contains(&link.target()))
    }
}
