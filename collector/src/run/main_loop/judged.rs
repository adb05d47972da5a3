//! What the judge is asked and what its answer means here.

use std::time::Duration;

use hangdog_schemas::{Pid, ProcessId, Report, RunNs};
use rustix::event::poll;

use super::MainLoop;
use crate::judge::Moment;
use crate::kernel::{cpu_of, timespec};
use crate::run::new_hangs::NewHangs;
use crate::watchdog::{Event, Involved, Judgement};

impl MainLoop<'_> {
    pub(super) fn hear_judge(&mut self, now: RunNs) -> Option<Moment> {
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
        self.answer_dump(now);
        self.tell_new_hangs(now);
        self.tell(now, &Event::Judged(judgement))
    }

    /// Tells each hang when it is new, and goes on. Of the first `most_captures` the store keeps a capture.
    pub(in crate::run) fn tell_each_hang(&mut self, most_captures: u64) {
        self.hangs = Some((NewHangs::default(), most_captures));
    }

    /// How many hangs were told.
    pub(in crate::run) fn hangs_told(&self) -> u64 {
        self.hangs.as_ref().map_or(0, |(hangs, _)| hangs.number())
    }

    fn tell_new_hangs(&mut self, now: RunNs) {
        let (Some((hangs, most)), Some(report)) = (&mut self.hangs, &self.report) else { return };
        let has_room = hangs.number() < *most;
        for report in hangs.of(now, self.asked_since, report) {
            let report = if has_room { self.set_aside(report) } else { report };
            self.judge.announce(&report, Moment::Proven);
        }
    }

    pub(super) fn announce(&mut self, report: &Report, moment: Moment) {
        let signature = report.verdict.as_ref().map(|verdict| verdict.signature.clone()).unwrap_or_default();
        if self.announced.as_ref() != Some(&signature) {
            self.announced = Some(signature);
            self.judge.announce(report, moment);
        }
    }

    pub(in crate::run) fn was_announced(&self) -> bool {
        self.announced.as_ref().is_some_and(|signature| !signature.is_empty())
    }

    /// Asks once more and waits for the answer, for at most `limit`: the command has ended, nobody waits
    /// for this loop.
    pub(in crate::run) fn last_word(&mut self, limit: Duration) {
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
    pub(in crate::run) fn ask(&mut self) {
        let question = self.parts.records.question.records(self.told.phases.open());
        self.judge.ask(&question);
    }
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
