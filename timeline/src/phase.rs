//! Recorded phases, found by time, by id and by lane.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hangdog_schemas::record::{PhaseClose, PhaseMeaning, PhaseOpen};
use hangdog_schemas::{Big, PhaseId, ProcessId, RunNs, ThreadId, Tid, When};

use crate::interval::Intervals;

/// Phases within phases deeper than this count as this deep.
const DEEPEST: u8 = 200;

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
    /// The `hang.*` fields. Most phases have none, and those share one.
    pub hang: Arc<PhaseMeaning>,
    /// When it began.
    pub open: When,
    /// When it ended; `None` when it was open at the end of the capture.
    pub close: Option<When>,
    /// Its outcome.
    pub outcome: Option<String>,
}

/// A line on which phases are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Phases of a process of which no thread is known (a script's).
    Process(ProcessId),
    /// Phases of a thread outside any task.
    Thread(ThreadId),
    /// Phases of an async task, on whatever threads it ran.
    Task(ProcessId, Big),
}

impl Phase {
    /// Whether it was open at a time.
    pub fn is_open_at(&self, t: RunNs) -> bool {
        self.open.t <= t && self.close.is_none_or(|close| close.t > t)
    }

    /// Where it is drawn.
    pub fn lane(&self) -> Lane {
        let process = self.id.process;
        match (self.task, self.tid) {
            (Some(task), _) => Lane::Task(process, task),
            (None, Some(tid)) => Lane::Thread(ThreadId { process, tid }),
            (None, None) => Lane::Process(process),
        }
    }

    fn close_with(&mut self, close: PhaseClose) {
        if self.close.is_none() {
            // The two may come from clocks of different resolution.
            self.close = Some(When { t: close.when.t.max(self.open.t), ..close.when });
        }
        self.outcome = self.outcome.take().or(close.outcome);
    }
}

/// All phases of a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phases {
    all: Vec<Phase>,
    by_id: HashMap<PhaseId, u32>,
    by_time: Intervals,
    /// How many phases of the same lane are around each.
    depths: Vec<u8>,
    /// Ends that came before their begins.
    early: HashMap<PhaseId, PhaseClose>,
    no_meaning: Arc<PhaseMeaning>,
}

impl Phases {
    /// A phase that comes again (it moved to another thread, or got more fields) takes the place of the first.
    pub(crate) fn open(&mut self, open: PhaseOpen) {
        let hang = if open.hang.is_empty() { Arc::clone(&self.no_meaning) } else { Arc::new(open.hang) };
        let mut phase = Phase {
            id: open.id,
            parent: open.parent,
            tid: open.tid,
            task: open.task,
            name: open.name,
            fields: open.fields,
            hang,
            open: open.when,
            close: None,
            outcome: None,
        };
        if let Some(known) = self.by_id.get(&phase.id).map(|n| &mut self.all[*n as usize]) {
            if known.open.t <= phase.open.t {
                phase.open = known.open;
            }
            phase.close = known.close;
            phase.outcome = known.outcome.take();
            *known = phase;
            return;
        }
        if let Some(close) = self.early.remove(&phase.id) {
            phase.close_with(close);
        }
        let n = u32::try_from(self.all.len()).expect("memory ends before 2^32 phases");
        self.by_id.insert(phase.id, n);
        self.all.push(phase);
    }

    /// The first end counts; a later one may still bring the outcome.
    pub(crate) fn close(&mut self, close: PhaseClose) {
        match self.by_id.get(&close.id) {
            Some(n) => self.all[*n as usize].close_with(close),
            None => {
                self.early.entry(close.id).or_insert(close);
            }
        }
    }

    /// Builds the index. Ends without a begin (it was cut off, or lost) say nothing that could be placed.
    pub(crate) fn settle(&mut self) {
        self.early = HashMap::new();
        self.all.shrink_to_fit();
        let end = |phase: &Phase| phase.close.map_or(RunNs(u64::MAX), |close| close.t);
        let intervals: Vec<_> = self.all.iter().map(|phase| (phase.open.t, end(phase))).collect();
        self.by_time = Intervals::new(&intervals);
        self.find_depths();
    }

    fn find_depths(&mut self) {
        const UNKNOWN: u8 = u8::MAX;
        let mut depths = vec![UNKNOWN; self.all.len()];
        let mut chain = Vec::new();
        for n in 0..self.all.len() {
            let mut next = Some(n);
            // Up to a phase whose depth is known, or that has nothing around it in its lane. Marked on the
            // way, so that a chain that closes on itself ends too.
            let mut depth = loop {
                match next {
                    Some(n) if depths[n] == UNKNOWN => {
                        depths[n] = 0;
                        chain.push(n);
                        next = self.around_in_lane(&self.all[n]);
                    }
                    Some(n) => break depths[n] + 1,
                    None => break 0,
                }
            };
            while let Some(n) = chain.pop() {
                depths[n] = depth.min(DEEPEST);
                depth = depths[n] + 1;
            }
        }
        self.depths = depths;
    }

    fn around_in_lane(&self, phase: &Phase) -> Option<usize> {
        let id = PhaseId { process: phase.id.process, phase: phase.parent? };
        let n = *self.by_id.get(&id)? as usize;
        (self.all[n].lane() == phase.lane()).then_some(n)
    }

    pub(crate) fn all(&self) -> &[Phase] {
        &self.all
    }

    pub(crate) fn get(&self, id: PhaseId) -> Option<&Phase> {
        self.by_id.get(&id).map(|n| &self.all[*n as usize])
    }

    pub(crate) fn depth(&self, id: PhaseId) -> usize {
        self.by_id.get(&id).map_or(0, |n| usize::from(self.depths[*n as usize]))
    }

    pub(crate) fn at(&self, t: RunNs) -> impl Iterator<Item = &Phase> {
        self.by_time.at(t).map(|n| &self.all[n])
    }

    pub(crate) fn between(&self, from: RunNs, to: RunNs) -> impl Iterator<Item = &Phase> {
        self.by_time.between(from, to).map(|n| &self.all[n])
    }

    pub(crate) fn lanes_between(&self, from: RunNs, to: RunNs) -> BTreeMap<Lane, Vec<&Phase>> {
        let mut lanes = BTreeMap::<Lane, Vec<&Phase>>::new();
        for phase in self.between(from, to) {
            lanes.entry(phase.lane()).or_default().push(phase);
        }
        lanes
    }

    /// A phase and those around it, outermost first. Ends where one is unknown, and where the chain closes on
    /// itself or is deeper than anybody nests phases.
    pub(crate) fn path(&self, id: PhaseId) -> Vec<&Phase> {
        let mut path: Vec<&Phase> = Vec::new();
        let mut next = self.get(id);
        while let Some(phase) = next {
            if path.len() == usize::from(DEEPEST) || path.iter().any(|seen| seen.id == phase.id) {
                break;
            }
            path.push(phase);
            next = phase.parent.and_then(|parent| self.get(PhaseId { process: phase.id.process, phase: parent }));
        }
        path.reverse();
        path
    }
}
