//! The whole: the newest two snapshots of a capture in, a report out.

use std::time::Duration;

use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{Confidence, Finding, FindingKind, Pid, REPORT_VERSION, Report, RunNs, RunSummary, Watched};
use hangdog_timeline::{Snapshot, Timeline};

use crate::graph::Graph;
use crate::key::Key;
use crate::liveness::Liveness;
use crate::view::View;
use crate::wait::Limits;
use crate::{cause, detect, explain, history, leftover, repeated, wait};

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The moment to judge; the end of the capture when `None`.
    pub at: Option<RunNs>,
    /// A daemon whose timer is further away than this holds what it holds as if it were idle.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { at: None, patience: Duration::from_mins(5) }
    }
}

/// Judges a capture.
///
/// Two snapshots have to agree on a wait before it counts; with one alone nothing is more than possible.
pub fn analyse(timeline: &Timeline, options: &Options) -> Report {
    let at = options.at.unwrap_or(timeline.end());
    let Findings { mut all, of_command } = match timeline.snapshot_at(at) {
        Some(snapshot) => findings_at(timeline, snapshot, options.patience),
        None => Findings::default(),
    };
    // What was done wrong before is told beside a hang, and is not proven to be its cause.
    let judged = all.len();
    let has_met = all.iter().any(|finding| finding.kind == FindingKind::DeadlockCycle);
    // That two locks could meet is no news once they have.
    all.extend(
        history::findings(timeline).into_iter().filter(|f| !(has_met && f.kind == FindingKind::LockOrderRisk)),
    );
    all.extend(leftover::findings(timeline));
    explain::number(&mut all);
    let verdict = verdict(timeline, &all[..judged], of_command);
    let findings = all;
    Report { verdict, findings, run: summary(timeline, at), comparison: None, schema: REPORT_VERSION }
}

/// Findings, those that the command waits for first.
#[derive(Default)]
struct Findings {
    all: Vec<Finding>,
    /// How many of them.
    of_command: usize,
}

/// Rings told that the command does not wait for.
const RINGS_APART: usize = 16;
/// Threads that hang for good that are looked at one by one, of processes that ran already.
const DEAD_APART: usize = 64;

fn findings_at(timeline: &Timeline, snapshot: &Snapshot, patience: Duration) -> Findings {
    let before = timeline.snapshots().iter().rev().find(|earlier| earlier.begin < snapshot.begin && earlier.complete);
    let view = View::new(timeline, snapshot, before, patience);
    let graph = Graph::new(wait::tasks(&view, Limits::End));
    let mut findings: Vec<Finding> = Vec::new();
    let roots = view.roots();
    for root in &roots {
        waits_of(&view, &graph, *root, &mut findings);
    }
    let mut of_command = findings.len();
    // Rings of the run that the command does not wait for.
    let mains = roots.iter().filter_map(|root| graph.find(Key::main_of(*root)));
    let told = graph.reach(mains.filter(|main| graph.alive(*main) != Liveness::Live));
    let apart = graph.rings().iter().filter(|ring| ring.iter().all(|task| !told.contains_key(task)));
    for ring in apart.take(RINGS_APART) {
        let members: Vec<usize> =
            ring.iter().copied().filter(|task| view.is_of_run(graph.tasks[*task].key.pid())).collect();
        for found in cause::causes(&view, &graph, &members).into_iter().take(1) {
            push(&mut findings, explain::finding(&view, &graph, &found));
        }
    }
    if view.watched() == Watched::Processes {
        // None of them is the one that counts: whoever hangs for good is what was asked for.
        let dead = (0..graph.tasks.len()).filter(|task| graph.alive(*task) == Liveness::Dead);
        let in_ring = |task: &usize| graph.rings().iter().any(|ring| ring.contains(task));
        let of_run = dead.filter(|task| {
            view.is_of_run(graph.tasks[*task].key.pid()) && !told.contains_key(task) && !in_ring(task)
        });
        for task in of_run.take(DEAD_APART) {
            for found in cause::causes(&view, &graph, &[task]).into_iter().take(1) {
                push(&mut findings, explain::finding(&view, &graph, &found));
            }
        }
        of_command = findings.len();
    }
    let is_sure = |finding: &Finding| finding.confidence >= Confidence::Likely;
    if timeline.is_declared() && before.is_some() && !findings.iter().any(is_sure) {
        of_command += add_repeated(&view, &mut findings);
    }
    if let Some(before) = before {
        findings.extend(detect::stale_lock(&view, &graph, before));
        findings.extend(detect::zombie(&view, &graph, before));
        findings.extend(detect::spinning(&view, &graph, before));
        findings.extend(detect::polling(&view, &graph, before));
    }
    findings.extend(detect::limit_reached(&view));
    if timeline.is_declared() {
        findings.push(detect::unknown(&view, &graph));
    }
    Findings { all: findings, of_command }
}

