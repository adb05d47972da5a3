//! Signals that came: noted, passed on after a short look; children that ended: waited for.

use std::os::fd::AsFd;
use std::time::Duration;

use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Pid, Record, RunNs, When};
use rustix::process::{Signal, pidfd_send_signal};

use super::MainLoop;
use super::wanted::Who;
use crate::judge::Moment;
use crate::kernel::has_ended;
use crate::run::signals::Heard;
use crate::run::subject::Subject;

/// What a signal waits for: one short look.
const SIGNAL_LOOK: u64 = 20_000_000;

impl MainLoop<'_> {
    /// After the command's end: waits until its output is through. Who is asked to end does not wait for a
    /// reader that takes nothing.
    pub(in crate::run) fn finish_output(&mut self, limit: Option<Duration>) {
        // It may have come when the command had ended already, and been taken for one that is the command's.
        let is_asked = self.is_asked_to_end || !self.to_pass.is_empty();
        let parts = &mut self.parts;
        let (signals, group) = (&mut parts.signals, parts.subject.group());
        let Ok(interrupt) = signals.fd().try_clone_to_owned() else { return };
        parts.outputs.tee.finish(limit, interrupt.as_fd(), || {
            let mut heard = std::iter::from_fn(|| signals.next(group));
            is_asked || heard.any(|heard| matches!(heard, Heard::PassAfterLook(_) | Heard::AlreadyThere(_)))
        });
        let now = self.now();
        for record in self.parts.outputs.tee.rest(now) {
            self.parts.records.push(now, &record);
        }
    }

    pub(super) fn hear_signals(&mut self, now: RunNs) {
        while let Some(heard) = self.parts.signals.next(self.parts.subject.group()) {
            match heard {
                Heard::PassAfterLook(_) | Heard::AlreadyThere(_) | Heard::Pass(_) if self.is_of_others() => {
                    self.is_asked_to_end = true;
                }
                Heard::Dump => self.dump.ask(),
                Heard::Child => self.reap(now),
                Heard::Continued => self.was_continued = true,
                Heard::Pass(signal) => self.pass(now, signal),
                Heard::PassAfterLook(signal) => {
                    self.to_pass.push((signal, now.plus(SIGNAL_LOOK)));
                    self.want(now, Who::Signal, SnapshotExtent::Light, TriggerReason::Signal(signal));
                }
                Heard::AlreadyThere(signal) => {
                    self.last_signal = Some(signal);
                    self.want(now, Who::Signal, SnapshotExtent::Light, TriggerReason::Signal(signal));
                }
            }
        }
    }

    /// Passes on what has waited long enough, or whose look is complete.
    pub(super) fn pass_signals(&mut self, now: RunNs) {
        let is_looking = self.looking.is_some();
        let (due, waiting) = self.to_pass.drain(..).partition(|(_, until)| !is_looking || now >= *until);
        self.to_pass = waiting;
        let due: Vec<(i32, RunNs)> = due;
        for (signal, _) in due {
            self.last_signal = Some(signal);
            self.is_asked_to_end |= self.has_command_ended();
            self.pass(now, signal);
            if let Some(report) = self.report.clone().filter(|report| report.verdict.is_some()) {
                self.announce(&report, Moment::Signal(signal));
            }
        }
    }

    fn is_of_others(&self) -> bool {
        matches!(self.parts.subject, Subject::Others(_))
    }

    fn has_command_ended(&self) -> bool {
        matches!(&self.parts.subject, Subject::Command(started, _) if has_ended(started.pidfd()))
    }

    fn pass(&mut self, now: RunNs, signal: i32) {
        let Some(number) = Signal::from_named_raw(signal) else { return };
        let Subject::Command(started, _) = &self.parts.subject else { return };
        let outcome = pidfd_send_signal(started.pidfd(), number);
        let deed = hangdog_schemas::record::Deed::Signal { process: self.root(), signal };
        self.parts.records.deed(now, deed, outcome.err().map(|error| error.to_string()));
    }

    pub(super) fn reap(&mut self, now: RunNs) {
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
}
