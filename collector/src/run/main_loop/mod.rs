//! The one thread that follows a run. It waits in one place only, for descriptors, and for no longer than
//! the next thing is due.
//!
//! | to know | look in |
//! | --- | --- |
//! | what a sample gathers | `sample` |
//! | which of the looks that are wanted is taken | `wanted` |
//! | how a snapshot is taken | `look` |
//! | what the judge is asked, and what it answered | `judged` |
//! | what the kernel's own recorder is asked | `kernel_events` |
//! | what becomes of signals and ended children | `hear` |
//! | what is done for `hangdog dump` | `dump` |

mod dump;
mod hear;
mod judged;
mod kernel_events;
mod look;
mod sample;
mod wanted;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{ProcessId, Record, Report, RunNs};
use rustix::event::{PollFd, PollFlags, poll};

use self::dump::Dump;
use self::look::Looking;
use self::wanted::{Wanted, Who};
use super::aside::Aside;
use super::command::Exec;
use super::directory::RunDirectory;
use super::lock_files::LockFiles;
use super::new_hangs::NewHangs;
use super::output::Outputs;
use super::records::Records;
use super::signals::Signals;
use super::stillness::Stillness;
use super::subject::Subject;
use crate::act::{Before, Owned};
use crate::calls::Calls;
use crate::clock::RunClock;
use crate::judge::{Judge, Moment};
use crate::kernel::{Children, cpu_of, has_ended, timespec};
use crate::ktrace::Recorder;
use crate::observe::files::Files;
use crate::observe::{Baseline, Snapshotter, Tree};
use crate::phases::{Lines, Memfds, Phases, Recorders};
use crate::store::NotedMount;
use crate::watchdog::{Action, Event, Gate, Watch};

/// Between two samples.
pub(super) const SAMPLE: u64 = 250_000_000;
/// The first samples come sooner, so that a short command is seen at all.
const FIRST_SAMPLE: u64 = 20_000_000;
/// While the judge thinks.
const JUDGE_STEP: Duration = Duration::from_millis(20);
/// A loop that comes round this late was stopped, or the machine was.
const GAP: u64 = 2_000_000_000;
/// Anchors of the clocks in a capture.
const ANCHOR: u64 = 60_000_000_000;

/// How long the reader of file events gets for the last of them.
const LAST_FILES: Duration = Duration::from_secs(1);

/// Why the main loop ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// The command could not be run.
    NotStarted(io::Error),
    /// It ended by itself.
    Ended(ExitStatus),
    /// It is to be ended; of others: enough is known.
    Hang(Moment),
    /// All of the others have ended.
    Gone,
    /// Whoever attached has asked for the end.
    Asked,
}

/// What a main loop is made of.
pub(super) struct Parts<'a> {
    pub(super) clock: RunClock,
    pub(super) directory: Option<&'a RunDirectory>,
    pub(super) before: Before,
    pub(super) baseline: Baseline,
    pub(super) tree: Tree,
    pub(super) snapshotter: Snapshotter,
    pub(super) outputs: Outputs,
    pub(super) records: Records,
    pub(super) files: Option<Files>,
    pub(super) ktrace: Option<Recorder>,
    pub(super) calls: Option<Calls>,
    pub(super) signals: Signals,
    pub(super) subject: Subject,
    /// Where recorders of programs lie that no run has given a place, when it is not a command that is followed.
    pub(super) foreign: Vec<OwnedFd>,
    /// Time between two samples, ns.
    pub(super) pace: u64,
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
    /// What the run's directory says of its mounts.
    noted_mounts: Vec<NotedMount>,
    pub(super) report: Option<Report>,
    pub(super) last_signal: Option<i32>,
    told: Told,
    watch: Watch,
    stillness: Stillness,
    gate: Gate,
    wanted: Vec<Wanted>,
    looking: Option<Looking>,
    /// When the last look was over.
    looked: RunNs,
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
    lock_files: LockFiles,
    dump: Dump,
    /// Captures of single moments that are being written.
    pub(super) asides: Vec<Aside>,
    set_asides: u64,
    /// What else the user should know, from the time before the end.
    pub(super) notes: Vec<String>,
    /// Somebody asked for the end, and it is not the command's matter.
    is_asked_to_end: bool,
    /// The hangs that a watch has told, and how many of them get a capture.
    hangs: Option<(NewHangs, u64)>,
}

impl<'a> MainLoop<'a> {
    pub(super) fn new(parts: Parts<'a>, watch: Watch, children: Children, judge: &'a mut dyn Judge) -> Self {
        let lines = parts.directory.and_then(|directory| directory.open("phases.jsonl").ok()).map(Lines::new);
        Self {
            parts,
            judge,
            children,
            owned: Owned::default(),
            noted_mounts: Vec::new(),
            report: None,
            last_signal: None,
            told: Told {
                phases: Phases::new(),
                lines,
                recorders: Recorders::new(),
                memfds: Memfds::default(),
                is_new: false,
            },
            watch,
            stillness: Stillness::default(),
            gate: Gate::default(),
            wanted: Vec::new(),
            looking: None,
            looked: RunNs(0),
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
            lock_files: LockFiles::default(),
            dump: Dump::Nobody,
            asides: Vec::new(),
            set_asides: 0,
            notes: Vec::new(),
            is_asked_to_end: false,
            hangs: None,
        }
    }

