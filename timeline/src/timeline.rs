//! The capture as a whole.
//!
//! ```text
//! records ──▶ Timeline ── at(t) ──▶ processes, thread states, open phases, newest snapshot
//! ```

use std::collections::BTreeMap;

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::record::{
    Action, ExitStatus, Lost, Output, PhaseMeaning, ProcessEnd, RunEnd, RunHeader, Trigger,
};
use hangdog_schemas::{Big, PhaseId, Pid, ProcessId, Record, Report, RunNs, SnapshotId, ThreadId, Tid, When};

use crate::Snapshot;

/// Why records make no timeline.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The first line is missing, so nothing says what the rest belongs to.
    #[error("the capture has no run header: nothing in it can be placed")]
    NoHeader,
}

/// A process of the run over its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who.
    pub id: ProcessId,
    /// Who started it, as far as it was seen.
    pub parent: Pid,
    /// When it was first seen.
    pub start: When,
    /// When it was missed.
    pub end: Option<When>,
    /// How it ended, when known.
    pub how: Option<ExitStatus>,
    /// Its names over time, the first at its start.
    pub comms: Vec<(RunNs, String)>,
}

impl Process {
    /// Its name at a time.
    pub fn comm_at(&self, t: RunNs) -> &str {
        let later = self.comms.partition_point(|(at, _)| *at <= t);
        self.comms.get(later.saturating_sub(1)).map_or("?", |(_, comm)| comm)
    }
}

/// A recorded phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Which.
    pub id: PhaseId,
    /// The phase around it.
    pub parent: Option<Big>,
    /// The thread that is in it, or was last.
    pub tid: Option<Tid>,
    /// The async task that is in it.
    pub task: Option<Big>,
    /// Name.
    pub name: String,
    /// Other fields.
    pub fields: Vec<(String, String)>,
    /// The `hang.*` fields.
    pub hang: PhaseMeaning,
    /// When it began.
    pub open: When,
    /// When it ended; `None` when it was open at the end of the capture.
    pub close: Option<When>,
    /// Its outcome.
    pub outcome: Option<String>,
}

impl Phase {
    /// Whether it was open at a time.
    pub fn is_open_at(&self, t: RunNs) -> bool {
        self.open.t <= t && self.close.is_none_or(|close| close.t > t)
    }
}

/// A thread at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadAt {
    /// Since when it is in this state without a change of its counters.
    pub since: RunNs,
    /// State.
    pub state: TaskState,
    /// CPU time so far, ns.
    pub cpu_ns: u64,
    /// Voluntary switches so far.
    pub vol: u64,
    /// Involuntary switches so far.
    pub invol: u64,
}

/// Something on the time line that can be stepped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A sample.
    Sample(RunNs),
    /// A snapshot's begin.
    Snapshot(RunNs, SnapshotId),
    /// A trigger.
    Trigger(RunNs),
    /// Output.
    Output(RunNs),
    /// Something was done to the run.
    Action(RunNs),
}

/// A capture as state over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    header: RunHeader,
    processes: BTreeMap<ProcessId, Process>,
    threads: BTreeMap<ThreadId, ThreadLife>,
    phases: Vec<Phase>,
    phase_by_id: BTreeMap<PhaseId, usize>,
    snapshots: Vec<Snapshot>,
    samples: Vec<RunNs>,
    outputs: Vec<Output>,
    triggers: Vec<Trigger>,
    actions: Vec<Action>,
    lost: Vec<Lost>,
    run_end: Option<RunEnd>,
    report: Option<Report>,
    end: RunNs,
}

#[derive(Clone, Debug, Default)]
struct ThreadLife {
    comm: String,
    states: Vec<ThreadAt>,
    gone: Option<RunNs>,
}

