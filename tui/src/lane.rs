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

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// Phases of one level.
    Phases(PhaseRow),
}

/// Phases of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhaseRow {
    /// Places in the timeline's list, by their begin. None of them overlap but in the last row.
    pub(crate) places: Vec<u32>,
    /// Numbers of their names, each once.
    pub(crate) names: Vec<u32>,
}

impl std::ops::Deref for PhaseRow {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.places
    }
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

/// All lanes, in order.
pub(crate) struct Lanes {
    pub(crate) lanes: Vec<Lane>,
    /// Names of phases, each once.
    pub(crate) names: Vec<String>,
}

impl Lanes {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        Builder::new(timeline).build()
    }
}

#[derive(Default)]
struct Family<'a> {
    life: Option<&'a Process>,
    threads: Vec<(ThreadId, &'a str)>,
    tasks: BTreeSet<Big>,
    children: Vec<ProcessId>,
}

/// Whose phases: of a thread, of a task, or of the process when neither is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Thread(ProcessId, Tid),
    Task(ProcessId, Big),
    Process(ProcessId),
}

/// A row of phases that is being filled.
#[derive(Default)]
struct Row {
    places: Vec<u32>,
    /// When its last phase ended; `None` while that is open.
    free_from: Option<u64>,
}

struct Builder<'a> {
    timeline: &'a Timeline,
    families: BTreeMap<ProcessId, Family<'a>>,
    phases: HashMap<Owner, Vec<u32>>,
    lanes: Vec<Lane>,
    /// Numbers of the names of phases.
    names: HashMap<&'a str, u32>,
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
        let mut phases: HashMap<Owner, Vec<u32>> = HashMap::new();
        for (i, phase) in (0..).zip(timeline.phases()) {
            let process = phase.id.process;
            let owner = match (phase.task, phase.tid) {
                (Some(task), _) => Owner::Task(process, task),
                (None, Some(tid)) => Owner::Thread(process, tid),
                (None, None) => Owner::Process(process),
            };
            phases.entry(owner).or_default().push(i);
        }
        for owner in phases.keys() {
            match *owner {
                Owner::Task(process, task) => _ = families.entry(process).or_default().tasks.insert(task),
                // A thread that came and went between two samples still has its lane.
                Owner::Thread(process, tid) => {
                    let thread = ThreadId { process, tid };
                    if known.insert(thread) {
                        families.entry(process).or_default().threads.push((thread, ""));
                    }
                }
                Owner::Process(process) => _ = families.entry(process).or_default(),
            }
        }
        for family in families.values_mut() {
            family.threads.sort_unstable();
        }
        Self { timeline, families, phases, lanes: Vec::new(), names: HashMap::new() }
    }

    fn build(mut self) -> Lanes {
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
        phases.sort_by_key(|i| (all[*i as usize].open.t, all[*i as usize].id.phase));
        let mut rows: Vec<Row> = Vec::new();
        let mut row_of: HashMap<Big, usize> = HashMap::new();
        for i in phases {
            let phase = &all[i as usize];
            let above = phase.parent.and_then(|parent| row_of.get(&parent)).map_or(0, |row| row + 1);
            let free = |row: &Row| row.free_from.is_some_and(|end| end <= phase.open.t.0);
            let fit = rows.iter().skip(above).position(free).map_or(rows.len(), |row| row + above);
            let row = fit.max(above.min(rows.len())).min(MOST_ROWS - 1);
            if row == rows.len() {
                rows.push(Row::default());
            }
            rows[row].places.push(i);
            rows[row].free_from = phase.close.map(|close| close.t.0);
            row_of.insert(phase.id.phase, row);
        }
        for Row { mut places, .. } in rows {
            places.shrink_to_fit();
            let names = self.names_in(&places);
            self.push(LaneKind::Phases(PhaseRow { places, names }), Some(lane), String::new());
        }
    }

    /// Numbers of the names of some phases, each once.
    fn names_in(&mut self, places: &[u32]) -> Vec<u32> {
        let all = self.timeline.phases();
        let number = |place: &u32| {
            let next = self.names.len() as u32;
            *self.names.entry(all[*place as usize].name.as_str()).or_insert(next)
        };
        let mut numbers: Vec<u32> = places.iter().map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.shrink_to_fit();
        numbers
    }

    /// Where each lane's own lanes end.
    fn close(mut self) -> Lanes {
        for i in (0..self.lanes.len()).rev() {
            self.lanes[i].end = self.lanes[i].end.max(i + 1);
            if let Some(parent) = self.lanes[i].parent {
                let end = self.lanes[i].end;
                let parent = &mut self.lanes[parent];
                parent.end = parent.end.max(end);
            }
        }
        let mut names = vec![String::new(); self.names.len()];
        for (name, number) in self.names {
            name.clone_into(&mut names[number as usize]);
        }
        Lanes { lanes: self.lanes, names }
    }
}
