//! First step: everybody in `/proc`, in the order of what can block least: `status`, `stat`, then
//! descriptors. Who is of the run follows from the parents.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::{Belonging, Gap, TaskState};
use hangdog_schemas::{Big, Fd, Observed, Pid, ProcessId, Tid};

use super::detail::{members, parsed_bytes};
use super::links::Taken;
use super::scene::Seen;
use super::{Stat, Status, Taking};
use crate::observe::parse::{dirents, stat, status};
use crate::observe::tree::Adopted;
use crate::observe::worker::{self, Ask, Hazard, Infos, Row, What};

/// Threads of a process that are tried for one that lives.
const MOST_TRIED: usize = 16;

/// A table of descriptors that is to be read.
struct Table {
    pid: Pid,
    shown_by: Option<Tid>,
    from: u32,
    is_kept: bool,
}

impl Table {
    /// How to read it, and what that tells of each descriptor.
    fn ask(self, has_room: bool) -> ((Pid, Infos), Ask) {
        let infos = match (self.is_kept, has_room) {
            (false, _) => Infos::Servers,
            (true, true) => Infos::Plain,
            (true, false) => Infos::Kinds,
        };
        ((self.pid, infos), Ask::descriptors(self.pid, self.shown_by, self.from, infos))
    }
}

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
        let mut found: Vec<(Pid, Status, Observed<Stat>)> = Vec::new();
        let asks = pids.into_iter().map(|pid| (pid, Ask::row(pid, None, Row::Identity)));
        let read = self.reader.each(asks, |pid, answer| {
            let [status, stat] = members(&answer);
            let Some(status) = status.seen().and_then(|bytes| status::status(bytes)) else { return };
            let stat = parsed_bytes(stat, stat::stat, "no stat line");
            if !stat.seen().is_some_and(Stat::is_kernel_thread) {
                found.push((pid, status, stat));
            }
        });
        read.await;
        let when = self.clock.since(began);
        let run: BTreeMap<Pid, ProcessId> = self.request.run.iter().map(|id| (id.pid, *id)).collect();
        let seen = found.into_iter().map(|(pid, status, stat)| {
            let start = Big(stat.seen().map_or(0, |stat| stat.start));
            let id = run.get(&pid).copied().unwrap_or(ProcessId { pid, start });
            (pid, Seen::new(id, when, status, stat))
        });
        // Made at once it takes half the memory of one that grows.
        self.scene.processes = seen.collect();
        self.mark_run();
        self.find_living_threads().await;
        self.read_links().await;
    }

    /// Of processes whose first thread has ended while others go on: one that shows what they share. The first has
    /// neither descriptors nor memory nor namespaces any more.
    async fn find_living_threads(&mut self) {
        let has_ended = |seen: &Seen| seen.status.state == TaskState::Z && seen.status.threads > 1;
        let headless = self.scene.processes.iter().filter(|(_, seen)| has_ended(seen));
        let lists = headless.map(|(&pid, _)| (pid, Ask::dir(pid, "task"))).collect();
        let mut wanted = Vec::new();
        for (pid, list) in self.reader.ask_for(lists).await {
            let tids = list.seen().map(|bytes| dirents::numbers(bytes)).unwrap_or_default().into_iter().map(Tid);
            let others = tids.filter(|tid| tid.0 != pid.0).take(MOST_TRIED);
            wanted
                .extend(others.map(|tid| ((pid, tid), Ask::file(pid, Hazard::None, &format!("task/{tid}/status")))));
        }
        for ((pid, tid), answer) in self.reader.ask_for(wanted).await {
            let status = answer.seen().and_then(|bytes| status::status(bytes));
            let lives = status.is_some_and(|status| !matches!(status.state, TaskState::Z | TaskState::X));
            if let Some(seen) = self.scene.processes.get_mut(&pid).filter(|seen| lives && seen.shown_by.is_none()) {
                seen.shown_by = Some(tid);
            }
        }
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

    /// Where all descriptors of all processes point; what else there is to know of those of the run, and which
    /// connection or terminal the holders of `/dev/fuse` and `/dev/ptmx` serve.
    async fn read_links(&mut self) {
        let mut denied = 0_usize;
        let mut wanted: Vec<(Pid, u32)> = self.scene.processes.keys().map(|&pid| (pid, 0)).collect();
        let in_full = Cell::new(0_usize);
        while !wanted.is_empty() {
            let tables: Vec<Table> = wanted.iter().map(|&(pid, from)| self.table(pid, from)).collect();
            let began_at: BTreeMap<Pid, u32> = wanted.drain(..).filter(|(_, from)| *from > 0).collect();
            let asks = tables.into_iter().map(|table| table.ask(in_full.get() < self.most_in_full));
            let mut gaps = Vec::new();
            let scene = &mut self.scene;
            let read = self.reader.each(asks, |(pid, infos), answer| {
                let Some(seen) = scene.processes.get_mut(&pid) else { return };
                seen.infos = infos;
                let Observed::Seen(bytes) = answer else {
                    denied += usize::from(answer == Observed::Denied && seen.kept.is_none());
                    seen.no_links = Some(answer.map(|_| ()));
                    return;
                };
                let Taken { more, info_denied } = seen.take_links(&bytes, &mut scene.names);
                if infos == Infos::Plain {
                    in_full.set(in_full.get() + seen.links.len());
                }
                gaps.extend(info_denied.then_some((pid, "fdinfo", Observed::Denied)));
                match more {
                    // One that is longer than all the room there is.
                    Some(fd) if began_at.get(&pid) == Some(&fd) => {
                        gaps.push((pid, "fdinfo", Observed::Garbled("longer than there is room".to_owned())));
                        wanted.push((pid, fd.saturating_add(1)));
                    }
                    more => wanted.extend(more.map(|fd| (pid, fd))),
                }
            });
            read.await;
            for (pid, what, why) in gaps {
                self.gap(Some(pid), what, why);
            }
        }
        if denied > 0 {
            self.gap(None, &format!("fd of {denied} processes outside the run"), Observed::Denied);
        }
    }

    fn table(&self, pid: Pid, from: u32) -> Table {
        let seen = self.scene.processes.get(&pid);
        let is_kept = seen.is_some_and(|seen| seen.kept.is_some());
        Table { pid, shown_by: seen.and_then(|seen| seen.shown_by), from, is_kept }
    }

    /// Reads fdinfo files into the links they belong to.
    pub(super) async fn read_infos(&mut self, wanted: Vec<((Pid, Fd), Ask)>) {
        let scene = &mut self.scene;
        let mut denied = BTreeSet::new();
        let read = self.reader.each(wanted, |(pid, fd), answer| {
            let Some(seen) = scene.processes.get_mut(&pid) else { return };
            match answer {
                Observed::Seen(bytes) => seen.take_info(fd, &bytes, &mut scene.names),
                Observed::Denied => drop(denied.insert(pid)),
                _ => {}
            }
        });
        read.await;
        for pid in denied {
            self.gap(Some(pid), "fdinfo", Observed::Denied);
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
