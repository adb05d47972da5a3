//! What `hangdog dump` asks a run for: two looks, a report and a capture of this moment, while the run goes on.

use std::time::Duration;

use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Report, RunNs};

use super::MainLoop;
use super::wanted::Who;
use crate::run::aside::{Aside, Published};
use crate::run::header::{chance, name_a_run};

/// Between the two looks.
const BETWEEN: u64 = 600_000_000;
/// How long the judge gets.
const ANSWER: u64 = 11_000_000_000;
/// How long the captures of single moments get at the end of a run.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dump {
    Nobody,
    Asked,
    First,
    SecondAt(RunNs),
    Second,
    /// Both looks are over; whoever asks from here on gets two of their own.
    Judging {
        until: RunNs,
        asked_again: bool,
    },
}

impl Dump {
    /// Whoever asks before the last look is over is served by it.
    pub(super) fn ask(&mut self) {
        match self {
            Self::Nobody => *self = Self::Asked,
            Self::Judging { asked_again, .. } => *asked_again = true,
            Self::Asked | Self::First | Self::SecondAt(_) | Self::Second => {}
        }
    }

    /// The look that it wanted is over.
    pub(super) fn looked(&mut self, now: RunNs) {
        match self {
            Self::First => *self = Self::SecondAt(now.plus(BETWEEN)),
            Self::Second => *self = Self::Judging { until: now.plus(ANSWER), asked_again: false },
            _ => {}
        }
    }
}

impl MainLoop<'_> {
    /// Asks for the next look, when it is time.
    pub(super) fn follow_dump(&mut self, now: RunNs) {
        let next = match self.dump {
            Dump::Asked => Dump::First,
            Dump::SecondAt(due) if now >= due => Dump::Second,
            Dump::Judging { until, .. } if now >= until => return self.answer_dump(now),
            _ => return,
        };
        self.dump = next;
        self.want(now, Who::Dump, SnapshotExtent::Full, TriggerReason::Demand);
    }

    /// Hands over what is known now, if somebody waits for it.
    pub(super) fn answer_dump(&mut self, now: RunNs) {
        let Dump::Judging { asked_again, .. } = self.dump else { return };
        self.dump = if asked_again { Dump::Asked } else { Dump::Nobody };
        if let Some(report) = self.report.clone() {
            let report = self.set_aside(report);
            let place = report.run.capture.as_deref().unwrap_or("kept nowhere");
            self.notes.push(format!("a look was asked for after {:.1} s; its capture is {place}", now.seconds()));
        }
    }

    /// Writes a capture of this moment to the store, and tells of it in the run's directory. The report with its
    /// place, where there is room for one.
    pub(super) fn set_aside(&mut self, mut report: Report) -> Report {
        let name = name_a_run(self.parts.clock.anchor().realtime.0, chance());
        let aside = Aside::start(&name, &self.parts.records.question, self.told.phases.open(), self.asides.len());
        report.run.capture = aside.as_ref().ok().map(|aside| aside.path().display().to_string());
        self.set_asides += 1;
        let looked = self.parts.clock.to_monotonic(self.looked);
        let published = Published { number: self.set_asides, looked, why: None, report: report.clone() };
        match aside {
            Ok(mut aside) => {
                aside.finish(published);
                self.asides.push(aside);
            }
            Err(why) => self.publish(&Published { why: Some(why), ..published }),
        }
        report
    }

    /// Goes on writing captures of single moments.
    pub(super) fn pump_asides(&mut self, now: RunNs) {
        let mut asides = std::mem::take(&mut self.asides);
        for aside in &mut asides {
            if let Some(published) = aside.pump(now) {
                self.publish(&published);
            }
        }
        asides.retain(|aside| !aside.is_gone());
        self.asides = asides;
    }

    /// Waits for them a little: nobody waits for this loop any more.
    pub(in crate::run) fn finish_asides(&mut self, notes: &mut Vec<String>) {
        let until = self.now().plus(LAST_BYTES.as_nanos() as u64);
        while !self.asides.is_empty() && self.now() < until {
            self.pump_asides(self.now());
            let _ = rustix::event::poll(&mut [], Some(&crate::kernel::timespec(Duration::from_millis(5))));
        }
        notes.append(&mut self.notes);
    }

    fn publish(&mut self, published: &Published) {
        if let Some(why) = &published.why {
            self.notes.push(why.clone());
        }
        if let (Some(directory), Ok(text)) = (self.parts.directory, serde_json::to_vec(published)) {
            directory.publish(&text);
        }
    }
}
