//! The one thread that follows a run. It waits in one place only, for descriptors, and for no longer than
//! the next thing is due.
//!
//! | to know | look in |
//! | --- | --- |
//! | what a sample gathers | `sample` |
//! | how a snapshot is taken | `look` |
//! | what the judge is asked, and what it answered | `judged` |
//! | what the kernel's own recorder is asked | `kernel_events` |
//! | what becomes of signals and ended children | `hear` |

mod hear;
mod judged;
mod kernel_events;
mod look;
mod sample;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{ProcessId, Record, Report, RunNs};
use rustix::event::{PollFd, PollFlags, poll};

use self::look::Looking;
use super::command::{Exec, Group, Started};
use super::directory::RunDirectory;
use super::options::RunOptions;
use super::output::Outputs;
use super::records::Records;
use super::signals::Signals;
use super::stillness::Stillness;
use crate::act::{Before, Owned};
use crate::clock::RunClock;
use crate::judge::{Judge, Moment};
use crate::kernel::{Children, cpu_of, has_ended, timespec};
use crate::ktrace::Recorder;
use crate::observe::{Baseline, Snapshotter, Tree};
use crate::phases::{Lines, Memfds, Phases, Recorders};
use crate::watchdog::{Action, Event, Policy, Watchdog};

/// Between two samples.
const SAMPLE: u64 = 250_000_000;
/// The first samples come sooner, so that a short command is seen at all.
const FIRST_SAMPLE: u64 = 20_000_000;
/// While the judge thinks.
const JUDGE_STEP: Duration = Duration::from_millis(20);
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
    pub(super) ktrace: Option<Recorder>,
    pub(super) signals: Signals,
    pub(super) started: Started,
    pub(super) group: Group,
}

/// What the command says of itself.
struct Told {
    phases: Phases,
    lines: Option<Lines>,
    recorders: Recorders,
    memfds: Memfds,
    /// A look between two samples found a new phase.
    is_new: bool,
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
    pub(super) fn new(parts: Parts<'a>, children: Children, judge: &'a mut dyn Judge) -> Self {
        let policy = Policy {
            quiet_after: parts.options.quiet_after,
            timeout: parts.options.timeout,
            on_hang: parts.options.on_hang,
        };
        let lines = parts.directory.and_then(|directory| directory.open("phases.jsonl").ok()).map(Lines::new);
        Self {
            parts,
            judge,
            children,
            owned: Owned::default(),
            report: None,
            last_signal: None,
            told: Told {
                phases: Phases::new(),
                lines,
                recorders: Recorders::new(),
                memfds: Memfds::default(),
                is_new: false,
            },
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
            self.hear_kernel_events(now);
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
        // What the writer has no room for stays with the helper.
        let has_room = self.parts.records.has_room();
        fds.extend(self.parts.ktrace.iter().filter(|_| has_room).filter_map(Recorder::fd).map(readable));
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
        helpers.extend(self.told.memfds.helper());
        helpers.extend(self.parts.ktrace.iter().map(Recorder::helper));
        self.children.set_helpers(helpers);
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
