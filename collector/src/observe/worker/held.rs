//! What got stuck: which reads are skipped for it, and which workers were left behind.
//!
//! One for all workers of a crew, so that what one of them ran into is spared the others.

use std::collections::BTreeSet;

use hangdog_schemas::{Observed, Pid};

use super::process::is_gone;
use super::{Answer, Ask, Hazard, Row, Stall, What};

/// Most workers that are left behind.
const MOST_ABANDONED: usize = 8;

/// A worker that did not even die.
#[derive(Debug)]
struct Abandoned {
    pid: Pid,
    stall: Stall,
}

/// What is known to be stuck.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Reads of these processes are skipped: their exec lock is held.
    exec_locked: BTreeSet<Pid>,
    /// Reads of these processes' memory are skipped.
    memory_locked: BTreeSet<Pid>,
    abandoned: Vec<Abandoned>,
    pub(super) stalls: Vec<Stall>,
    pub(super) truncated: Vec<String>,
}

impl Held {
    /// The locks may be free by now.
    pub(super) fn forget(&mut self) {
        self.exec_locked.clear();
        self.memory_locked.clear();
    }

    /// The answer to an ask that is better not sent.
    pub(super) fn skip(&self, ask: &Ask) -> Option<Answer> {
        if let Some(old) = self.old_stall(ask) {
            return Some(Observed::TimedOut(old.wchan.clone()));
        }
        let pid = ask.pid?;
        let is_all_exec = ask.hazard != Hazard::None || matches!(ask.what, What::Descriptors { .. });
        let exec = is_all_exec && self.exec_locked.contains(&pid);
        let memory = ask.hazard == Hazard::Memory && self.memory_locked.contains(&pid);
        (exec || memory).then_some(Observed::NotAsked)
    }

    /// How many members of a row can be read: what would get stuck comes last in it.
    pub(super) fn readable(&self, pid: Option<Pid>, row: Row) -> usize {
        let is_in = |locked: &BTreeSet<Pid>| pid.is_some_and(|pid| locked.contains(&pid));
        let stuck = if is_in(&self.exec_locked) {
            Hazard::Exec
        } else if is_in(&self.memory_locked) {
            Hazard::Memory
        } else {
            return row.members().len();
        };
        row.members().iter().take_while(|member| member.hazard < stuck).count()
    }

    /// It got stuck for an earlier snapshot and still is: this one misses it as well.
    pub(super) fn note_again(&mut self, ask: &Ask) {
        let old = self.old_stall(ask).cloned();
        self.stalls.extend(old);
    }

    fn old_stall(&self, ask: &Ask) -> Option<&Stall> {
        self.abandoned.iter().map(|old| &old.stall).find(|stall| ask.has(&stall.ask))
    }

    /// Learns from a stuck read what else would be stuck.
    pub(super) fn note(&mut self, stall: &Stall) {
        if let Some(pid) = stall.ask.pid {
            match stall.ask.hazard {
                Hazard::Exec => drop(self.exec_locked.insert(pid)),
                // Opening `mem` and `maps` takes the exec lock first.
                Hazard::Memory if stall.wchan.contains("mm_access") => drop(self.exec_locked.insert(pid)),
                Hazard::Memory => drop(self.memory_locked.insert(pid)),
                Hazard::None | Hazard::Epoll => {}
            }
        }
        self.stalls.push(stall.clone());
    }

    pub(super) fn abandon(&mut self, pid: Pid, stall: Stall) {
        self.abandoned.push(Abandoned { pid, stall });
    }

    pub(super) fn abandoned(&self) -> impl Iterator<Item = Pid> {
        self.abandoned.iter().map(|old| old.pid)
    }

    pub(super) fn reap(&mut self) {
        self.abandoned.retain(|old| !is_gone(old.pid));
    }

    pub(super) fn has_room(&self) -> bool {
        self.abandoned.len() < MOST_ABANDONED
    }
}
