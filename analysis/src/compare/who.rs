//! Who is who in one run: names of threads over time, by number, who started whom, who ended when, and where each
//! process has its working directory.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::record::{KernelDeed, SignalAction};
use hangdog_schemas::{Actor, Pid, RunNs, Tid};
use hangdog_timeline::Timeline;

/// Threads by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Who {
    /// Names by when they were taken.
    names: BTreeMap<Tid, Vec<(RunNs, String)>>,
    processes: BTreeMap<Tid, Pid>,
    ends: BTreeMap<Tid, RunNs>,
    /// When processes ended: more than once where a number was given out again.
    exits: BTreeMap<Pid, Vec<RunNs>>,
    /// Numbers of processes in pid namespaces of their own.
    inner: BTreeMap<Pid, Pid>,
    /// What processes asked to end with.
    codes: BTreeMap<Pid, Vec<(RunNs, i32)>>,
    /// Who started a process, and when its number was given out.
    starts: BTreeMap<Pid, Vec<(RunNs, Pid)>>,
    places: BTreeMap<Tid, Vec<(RunNs, String)>>,
    /// Which child of its parent it is, in the order in which they were started.
    ordinals: BTreeMap<Tid, u32>,
    pub(crate) pids: BTreeSet<u32>,
}

/// Something that changes where a process is.
enum Step<'t> {
    Forked(Tid),
    Went(&'t str),
}

