//! The capture as a whole, and what can be asked of it.

use std::collections::BTreeMap;

use hangdog_schemas::record::{
    Action, KernelEvent, Lost, Output, PhaseState, RunEnd, RunHeader, Trigger, TriggerReason, Visit,
};
use hangdog_schemas::{PhaseId, ProcessId, Report, RunNs, SnapshotId, ThreadId, Tid};

use crate::call::CallDone;
use crate::files::Files;
use crate::kernel_event::KernelEvents;
use crate::phase::{Lane, Phase, Phases};
use crate::phase_state::PhaseStates;
use crate::process::Process;
use crate::progress::{Progress, ProgressLog};
use crate::thread::{ThreadAt, ThreadLife};
use crate::{Moment, Snapshot};

/// A capture as state over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub(crate) header: RunHeader,
    pub(crate) processes: BTreeMap<ProcessId, Process>,
    pub(crate) threads: BTreeMap<ThreadId, ThreadLife>,
    pub(crate) phases: Phases,
    pub(crate) phase_states: PhaseStates,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) samples: Vec<RunNs>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) files: Files,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) actions: Vec<Action>,
    pub(crate) lost: Vec<Lost>,
    pub(crate) kernel_events: KernelEvents,
    pub(crate) calls: Vec<CallDone>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) progress: ProgressLog,
    pub(crate) run_end: Option<RunEnd>,
    pub(crate) report: Option<Report>,
    pub(crate) end: RunNs,
    pub(crate) moments: Vec<Moment>,
    pub(crate) missing: Vec<String>,
}

/// The run.
impl Timeline {
    /// What ran where.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// The last moment that was recorded.
    pub fn end(&self) -> RunNs {
        self.end
    }

    /// What the command wrote, oldest first.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// When and why the watchdog fired, oldest first.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Whether somebody has declared that this is a hang: the time limit was reached.
    pub fn is_declared(&self) -> bool {
        self.triggers().last().is_some_and(|trigger| trigger.reason == TriggerReason::Timeout)
    }

    /// What was done to the run, oldest first.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// What the kernel's recorder saw, oldest first.
    pub fn kernel_events(&self) -> &[KernelEvent] {
        self.kernel_events.all()
    }

    /// The same within `from..=to`.
    pub fn kernel_events_between(&self, from: RunNs, to: RunNs) -> &[KernelEvent] {
        self.kernel_events.between(from, to)
    }

    /// What a thread did or had done to it, as the kernel's recorder saw it, oldest first.
    pub fn kernel_events_of(&self, thread: ThreadId) -> impl Iterator<Item = &KernelEvent> {
        let of_number = self.kernel_events.of(thread.tid);
        of_number.filter(move |event| self.kernel_events.thread(thread.tid, event.when.t) == Some(thread))
    }

    /// Which sampled thread had this number at this time.
    pub fn thread_of_number(&self, tid: Tid, t: RunNs) -> Option<ThreadId> {
        self.kernel_events.thread(tid, t)
    }

    /// What was dropped while it was recorded.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// What could not be read or placed, each as a fragment for people.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The last progress at or before a time, from outputs, process starts and what triggers say.
    pub fn progress_before(&self, t: RunNs) -> Option<&Progress> {
        self.progress.before(t)
    }

    /// How the command ended, when it did.
    pub fn run_end(&self) -> Option<&RunEnd> {
        self.run_end.as_ref()
    }

    /// The report that was written into the capture.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

/// Snapshots.
impl Timeline {
    /// Snapshots, oldest first.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// The newest snapshot that had begun at a time.
    pub fn snapshot_at(&self, t: RunNs) -> Option<&Snapshot> {
        let later = self.snapshots.partition_point(|snapshot| snapshot.begin <= t);
        later.checked_sub(1).map(|i| &self.snapshots[i])
    }

    /// A snapshot by its number.
    pub fn snapshot(&self, id: SnapshotId) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.id == id)
    }
}

