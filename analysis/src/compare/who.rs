//! Who is who in one run: names of threads over time, by number, and where each process has its working directory.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::record::KernelDeed;
use hangdog_schemas::{Actor, Pid, RunNs, Tid};
use hangdog_timeline::Timeline;

/// Threads by their numbers.
#[derive(Debug, Default)]
pub(super) struct Who {
    /// Names by when they were taken.
    names: BTreeMap<Tid, Vec<(RunNs, String)>>,
    processes: BTreeMap<Tid, Pid>,
    ends: BTreeMap<Tid, RunNs>,
    places: BTreeMap<Tid, Vec<(RunNs, String)>>,
    /// Which child of its parent it is, in the order in which they were started.
    ordinals: BTreeMap<Tid, u32>,
    pub(super) pids: BTreeSet<u32>,
}

/// Something that changes where a process is.
enum Step<'t> {
    Forked(Tid),
    Went(&'t str),
}

impl Who {
    pub(super) fn of(timeline: &Timeline) -> Self {
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
        }
        let mut children: BTreeMap<Tid, u32> = BTreeMap::new();
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
                KernelDeed::Exit { .. } => {
                    who.ends.insert(event.tid, event.when.t);
                }
                _ => {}
            }
        }
        who.names.values_mut().for_each(|names| names.sort_by_key(|(t, _)| *t));
        who.pids = who.names.keys().map(|tid| tid.0).chain(who.processes.values().map(|pid| pid.0)).collect();
        who.settle_places(timeline);
        who
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
    pub(super) fn name(&self, tid: Tid, t: RunNs) -> &str {
        let Some(names) = self.names.get(&tid) else { return "?" };
        let later = names.partition_point(|(at, _)| *at <= t);
        names.get(later.saturating_sub(1)).map_or("?", |(_, name)| name)
    }

    /// Its role: what it is called in every run.
    pub(super) fn role(&self, tid: Tid, t: RunNs) -> String {
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
    pub(super) fn actor(&self, tid: Tid, t: RunNs) -> Actor {
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
