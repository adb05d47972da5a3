//! What the judge is given: header, processes, open phases, notifications that nobody waited for, the last two
//! snapshots with the state of all threads beside each, and what happened. Everything in here is bounded; the
//! capture has the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use hangdog_schemas::record::{
    Action, Lost, Output, PhaseClose, PhaseOpen, ProcessChange, ProcessEnd, ProcessStart, RunEnd, Sample, Trigger,
};
use hangdog_schemas::{Big, PhaseId, Pid, ProcessId, Record, RunHeader, RunNs};

/// Ended processes that are remembered.
const MOST_ENDED: usize = 1024;
/// Processes that are remembered at all; beyond that the oldest of the ended go first.
const MOST_PROCESSES: usize = 8 << 10;
/// Phases that are over and are remembered.
const MOST_HISTORY: usize = 4096;
/// Triggers and actions that are remembered.
const MOST_EVENTS: usize = 256;
/// Earlier samples, and threads in one.
const MOST_SAMPLES: usize = 4;
const LARGEST_SAMPLE: usize = 2048;

/// One snapshot with the state of all threads when it was begun; how phases stood then is among its facts.
#[derive(Clone, Debug)]
struct Look {
    began: RunNs,
    sample: Sample,
    facts: Vec<Record>,
}

/// Gathers what matters.
#[derive(Debug)]
pub(super) struct Question {
    header: RunHeader,
    processes: BTreeMap<ProcessId, ProcessStart>,
    ended: VecDeque<ProcessEnd>,
    looks: VecDeque<Look>,
    /// How all threads stood at earlier looks since the last progress: who wakes seldom is told from who never does.
    since_progress: Vec<Sample>,
    triggers: VecDeque<Trigger>,
    actions: VecDeque<Action>,
    lost: VecDeque<Lost>,
    output: Option<Output>,
    /// Notifications that nobody waited for: short phases, which are over.
    notifications: VecDeque<(PhaseOpen, Option<PhaseClose>)>,
    /// Phases that are over and say by themselves what they mean, and the ones around them.
    history: VecDeque<(PhaseOpen, Option<PhaseClose>)>,
    /// Where a phase is that is still open, of those in `history`, counted from the first that ever was.
    open: BTreeMap<PhaseId, u64>,
    dropped: u64,
    end: Option<RunEnd>,
}

impl Question {
    pub(super) fn new(header: RunHeader) -> Self {
        Self {
            header,
            processes: BTreeMap::new(),
            ended: VecDeque::new(),
            looks: VecDeque::new(),
            since_progress: Vec::new(),
            triggers: VecDeque::new(),
            actions: VecDeque::new(),
            lost: VecDeque::new(),
            output: None,
            notifications: VecDeque::new(),
            history: VecDeque::new(),
            open: BTreeMap::new(),
            dropped: 0,
            end: None,
        }
    }

    pub(super) fn started(&mut self, start: &ProcessStart) {
        if self.processes.len() < MOST_PROCESSES {
            self.processes.insert(start.process, start.clone());
        }
    }

    /// The process that had this number last, as far as it is remembered; the command itself always is.
    pub(super) fn process(&self, pid: Pid) -> Option<ProcessId> {
        let of_pid = self.processes.range(ProcessId { pid, start: Big(0) }..=ProcessId { pid, start: Big(u64::MAX) });
        of_pid.map(|(process, _)| *process).next_back().or((self.header.root.pid == pid).then_some(self.header.root))
    }

    /// The name of a process, as far as it is remembered.
    pub(super) fn name(&self, process: ProcessId) -> Option<&str> {
        self.processes.get(&process).map(|start| start.comm.as_str())
    }

    /// The last name is what counts for the judge.
    pub(super) fn changed(&mut self, change: &ProcessChange) {
        if let Some(process) = self.processes.get_mut(&change.process) {
            process.comm.clone_from(&change.comm);
        }
    }

