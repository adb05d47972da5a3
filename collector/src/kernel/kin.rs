#![expect(unsafe_code, reason = "signal 0 through a pidfd has no safe form")]
//! Which processes are the run's. This is the one place that decides; samples, snapshots and whatever is done to
//! a run follow it.
//!
//! ```text
//! hangdog ─┬─ the command ─ …            the run's
//!          ├─ helpers                    never
//!          ├─ children from before ─ …   never: `server & exec hangdog run -- tests`
//!          └─ adopted later ─ …          the run's when that is proven
//! ```
//!
//! An orphan comes to hangdog since it is the nearest child subreaper above it (prctl(2)). So the adopted descends
//! from one of our children: the command, a child from before, or a helper, which starts nobody. Hence:
//!
//! 1. Where hangdog had no child before, whoever is adopted is the run's. As process 1 of a pid namespace hangdog
//!    is no proof by itself: processes that were sent into the namespace (`setns`) come to it as well.
//! 2. Else it is the run's if it was seen below the command, or below one that is the run's by this rule, while
//!    that was so; a pidfd that is still valid says that the number means the same process.
//! 3. It never is if it was seen so below a child that is not the run's.
//! 4. If it was seen nowhere, since it was forked twice between two looks, its environment decides:
//!    `HANGDOG_RUN_ID` of this run is given to the command alone. That it was adopted is the other half of the
//!    proof. What cannot be read is not proven, and until it was read nothing is decided (`marks`). One case is misjudged: a server from before that
//!    starts, with its client's environment, a daemon for a client in the run, faster than it can be seen.
//!
//! A child of ours keeps its number until it is waited for, which happens here alone: decisions about our own
//! children are kept by number.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use hangdog_schemas::record::ExitStatus;

use super::marks::Marks;
use super::tree::{below, children_of, reap_one};
use super::{children_cpu, open_process};
use crate::observe::Adopted;

/// Our children, who of them is of the run, and how those ended that were waited for.
#[derive(Debug)]
pub(crate) struct Children {
    /// `HANGDOG_RUN_ID=…`, as the command has it in its environment.
    mark: Vec<u8>,
    root: Option<u32>,
    /// Left to whoever started them.
    helpers: BTreeSet<u32>,
    /// Whether everybody who is adopted is the run's.
    is_sure: bool,
    adopted: BTreeSet<u32>,
    foreign: BTreeSet<u32>,
    seen_of_run: Seen,
    seen_foreign: Seen,
    marks: Marks,
    ended: BTreeMap<u32, ExitStatus>,
    foreign_cpu_ns: u64,
}

impl Children {
    /// To be called as child subreaper, before the first fork: the children that are there are not the run's.
    pub(crate) fn before_run(run: &str) -> Self {
        let foreign: BTreeSet<u32> = children_of(std::process::id()).into_iter().collect();
        Self {
            mark: format!("HANGDOG_RUN_ID={run}").into_bytes(),
            root: None,
            helpers: BTreeSet::new(),
            is_sure: foreign.is_empty() && std::process::id() != 1,
            adopted: BTreeSet::new(),
            foreign,
            seen_of_run: Seen::default(),
            seen_foreign: Seen::default(),
            marks: Marks::default(),
            ended: BTreeMap::new(),
            foreign_cpu_ns: 0,
        }
    }

    /// Where nothing is started and nothing adopted: no child of ours is of what is followed.
    pub(crate) fn of_others() -> Self {
        Self { mark: Vec::new(), is_sure: false, ..Self::before_run("") }
    }

    /// Children from before that are not the run's.
    pub(crate) fn foreign(&self) -> Vec<u32> {
        self.foreign.iter().copied().collect()
    }

    /// Names the command.
    pub(crate) fn set_root(&mut self, root: u32) {
        self.root = Some(root);
    }

    /// Replaces the set of processes that work for hangdog.
    pub(crate) fn set_helpers(&mut self, helpers: BTreeSet<u32>) {
        self.helpers = helpers;
    }

    pub(crate) fn helpers(&self) -> &BTreeSet<u32> {
        &self.helpers
    }

    /// Everybody of the run as of now, zombies included.
    pub(crate) fn of_run(&mut self) -> BTreeSet<u32> {
        self.decide();
        self.below_root()
    }

    /// Decides about children that are new, and says which are the run's.
    pub(crate) fn adopted(&mut self) -> Adopted {
        self.decide();
        if self.is_sure {
            return Adopted::OfRun;
        }
        Adopted::Only(self.adopted.iter().chain(&self.root).map(|pid| hangdog_schemas::Pid(*pid)).collect())
    }

