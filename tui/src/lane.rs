//! The lanes of the time line, in the order in which they are drawn:
//!
//! ```text
//! process                       a child stands one step further in than its parent; with one thread, its states too
//!   thread                      its states
//!     phases                    one row a level of nesting; overlapping phases of a level get rows of their own
//!   async task
//!     phases
//!   child process
//! ```

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::{Big, Pid, ProcessId, ThreadId, Tid};
use hangdog_timeline::{Process, Timeline};

use crate::text::clean;

/// Rows of phases that one thread or task gets; what is nested deeper shares the last.
const MOST_ROWS: usize = 16;

/// Lanes that are unfolded at the start; of larger captures only what the report names.
pub(crate) const UNFOLDED: usize = 400;

/// What a lane shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LaneKind {
    /// The life of a process.
    Process(ProcessId),
    /// The states of a thread.
    Thread(ThreadId),
    /// An async task.
    Task(ProcessId, Big),
    /// Phases, as places in the timeline's list, by their begin. None of them overlap but in the last row.
    Phases(Vec<usize>),
}

/// One row of the time line.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) kind: LaneKind,
    /// The thread whose states it shows: its own, or of a process the only one.
    pub(crate) shows: Option<ThreadId>,
    /// The lane around it.
    pub(crate) parent: Option<usize>,
    pub(crate) depth: u16,
    /// Name and number, harmless.
    pub(crate) label: String,
    /// First lane behind it that does not belong to it.
    pub(crate) end: usize,
}

impl Lane {
    pub(crate) fn thread(&self) -> Option<ThreadId> {
        self.shows
    }

    pub(crate) fn task(&self) -> Option<(ProcessId, Big)> {
        if let LaneKind::Task(process, task) = self.kind { Some((process, task)) } else { None }
    }
}

/// Builds all lanes.
pub(crate) fn lanes(timeline: &Timeline) -> Vec<Lane> {
    Builder::new(timeline).build()
}

#[derive(Default)]
struct Family<'a> {
    life: Option<&'a Process>,
    threads: Vec<(ThreadId, &'a str)>,
    tasks: BTreeSet<Big>,
    children: Vec<ProcessId>,
}

/// Whose phases: of a thread, of a task, or of the process when neither is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Thread(ProcessId, Tid),
    Task(ProcessId, Big),
    Process(ProcessId),
}

struct Builder<'a> {
    timeline: &'a Timeline,
    families: BTreeMap<ProcessId, Family<'a>>,
    phases: BTreeMap<Owner, Vec<usize>>,
    lanes: Vec<Lane>,
}

impl<'a> Builder<'a> {
    fn new(timeline: &'a Timeline) -> Self {
        let mut families: BTreeMap<ProcessId, Family> = BTreeMap::new();
        for process in timeline.processes() {
            families.entry(process.id).or_default().life = Some(process);
        }
        let mut known = BTreeSet::new();
        for (thread, name) in timeline.threads() {
            families.entry(thread.process).or_default().threads.push((thread, name));
            known.insert(thread);
        }
        let mut phases: BTreeMap<Owner, Vec<usize>> = BTreeMap::new();
        for (i, phase) in timeline.phases().iter().enumerate() {
            let process = phase.id.process;
            let family = families.entry(process).or_default();
            let owner = match (phase.task, phase.tid) {
                (Some(task), _) => {
                    family.tasks.insert(task);
                    Owner::Task(process, task)
                }
                (None, Some(tid)) => {
                    // A thread that came and went between two samples still has its lane.
                    let thread = ThreadId { process, tid };
                    if known.insert(thread) {
                        family.threads.push((thread, ""));
                    }
                    Owner::Thread(process, tid)
                }
                (None, None) => Owner::Process(process),
            };
            phases.entry(owner).or_default().push(i);
        }
        Self { timeline, families, phases, lanes: Vec::new() }
    }