impl Timeline {
    /// Joins the records of a capture, in the order in which they were written.
    pub fn build(records: impl IntoIterator<Item = Record>) -> Result<Self, BuildError> {
        let mut records = records.into_iter();
        let header = records
            .by_ref()
            .find_map(|record| if let Record::Run(header) = record { Some(*header) } else { None })
            .ok_or(BuildError::NoHeader)?;
        let mut timeline = Self {
            header,
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            phases: Vec::new(),
            phase_by_id: BTreeMap::new(),
            snapshots: Vec::new(),
            samples: Vec::new(),
            outputs: Vec::new(),
            triggers: Vec::new(),
            actions: Vec::new(),
            lost: Vec::new(),
            run_end: None,
            report: None,
            end: RunNs(0),
        };
        for record in records {
            timeline.add(record);
        }
        for snapshot in &mut timeline.snapshots {
            snapshot.index();
        }
        Ok(timeline)
    }

    fn add(&mut self, record: Record) {
        if let Some(t) = record.when() {
            self.end = self.end.max(t);
        }
        if let Record::SnapshotBegin(begin) = &record {
            self.snapshots.push(Snapshot::new(begin));
            return;
        }
        if let Some(id) = Snapshot::of(&record) {
            if let Some(snapshot) = self.snapshots.iter_mut().rev().find(|snapshot| snapshot.id == id) {
                snapshot.add(record);
            }
            return;
        }
        match record {
            Record::ProcessStart(start) => {
                let process = Process {
                    id: start.process,
                    parent: start.parent,
                    start: start.when,
                    end: None,
                    how: None,
                    comms: vec![(start.when.t, start.comm)],
                };
                self.processes.insert(start.process, process);
            }
            Record::ProcessChange(change) => {
                if let Some(process) = self.processes.get_mut(&change.process) {
                    process.comms.push((change.when.t, change.comm));
                }
            }
            Record::ProcessEnd(end) => self.end_process(&end),
            Record::Sample(sample) => {
                self.samples.push(sample.when.t);
                for thread in sample.threads {
                    let life = self.threads.entry(thread.thread).or_default();
                    if let Some(comm) = thread.comm {
                        life.comm = comm;
                    }
                    life.states.push(ThreadAt {
                        since: sample.when.t,
                        state: thread.state,
                        cpu_ns: thread.cpu_ns.unwrap_or_default(),
                        vol: thread.vol,
                        invol: thread.invol,
                    });
                }
                for gone in sample.gone {
                    if let Some(life) = self.threads.get_mut(&gone) {
                        life.gone = Some(sample.when.t);
                    }
                }
            }
            Record::PhaseOpen(open) => {
                let open = *open;
                let index = self.phases.len();
                self.phase_by_id.insert(open.id, index);
                self.phases.push(Phase {
                    id: open.id,
                    parent: open.parent,
                    tid: open.tid,
                    task: open.task,
                    name: open.name,
                    fields: open.fields,
                    hang: open.hang,
                    open: open.when,
                    close: None,
                    outcome: None,
                });
            }
            Record::PhaseClose(close) => {
                if let Some(phase) = self.phase_by_id.get(&close.id).map(|i| &mut self.phases[*i]) {
                    phase.close = Some(close.when);
                    phase.outcome = close.outcome;
                }
            }
            Record::Output(output) => self.outputs.push(output),
            Record::Trigger(trigger) => self.triggers.push(trigger),
            Record::Action(action) => self.actions.push(action),
            Record::Lost(lost) => self.lost.push(lost),
            Record::RunEnd(end) => self.run_end = Some(end),
            Record::Report(report) => self.report = Some(*report),
            _ => {}
        }
    }

    fn end_process(&mut self, end: &ProcessEnd) {
        if let Some(process) = self.processes.get_mut(&end.process) {
            process.end = Some(end.when);
            process.how = end.how;
        }
    }

    /// What ran where.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// The last moment that was recorded.
    pub fn end(&self) -> RunNs {
        self.end
    }