    /// Waits for every child but helpers that has ended, without waiting for any that has not. Those of the run
    /// come back.
    pub(crate) fn reap(&mut self) -> Vec<(u32, ExitStatus)> {
        self.decide();
        let mut ended = Vec::new();
        for pid in children_of(std::process::id()) {
            if self.helpers.contains(&pid) || self.marks.is_helper(pid) {
                continue;
            }
            let before = children_cpu();
            let Some(how) = reap_one(pid) else { continue };
            let was_adopted = self.adopted.remove(&pid);
            let was_foreign = self.foreign.remove(&pid);
            let is_root = self.root.take_if(|root| *root == pid).is_some();
            if is_root || was_adopted || self.is_sure && !was_foreign {
                self.ended.insert(pid, how);
                ended.push((pid, how));
            } else {
                self.foreign_cpu_ns += children_cpu().saturating_sub(before);
            }
        }
        ended
    }

    /// How a child of the run ended, when it was waited for.
    pub(crate) fn end_of(&self, pid: u32) -> Option<ExitStatus> {
        self.ended.get(&pid).copied()
    }

    /// Forgets ends that nobody will ask for any more.
    pub(crate) fn forget_all_but(&mut self, pid: u32) {
        self.ended.retain(|other, _| *other == pid);
    }

    /// Processor time of those that were waited for and are not the run's, ns.
    pub(crate) fn foreign_cpu_ns(&self) -> u64 {
        self.foreign_cpu_ns
    }

    /// Whether of some child it is not known yet whose it is.
    pub(crate) fn is_undecided(&self) -> bool {
        self.marks.is_open()
    }

    /// Waits until of every child it is known whose it is, for at most `limit`.
    pub(crate) fn settle(&mut self, limit: Duration) {
        let begun = Instant::now();
        self.decide();
        while self.is_undecided() && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(1));
            self.decide();
        }
    }

    fn decide(&mut self) {
        if self.is_sure {
            return;
        }
        let there = children_of(std::process::id());
        self.foreign.retain(|pid| there.contains(pid));
        self.adopted.retain(|pid| there.contains(pid));
        let mut unseen = BTreeSet::new();
        for pid in there {
            let is_known = self.helpers.contains(&pid) || self.foreign.contains(&pid) || self.adopted.contains(&pid);
            if is_known || self.root == Some(pid) || self.marks.is_helper(pid) {
                continue;
            }
            // Rules 2 to 4, for a child of ours that was adopted.
            if self.seen_of_run.is(pid) {
                self.adopted.insert(pid);
            } else if self.mark.is_empty() || self.seen_foreign.is(pid) {
                self.foreign.insert(pid);
            } else {
                unseen.insert(pid);
            }
        }
        for (pid, is_of_run) in self.marks.ask(&unseen, &self.mark) {
            if is_of_run { &mut self.adopted } else { &mut self.foreign }.insert(pid);
        }
        self.foreign.extend(self.marks.take_late());
        self.seen_foreign.note(|| below(self.foreign.clone(), &self.helpers));
        let mut seen = std::mem::take(&mut self.seen_of_run);
        seen.note(|| self.below_root());
        self.seen_of_run = seen;
    }

    fn below_root(&self) -> BTreeSet<u32> {
        let starts = if self.is_sure {
            children_of(std::process::id()).into_iter().filter(|pid| !self.helpers.contains(pid)).collect()
        } else {
            self.adopted.iter().copied().chain(self.root).collect()
        };
        below(starts, &self.helpers)
    }
}

/// Processes that were seen somewhere, each behind a pidfd: as long as it is valid, the number means this process.
#[derive(Debug, Default)]
struct Seen(BTreeMap<u32, OwnedFd>);

impl Seen {
    /// Notes those that `look` finds: only who is found, is opened, and is found again surely is that process.
    fn note(&mut self, look: impl Fn() -> BTreeSet<u32>) {
        self.0.retain(|_, pidfd| is_there(pidfd));
        let new = |pid: &u32| !self.0.contains_key(pid);
        let opened: Vec<(u32, OwnedFd)> =
            look().into_iter().filter(new).filter_map(|pid| Some((pid, open_process(pid)?))).collect();
        if opened.is_empty() {
            return;
        }
        let again = look();
        self.0.extend(opened.into_iter().filter(|(pid, pidfd)| again.contains(pid) && is_there(pidfd)));
    }

    fn is(&self, pid: u32) -> bool {
        self.0.get(&pid).is_some_and(is_there)
    }
}

/// Whether a process runs or is a zombie: it has its number as long.
fn is_there(pidfd: &OwnedFd) -> bool {
    let (fd, none) = (pidfd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: signal 0 is sent to nobody; the descriptor is open, and no siginfo is given.
    let outcome = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, 0, none, 0) };
    outcome == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}
