//! Snapshots: begun when the watchdog says so or a signal came, followed step by step, handed to the judge.

use std::time::{Duration, Instant};

use hangdog_schemas::fact::{LimitFact, LimitKind, TaskState};
use hangdog_schemas::record::{Sample, SnapshotExtent, ThreadSample, Trigger, TriggerReason};
use hangdog_schemas::{Big, Pid, Record, RunNs, SnapshotId, When};

use super::MainLoop;
use super::wanted::Who;
use crate::judge::Moment;
use crate::observe::{self, Request, Tree};
use crate::run::foreign;
use crate::run::subject::Subject;
use crate::watchdog::{Event, Outcome};

/// While a snapshot runs, it gets this long at a time before the loop looks at everything else.
const LOOK_STEP: Duration = Duration::from_millis(10);
/// For so long the loop waits for first facts, which take some milliseconds.
const FIRST_STEP: Duration = Duration::from_millis(10);
/// A snapshot that takes longer than this is cut: what it has is worth more than what it lacks.
const LONGEST_LIGHT_LOOK: Duration = Duration::from_secs(2);
const LONGEST_FULL_LOOK: Duration = Duration::from_secs(10);

/// A snapshot that is being taken.
pub(super) struct Looking {
    began: RunNs,
    extent: SnapshotExtent,
    sample: Sample,
    /// How the open phases stood when it was begun, and what was seen so far.
    facts: Vec<Record>,
    /// Whether all is read, and only the rest of it has to be told.
    is_read: bool,
    own_cpu: u64,
    outcome: Outcome,
}

impl MainLoop<'_> {
    pub(super) fn begin_look(&mut self, now: RunNs, extent: SnapshotExtent, reason: TriggerReason) {
        for record in self.parts.outputs.tee.held_back(now) {
            self.parts.records.push(now, &record);
        }
        let (last_progress, news) = self.watch.last_progress();
        let trigger = Trigger { when: When::exactly(now), reason, last_progress, progress: news.word().to_owned() };
        self.parts.records.push(now, &Record::Trigger(trigger));
        self.snapshots += 1;
        let snapshot = SnapshotId(self.snapshots);
        // A signal that waits leaves some ms for all of the look.
        if !matches!(reason, TriggerReason::Signal(_)) {
            self.begin_first_facts(snapshot);
        }
        // Light looks come often and most lead to nothing: events are kept for one that does.
        if let Some(files) = self.parts.files.as_mut().filter(|_| reason != TriggerReason::Still) {
            files.ask();
        }
        // A light look repeats often, and a run that only pauses has many.
        if extent == SnapshotExtent::Full || matches!(reason, TriggerReason::Signal(_) | TriggerReason::Timeout) {
            self.ask_for_kernel_events();
        }
        self.update_helpers();
        let own_cpu = self.own_cpu();
        if let Subject::Others(_) = self.parts.subject {
            self.parts.foreign = foreign::directories();
        }
        let states = self.look_at_phases_closely(now, reason);
        let adopted = self.children.adopted();
        let tree = &self.parts.tree;
        let request = Request {
            snapshot,
            extent,
            reason,
            observer: Pid(std::process::id()),
            helpers: self.children.helpers().iter().map(|pid| Pid(*pid)).collect(),
            adopted,
            roots: match &self.parts.subject {
                Subject::Command(started, _) => [started.process.pid].into(),
                Subject::Others(others) => others.named(),
            },
            run: tree.processes().collect(),
            ticks: tree.ticks(),
            baseline: self.parts.baseline.clone(),
            lock_files: self.lock_files.all(),
        };
        self.parts.records.facts(now, &states);
        let sample = all_threads(now, tree);
        let (is_read, outcome) = (false, Outcome::Well);
        self.looking = Some(Looking { began: now, extent, sample, facts: states, is_read, own_cpu, outcome });
        self.parts.snapshotter.begin(request);
    }

    /// What the blocked threads wait in goes to the spool first: all else takes longer, and may not come.
    fn begin_first_facts(&mut self, snapshot: SnapshotId) {
        let blocked = self.parts.tree.threads().filter(|thread| thread.state != TaskState::R);
        self.parts.snapshotter.begin_first(snapshot, blocked.map(|thread| thread.thread).collect());
        let until = Instant::now() + FIRST_STEP;
        while let observe::Progress::First(facts) = self.parts.snapshotter.work(until) {
            self.parts.records.first_facts(&facts);
        }
    }

    /// Goes on with a snapshot; asks the judge when it is complete and there is one before it.
    pub(super) fn follow_look(&mut self, now: RunNs) -> Option<Moment> {
        let looking = self.looking.as_mut()?;
        let longest = match looking.extent {
            SnapshotExtent::Light => LONGEST_LIGHT_LOOK,
            SnapshotExtent::Full => LONGEST_FULL_LOOK,
        };
        let is_awaited = self.to_pass.iter().any(|(_, until)| now >= *until);
        if now.since(looking.began) > longest {
            looking.outcome = Outcome::Failed;
        } else if is_awaited && looking.outcome == Outcome::Well {
            looking.outcome = Outcome::Short;
        }
        if looking.outcome != Outcome::Well {
            self.parts.snapshotter.cut();
        }
        let facts = match self.parts.snapshotter.work(Instant::now() + LOOK_STEP) {
            observe::Progress::Working => return None,
            observe::Progress::First(facts) => {
                self.parts.records.first_facts(&facts);
                return None;
            }
            observe::Progress::Piece(facts) => {
                self.parts.records.facts(now, &facts);
                let looking = self.looking.as_mut()?;
                looking.facts.extend(facts);
                looking.is_read = true;
                return None;
            }
            observe::Progress::Idle => Vec::new(),
            observe::Progress::Done(facts) => facts,
        };
        // What was asked for before this moment belongs to this look, whether it was heard or not.
        let now = self.now();
        self.hear_signals(now);
        let mut facts = facts;
        self.add_room(&mut facts);
        self.parts.records.facts(now, &facts);
        let mut looking = self.looking.take()?;
        looking.facts.extend(facts);
        let facts = looking.facts;
        self.looked = self.now();
        let namespace = self.parts.records.question.header().mount_namespace;
        self.owned.learn(&self.parts.before, namespace, &facts);
        self.note_mounts();
        self.told.memfds.learn(now, &facts);
        self.parts.records.question.look(looking.began, looking.sample, facts);
        let judged = self.judge_cpu - std::mem::replace(&mut self.judge_cpu_before, self.judge_cpu);
        let spent = Duration::from_nanos(self.own_cpu().saturating_sub(looking.own_cpu) + judged);
        let mut stop = None;
        for who in self.served(self.looked, looking.outcome) {
            match who {
                Who::Watch => stop = stop.or(self.tell(now, &Event::Looked { extent: looking.extent, spent })),
                Who::Dump => self.dump.looked(now),
                Who::Signal => {}
            }
        }
        if let Some(since) = self.parts.records.question.since() {
            self.asked_since = since;
            let question = self.parts.records.question.records(self.told.phases.open());
            self.judge.ask(&question);
        }
        stop
    }
}

