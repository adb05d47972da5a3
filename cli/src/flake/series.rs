//! All runs of a series: started as the plan says, some at a time, until there is enough; then the report.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hangdog_analysis::{Compared, Ending, Sketch, compare, rate};
use hangdog_schemas::{
    Confidence, FailedRun, Finding, FindingKind, REPORT_VERSION, Report, Reproduced, RunNs, RunSummary, redact,
};

use super::plan::{Outcome, Plan, Tally};
use super::room::House;
use super::trial::{Task, Trial};

/// How often it is looked whether a run has ended.
const STEP: Duration = Duration::from_millis(5);
/// Fewer runs than this establish nothing.
const LEAST: usize = 10;
/// So likely would chance do as well among all that was weighed: then there is enough.
const ESTABLISHED: f64 = 1e-3;
/// Failures whose captures are kept, and passes to hold against them.
const MOST_FAILED: usize = 20;
const MOST_PASSED: usize = 2;
/// So many runs at the end are for the seed that made most of them fail.
const CONFIRMING: u32 = 12;
/// The newest runs that are compared.
const COMPARED: usize = 400;

/// When a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// After so many runs, or when what differs is established.
    Runs(u32),
    /// After so many runs, whatever is known by then.
    AllRuns(u32),
    /// When one has failed.
    Failed,
}

/// A series.
pub(crate) struct Series {
    pub(crate) task: Task,
    pub(crate) until: Until,
    pub(crate) jobs: usize,
    pub(crate) plan: Plan,
    pub(crate) house: House,
    pub(crate) stop: Arc<AtomicBool>,
    running: Vec<Trial>,
    sketches: VecDeque<Sketch>,
    failures: Vec<FailedRun>,
    passes_kept: usize,
    hang: Option<Finding>,
    left: Vec<String>,
    compared: Option<Compared>,
    /// What a seed did to the first run that failed by it, in words.
    done: BTreeMap<u64, Vec<String>>,
    next: u32,
    begun: Instant,
}

/// What a watcher is told when a run has ended.
pub(crate) struct Told<'a> {
    pub(crate) number: u32,
    pub(crate) how: &'a str,
    pub(crate) ending: Ending,
    pub(crate) took: Duration,
    pub(crate) seed: Option<u64>,
    pub(crate) runs: u32,
    pub(crate) failed: u32,
    /// How long the rest takes at most, where that can be said.
    pub(crate) rest: Option<Duration>,
}