    pub(super) fn root(&self) -> ProcessId {
        self.parts.subject.process()
    }

    pub(super) fn now(&self) -> RunNs {
        self.parts.clock.now()
    }

    /// Follows the command until it ends or is to be ended; others until all is known of them that was asked for.
    pub(super) fn run(&mut self) -> Stop {
        let stop = self.follow();
        self.finish_telling();
        stop
    }

    fn follow(&mut self) -> Stop {
        loop {
            self.wait();
            let now = self.now();
            self.update_helpers();
            if let Some(error) = self.exec_failed() {
                return Stop::NotStarted(error);
            }
            self.hear_signals(now);
            self.take_files(now);
            self.parts.records.pump();
            self.pump_asides(now);
            self.hear_kernel_events(now);
            if let Some(stop) = self.has_ended(now) {
                return stop;
            }
            let stop = self.step(now);
            if let Some(moment) = stop {
                return Stop::Hang(moment);
            }
        }
    }

    fn exec_failed(&mut self) -> Option<io::Error> {
        let Subject::Command(started, _) = &mut self.parts.subject else { return None };
        match started.look() {
            Exec::Failed(error) => Some(error),
            Exec::Pending | Exec::Done => None,
        }
    }

    /// Whether there is nobody left to follow.
    fn has_ended(&mut self, now: RunNs) -> Option<Stop> {
        match &self.parts.subject {
            Subject::Command(started, _) if has_ended(started.pidfd()) => {
                // It may have failed to become the command between the look before and this one.
                if let Some(error) = self.exec_failed() {
                    return Some(Stop::NotStarted(error));
                }
                self.reap(now);
                let how = self.children.end_of(self.root().pid.0).unwrap_or(ExitStatus::Code(125));
                Some(Stop::Ended(how))
            }
            Subject::Command(..) => None,
            Subject::Others(_) if self.is_asked_to_end => Some(Stop::Asked),
            Subject::Others(_) => {
                let is_gone = self.last_sample > RunNs(0) && self.parts.tree.is_empty();
                is_gone.then_some(Stop::Gone)
            }
        }
    }

    fn step(&mut self, now: RunNs) -> Option<Moment> {
        let mut stop = self.follow_look(now);
        self.pass_signals(now);
        stop = stop.or(self.hear_judge(now));
        self.follow_dump(now);
        self.follow_wanted(now);
        if now >= self.next_sample {
            let progress = self.sample(now);
            stop = stop.or(self.tell(now, &Event::Sampled(progress)));
            self.interval = (self.interval * 2).min(self.parts.pace);
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
        let feeds = self.parts.records.feed.iter().chain(self.asides.iter().map(Aside::feed));
        let feeds = feeds.filter_map(|feed| Some((feed.fd()?, feed.is_waiting())));
        let mut fds: Vec<PollFd<'_>> = [signals].into_iter().chain(self.parts.subject.fds()).map(readable).collect();
        for (fd, is_waiting) in feeds {
            let wanted = if is_waiting { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::from_borrowed_fd(fd, wanted));
        }
        fds.extend(self.parts.files.as_ref().and_then(Files::fd).map(readable));
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
        let feeds = self.parts.records.feed.iter().chain(self.asides.iter().map(Aside::feed));
        let feed = feeds.map(crate::write::Feed::writer);
        let observers =
            self.parts.tree.helpers().chain(self.parts.snapshotter.helpers()).chain(self.parts.outputs.helpers());
        let mut helpers: BTreeSet<u32> = feed.chain(observers.map(|pid| pid.0)).collect();
        helpers.extend(self.judge.helpers());
        helpers.extend(self.told.memfds.helper());
        helpers.extend(self.parts.files.as_ref().map(Files::reader));
        helpers.extend(self.parts.ktrace.iter().map(Recorder::helper));
        helpers.extend(self.parts.calls.iter().map(Calls::helper));
        self.children.set_helpers(helpers);
    }

    /// File events that were asked for, as they come.
    fn take_files(&mut self, now: RunNs) {
        if let Some(files) = self.parts.files.as_mut().filter(|files| files.fd().is_some()) {
            let found = files.records();
            self.lock_files.hear(&found);
            self.parts.records.push_json(now, found);
        }
    }

    /// After the command's end: the file events that are left, when somebody will read of them.
    pub(in crate::run) fn finish_files(&mut self, is_kept: bool) {
        let Some(mut files) = self.parts.files.take() else { return };
        let now = self.now();
        let records = &mut self.parts.records;
        if is_kept {
            let mut take = |found| {
                records.push_json(now, found);
                records.pump();
            };
            // What was asked for before comes first.
            files.wait(LAST_FILES, &mut take);
            files.ask();
            files.wait(LAST_FILES, take);
        }
        files.end();
    }

    /// Tells the watchdog, and does what it says.
    fn tell(&mut self, now: RunNs, event: &Event) -> Option<Moment> {
        match self.watch.observe(now, event) {
            Action::Wait => None,
            Action::Look { extent, reason } => {
                self.want(now, Who::Watch, extent, reason);
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
        if let Some(files) = self.parts.files.take() {
            files.end();
        }
        if let Some(feed) = self.parts.records.feed.take() {
            feed.finish(crate::write::Verdict::Drop, Duration::from_secs(2));
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}