/// What waits with a time limit come down to that are repeated for ever; how many rings are among them. A ring says
/// more than that somebody outside might do something.
fn add_repeated(view: &View<'_>, findings: &mut Vec<Finding>) -> usize {
    let is_ring = |finding: &Finding| {
        use FindingKind::{DeadlockCycle, PoolExhausted, SelfDeadlock};
        matches!(finding.kind, DeadlockCycle | SelfDeadlock | PoolExhausted)
    };
    let is_new = |finding: &Finding| findings.iter().all(|told| !is_same(told, finding));
    let new: Vec<Finding> = repeated::findings(view).into_iter().filter(is_new).collect();
    let (rings, others): (Vec<Finding>, Vec<Finding>) = new.into_iter().partition(is_ring);
    let count = rings.len();
    findings.splice(0..0, rings);
    findings.extend(others);
    count
}

/// What the first thread of a process waits for.
fn waits_of(view: &View<'_>, graph: &Graph, root: Pid, findings: &mut Vec<Finding>) {
    let threads = view.snapshot.threads_of(root);
    let threads: Vec<usize> = threads.filter_map(|t| graph.find(Key::Thread(root, t.thread.tid))).collect();
    // A command with a thread that acts goes on; what its first thread waits for is told all the same.
    let goes_on = threads.iter().any(|task| graph.alive(*task) == Liveness::Live);
    let main = graph.find(Key::main_of(root));
    for found in cause::causes(view, graph, &main.map_or(threads, |main| vec![main])) {
        let mut finding = explain::finding(view, graph, &found);
        if goes_on {
            // They cannot break a ring, but one of them may end the program; a holder they may still wake.
            let cap = if found.cycle.is_empty() { Confidence::Possible } else { Confidence::Likely };
            finding.confidence = finding.confidence.and(cap);
            finding.unknown.push("what the other threads of the command do, which go on".to_owned());
        }
        push(findings, finding);
    }
}

fn push(findings: &mut Vec<Finding>, finding: Finding) {
    if findings.iter().all(|told| !is_same(told, &finding)) {
        findings.push(finding);
    }
}

fn is_same(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind && one.culprits == other.culprits
}

/// The first finding that explains a hang of the command. What is only possible, or what the command does not wait
/// for, is no verdict unless a hang was declared: a quiet program may just have nothing to do. Then what is likely for
/// any part of the run comes first.
fn verdict(timeline: &Timeline, findings: &[Finding], of_command: usize) -> Option<Finding> {
    if ended_well(timeline) {
        return None;
    }
    let hangs = findings.iter().enumerate().filter(|(_, finding)| finding.kind.is_hang());
    let explains = |(i, finding): &(usize, &Finding)| *i < of_command && finding.confidence >= Confidence::Likely;
    let sure = |(_, finding): &(usize, &Finding)| finding.confidence >= Confidence::Likely;
    let declared = || hangs.clone().find(sure).or_else(|| hangs.clone().next()).filter(|_| timeline.is_declared());
    let first = hangs.clone().find(explains).or_else(declared);
    first.map(|(_, finding)| finding.clone())
}

/// A command that went on to a good end did not hang, whatever it looked like on the way.
fn ended_well(timeline: &Timeline) -> bool {
    timeline.run_end().is_some_and(|end| !end.ended_by_hangdog && end.how == Some(ExitStatus::Code(0)))
}

fn summary(timeline: &Timeline, at: RunNs) -> RunSummary {
    let header = timeline.header();
    let trigger = timeline.triggers().iter().rev().find(|trigger| trigger.when.t <= at);
    RunSummary {
        id: header.run.clone(),
        command: header.command.clone(),
        host: header.host.clone(),
        at,
        last_progress: trigger.map(|trigger| trigger.last_progress),
        progress: trigger.map(|trigger| trigger.progress.clone()),
        capture: None,
        actions: timeline
            .actions()
            .iter()
            .filter_map(|action| action.in_words(|id| Some(timeline.process(id)?.comm_at(action.when.t).to_owned())))
            .collect(),
        missing: timeline
            .lost()
            .iter()
            // Nothing is concluded from them, and a ring always loses its oldest.
            .filter(|lost| !lost.is_of_events())
            .map(|lost| format!("{} records were lost at {}", lost.records, lost.at))
            .collect(),
    }
}
