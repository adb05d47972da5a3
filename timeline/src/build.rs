//! Records into a timeline, whatever order they come in.
//!
//! Memory is bounded by the records themselves, which [`file::Reader`](hangdog_schemas::file::Reader) bounds;
//! only snapshots, which are large when empty, are bounded here.

use std::collections::BTreeMap;
use std::io::Read;

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::file::Reader;
use hangdog_schemas::record::{
    Action, Call, Lost, Output, RunEnd, RunHeader, Sample, SnapshotBegin, SnapshotExtent, Trigger, TriggerReason,
    Visit,
};
use hangdog_schemas::{ProcessId, Record, Report, RunNs, SnapshotId, ThreadId, When};

use crate::call;
use crate::files::Files;
use crate::kernel_event::KernelEvents;
use crate::phase::Phases;
use crate::phase_state::PhaseStates;
use crate::process::Process;
use crate::progress::ProgressLog;
use crate::thread::{ThreadAt, ThreadLife};
use crate::{Moment, Snapshot, Timeline};

/// A capture has some; a hostile one could name a new one in every record.
const SNAPSHOTS: usize = 10_000;

/// Why records make no timeline.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The first line is missing, so nothing says what the rest belongs to.
    #[error("the capture has no run header: nothing in it can be placed")]
    NoHeader,
}

impl Timeline {
    /// Joins the records of a capture.
    pub fn build(records: impl IntoIterator<Item = Record>) -> Result<Self, BuildError> {
        let mut builder = Builder::default();
        for record in records {
            builder.add(record);
        }
        builder.finish()
    }

    /// Joins the records of a capture file. What could not be read of it is under [`missing`](Self::missing).
    pub fn from_capture<R: Read>(mut reader: Reader<R>) -> Result<Self, BuildError> {
        let mut timeline = Self::build(reader.by_ref())?;
        timeline.missing.splice(0..0, reader.summary().missing());
        Ok(timeline)
    }
}

/// A timeline that is being filled, for a capture that is still written: what was added stays, however often it is
/// [looked at](Self::so_far).
#[derive(Clone, Default)]
pub struct Builder {
    header: Option<RunHeader>,
    processes: BTreeMap<ProcessId, Process>,
    threads: BTreeMap<ThreadId, ThreadLife>,
    phases: Phases,
    phase_states: PhaseStates,
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    samples: Vec<RunNs>,
    outputs: Vec<Output>,
    files: Files,
    triggers: Vec<Trigger>,
    actions: Vec<Action>,
    lost: Vec<Lost>,
    kernel_events: KernelEvents,
    calls: Vec<Call>,
    visits: Vec<Visit>,
    progress: ProgressLog,
    run_end: Option<RunEnd>,
    report: Option<Report>,
    end: RunNs,
    /// Another run's header was read: what follows is not of this run.
    other_run: bool,
    unplaced: u64,
}

impl Builder {
    /// Takes in one record; the run header is among them, its place does not matter.
    pub fn add(&mut self, record: Record) {
        if let Record::Run(header) = record {
            match &self.header {
                None => self.header = Some(*header),
                Some(own) => self.other_run |= own.run != header.run,
            }
            return;
        }
        if self.other_run {
            self.unplaced += 1;
            return;
        }
        if let Some(t) = record.when() {
            self.end = self.end.max(t);
        }
        if let Some(id) = record.snapshot() {
            self.add_fact(id, record);
            return;
        }
        match record {
            Record::ProcessStart(start) => {
                self.progress.add(start.when.t, "a new process");
                self.process(start.process, start.when).began(start);
            }
            Record::ProcessChange(change) => {
                self.progress.add(change.when.t, "a new program");
                self.process(change.process, change.when).changed(change);
            }
            Record::ProcessEnd(end) => self.process(end.process, end.when).ended(&end),
            Record::Sample(sample) => self.add_sample(sample),
            Record::PhaseOpen(open) => self.phases.open(*open),
            Record::PhaseClose(close) => self.phases.close(close),
            Record::PhaseState(state) => self.phase_states.add(state),
            Record::Output(output) => {
                self.progress.add(output.when.t, "output");
                self.outputs.push(output);
            }
            Record::FileEvent(event) => self.files.add(event),
            Record::FileWatch(watch) => self.files.watched(watch),
            Record::Trigger(trigger) => {
                self.progress.add(trigger.last_progress, trigger.progress.clone());
                self.triggers.push(trigger);
            }
            Record::Action(action) => self.actions.push(action),
            Record::Lost(lost) => self.lost.push(lost),
            Record::KernelEvent(event) => self.kernel_events.add(event),
            Record::Call(call) => self.calls.push(*call),
            Record::Visit(visit) => self.visits.push(*visit),
            Record::RunEnd(end) => self.run_end = Some(end),
            Record::Report(report) => self.report = Some(*report),
            // The clocks are converted before records are written; facts were taken above.
            _ => {}
        }
    }