    fn build(mut self) -> Vec<Lane> {
        let mut by_pid: BTreeMap<Pid, Vec<ProcessId>> = BTreeMap::new();
        for id in self.families.keys() {
            by_pid.entry(id.pid).or_default().push(*id);
        }
        let mut roots = Vec::new();
        let ids: Vec<ProcessId> = self.families.keys().copied().collect();
        for id in ids {
            let parent = self.families[&id].life.and_then(|life| {
                // The parent's number may have been used before and after: it is who began before the child.
                let candidates = by_pid.get(&life.parent)?;
                candidates.iter().rev().find(|parent| parent.start <= id.start && **parent != id).copied()
            });
            match parent {
                Some(parent) => self.families.entry(parent).or_default().children.push(id),
                None => roots.push(id),
            }
        }
        let root = self.timeline.header().root;
        roots.sort_by_key(|id| (*id != root, id.start, id.pid));
        // Depth first without recursion: a chain of 50,000 processes must not use up the stack.
        let mut work: Vec<(ProcessId, Option<usize>)> = roots.iter().rev().map(|id| (*id, None)).collect();
        let mut placed = BTreeSet::new();
        while let Some((id, parent)) = work.pop() {
            if !placed.insert(id) {
                continue;
            }
            let own = self.process(id, parent);
            let mut children = std::mem::take(&mut self.families.entry(id).or_default().children);
            children.sort_by_key(|child| (child.start, child.pid));
            work.extend(children.iter().rev().map(|child| (*child, Some(own))));
        }
        self.close()
    }

    fn push(&mut self, kind: LaneKind, parent: Option<usize>, label: String) -> usize {
        let depth = parent.map_or(0, |parent| self.lanes[parent].depth.saturating_add(1));
        let shows = if let LaneKind::Thread(thread) = kind { Some(thread) } else { None };
        self.lanes.push(Lane { kind, shows, parent, depth, label, end: 0 });
        self.lanes.len() - 1
    }

    fn process(&mut self, id: ProcessId, parent: Option<usize>) -> usize {
        let family = self.families.remove(&id).unwrap_or_default();
        let comm = family.life.map(|life| life.comm_at(self.timeline.end()));
        let comm = comm.or_else(|| family.threads.iter().find(|(t, _)| t.tid.0 == id.pid.0).map(|(_, name)| *name));
        let comm = clean(comm.filter(|comm| !comm.is_empty()).unwrap_or("process")).into_owned();
        let own = self.push(LaneKind::Process(id), parent, format!("{comm} {}", id.pid));
        self.phases_of(Owner::Process(id), own);
        // A process of one thread needs no second lane for it.
        let alone = matches!(&family.threads[..], [(thread, _)] if *thread == ThreadId::main_of(id));
        if alone {
            self.lanes[own].shows = Some(ThreadId::main_of(id));
            self.phases_of(Owner::Thread(id, Tid(id.pid.0)), own);
        }
        for (thread, name) in family.threads.iter().filter(|_| !alone) {
            let name = match *name {
                "" if thread.tid.0 == id.pid.0 => &comm,
                "" => "thread",
                name => name,
            };
            let lane = self.push(LaneKind::Thread(*thread), Some(own), format!("{} {}", clean(name), thread.tid));
            self.phases_of(Owner::Thread(id, thread.tid), lane);
        }
        for task in &family.tasks {
            let lane = self.push(LaneKind::Task(id, *task), Some(own), format!("task {task}"));
            self.phases_of(Owner::Task(id, *task), lane);
        }
        self.families.insert(id, Family { children: family.children, ..Family::default() });
        own
    }

    /// Packs the phases of one owner into rows, a phase always below the phase around it.
    fn phases_of(&mut self, owner: Owner, lane: usize) {
        let Some(mut phases) = self.phases.remove(&owner) else { return };
        let all = self.timeline.phases();
        phases.sort_by_key(|i| (all[*i].open.t, all[*i].id.phase));
        let mut rows: Vec<(Vec<usize>, Option<u64>)> = Vec::new();
        let mut row_of: BTreeMap<Big, usize> = BTreeMap::new();
        for i in phases {
            let phase = &all[i];
            let above = phase.parent.and_then(|parent| row_of.get(&parent)).map_or(0, |row| row + 1);
            let free = |row: &(Vec<usize>, Option<u64>)| row.1.is_some_and(|end| end <= phase.open.t.0);
            let fit = rows.iter().skip(above).position(free).map_or(rows.len(), |row| row + above);
            let row = fit.max(above.min(rows.len())).min(MOST_ROWS - 1);
            if row == rows.len() {
                rows.push((Vec::new(), Some(0)));
            }
            rows[row].0.push(i);
            rows[row].1 = phase.close.map(|close| close.t.0);
            row_of.insert(phase.id.phase, row);
        }
        for (row, _) in rows {
            self.push(LaneKind::Phases(row), Some(lane), String::new());
        }
    }

    /// Where each lane's own lanes end.
    fn close(mut self) -> Vec<Lane> {
        for i in (0..self.lanes.len()).rev() {
            self.lanes[i].end = self.lanes[i].end.max(i + 1);
            if let Some(parent) = self.lanes[i].parent {
                let end = self.lanes[i].end;
                let parent = &mut self.lanes[parent];
                parent.end = parent.end.max(end);
            }
        }
        self.lanes
    }
}
