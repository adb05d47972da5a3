//! The one thread that follows a run. It waits in one place only, for descriptors, and for no longer than
//! the next thing is due.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use hangdog_schemas::record::{ExitStatus, Sample, SnapshotExtent, ThreadSample, Trigger, TriggerReason};
use hangdog_schemas::{Pid, ProcessId, Record, Report, RunNs, SnapshotId, When};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::command::{Exec, Group, Started};
use super::directory::RunDirectory;
use super::options::RunOptions;
use super::output::Outputs;
use super::question::Question;
use super::records::Records;
use super::signals::{Heard, Signals};
use super::stillness::Stillness;
use crate::act::{Before, Owned};
use crate::clock::RunClock;
use crate::judge::{Judge, Moment};
use crate::kernel::{Children, cpu_of, has_ended, timespec};
use crate::observe::{self, Baseline, Pass, Request, Snapshotter, Tree};
use crate::phases::{self, Found, Lines, Phases, Processes, Recorders};
use crate::watchdog::{Action, Event, Involved, Judgement, News, Policy, Progress, Watchdog};

/// Between two samples.
const SAMPLE: u64 = 250_000_000;
/// The first samples come sooner, so that a short command is seen at all.
const FIRST_SAMPLE: u64 = 20_000_000;
/// While a snapshot runs, it gets this long at a time before the loop looks at everything else.
const LOOK_STEP: Duration = Duration::from_millis(10);
/// A snapshot that takes longer than this is cut: what it has is worth more than what it lacks.
const LONGEST_LIGHT_LOOK: Duration = Duration::from_secs(2);
const LONGEST_FULL_LOOK: Duration = Duration::from_secs(10);
/// While the judge thinks.
const JUDGE_STEP: Duration = Duration::from_millis(20);
/// What a signal waits for: one short look.
const SIGNAL_LOOK: u64 = 20_000_000;
/// A loop that comes round this late was stopped, or the machine was.
const GAP: u64 = 2_000_000_000;
/// Anchors of the clocks in a capture.
const ANCHOR: u64 = 60_000_000_000;

/// Why the main loop ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// The command could not be run.
    NotStarted(io::Error),
    /// It ended by itself.
    Ended(ExitStatus),
    /// It is to be ended.
    Hang(Moment),
}

/// What a main loop is made of.
pub(super) struct Parts<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) clock: RunClock,
    pub(super) directory: Option<&'a RunDirectory>,
    pub(super) before: Before,
    pub(super) baseline: Baseline,
    pub(super) tree: Tree,
    pub(super) snapshotter: Snapshotter,
    pub(super) outputs: Outputs,
    pub(super) records: Records,
    pub(super) signals: Signals,
    pub(super) started: Started,
    pub(super) group: Group,
}

/// A snapshot that is being taken.
struct Looking {
    began: RunNs,
    extent: SnapshotExtent,
    sample: Sample,
    own_cpu: u64,
}

/// What the command says of itself.
struct Told {
    phases: Phases,
    lines: Option<Lines>,
    recorders: Recorders,
}

pub(super) struct MainLoop<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) judge: &'a mut dyn Judge,
    pub(super) children: Children,
    pub(super) owned: Owned,
    pub(super) report: Option<Report>,
    pub(super) last_signal: Option<i32>,
    told: Told,
    watchdog: Watchdog,
    stillness: Stillness,
    looking: Option<Looking>,
    /// The signals that wait for a look, and until when.
    to_pass: Vec<(i32, RunNs)>,
    asked_since: RunNs,
    announced: Option<String>,
    judge_cpu: u64,
    judge_cpu_before: u64,
    next_sample: RunNs,
    interval: u64,
    last_sample: RunNs,
    next_anchor: RunNs,
    was_continued: bool,
    snapshots: u32,
}

