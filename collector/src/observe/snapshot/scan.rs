//! First step: everybody in `/proc`, in the order of what can block least: `status`, `stat`, then
//! the links of descriptors. Who is of the run follows from the parents.

use std::collections::BTreeSet;

use hangdog_schemas::fact::{Belonging, Gap};
use hangdog_schemas::{Big, Fd, Observed, Pid, ProcessId};

use super::Taking;
use super::scene::{Link, Seen};
use crate::observe::parse::text::text;
use crate::observe::parse::{dirents, fdinfo, stat, status};
use crate::observe::tree::Adopted;
use crate::observe::worker::{self, Ask, Hazard, What};

/// Processes whose descriptors are read at a time: bounds the memory of what is asked.
const CHUNK: usize = 64;

impl Taking {
    /// Finds all processes and marks those of the run as kept.
    pub(super) async fn scan(&mut self) {
        let list = Ask { pid: None, hazard: Hazard::None, path: "/proc".to_owned(), what: What::Dir };
        let answer = self.reader.ask_one(list).await;
        let pids: Vec<Pid> =
            answer.seen().map(|bytes| dirents::numbers(bytes)).unwrap_or_default().into_iter().map(Pid).collect();
        if pids.is_empty() {
            self.gap(None, "/proc", answer.map(|_| ()));
        }
        let began = self.clock.now();
        let answers = self.reader.ask(pids.iter().map(|&pid| Ask::file(pid, Hazard::None, "status")).collect()).await;
        let when = self.since(began);
        let mut found: Vec<(Pid, status::Status)> = Vec::new();
        for (pid, answer) in pids.into_iter().zip(answers) {
            found.extend(answer.seen().and_then(|bytes| status::status(bytes)).map(|status| (pid, status)));
        }
        let stats =
            self.reader.ask(found.iter().map(|(pid, _)| Ask::file(*pid, Hazard::Exec, "stat")).collect()).await;
        for ((pid, status), answer) in found.into_iter().zip(stats) {
            let stat = read_stat(answer);
            if stat.seen().is_some_and(stat::Stat::is_kernel_thread) {
                continue;
            }
            let start = Big(stat.seen().map_or(0, |stat| stat.start));
            let known = self.request.run.iter().find(|id| id.pid == pid).copied();
            let id = known.unwrap_or(ProcessId { pid, start });
            self.scene.processes.insert(pid, Seen::new(id, when, status, stat));
        }
        self.mark_run();
        self.read_links().await;
    }

    /// Who is of the run: known as such, or below one of the observer's children that are.
    fn mark_run(&mut self) {
        let known: BTreeSet<Pid> = self.request.run.iter().map(|id| id.pid).collect();
        let mut helpers = worker::ours();
        helpers.extend(&self.request.helpers);
        let observer = self.request.observer;
        let parents: Vec<(Pid, Pid)> =
            self.scene.processes.iter().map(|(&pid, seen)| (pid, seen.status.parent)).collect();
        let parent_of = |pid: Pid| parents.binary_search_by_key(&pid, |(pid, _)| *pid).ok().map(|at| parents[at].1);
        for (&pid, seen) in &mut self.scene.processes {
            if pid == observer || helpers.contains(&pid) {
                continue;
            }
            let mut up = pid;
            // A chain of parents that changes while it is read could go round: it ends anyhow.
            for _ in 0..1024 {
                if helpers.contains(&up) {
                    break;
                }
                let is_adopted = match &self.request.adopted {
                    Adopted::OfRun => up == observer,
                    Adopted::Only(these) => these.contains(&up),
                };
                if known.contains(&up) || is_adopted || self.request.roots.contains(&up) {
                    seen.kept = Some(Belonging::Run);
                    break;
                }
                match parent_of(up) {
                    Some(parent) if parent.0 != 0 => up = parent,
                    _ => break,
                }
            }
            if self.request.roots.contains(&pid) {
                seen.kept = Some(Belonging::Root);
            }
        }
    }