    fn process(&mut self, id: ProcessId, seen: When) -> &mut Process {
        self.processes.entry(id).or_insert_with(|| Process::seen(id, seen))
    }

    fn add_sample(&mut self, sample: Sample) {
        let t = sample.when.t;
        self.samples.push(t);
        for thread in sample.threads {
            let life = self.threads.entry(thread.thread).or_default();
            if let Some(comm) = thread.comm {
                life.name(t, comm);
            }
            life.states.push(ThreadAt {
                since: t,
                state: thread.state,
                cpu_ns: thread.cpu_ns.unwrap_or_default(),
                vol: thread.vol,
                invol: thread.invol,
            });
        }
        for gone in sample.gone {
            self.threads.entry(gone).or_default().missed(t);
        }
    }

    /// Facts may come before their snapshot's begin, or without it (its frame was lost). Then they count as a light
    /// look, which claims least, at the time of the first of them.
    fn add_fact(&mut self, id: SnapshotId, record: Record) {
        if !self.snapshots.contains_key(&id) && self.snapshots.len() >= SNAPSHOTS {
            self.unplaced += 1;
            return;
        }
        let end = self.end;
        let snapshot = self.snapshots.entry(id).or_insert_with(|| {
            let when = When::exactly(record.when().unwrap_or(end));
            let (extent, reason) = (SnapshotExtent::Light, TriggerReason::Demand);
            Snapshot::new(&SnapshotBegin { when, snapshot: id, extent, reason })
        });
        snapshot.add(record);
    }

    /// The timeline of what was added up to now, and of these.
    pub fn so_far(&self, more: impl IntoIterator<Item = Record>) -> Result<Timeline, BuildError> {
        let mut builder = self.clone();
        more.into_iter().for_each(|record| builder.add(record));
        builder.finish()
    }

    fn finish(mut self) -> Result<Timeline, BuildError> {
        let header = self.header.take().ok_or(BuildError::NoHeader)?;
        self.threads.values_mut().for_each(ThreadLife::settle);
        // Threads that never had a state were only missed.
        self.threads.retain(|_, life| !life.states.is_empty());
        self.adopt_threads();
        self.processes.values_mut().for_each(Process::settle);
        self.phases.settle();
        self.phase_states.settle();
        self.progress.settle();
        self.files.settle();
        let mut snapshots: Vec<Snapshot> = self.snapshots.into_values().collect();
        snapshots.iter_mut().for_each(Snapshot::index);
        snapshots.sort_by_key(|snapshot| (snapshot.begin, snapshot.id));
        self.samples.sort_unstable();
        self.samples.dedup();
        self.outputs.sort_by_key(|output| output.when.t);
        self.triggers.sort_by_key(|trigger| trigger.when.t);
        self.actions.sort_by_key(|action| action.when.t);
        self.lost.sort_by_key(|lost| lost.when.t);
        self.kernel_events.settle(&self.threads);
        let calls = call::settle(self.calls, &self.kernel_events);
        self.visits.sort_by_key(|visit| visit.when.t);
        let missing = match (self.unplaced, self.other_run) {
            (0, false) => Vec::new(),
            (n, true) => vec![format!("{n} records after the header of a second run were left out")],
            (n, false) => vec![format!("{n} records of more than {SNAPSHOTS} snapshots were left out")],
        };
        let mut timeline = Timeline {
            header,
            processes: self.processes,
            threads: self.threads,
            phases: self.phases,
            phase_states: self.phase_states,
            snapshots,
            samples: self.samples,
            outputs: self.outputs,
            files: self.files,
            triggers: self.triggers,
            actions: self.actions,
            lost: self.lost,
            kernel_events: self.kernel_events,
            calls,
            visits: self.visits,
            progress: self.progress,
            run_end: self.run_end,
            report: self.report,
            end: self.end,
            moments: Vec::new(),
            missing,
        };
        timeline.moments = timeline.collect_moments();
        Ok(timeline)
    }

    /// Processes whose start was lost, known by their threads.
    fn adopt_threads(&mut self) {
        for (id, life) in &self.threads {
            let Some(first) = life.states.first() else { continue };
            let process = self.processes.entry(id.process).or_insert_with(|| {
                let mut process = Process::seen(id.process, When::exactly(first.since));
                process.end = life.gone().or(ended(life)).map(When::exactly);
                process
            });
            let is_main = id.tid.0 == id.process.pid.0;
            if process.comms.is_empty() && is_main && !life.comm.is_empty() {
                process.comms.push((process.start.t, life.comm.clone()));
            }
        }
    }
}

/// When a thread was seen to have ended.
fn ended(life: &ThreadLife) -> Option<RunNs> {
    life.states.last().filter(|last| last.state == TaskState::X).map(|last| last.since)
}

impl Timeline {
    fn collect_moments(&self) -> Vec<Moment> {
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