impl<'a> MainLoop<'a> {
    pub(super) fn new(parts: Parts<'a>, judge: &'a mut dyn Judge) -> Self {
        let policy = Policy {
            quiet_after: parts.options.quiet_after,
            timeout: parts.options.timeout,
            on_hang: parts.options.on_hang,
        };
        let lines = parts.directory.and_then(|directory| directory.open("phases.jsonl").ok()).map(Lines::new);
        Self {
            parts,
            judge,
            children: Children::default(),
            owned: Owned::default(),
            report: None,
            last_signal: None,
            told: Told { phases: Phases::new(), lines, recorders: Recorders::new() },
            watchdog: Watchdog::new(policy),
            stillness: Stillness::default(),
            looking: None,
            to_pass: Vec::new(),
            asked_since: RunNs(0),
            announced: None,
            judge_cpu: 0,
            judge_cpu_before: 0,
            next_sample: RunNs(FIRST_SAMPLE / 4),
            interval: FIRST_SAMPLE,
            last_sample: RunNs(0),
            next_anchor: RunNs(ANCHOR),
            was_continued: false,
            snapshots: 0,
        }
    }

    pub(super) fn root(&self) -> ProcessId {
        self.parts.started.process
    }

    pub(super) fn now(&self) -> RunNs {
        self.parts.clock.now()
    }

    /// Follows the command until it ends or is to be ended.
    pub(super) fn run(&mut self) -> Stop {
        loop {
            self.wait();
            let now = self.now();
            self.update_helpers();
            if let Exec::Failed(error) = self.parts.started.look() {
                return Stop::NotStarted(error);
            }
            self.hear_signals(now);
            self.parts.records.pump();
            if has_ended(self.parts.started.pidfd()) {
                // It may have failed to become the command between the look above and this one.
                if let Exec::Failed(error) = self.parts.started.look() {
                    return Stop::NotStarted(error);
                }
                self.reap(now);
                let how = self.children.end_of(self.root().pid.0).unwrap_or(ExitStatus::Code(125));
                return Stop::Ended(how);
            }
            let stop = self.step(now);
            if let Some(moment) = stop {
                return Stop::Hang(moment);
            }
        }
    }

    fn step(&mut self, now: RunNs) -> Option<Moment> {
        let mut stop = self.follow_look(now);
        self.pass_signals(now);
        stop = stop.or(self.hear_judge(now));
        if now >= self.next_sample {
            let progress = self.sample(now);
            stop = stop.or(self.tell(now, &Event::Sampled(progress)));
            self.interval = (self.interval * 2).min(SAMPLE);
            self.next_sample = now.plus(self.interval);
        }
        if now >= self.next_anchor {
            self.next_anchor = now.plus(ANCHOR);
            let anchor = self.parts.clock.anchor();
            self.parts.records.push(now, &Record::Anchor(anchor));
        }
        stop
    }