    /// How a process that is not of the run belongs once it is kept.
    pub(super) fn outside(&self, pid: Pid) -> Belonging {
        let ours =
            pid == self.request.observer || self.request.helpers.contains(&pid) || worker::ours().contains(&pid);
        if ours { Belonging::Observer } else { Belonging::Outside }
    }

    /// Where all descriptors of all processes point.
    async fn read_links(&mut self) {
        let pids: Vec<Pid> = self.scene.processes.keys().copied().collect();
        let mut denied = 0_usize;
        for chunk in pids.chunks(CHUNK) {
            let lists = self.reader.ask(chunk.iter().map(|&pid| Ask::dir(pid, "fd")).collect()).await;
            let mut wanted = Vec::new();
            for (&pid, answer) in chunk.iter().zip(lists) {
                let Some(seen) = self.scene.processes.get_mut(&pid) else { continue };
                if let Observed::Seen(bytes) = answer {
                    let fds = dirents::numbers(&bytes).into_iter();
                    wanted.extend(fds.map(|fd| ((pid, Fd(fd)), Ask::link(pid, &format!("fd/{fd}")))));
                } else {
                    denied += usize::from(answer == Observed::Denied && seen.kept.is_none());
                    seen.no_links = Some(answer.map(|_| ()));
                }
            }
            for ((pid, fd), answer) in self.reader.ask_for(wanted).await {
                let Some(seen) = self.scene.processes.get_mut(&pid) else { continue };
                match answer {
                    Observed::Seen(bytes) => seen.links.push(Link { fd, target: text(&bytes), info: None }),
                    Observed::Vanished => {}
                    // Some links are missing for one reason: it stands for all of them.
                    other => seen.no_links = Some(other.map(|_| ())),
                }
            }
            self.read_servers(chunk).await;
        }
        if denied > 0 {
            self.gap(None, &format!("fd of {denied} processes outside the run"), Observed::Denied);
        }
    }

    /// Which connection or terminal the holders of `/dev/fuse` and `/dev/ptmx` serve.
    async fn read_servers(&mut self, pids: &[Pid]) {
        let mut wanted = Vec::new();
        for &pid in pids {
            let Some(seen) = self.scene.processes.get(&pid) else { continue };
            let servers = seen.links.iter().filter(|link| link.is_server());
            wanted.extend(
                servers.map(|link| ((pid, link.fd), Ask::file(pid, Hazard::None, &format!("fdinfo/{}", link.fd)))),
            );
        }
        self.read_infos(wanted).await;
    }

    /// Reads fdinfo files into the links they belong to.
    pub(super) async fn read_infos(&mut self, wanted: Vec<((Pid, Fd), Ask)>) {
        for ((pid, fd), answer) in self.reader.ask_for(wanted).await {
            let seen = self.scene.processes.get_mut(&pid);
            let Some(link) = seen.and_then(|seen| seen.links.iter_mut().find(|link| link.fd == fd)) else { continue };
            match answer {
                Observed::Seen(bytes) => link.info = Some(fdinfo::fdinfo(&link.target, &bytes)),
                Observed::Denied => self.gap(Some(pid), "fdinfo", Observed::Denied),
                _ => {}
            }
        }
    }

    /// Notes something that could not be read; the same only once.
    pub(super) fn gap(&mut self, pid: Option<Pid>, what: &str, why: Observed<()>) {
        let gap = Gap { snapshot: self.request.snapshot, pid, what: what.to_owned(), why };
        if !self.scene.gaps.contains(&gap) {
            self.scene.gaps.push(gap);
        }
    }
}

fn read_stat(answer: Observed<Vec<u8>>) -> Observed<stat::Stat> {
    match answer {
        Observed::Seen(bytes) => {
            stat::stat(&bytes).map_or_else(|| Observed::Garbled("no stat line".to_owned()), Observed::Seen)
        }
        other => other.map(|_| unreachable!("the seen case is above")),
    }
}