impl MainLoop<'_> {
    /// Tells the rest of a snapshot of which a part was told: a capture that ends with half of one would be judged by
    /// that half. Nothing is read for it.
    pub(super) fn finish_telling(&mut self) {
        while self.looking.as_ref().is_some_and(|looking| looking.is_read) {
            let now = self.now();
            let progress = self.parts.snapshotter.work(Instant::now() + LOOK_STEP);
            if let observe::Progress::Piece(facts) | observe::Progress::Done(facts) = &progress {
                self.parts.records.facts(now, facts);
                self.parts.records.pump();
            }
            if !matches!(progress, observe::Progress::Piece(_)) {
                self.looking = None;
            }
        }
    }

    /// How full the memory is in which this run keeps what it knows, when that is nearly all of it.
    fn add_room(&self, facts: &mut Vec<Record>) {
        let snapshot = facts.first().and_then(Record::snapshot);
        let room = self.parts.directory.and_then(|directory| Some((directory, directory.room()?)));
        let (Some(snapshot), Some((directory, (used, most)))) = (snapshot, room) else { return };
        if used.saturating_mul(10) >= most.saturating_mul(9) {
            let of = directory.path.display().to_string();
            let (limit, used, most) = (LimitKind::RunDirectory, Big(used), Big(most));
            let fact = LimitFact { snapshot, limit, of, pid: None, by_process: None, used, most };
            // The end stays the last.
            facts.insert(facts.len() - 1, Record::Limit(fact));
        }
    }

    /// So that it is known which mounts are the run's when hangdog is killed.
    fn note_mounts(&mut self) {
        let mounts = self.owned.mounts_to_note();
        if let Some(directory) = self.parts.directory.filter(|_| mounts != self.noted_mounts) {
            directory.note_mounts(&mounts);
            self.noted_mounts = mounts;
        }
    }
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