/// Processes and threads.
impl Timeline {
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
        self.processes.values().filter(move |process| process.is_alive_at(t))
    }

    /// Threads that were ever sampled, with their newest names.
    pub fn threads(&self) -> impl Iterator<Item = (ThreadId, &str)> {
        self.threads.iter().map(|(id, life)| (*id, life.comm.as_str()))
    }

    /// Threads of a process that were ever sampled, with their newest names.
    pub fn threads_of(&self, process: ProcessId) -> impl Iterator<Item = (ThreadId, &str)> {
        let thread = |tid| ThreadId { process, tid: hangdog_schemas::Tid(tid) };
        self.threads.range(thread(0)..=thread(u32::MAX)).map(|(id, life)| (*id, life.comm.as_str()))
    }

    /// The state of a thread at a time; `None` before it began and after it was gone.
    pub fn thread_at(&self, thread: ThreadId, t: RunNs) -> Option<ThreadAt> {
        self.threads.get(&thread)?.at(t)
    }

    /// All states of a thread, oldest first. Each lasts until the next, the last until
    /// [`thread_gone`](Self::thread_gone).
    pub fn thread_states(&self, thread: ThreadId) -> &[ThreadAt] {
        self.threads.get(&thread).map_or(&[], |life| &life.states)
    }

    /// The states of a thread within `from..=to`, the one that `from` lies in included.
    pub fn thread_states_between(&self, thread: ThreadId, from: RunNs, to: RunNs) -> &[ThreadAt] {
        let states = self.thread_states(thread);
        let first = states.partition_point(|state| state.since <= from).saturating_sub(1);
        let behind = states.partition_point(|state| state.since <= to).max(first);
        &states[first..behind]
    }

    /// When a thread was missed for good.
    pub fn thread_gone(&self, thread: ThreadId) -> Option<RunNs> {
        self.threads.get(&thread)?.gone()
    }
}

/// Phases.
impl Timeline {
    /// All phases, in the order in which they were recorded.
    pub fn phases(&self) -> &[Phase] {
        self.phases.all()
    }

    /// A phase.
    pub fn phase(&self, id: PhaseId) -> Option<&Phase> {
        self.phases.get(id)
    }

    /// Phases that were open at a time, by their begin. Takes time for the answer, not for all phases.
    pub fn open_phases_at(&self, t: RunNs) -> impl Iterator<Item = &Phase> {
        self.phases.at(t)
    }

    /// Phases that share a moment with `from..=to`, by their begin.
    pub fn phases_between(&self, from: RunNs, to: RunNs) -> impl Iterator<Item = &Phase> {
        self.phases.between(from, to)
    }

    /// The same, by the lane on which they are drawn.
    pub fn lanes_between(&self, from: RunNs, to: RunNs) -> BTreeMap<Lane, Vec<&Phase>> {
        self.phases.lanes_between(from, to)
    }

    /// How many phases of its own lane a phase lies in: the row on which it is drawn.
    pub fn phase_depth(&self, phase: &Phase) -> usize {
        self.phases.depth(phase.id)
    }

    /// A phase and those around it, outermost first. Ends where one is unknown or the chain closes on itself.
    pub fn phase_path(&self, phase: &Phase) -> Vec<&Phase> {
        self.phases.path(phase.id)
    }

    /// How a phase of an async task stood when it was last looked at, at or before a time. `None` for a phase of
    /// plain code (a thread is inside it as long as it is open), and when nobody had looked yet.
    pub fn phase_state_at(&self, id: PhaseId, t: RunNs) -> Option<&PhaseState> {
        self.phase_states.at(id, t)
    }
}

/// Stepping.
impl Timeline {
    /// Times of all samples.
    pub fn samples(&self) -> &[RunNs] {
        &self.samples
    }

    /// Everything that can be stepped to, in order of time.
    pub fn moments(&self) -> Vec<Moment> {
        self.moments.clone()
    }

    /// The first moment after a time.
    pub fn moment_after(&self, t: RunNs) -> Option<Moment> {
        self.moments.get(self.moments.partition_point(|moment| moment.at() <= t)).copied()
    }

    /// The last moment before a time.
    pub fn moment_before(&self, t: RunNs) -> Option<Moment> {
        let from = self.moments.partition_point(|moment| moment.at() < t);
        from.checked_sub(1).map(|i| self.moments[i])
    }
}
