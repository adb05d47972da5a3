//! What does not change: the capture, its report, and what is worked out once from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hangdog_schemas::record::TriggerReason;
use hangdog_schemas::{Actor, Big, Edge, Pid, ProcessId, REPORT_VERSION, Report, RunNs, RunSummary, ThreadId, Tid};
use hangdog_timeline::{Phase, Snapshot, Timeline};

use crate::activity::Activity;
use crate::compare::Beside;
use crate::event::Events;
use crate::graph::Graphs;
use crate::lane::{Lane, LaneKind, Lanes};
use crate::load::Extent;

/// A capture ready to be looked at.
pub(crate) struct Model {
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) report: Arc<Report>,
    pub(crate) lanes: Vec<Lane>,
    /// Names of phases, each once; lanes know them by their number.
    pub(crate) names: Vec<String>,
    pub(crate) events: Events,
    pub(crate) activity: Activity,
    pub(crate) graphs: Graphs,
    pub(crate) extent: Extent,
    /// Another capture, to be compared with this one.
    pub(crate) beside: Option<Box<Beside>>,
    /// The command in one line, harmless.
    pub(crate) command: String,
    threads: BTreeMap<(Pid, Tid), ThreadId>,
    thread_lanes: BTreeMap<ThreadId, usize>,
    task_lanes: BTreeMap<(ProcessId, Big), usize>,
    in_verdict: BTreeSet<(Pid, Tid)>,
}

impl Model {
    pub(crate) fn new(timeline: Arc<Timeline>, report: Arc<Report>) -> Self {
        let Lanes { lanes, names } = Lanes::of(&timeline);
        let thread_lanes = lanes.iter().enumerate().filter_map(|(i, lane)| Some((lane.thread()?, i))).collect();
        let task = |(i, lane): (usize, &Lane)| Some((lane.task()?, i));
        let task_lanes = lanes.iter().enumerate().filter_map(task).collect();
        let actors = report.verdict.iter().flat_map(|verdict| &verdict.edges);
        let in_verdict = actors.flat_map(|edge| [Some(&edge.waiter), edge.resolver.as_ref()]).flatten();
        let model = Self {
            lanes,
            names,
            thread_lanes,
            task_lanes,
            events: Events::of(&timeline),
            activity: Activity::of(&timeline),
            graphs: Graphs::of(&timeline),
            extent: Extent::Whole,
            beside: None,
            command: crate::text::clean(&timeline.header().command.join(" ")).into_owned(),
            threads: timeline.threads().map(|(id, _)| ((id.process.pid, id.tid), id)).collect(),
            in_verdict: in_verdict.map(|actor| (actor.pid, actor.tid)).collect(),
            timeline,
            report,
        };
        // The graph of many threads takes longer than a frame: the one of the first screen is there before it.
        _ = model.graphs.at(&model.timeline, model.opening());
        model
    }

    /// The same, as the picture of so much of a capture.
    pub(crate) fn of_extent(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    /// The same with another capture beside it.
    pub(crate) fn beside(self, beside: Beside) -> Self {
        Self { beside: Some(Box::new(beside)), ..self }
    }

    pub(crate) fn end(&self) -> RunNs {
        self.timeline.end()
    }

    /// The trigger that declared the hang: the last one that is more than a light look.
    pub(crate) fn trigger(&self) -> Option<RunNs> {
        let triggers = self.timeline.triggers();
        let declared = triggers.iter().rev().find(|t| !matches!(t.reason, TriggerReason::Still | TriggerReason::End));
        declared.or(triggers.last()).map(|trigger| trigger.when.t)
    }

    /// The last progress before the trigger.
    pub(crate) fn last_progress(&self) -> Option<RunNs> {
        let said = self.report.run.last_progress;
        said.or_else(|| self.timeline.triggers().last().map(|trigger| trigger.last_progress))
            .map(|t| t.min(self.end()))
    }

    /// Where a replay opens: when the report's facts were seen.
    pub(crate) fn opening(&self) -> RunNs {
        let at = self.report.run.at;
        if at.0 > 0 && at <= self.end() { at } else { self.trigger().unwrap_or(self.end()).min(self.end()) }
    }

    /// The snapshot of a moment.
    pub(crate) fn snapshot(&self, t: RunNs) -> Option<&Snapshot> {
        self.timeline.snapshot_at(t)
    }

    /// A sampled thread by its numbers.
    pub(crate) fn thread(&self, pid: Pid, tid: Tid) -> Option<ThreadId> {
        self.threads.get(&(pid, tid)).copied()
    }

    /// Sampled threads of a process.
    pub(crate) fn threads_of(&self, pid: Pid) -> impl Iterator<Item = ThreadId> {
        self.threads.range((pid, Tid(0))..=(pid, Tid(u32::MAX))).map(|(_, id)| *id)
    }

    /// The lane of a thread.
    pub(crate) fn lane_of(&self, thread: ThreadId) -> Option<usize> {
        self.thread_lanes.get(&thread).copied()
    }

    /// The lane of an async task.
    pub(crate) fn task_lane(&self, process: ProcessId, task: Big) -> Option<usize> {
        self.task_lanes.get(&(process, task)).copied()
    }

    /// Async tasks with their lanes.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = ((ProcessId, Big), usize)> {
        self.task_lanes.iter().map(|(task, lane)| (*task, *lane))
    }

