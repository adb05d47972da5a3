//! One look at everybody, several times a second: what is new, and who is still.

use std::collections::BTreeSet;

use hangdog_schemas::record::TriggerReason;
use hangdog_schemas::{Pid, ProcessId, Record, RunNs, Tid};

use super::MainLoop;
use crate::kernel::has_files;
use crate::observe::{Pass, Tree};
use crate::phases::{self, Around, Directories, Found, Processes, Way};
use crate::run::question::Question;
use crate::run::subject::Subject;
use crate::watchdog::{News, Progress};

/// No further recorder is looked at when a look at all has taken this long, ns; and when a signal waits for it.
const LONGEST_LOOK: u64 = 1_000_000_000;
const SIGNAL_LOOK: u64 = 10_000_000;

impl MainLoop<'_> {
    /// Looks at everybody once.
    pub(in crate::run) fn sample(&mut self, now: RunNs) -> Progress {
        // A helper that was started a moment ago is none of the run.
        self.update_helpers();
        let helpers: BTreeSet<Pid> = self.children.helpers().iter().map(|pid| Pid(*pid)).collect();
        let adopted = self.children.adopted();
        if let Subject::Others(others) = &mut self.parts.subject {
            self.parts.tree.set_roots(others.roots());
        }
        let mut pass = self.parts.tree.pass(now, &helpers, &adopted);
        let found = self.look_at_phases(now, Way::Passing);
        self.parts.tree.leave_out_ticks(&found.ticks, &mut pass);
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
        if std::mem::take(&mut self.told.is_new) || found.is_new {
            news = news.max(Some(News::Phase));
        }
        for record in found.records {
            self.parts.records.push(now, &record);
        }
        if std::mem::take(&mut self.was_continued) {
            self.stillness.forget(now);
            news = Some(News::Continued);
        }
        let pulse = self.stillness.look(now, self.parts.subject.process(), self.parts.tree.threads());
        if pulse.computes {
            news = news.max(Some(News::Cpu));
        }
        self.last_sample = now;
        Progress { news, still_since: pulse.still_since, root_still_since: pulse.root_still_since }
    }

    /// What the last sample left: recorders that had no turn, lines that did not fit into one look or were of
    /// processes it did not know.
    pub(in crate::run) fn last_phases(&mut self, now: RunNs) {
        let mut found = self.look_at_phases(now, Way::Last);
        let moment = self.moment(now);
        let known = Known { tree: &self.parts.tree, question: &self.parts.records.question };
        if let Some(lines) = &mut self.told.lines {
            lines.finish(&mut self.told.phases, moment, &known, &mut found);
        }
        for record in found.records {
            self.parts.records.push(now, &record);
        }
    }

    /// At a trigger: what led up to it, and how the open phases stand.
    pub(super) fn look_at_phases_closely(&mut self, now: RunNs, reason: TriggerReason) -> Vec<Record> {
        let limit = if matches!(reason, TriggerReason::Signal(_)) { SIGNAL_LOOK } else { LONGEST_LOOK };
        let found = self.look_at_phases(now, Way::Closely(now.plus(limit)));
        // What is new here is progress all the same: the next sample says so.
        self.told.is_new |= found.is_new;
        self.parts.tree.leave_out_ticks(&found.ticks, &mut Pass::default());
        for record in found.records {
            self.parts.records.push(now, &record);
        }
        found.states.into_iter().map(Record::PhaseState).collect()
    }

    fn moment(&self, now: RunNs) -> phases::Moment {
        let clock = self.parts.clock;
        phases::Moment { clock, now, before: self.last_sample, asleep: clock.asleep() }
    }

    fn look_at_phases(&mut self, now: RunNs, way: Way) -> Found {
        let mut found = Found::default();
        let moment = self.moment(now);
        let told = &mut self.told;
        let question = &self.parts.records.question;
        let known = Known { tree: &self.parts.tree, question };
        if let Some(lines) = &mut told.lines {
            lines.look(&mut told.phases, moment, &known, &mut found);
        }
        for memfd in told.memfds.arrived(now) {
            told.recorders.add(memfd);
        }
        let around = Around {
            moment,
            clocks: moment.clock.anchor(),
            pid_namespace: question.header().pid_namespace.0,
            ticks_per_second: u64::from(question.header().ticks_per_second),
            processes: &known,
        };
        let directories = match (&self.parts.subject, self.parts.directory) {
            (Subject::Command(..), Some(directory)) => Directories::OfRun(directory.flight()),
            _ => Directories::OfOthers(&self.parts.foreign),
        };
        told.recorders.look(directories, way, &around, &mut told.phases, &mut found);
        found
    }
}

fn news_of(pass: &Pass) -> Option<News> {
    let found = [
        (!pass.started.is_empty(), News::ProcessStart),
        (!pass.ended.is_empty(), News::ProcessEnd),
        (!pass.changed.is_empty(), News::Program),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, news)| news).max()
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

    fn is_awaited(&self, pid: u32) -> bool {
        self.tree.is_awaited(Pid(pid))
    }

    fn by_start(&self, start: u64) -> Option<ProcessId> {
        let mut found = self.tree.processes().filter(|process| process.start.0 == start);
        // Two processes of one tick cannot be told apart: better none than the wrong one.
        found.next().filter(|_| found.next().is_none())
    }

    fn by_inner(&self, pid: u32, start: u64, slack: u64) -> Option<ProcessId> {
        self.tree.by_inner(pid, start, slack)
    }

    fn is_there(&self, process: ProcessId) -> bool {
        self.tree.process(process.pid) == Some(process)
    }

    fn ran(&self, process: ProcessId) -> Option<u64> {
        self.tree.ran(process)
    }

    fn runs(&self, process: ProcessId) -> bool {
        self.tree.process(process.pid) == Some(process) && has_files(process.pid.0)
    }

    fn only_thread(&self, process: ProcessId) -> Option<Tid> {
        self.tree.only_thread(process)
    }
}