    pub(super) fn ended(&mut self, end: &ProcessEnd) {
        self.ended.push_back(end.clone());
        if self.ended.len() > MOST_ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.processes.remove(&oldest.process);
        }
    }

    pub(super) fn output(&mut self, output: &Output) {
        self.output = Some(output.clone());
    }

    pub(super) fn trigger(&mut self, trigger: &Trigger) {
        push_bounded(&mut self.triggers, trigger.clone());
    }

    pub(super) fn action(&mut self, action: &Action) {
        push_bounded(&mut self.actions, action.clone());
    }

    /// Only what may tell why somebody waits to be notified is kept when it is over.
    pub(super) fn phase_opened(&mut self, open: &PhaseOpen) {
        if open.hang.serve.as_ref().is_some_and(|key| key.kind() == "cond") {
            push_bounded(&mut self.notifications, (open.clone(), None));
        } else if open.hang.primitive.is_none() {
            self.open.insert(open.id, self.dropped + self.history.len() as u64);
            self.history.push_back((open.clone(), None));
            if self.history.len() > MOST_HISTORY
                && let Some((oldest, _)) = self.history.pop_front()
            {
                self.dropped += 1;
                self.open.remove(&oldest.id);
            }
        }
    }

    pub(super) fn phase_closed(&mut self, close: &PhaseClose) {
        let its = self.notifications.iter_mut().rev().find(|(open, _)| open.id == close.id);
        if let Some((_, closed)) = its {
            *closed = Some(close.clone());
        }
        if let Some(at) = self.open.remove(&close.id)
            && let Some((_, closed)) = self.history.get_mut(at.saturating_sub(self.dropped) as usize)
        {
            *closed = Some(close.clone());
        }
    }

    /// Whether phases tell something that is worth a thought at the end of a run.
    pub(super) fn has_history(&self) -> bool {
        let tells = |open: &PhaseOpen| {
            let hang = &open.hang;
            hang.op.is_some() || hang.entity.is_some() || hang.hold.is_some() || hang.deadline_ms.is_some()
        };
        self.history.iter().any(|(open, _)| tells(open))
    }

    /// Without these it could be thought that everybody is on record.
    pub(super) fn lost(&mut self, lost: &Lost) {
        push_bounded(&mut self.lost, lost.clone());
    }

    pub(super) fn run_end(&mut self, end: &RunEnd) {
        self.end = Some(end.clone());
    }

    /// The last two snapshots are kept.
    pub(super) fn look(&mut self, began: RunNs, sample: Sample, facts: Vec<Record>) {
        self.looks.push_back(Look { began, sample, facts });
        if self.looks.len() > 2
            && let Some(look) = self.looks.pop_front()
        {
            self.keep_sample(look.sample);
        }
    }

    /// Keeps a few, spread over the time since the last progress.
    fn keep_sample(&mut self, sample: Sample) {
        let progress = self.triggers.back().map_or(RunNs(0), |trigger| trigger.last_progress);
        self.since_progress.retain(|earlier| earlier.when.t >= progress);
        if sample.when.t < progress || sample.threads.len() > LARGEST_SAMPLE {
            return;
        }
        self.since_progress.push(sample);
        if self.since_progress.len() > MOST_SAMPLES {
            // Looks come at ever longer intervals; the first one stays.
            self.since_progress.remove(1);
        }
    }

    /// When the earlier of two snapshots was begun; `None` while there are not two.
    pub(super) fn since(&self) -> Option<RunNs> {
        (self.looks.len() == 2).then(|| self.looks.front().map(|look| look.began)).flatten()
    }

    /// As records, in the order of a capture. Two snapshots of a large run are a hundred thousand records: these are lent.
    pub(super) fn records<'a>(&'a self, phases: impl Iterator<Item = &'a PhaseOpen>) -> Vec<Cow<'a, Record>> {
        let owned = Cow::Owned;
        let mut records = vec![owned(Record::Run(Box::new(self.header.clone())))];
        records.extend(self.processes.values().cloned().map(Record::ProcessStart).map(owned));
        records.extend(phases.cloned().map(|phase| owned(Record::PhaseOpen(Box::new(phase)))));
        for (open, close) in self.notifications.iter().chain(&self.history) {
            if let Some(close) = close {
                records.push(owned(Record::PhaseOpen(Box::new(open.clone()))));
                records.push(owned(Record::PhaseClose(close.clone())));
            }
        }
        records.extend(self.ended.iter().cloned().map(Record::ProcessEnd).map(owned));
        records.extend(self.output.iter().cloned().map(Record::Output).map(owned));
        records.extend(self.triggers.iter().cloned().map(Record::Trigger).map(owned));
        records.extend(self.since_progress.iter().cloned().map(Record::Sample).map(owned));
        for look in &self.looks {
            records.push(owned(Record::Sample(look.sample.clone())));
            records.extend(look.facts.iter().map(Cow::Borrowed));
        }
        records.extend(self.lost.iter().cloned().map(Record::Lost).map(owned));
        records.extend(self.actions.iter().cloned().map(Record::Action).map(owned));
        records.extend(self.end.iter().cloned().map(Record::RunEnd).map(owned));
        records
    }

    pub(super) fn header(&self) -> &RunHeader {
        &self.header
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    queue.push_back(item);
    if queue.len() > MOST_EVENTS {
        queue.pop_front();
    }
}