    /// The phase deepest in that was open in the lane of a thread or task: rows of phases lie below it, the outer
    /// ones first.
    pub(crate) fn innermost_phase(&self, lane: usize, t: RunNs) -> Option<&Phase> {
        let phases = self.timeline.phases();
        let rows = self.lanes.get(lane + 1..)?.iter().map_while(|lane| match &lane.kind {
            LaneKind::Phases(row) => Some(row),
            _ => None,
        });
        let open = rows.filter_map(|row| {
            let begun = row.partition_point(|i| phases[*i as usize].open.t <= t);
            row[..begun].last().map(|i| &phases[*i as usize]).filter(|phase| phase.is_open_at(t))
        });
        open.last()
    }

    /// Whether the verdict names a thread.
    pub(crate) fn is_in_verdict(&self, pid: Pid, tid: Tid) -> bool {
        self.in_verdict.contains(&(pid, tid))
    }

    /// Whether the verdict names any thread of a process.
    pub(crate) fn process_is_in_verdict(&self, pid: Pid) -> bool {
        self.in_verdict.range((pid, Tid(0))..=(pid, Tid(u32::MAX))).next().is_some()
    }

    /// The edges of the verdict.
    pub(crate) fn verdict_edges(&self) -> &[Edge] {
        self.report.verdict.as_ref().map_or(&[], |verdict| &verdict.edges)
    }

    /// The wait of a thread, as the report knows it: the verdict's first, then the findings' in their order.
    pub(crate) fn wait_of(&self, pid: Pid, tid: Tid) -> Option<&Edge> {
        let findings = self.report.findings.iter().flat_map(|finding| &finding.edges);
        self.verdict_edges().iter().chain(findings).find(|edge| is(&edge.waiter, pid, tid))
    }

    /// Any thread of a process that waits according to the report.
    pub(crate) fn waiter_of(&self, pid: Pid) -> Option<(Pid, Tid)> {
        let findings = self.report.findings.iter().flat_map(|finding| &finding.edges);
        let mut edges = self.verdict_edges().iter().chain(findings);
        edges.find(|edge| edge.waiter.pid == pid).map(|edge| (pid, edge.waiter.tid))
    }

    /// Name of a process at a time, harmless.
    pub(crate) fn comm(&self, pid: Pid, t: RunNs) -> String {
        let sampled = self.threads_of(pid).next().and_then(|thread| self.timeline.process(thread.process));
        let name = sampled.map(|process| process.comm_at(t));
        let seen = || Some(self.snapshot(t)?.processes.get(&pid)?.comm.as_str());
        crate::text::clean(name.or_else(seen).unwrap_or("?")).into_owned()
    }
}

fn is(actor: &Actor, pid: Pid, tid: Tid) -> bool {
    (actor.pid, actor.tid) == (pid, tid)
}

/// The report inside a capture; of a capture without one, a report that says nothing.
pub(crate) fn own_report(timeline: &Timeline) -> Report {
    timeline.report().cloned().unwrap_or_else(|| Report {
        verdict: None,
        findings: Vec::new(),
        run: RunSummary {
            id: timeline.header().run.clone(),
            command: timeline.header().command.clone(),
            host: timeline.header().host.clone(),
            at: timeline.end(),
            last_progress: None,
            progress: None,
            capture: None,
            actions: Vec::new(),
            missing: vec!["the report: the capture ends before one was written".to_owned()],
        },
        comparison: None,
        schema: REPORT_VERSION,
    })
}