impl Series {
    pub(crate) fn new(
        task: Task,
        until: Until,
        jobs: usize,
        plan: Plan,
        house: House,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            task,
            until,
            jobs: jobs.max(1),
            plan,
            house,
            stop,
            running: Vec::new(),
            sketches: VecDeque::new(),
            failures: Vec::new(),
            passes_kept: 0,
            hang: None,
            left: Vec::new(),
            compared: None,
            done: BTreeMap::new(),
            next: 0,
            begun: Instant::now(),
        }
    }

    /// Makes the runs, and tells of each.
    pub(crate) fn run(&mut self, tell: &mut dyn FnMut(&Told<'_>)) -> Result<(), String> {
        let outcome = self.run_to_the_end(tell);
        for trial in &self.running {
            trial.stop();
        }
        for mut trial in std::mem::take(&mut self.running) {
            // What was broken off tells nothing, and leaves nothing.
            let _ = trial.read();
            trial.room.forget();
        }
        outcome
    }

    fn run_to_the_end(&mut self, tell: &mut dyn FnMut(&Told<'_>)) -> Result<(), String> {
        loop {
            while !self.is_enough() && self.running.len() < self.jobs && self.may_start() {
                self.start().map_err(|error| format!("a run cannot be started: {error}"))?;
            }
            if self.running.is_empty() || self.stop.load(Ordering::Relaxed) || self.is_enough() {
                return Ok(());
            }
            let mut ended = None;
            for (n, trial) in self.running.iter_mut().enumerate() {
                if trial.has_ended().map_err(|error| error.to_string())? {
                    ended = Some(n);
                    break;
                }
            }
            match ended {
                Some(n) => {
                    let trial = self.running.swap_remove(n);
                    self.take(trial, tell)?;
                }
                None => std::thread::sleep(STEP),
            }
        }
    }

    fn may_start(&self) -> bool {
        match self.until {
            Until::Runs(most) | Until::AllRuns(most) => self.next < most,
            Until::Failed => true,
        }
    }

    fn start(&mut self) -> io::Result<()> {
        self.next += 1;
        let confirms = if self.is_to_be_confirmed() { self.plan.confirm() } else { None };
        let seed = confirms.or_else(|| self.plan.next());
        self.running.push(Trial::start(&self.task, &self.house, self.next, seed)?);
        Ok(())
    }

    /// Whether more runs would tell no more.
    fn is_enough(&self) -> bool {
        match self.until {
            Until::Failed => !self.failures.is_empty(),
            Until::AllRuns(_) => false,
            Until::Runs(_) => self.is_established() && self.plan.is_confirmed(),
        }
    }

    /// Whether it is time to learn how often the best seed makes a run fail: what differs is established, or the last
    /// runs have come.
    fn is_to_be_confirmed(&self) -> bool {
        match self.until {
            Until::Failed => false,
            Until::AllRuns(most) => self.next + CONFIRMING > most && !self.plan.is_confirmed(),
            Until::Runs(most) => {
                (self.next + CONFIRMING > most || self.is_established()) && !self.plan.is_confirmed()
            }
        }
    }

    /// Whether it is known what differs.
    fn is_established(&self) -> bool {
        self.compared.as_ref().is_some_and(|compared| {
            let sure = compared.verdict.as_ref().is_some_and(|verdict| verdict.confidence == Confidence::Likely);
            let first = compared.comparison.differences.first();
            let weighed = f64::from(compared.comparison.weighed);
            self.sketches.len() >= LEAST && sure && first.is_some_and(|first| first.chance * weighed < ESTABLISHED)
        })
    }

    fn take(&mut self, mut trial: Trial, tell: &mut dyn FnMut(&Told<'_>)) -> Result<(), String> {
        let ended = trial.read()?;
        let (took, ending) = (trial.begun.elapsed(), ended.sketch.ending());
        let outcome = if ending == Ending::Passed { Outcome::Passed } else { Outcome::Failed };
        self.plan.ended(trial.seed, outcome, took);
        self.plan.learn(&ended.contended);
        self.left.extend(ended.left.into_iter().map(|left| format!("run {}: {left}", trial.number)));
        self.hang = self.hang.take().or(ended.hang);
        let is_kept = match outcome {
            Outcome::Failed => self.failures.len() < MOST_FAILED,
            Outcome::Passed => self.passes_kept < MOST_PASSED,
        };
        if !is_kept {
            trial.room.forget();
        }
        if outcome == Outcome::Failed {
            if let Some(seed) = trial.seed {
                self.done.entry(seed).or_insert(ended.disturbed);
            }
            let capture = is_kept.then(|| trial.room.capture.display().to_string());
            self.failures.push(FailedRun { run: trial.number, how: ended.how.clone(), seed: trial.seed, capture });
        } else {
            self.passes_kept += usize::from(is_kept);
        }
        self.sketches.push_back(ended.sketch);
        if self.sketches.len() > COMPARED {
            self.sketches.pop_front();
        }
        // Each comparison takes longer than the one before: not after every run of a long series.
        let runs = self.sketches.len();
        if runs < 50 || runs.is_multiple_of(10) {
            self.compared = Some(compare(self.sketches.make_contiguous()));
        }
        let Tally { failed, of } = self.total();
        let each = self.begun.elapsed() / of.max(1);
        let rest = match self.until {
            Until::Runs(most) | Until::AllRuns(most) => Some(each * most.saturating_sub(of)),
            Until::Failed => None,
        };
        let seed = trial.seed;
        tell(&Told { number: trial.number, how: &ended.how, ending, took, seed, runs: of, failed, rest });
        Ok(())
    }

    fn total(&self) -> Tally {
        let (alone, disturbed) = (self.plan.alone, self.plan.disturbed);
        Tally { failed: alone.failed + disturbed.failed, of: alone.of + disturbed.of }
    }

    /// Whether any run came to its end.
    pub(crate) fn has_ended(&self) -> bool {
        !self.sketches.is_empty()
    }

    /// Whether any run failed or hung.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// All that is known now.
    pub(crate) fn report(&mut self) -> Report {
        let Compared { verdict, mut comparison, findings } = compare(self.sketches.make_contiguous());
        let of = |tally: Tally| (tally.of > 0).then(|| rate(tally.failed, tally.of));
        comparison.undisturbed = of(self.plan.alone);
        comparison.perturbed = of(self.plan.disturbed);
        comparison.reproduced = self.reproduced();
        comparison.failures = std::mem::take(&mut self.failures);
        let mut report = summary(&self.task.command, self.begun.elapsed());
        report.verdict = self.with_hang(verdict);
        report.findings = report.verdict.iter().cloned().chain(self.hang.take()).chain(findings).collect();
        number(&mut report);
        report.comparison = Some(comparison);
        report.run.capture = first_kept(&report);
        report.run.missing.append(&mut self.left);
        report.run.missing.extend(not_compared(self.sketches.len(), &report));
        report
    }

    /// Where nothing explains the failures and some were hangs, a hang explains itself.
    fn with_hang(&self, verdict: Option<Finding>) -> Option<Finding> {
        let is_unknown = verdict.as_ref().is_some_and(|verdict| verdict.kind == FindingKind::Unknown);
        match &self.hang {
            Some(hang) if is_unknown => Some(hang.clone()),
            _ => verdict,
        }
    }

    /// Removes directories that are empty.
    pub(crate) fn leave(&self) {
        self.house.leave();
    }

    /// The seed by which most runs failed, with its rate and what it does.
    pub(crate) fn reproduced(&self) -> Option<Reproduced> {
        let seed = self.plan.best()?;
        let tally = self.plan.seeds[&seed];
        let by = self.done.get(&seed).cloned().unwrap_or_default();
        Some(Reproduced { seed, rate: rate(tally.failed, tally.of), by })
    }
}

/// Runs of which less was seen than of others.
pub(crate) fn not_compared(runs: usize, report: &Report) -> Option<String> {
    let comparison = report.comparison.as_ref()?;
    let less = runs.saturating_sub(comparison.compared as usize);
    (less > 0).then(|| format!("{less} runs were not compared: less was recorded of them than of the others"))
}

/// The capture of the first failure.
fn first_kept(report: &Report) -> Option<String> {
    report.comparison.as_ref()?.failures.first()?.capture.clone()
}

/// Ids, which stand for findings within a report. A verdict that is repeated below it is one finding.
pub(crate) fn number(report: &mut Report) {
    let mut told: Vec<Finding> = Vec::new();
    for finding in std::mem::take(&mut report.findings) {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    report.findings = told;
    let mut ids: Vec<(FindingKind, String)> = Vec::new();
    for finding in &mut report.findings {
        let before = ids.iter().filter(|(kind, _)| *kind == finding.kind).count();
        finding.id = format!("{}-{}", finding.kind.name(), before + 1);
        ids.push((finding.kind, finding.id.clone()));
    }
    if let (Some(verdict), Some(first)) = (&mut report.verdict, report.findings.first()) {
        verdict.id.clone_from(&first.id);
    }
}

/// A report about a command that has nothing in it yet.
pub(crate) fn summary(command: &[OsString], took: Duration) -> Report {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let run = RunSummary {
        id: "flake".to_owned(),
        command: redact::arguments(&words).value,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        at: RunNs(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        last_progress: None,
        progress: None,
        capture: None,
        actions: Vec::new(),
        missing: Vec::new(),
    };
    Report { verdict: None, findings: Vec::new(), run, comparison: None, schema: REPORT_VERSION }
}
