//! Whose process a number is: the run's, hangdog's own or somebody else's. A process may be gone when its notice is
//! read, so this is not asked of the process tree but followed as it grows.
//!
//! 1. The kernel's process events (netlink connector, `linux/cn_proc.h`) tell of every fork before the child can do
//!    anything, and of every exec. They need root in the first namespaces.
//! 2. Where they cannot be had or were lost, the parents of a process are asked, by `status`, which never blocks.
//!    Of one that is gone by then it is not known whose it was.

use std::collections::{HashMap, VecDeque};

use super::proc_events::{Happened, ProcEvents};

/// Ended processes that are remembered: notices about them may still come.
const MOST_ENDED: usize = 16 << 10;
/// Without process events: strangers that are remembered, and how long, ns.
const MOST_STRANGERS: usize = 4096;
const STRANGER: u64 = 200_000_000;
/// Parents that are asked.
const MOST_PARENTS: usize = 64;

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Run,
    Own,
    Stranger,
    /// It is gone, and nobody knows.
    Gone,
}

/// All processes of the run and of hangdog.
#[derive(Debug)]
pub(super) struct Kin {
    events: Option<ProcEvents>,
    hangdog: u32,
    root: Option<u32>,
    /// Children that hangdog had before: not the run's, and not hangdog's.
    before: Vec<u32>,
    known: HashMap<u32, Member>,
    ended: VecDeque<u32>,
    strangers: HashMap<u32, u64>,
}

#[derive(Clone, Debug)]
struct Member {
    side: Side,
    comm: Option<String>,
}

impl Kin {
    /// `hangdog` has only the children `own` and `before` yet.
    pub(super) fn new(events: Option<ProcEvents>, hangdog: u32, own: &[u32], before: Vec<u32>) -> Self {
        let member = |pid: u32| (pid, Member { side: Side::Own, comm: None });
        let known = own.iter().copied().chain([hangdog, std::process::id()]).map(member).collect();
        Self { events, hangdog, root: None, before, known, ended: VecDeque::new(), strangers: HashMap::new() }
    }

    pub(super) fn events(&self) -> Option<&ProcEvents> {
        self.events.as_ref()
    }

    /// Names the command.
    pub(super) fn set_root(&mut self, root: u32) {
        self.root = Some(root);
        self.known.insert(root, Member { side: Side::Run, comm: None });
    }

    /// Hears what became of processes. What comes after this from the file system was done by those known here.
    pub(super) fn hear(&mut self) {
        let Some(events) = &mut self.events else { return };
        let mut happened = Vec::new();
        if events.read(&mut happened).is_err() {
            // Some were lost: from here on parents are asked.
            self.events = None;
        }
        for what in happened {
            self.learn(what);
        }
    }

    fn learn(&mut self, what: Happened) {
        match what {
            Happened::Fork { parent, child } => match self.known.get(&parent).cloned() {
                // That hangdog forked the command may be heard after the command was named.
                Some(_) if self.root == Some(child) && parent == self.hangdog => {}
                Some(member) => {
                    self.known.insert(child, member);
                }
                // The number has a new owner.
                None => {
                    self.known.remove(&child);
                }
            },
            Happened::Exec { pid } => {
                if let Some(member) = self.known.get_mut(&pid) {
                    member.comm = comm_of(pid);
                }
            }
            Happened::Named { pid, comm } => {
                if let Some(member) = self.known.get_mut(&pid) {
                    member.comm = Some(comm);
                }
            }
            Happened::Exit { pid } => {
                if self.known.contains_key(&pid) {
                    self.ended.push_back(pid);
                }
                if self.ended.len() > MOST_ENDED
                    && let Some(oldest) = self.ended.pop_front()
                {
                    self.known.remove(&oldest);
                }
            }
        }
    }

    /// Whose it is, at the time `now` in ns.
    pub(super) fn side(&mut self, pid: u32, now: u64) -> Side {
        match self.known.get(&pid) {
            Some(member) => member.side,
            None if self.events.is_some() => Side::Stranger,
            None => self.ask_parents(pid, now),
        }
    }

    /// The short name of one that is known or still there.
    pub(super) fn comm(&self, pid: u32) -> Option<String> {
        match self.known.get(&pid) {
            Some(member) if self.events.is_some() && member.comm.is_some() => member.comm.clone(),
            _ => comm_of(pid),
        }
    }

    fn ask_parents(&mut self, pid: u32, now: u64) -> Side {
        if self.strangers.get(&pid).is_some_and(|since| now.saturating_sub(*since) < STRANGER) {
            return Side::Stranger;
        }
        let mut line = vec![pid];
        let side = loop {
            let last = *line.last().unwrap_or(&pid);
            if let Some(member) = self.known.get(&last).filter(|_| last != self.hangdog) {
                break member.side;
            }
            if self.before.contains(&last) || last <= 1 || line.len() > MOST_PARENTS {
                break Side::Stranger;
            }
            let Some((name, parent)) = name_and_parent(last) else { break Side::Gone };
            if parent == self.hangdog {
                // Its helpers are called after it; who else comes to it is an orphan of the run.
                break if name.starts_with("hangdog") { Side::Own } else { Side::Run };
            }
            line.push(parent);
        };
        match side {
            Side::Run | Side::Own => {
                for pid in line {
                    self.known.insert(pid, Member { side, comm: None });
                }
            }
            Side::Stranger => {
                if self.strangers.len() > MOST_STRANGERS {
                    self.strangers.clear();
                }
                self.strangers.insert(pid, now);
            }
            Side::Gone => {}
        }
        side
    }
}

fn comm_of(pid: u32) -> Option<String> {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned())
}

fn name_and_parent(pid: u32) -> Option<(String, u32)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("Name:")?.to_owned(), field("PPid:")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forks_is_followed_whoever_is_gone() {
        let mut kin = Kin::new(None, 10, &[11], Vec::new());
        kin.set_root(20);
        for (parent, child) in [(10, 20), (20, 21), (21, 22), (10, 12), (99, 98), (99, 23), (20, 98)] {
            kin.learn(Happened::Fork { parent, child });
        }
        kin.learn(Happened::Exit { pid: 21 });
        let side = |kin: &Kin, pid: u32| kin.known.get(&pid).map(|member| member.side);
        for pid in [20, 21, 22, 98] {
            assert_eq!(side(&kin, pid), Some(Side::Run), "{pid}");
        }
        for pid in [10, 11, 12] {
            assert_eq!(side(&kin, pid), Some(Side::Own), "{pid}");
        }
        assert_eq!(side(&kin, 23), None);
        // Its number comes to a stranger.
        kin.learn(Happened::Fork { parent: 99, child: 22 });
        assert_eq!(side(&kin, 22), None);
    }

    #[test]
    fn parents_are_asked_where_no_events_come() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        // No process has such a number.
        let mut kin = Kin::new(None, u32::MAX, &[], Vec::new());
        kin.known.clear();
        assert_eq!(kin.side(child.id(), 0), Side::Stranger);
        kin.set_root(own);
        assert_eq!(kin.side(child.id(), 1), Side::Stranger, "it is remembered");
        assert_eq!(kin.side(child.id(), STRANGER + 1), Side::Run);
        // A child that was made by vfork has its new name a moment after its parent goes on.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while kin.comm(child.id()).as_deref() != Some("sleep") {
            assert!(std::time::Instant::now() < until, "{:?}", kin.comm(child.id()));
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(kin.side(child.id(), STRANGER + 2), Side::Run, "it was known before it went");
        kin.known.clear();
        assert_eq!(kin.side(child.id(), 3 * STRANGER), Side::Gone);
    }
}