    /// Snapshots, oldest first.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// The newest snapshot that had begun at a time.
    pub fn snapshot_at(&self, t: RunNs) -> Option<&Snapshot> {
        self.snapshots.iter().rev().find(|snapshot| snapshot.begin <= t)
    }

    /// All processes of the run.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// A process.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(&id)
    }

    /// Processes that lived at a time.
    pub fn processes_at(&self, t: RunNs) -> impl Iterator<Item = &Process> {
        self.processes.values().filter(move |p| p.start.t <= t && p.end.is_none_or(|end| end.t > t))
    }

    /// Threads that were ever sampled, with their names.
    pub fn threads(&self) -> impl Iterator<Item = (ThreadId, &str)> {
        self.threads.iter().map(|(id, life)| (*id, life.comm.as_str()))
    }

    /// The state of a thread at a time; `None` before it began and after it was gone.
    pub fn thread_at(&self, thread: ThreadId, t: RunNs) -> Option<ThreadAt> {
        let life = self.threads.get(&thread)?;
        if life.gone.is_some_and(|gone| gone <= t) {
            return None;
        }
        let later = life.states.partition_point(|state| state.since <= t);
        later.checked_sub(1).map(|i| life.states[i])
    }

    /// All states of a thread, oldest first. Each lasts until the next, the last until
    /// [`thread_gone`](Self::thread_gone).
    pub fn thread_states(&self, thread: ThreadId) -> &[ThreadAt] {
        self.threads.get(&thread).map_or(&[], |life| &life.states)
    }

    /// When a thread was missed.
    pub fn thread_gone(&self, thread: ThreadId) -> Option<RunNs> {
        self.threads.get(&thread)?.gone
    }

    /// All phases, in the order in which they were recorded.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// A phase.
    pub fn phase(&self, id: PhaseId) -> Option<&Phase> {
        self.phase_by_id.get(&id).map(|i| &self.phases[*i])
    }

    /// Phases that were open at a time.
    pub fn open_phases_at(&self, t: RunNs) -> impl Iterator<Item = &Phase> {
        self.phases.iter().filter(move |phase| phase.is_open_at(t))
    }

    /// A phase and those around it, outermost first. Ends where a parent is unknown or the chain closes on itself.
    pub fn phase_path(&self, phase: &Phase) -> Vec<&Phase> {
        let mut path = Vec::new();
        let mut next = self.phase(phase.id);
        while let Some(phase) = next {
            if path.iter().any(|seen: &&Phase| seen.id == phase.id) {
                break;
            }
            path.push(phase);
            next = phase.parent.and_then(|parent| self.phase(PhaseId { process: phase.id.process, phase: parent }));
        }
        path.reverse();
        path
    }

    /// Times of all samples.
    pub fn samples(&self) -> &[RunNs] {
        &self.samples
    }

    /// What the command wrote.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// When and why the watchdog fired.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// What was done to the run.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// What was dropped.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// How the command ended, when it did.
    pub fn run_end(&self) -> Option<&RunEnd> {
        self.run_end.as_ref()
    }

    /// The report that was written into the capture.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Everything that can be stepped to, in order of time.
    pub fn moments(&self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        moments.extend(self.samples.iter().map(|t| Moment::Sample(*t)));
        moments.extend(self.snapshots.iter().map(|s| Moment::Snapshot(s.begin, s.id)));
        moments.extend(self.triggers.iter().map(|trigger| Moment::Trigger(trigger.when.t)));
        moments.extend(self.outputs.iter().map(|output| Moment::Output(output.when.t)));
        moments.extend(self.actions.iter().map(|action| Moment::Action(action.when.t)));
        moments.sort_by_key(|moment| moment.at());
        moments
    }
}

impl Moment {
    /// When it is.
    pub fn at(self) -> RunNs {
        match self {
            Self::Sample(t) | Self::Snapshot(t, _) | Self::Trigger(t) | Self::Output(t) | Self::Action(t) => t,
        }
    }
}