impl Who {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let mut who = Self::default();
        for (thread, comm) in timeline.threads() {
            who.names.entry(thread.tid).or_default().push((RunNs(0), comm.to_owned()));
            who.processes.insert(thread.tid, thread.process.pid);
        }
        for process in timeline.processes() {
            let main = Tid(process.id.pid.0);
            let names = process.comms.iter().filter(|(_, comm)| !comm.is_empty()).cloned();
            who.names.entry(main).or_default().extend(names);
        }
        for done in timeline.calls() {
            let names = who.names.entry(done.call.tid).or_default();
            if names.last().is_none_or(|(_, last)| *last != done.call.comm) {
                names.push((done.call.when.t, done.call.comm.clone()));
            }
            who.processes.insert(done.call.tid, done.call.pid);
            if let Some(inner) = done.call.inner {
                who.inner.insert(done.call.pid, inner);
            }
            who.starts.entry(done.call.pid).or_insert_with(|| vec![(RunNs(0), done.call.parent)]);
        }
        for event in timeline.file_events() {
            if let (Some(pid), Some(comm)) = (event.pid, &event.comm) {
                who.names.entry(Tid(pid.0)).or_default().push((event.when.t, comm.clone()));
            }
        }
        let mut children: BTreeMap<Tid, u32> = BTreeMap::new();
        let mut doomed: BTreeSet<Tid> = BTreeSet::new();
        for event in timeline.kernel_events() {
            match &event.what {
                KernelDeed::Fork { child, comm } => {
                    let before = children.entry(event.tid).or_default();
                    *before += 1;
                    who.ordinals.insert(*child, *before);
                    who.names.entry(*child).or_default().push((event.when.t, comm.clone()));
                }
                KernelDeed::Exec { file, .. } => {
                    // The kernel cuts names at 15 bytes.
                    let name = file.rsplit('/').next().unwrap_or_default().chars().take(15).collect();
                    who.names.entry(event.tid).or_default().push((event.when.t, name));
                }
                KernelDeed::ExitCall { code } => {
                    let pid = who.process(event.tid);
                    doomed.insert(event.tid);
                    who.codes.entry(pid).or_default().push((event.when.t, *code));
                }
                // Each thread takes it when its process is ended, by whomever.
                KernelDeed::SignalTaken { signal: 9, action: SignalAction::Default, .. } => {
                    doomed.insert(event.tid);
                }
                KernelDeed::Exit { last, .. } => {
                    who.ends.insert(event.tid, event.when.t);
                    let pid = who.processes.get(&event.tid).copied().unwrap_or(Pid(event.tid.0));
                    // The last thread ends the process. Of which process one is that named nothing is not known: then the
                    // first thread stands for all, where all are ended with it.
                    let is_first = pid.0 == event.tid.0;
                    if last.unwrap_or(is_first) || is_first && doomed.contains(&event.tid) {
                        who.exits.entry(pid).or_default().push(event.when.t);
                    }
                }
                _ => {}
            }
        }
        who.names.values_mut().for_each(|names| names.sort_by_key(|(t, _)| *t));
        who.pids = who.names.keys().map(|tid| tid.0).chain(who.processes.values().map(|pid| pid.0)).collect();
        who.settle_places(timeline);
        who.settle_lives(timeline);
        who
    }

    /// Begins and ends of processes: from the kernel's events, and from samples where there are none.
    fn settle_lives(&mut self, timeline: &Timeline) {
        for process in timeline.processes() {
            let pid = process.id.pid;
            if let Some(end) = process.end
                && !self.exits.contains_key(&pid)
            {
                self.exits.insert(pid, vec![end.t]);
            }
            if process.parent.0 != 0 {
                self.starts.entry(pid).or_insert_with(|| vec![(process.start.t, process.parent)]);
            }
        }
        let mut forked: BTreeMap<Pid, Vec<(RunNs, Pid)>> = BTreeMap::new();
        for event in timeline.kernel_events() {
            if let KernelDeed::Fork { child, .. } = &event.what {
                // A thread is no process of its own.
                let pid = self.process(*child);
                if pid.0 == child.0 {
                    forked.entry(pid).or_default().push((event.when.t, self.process(event.tid)));
                }
            }
        }
        self.starts.extend(forked);
    }

    /// The process of a thread.
    pub(crate) fn process(&self, tid: Tid) -> Pid {
        self.processes.get(&tid).copied().unwrap_or(Pid(tid.0))
    }

    /// When the process that had this number at a time ended, if that was seen.
    pub(crate) fn ended(&self, pid: Pid, since: RunNs) -> Option<RunNs> {
        self.exits.get(&pid)?.iter().copied().find(|end| *end >= since)
    }

    /// Whether a process that ended then did so by a signal or with an error.
    pub(crate) fn ended_badly(&self, pid: Pid, end: RunNs) -> bool {
        let own = self.codes.get(&pid).and_then(|codes| codes.iter().rev().find(|(t, _)| *t <= end));
        // Who asks nobody is ended by a signal; but where no call to end was seen, none is known.
        own.map_or(!self.codes.is_empty(), |(_, code)| *code != 0)
    }

    /// When the number that a process had was given out anew within a time, and to whom; of a process in a pid namespace
    /// of its own, the number there.
    pub(crate) fn given_again(&self, pid: Pid, from: RunNs, to: RunNs) -> Option<(RunNs, Pid)> {
        let started = |pid: &Pid| self.starts.get(pid)?.iter().map(|(t, _)| *t).find(|t| (from..=to).contains(t));
        if let Some(t) = started(&pid) {
            return Some((t, pid));
        }
        let (inner, first) = (self.inner.get(&pid)?, self.first_of_namespace(pid)?);
        let is_same = |other: &Pid| *other != pid && self.first_of_namespace(*other) == Some(first);
        let others = self.inner.iter().filter(|(other, number)| *number == inner && is_same(other));
        others.filter_map(|(other, _)| Some((started(other)?, *other))).min()
    }

    /// The number that a process has where it lives.
    pub(crate) fn own_number(&self, pid: Pid) -> Pid {
        self.inner.get(&pid).copied().unwrap_or(pid)
    }

    /// The first process of the pid namespace of a process: number 1 in it.
    fn first_of_namespace(&self, pid: Pid) -> Option<Pid> {
        let mut pid = pid;
        for _ in 0..64 {
            if self.inner.get(&pid)?.0 == 1 {
                return Some(pid);
            }
            let (_, parent) = self.starts.get(&pid)?.last()?;
            pid = *parent;
        }
        None
    }

    /// Whether one of two processes descends from the other, or is it: what one does, it may do for the other.
    pub(crate) fn is_kin(&self, one: Pid, other: Pid) -> bool {
        self.descends(one, other) || self.descends(other, one)
    }

    /// Whether a process that descends from this one lived at a time.
    pub(crate) fn has_heirs(&self, pid: Pid, t: RunNs) -> bool {
        let lives = |heir: Pid, since: RunNs| since <= t && self.ended(heir, since).is_none_or(|end| end > t);
        let mut heirs = self.starts.iter().filter(|(heir, _)| **heir != pid && self.descends(**heir, pid));
        heirs.any(|(heir, starts)| starts.iter().any(|(since, _)| lives(*heir, *since)))
    }

    fn descends(&self, from: Pid, ancestor: Pid) -> bool {
        let mut pid = from;
        for _ in 0..64 {
            if pid == ancestor {
                return true;
            }
            match self.starts.get(&pid).and_then(|starts| starts.last()) {
                Some((_, parent)) if *parent != pid => pid = *parent,
                _ => return false,
            }
        }
        false
    }

    fn settle_places(&mut self, timeline: &Timeline) {
        let forks = timeline.kernel_events().iter().filter_map(|event| match event.what {
            KernelDeed::Fork { child, .. } => Some((event.when.t, event.tid, Step::Forked(child))),
            _ => None,
        });
        let went = timeline.calls().iter().filter(|done| done.call.name == "chdir" && done.errno().is_none());
        let went = went
            .filter_map(|done| Some((done.done_at(), done.call.tid, Step::Went(done.call.paths.first()?.as_str()))));
        let mut steps: Vec<(RunNs, Tid, Step<'_>)> = forks.chain(went).collect();
        steps.sort_by_key(|(t, _, _)| *t);
        for (t, tid, step) in steps {
            match step {
                Step::Went(place) => self.places.entry(tid).or_default().push((t, place.to_owned())),
                Step::Forked(child) => {
                    if let Some((_, place)) = self.places.get(&tid).and_then(|places| places.last()).cloned() {
                        self.places.entry(child).or_default().push((t, place));
                    }
                }
            }
        }
    }

    /// The short name of a thread at a time.
    pub(crate) fn name(&self, tid: Tid, t: RunNs) -> &str {
        let Some(names) = self.names.get(&tid) else { return "?" };
        let later = names.partition_point(|(at, _)| *at <= t);
        names.get(later.saturating_sub(1)).map_or("?", |(_, name)| name)
    }

    /// Its role: what it is called in every run.
    pub(crate) fn role(&self, tid: Tid, t: RunNs) -> String {
        super::name::word(self.name(tid, t), &self.pids)
    }

    /// The same with its place among those that its parent started, where these have one name: `worker #2`.
    pub(super) fn one(&self, tid: Tid, t: RunNs) -> String {
        let role = self.role(tid, t);
        match self.ordinals.get(&tid) {
            Some(ordinal) => format!("{role} #{ordinal}"),
            None => role,
        }
    }

    /// A thread as an actor of a report.
    pub(crate) fn actor(&self, tid: Tid, t: RunNs) -> Actor {
        let pid = self.processes.get(&tid).copied().unwrap_or(Pid(tid.0));
        Actor { pid, tid, task: None, comm: self.name(tid, t).to_owned(), phase: None }
    }

    /// Who lived at `t` with its working directory at or below a place.
    pub(super) fn within(&self, place: &str, t: RunNs) -> Vec<Tid> {
        let is_within =
            |path: &str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let there = self.places.iter().filter(|(tid, places)| {
            let later = places.partition_point(|(at, _)| *at <= t);
            later > 0 && is_within(&places[later - 1].1) && self.ends.get(tid).is_none_or(|end| *end > t)
        });
        there.map(|(tid, _)| *tid).collect()
    }
}