    /// Waits for something to happen, until the next thing is due.
    fn wait(&mut self) {
        let now = self.now();
        let mut limit = self.next_sample.since(now);
        if self.looking.is_some() {
            limit = Duration::ZERO;
        }
        if self.judge.is_busy() {
            limit = limit.min(JUDGE_STEP);
        }
        for (_, until) in &self.to_pass {
            limit = limit.min(until.since(now));
        }
        let signals = self.parts.signals.fd();
        let root = self.parts.started.pidfd();
        let status = self.parts.started.status_fd();
        let feed = self.parts.records.feed.as_ref().and_then(|feed| Some((feed.fd()?, feed.is_waiting())));
        let mut fds: Vec<PollFd<'_>> = [signals, root].into_iter().chain(status).map(readable).collect();
        if let Some((fd, is_waiting)) = feed {
            let wanted = if is_waiting { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::from_borrowed_fd(fd, wanted));
        }
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Some(&timespec(limit)));
        let late = self.now().since(now).saturating_sub(limit);
        if late.as_nanos() as u64 > GAP {
            self.was_continued = true;
        }
    }

    fn update_helpers(&mut self) {
        let feed = self.parts.records.feed.iter().map(crate::write::Feed::writer);
        let observers =
            self.parts.tree.helpers().chain(self.parts.snapshotter.helpers()).chain(self.parts.outputs.helpers());
        let mut helpers: BTreeSet<u32> = feed.chain(observers.map(|pid| pid.0)).collect();
        helpers.extend(self.judge.helpers());
        self.children.set_helpers(helpers);
    }

    fn hear_signals(&mut self, now: RunNs) {
        while let Some(heard) = self.parts.signals.next(self.parts.group) {
            match heard {
                Heard::Child => self.reap(now),
                Heard::Continued => self.was_continued = true,
                Heard::Pass(signal) => self.pass(now, signal),
                Heard::PassAfterLook(signal) => {
                    self.to_pass.push((signal, now.plus(SIGNAL_LOOK)));
                    self.begin_look(now, SnapshotExtent::Light, TriggerReason::Signal(signal));
                }
                Heard::AlreadyThere(signal) => {
                    self.last_signal = Some(signal);
                    self.begin_look(now, SnapshotExtent::Light, TriggerReason::Signal(signal));
                }
            }
        }
    }

    /// Passes on what has waited long enough, or whose look is complete.
    fn pass_signals(&mut self, now: RunNs) {
        let is_looking = self.looking.is_some();
        let (due, waiting) = self.to_pass.drain(..).partition(|(_, until)| !is_looking || now >= *until);
        self.to_pass = waiting;
        let due: Vec<(i32, RunNs)> = due;
        for (signal, _) in due {
            self.last_signal = Some(signal);
            self.pass(now, signal);
            if let Some(report) = self.report.clone().filter(|report| report.verdict.is_some()) {
                self.announce(&report, Moment::Signal(signal));
            }
        }
    }

    fn pass(&mut self, now: RunNs, signal: i32) {
        let Some(number) = Signal::from_named_raw(signal) else { return };
        let outcome = pidfd_send_signal(self.parts.started.pidfd(), number);
        let deed = hangdog_schemas::record::Deed::Signal { process: self.root(), signal };
        self.parts.records.deed(now, deed, outcome.err().map(|error| error.to_string()));
    }

    fn reap(&mut self, now: RunNs) {
        for (pid, how) in self.children.reap() {
            let Some(process) = self.parts.tree.process(Pid(pid)).or((self.root().pid.0 == pid).then(|| self.root()))
            else {
                continue;
            };
            let end = hangdog_schemas::record::ProcessEnd { when: When::exactly(now), process, how: Some(how) };
            self.parts.records.push(now, &Record::ProcessEnd(end));
        }
        self.children.forget_all_but(self.root().pid.0);
    }

    /// Looks at everybody once.
    pub(super) fn sample(&mut self, now: RunNs) -> Progress {
        let helpers: BTreeSet<Pid> = self.children.helpers().iter().map(|pid| Pid(*pid)).collect();
        let pass = self.parts.tree.pass(now, &helpers);
        let mut news = news_of(&pass);
        for mut record in pass.into_records() {
            if let Record::ProcessEnd(end) = &mut record {
                // Those that were our children were noted with their status when they were waited for.
                end.how = end.how.or(self.children.end_of(end.process.pid.0));
            }
            self.parts.records.push(now, &record);
        }
        let tree = &self.parts.tree;
        let first_threads = tree.threads().filter(|thread| thread.thread.tid.0 == thread.thread.process.pid.0);
        let processes = first_threads.map(|thread| (thread.thread.process, thread.state));
        for output in self.parts.outputs.look(now, processes) {
            news = news.max(Some(News::Output));
            self.parts.records.push(now, &Record::Output(output));
        }
        let found = self.look_at_phases(now);
        if found.is_new {
            news = news.max(Some(News::Phase));
        }
        for record in found.records {
            self.parts.records.push(now, &record);
        }
        if std::mem::take(&mut self.was_continued) {
            self.stillness.forget(now);
            news = Some(News::Continued);
        }
        let pulse = self.stillness.look(now, self.parts.started.process, self.parts.tree.threads());
        if pulse.computes {
            news = news.max(Some(News::Cpu));
        }
        self.last_sample = now;
        Progress { news, still_since: pulse.still_since, root_still_since: pulse.root_still_since }
    }

    fn look_at_phases(&mut self, now: RunNs) -> Found {
        let mut found = Found::default();
        let Some(directory) = self.parts.directory else { return found };
        let moment = phases::Moment { clock: self.parts.clock, now, before: self.last_sample };
        let told = &mut self.told;
        let question = &self.parts.records.question;
        let known = Known { tree: &self.parts.tree, question };
        if let Some(lines) = &mut told.lines {
            lines.look(&mut told.phases, moment, &known, &mut found);
        }
        let own = question.header().pid_namespace.0;
        told.recorders.look(directory.flight(), own, &mut told.phases, moment, &known, &mut found);
        found
    }

    /// Tells the watchdog, and does what it says.
    fn tell(&mut self, now: RunNs, event: &Event) -> Option<Moment> {
        match self.watchdog.observe(now, event) {
            Action::Wait => None,
            Action::Look { extent, reason } => {
                self.begin_look(now, extent, reason);
                None
            }
            Action::Announce(moment) => {
                if let Some(report) = self.report.clone() {
                    self.announce(&report, moment);
                }
                None
            }
            Action::End(moment) => Some(moment),
        }
    }

    fn announce(&mut self, report: &Report, moment: Moment) {
        let signature = report.verdict.as_ref().map(|verdict| verdict.signature.clone()).unwrap_or_default();
        if self.announced.as_ref() != Some(&signature) {
            self.announced = Some(signature);
            self.judge.announce(report, moment);
        }
    }

    pub(super) fn was_announced(&self) -> bool {
        self.announced.as_ref().is_some_and(|signature| !signature.is_empty())
    }

    fn begin_look(&mut self, now: RunNs, extent: SnapshotExtent, reason: TriggerReason) {
        if self.looking.is_some() {
            return;
        }
        let (last_progress, news) = self.watchdog.last_progress();
        let trigger = Trigger { when: When::exactly(now), reason, last_progress, progress: news.word().to_owned() };
        self.parts.records.push(now, &Record::Trigger(trigger));
        self.snapshots += 1;
        let own_cpu = self.own_cpu();
        let tree = &self.parts.tree;
        let request = Request {
            snapshot: SnapshotId(self.snapshots),
            extent,
            reason,
            observer: Pid(std::process::id()),
            helpers: self.children.helpers().iter().map(|pid| Pid(*pid)).collect(),
            root: Some(self.parts.started.process.pid),
            run: tree.processes().collect(),
            baseline: self.parts.baseline.clone(),
        };
        self.looking = Some(Looking { began: now, extent, sample: all_threads(now, tree), own_cpu });
        self.parts.snapshotter.begin(request);
    }

    /// Goes on with a snapshot; asks the judge when it is complete and there is one before it.
    fn follow_look(&mut self, now: RunNs) -> Option<Moment> {
        let looking = self.looking.as_ref()?;
        let longest = match looking.extent {
            SnapshotExtent::Light => LONGEST_LIGHT_LOOK,
            SnapshotExtent::Full => LONGEST_FULL_LOOK,
        };
        let is_awaited = self.to_pass.iter().any(|(_, until)| now >= *until);
        if is_awaited || now.since(looking.began) > longest {
            self.parts.snapshotter.cut();
        }
        let facts = match self.parts.snapshotter.work(Instant::now() + LOOK_STEP) {
            observe::Progress::Working => return None,
            observe::Progress::Idle => Vec::new(),
            observe::Progress::Done(facts) => facts,
        };
        let looking = self.looking.take()?;
        let namespace = self.parts.records.question.header().mount_namespace;
        self.owned.learn(&self.parts.before, namespace, &facts);
        self.parts.records.snapshot(now, looking.began, looking.sample, facts);
        let judged = self.judge_cpu - std::mem::replace(&mut self.judge_cpu_before, self.judge_cpu);
        let spent = Duration::from_nanos(self.own_cpu().saturating_sub(looking.own_cpu) + judged);
        let stop = self.tell(now, &Event::Looked { extent: looking.extent, spent });
        if let Some(since) = self.parts.records.question.since() {
            self.asked_since = since;
            let question = self.parts.records.question.records(self.told.phases.open());
            self.judge.ask(&question);
        }
        stop
    }

    fn hear_judge(&mut self, now: RunNs) -> Option<Moment> {
        if !self.judge.is_busy() {
            return None;
        }
        // Each judge is counted while it lives: the last look at it is the best there is.
        let cpu: u64 = self.judge.helpers().into_iter().map(cpu_of).sum();
        let report = self.judge.answer()?;
        self.judge_cpu += cpu;
        let judgement = judgement(&report, self.root(), self.asked_since);
        self.report = Some(report);
        if let (Some(signal), Some(report)) = (self.last_signal, self.report.clone())
            && report.verdict.is_some()
        {
            self.announce(&report, Moment::Signal(signal));
        }
        self.tell(now, &Event::Judged(judgement))
    }

    /// Processor time of this process and its helpers so far, ns; the judge's is counted apart.
    pub(super) fn own_cpu(&self) -> u64 {
        let own = cpu_of(std::process::id());
        let judges = self.judge.helpers();
        let helpers = self.children.helpers().iter().filter(|pid| !judges.contains(pid));
        own + helpers.map(|pid| cpu_of(*pid)).sum::<u64>()
    }

    pub(super) fn judge_cpu(&self) -> u64 {
        self.judge_cpu
    }

    /// Asks once more and waits for the answer, for at most `limit`: the command has ended, nobody waits
    /// for this loop.
    pub(super) fn last_word(&mut self, limit: Duration) {
        let until = self.now().plus(limit.as_nanos() as u64);
        while self.judge.is_busy() && self.now() < until {
            if let Some(report) = self.judge.answer() {
                self.report = Some(report);
                return;
            }
            let _ = poll(&mut [], Some(&timespec(Duration::from_millis(5))));
            self.parts.records.pump();
        }
    }

    /// Asks with what is known now.
    pub(super) fn ask(&mut self) {
        let question = self.parts.records.question.records(self.told.phases.open());
        self.judge.ask(&question);
    }

    /// The command was never run: nothing of this run is kept.
    pub(super) fn discard(mut self) {
        let now = self.now();
        let root = self.root().pid.0;
        // It has said why and leaves at once.
        while self.children.end_of(root).is_none() && crate::kernel::open_process(root).is_some() {
            self.reap(now);
        }
        if let Some(feed) = self.parts.records.feed.take() {
            feed.finish(crate::write::Verdict::Drop, Duration::from_secs(2));
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

fn news_of(pass: &Pass) -> Option<News> {
    let found = [
        (!pass.started.is_empty(), News::ProcessStart),
        (!pass.ended.is_empty(), News::ProcessEnd),
        (!pass.changed.is_empty(), News::Program),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, news)| news).max()
}

/// All threads as of the last pass, as one sample.
fn all_threads(now: RunNs, tree: &Tree) -> Sample {
    let threads = tree.threads().map(|thread| ThreadSample {
        thread: thread.thread,
        comm: None,
        state: thread.state,
        cpu_ns: thread.cpu_ns,
        vol: thread.vol,
        invol: thread.invol,
    });
    Sample { when: When::exactly(now), threads: threads.collect(), gone: Vec::new() }
}

/// What a report means for the watchdog: how sure a hang is, and whether the command stands in its chain as
/// one who waits or is to blame. A command that only others wait for is not hung itself.
fn judgement(report: &Report, root: ProcessId, since: RunNs) -> Judgement {
    let verdict = report.verdict.as_ref().filter(|verdict| verdict.kind.is_hang());
    let is_root = |pid: Pid| pid == root.pid;
    let is_involved = verdict.is_some_and(|verdict| {
        verdict.edges.iter().any(|edge| is_root(edge.waiter.pid)) || verdict.culprits.iter().any(|c| is_root(c.pid))
    });
    Judgement {
        hang: verdict.map(|verdict| verdict.confidence),
        command: if is_involved { Involved::Command } else { Involved::Others },
        since,
    }
}

/// The processes of a run, those that ended included.
struct Known<'a> {
    tree: &'a Tree,
    question: &'a Question,
}

impl Processes for Known<'_> {
    fn by_pid(&self, pid: u32) -> Option<ProcessId> {
        self.tree.process(Pid(pid)).or_else(|| self.question.process(Pid(pid)))
    }

    fn by_start(&self, start: u64) -> Option<ProcessId> {
        let mut found = self.tree.processes().filter(|process| process.start.0 == start);
        // Two processes of one tick cannot be told apart: better none than the wrong one.
        found.next().filter(|_| found.next().is_none())
    }
}
