//! Who thinks about the facts. The main loop never waits for an analysis: it asks, goes on, and picks
//! the answer up when it is there. The command line fills this in with a child process that has limits
//! on time and memory.

use std::borrow::Cow;

use hangdog_schemas::{Record, Report};

/// Why a report is shown while the command still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A dead set was proven; what `--on-hang` says follows.
    Proven,
    /// No progress for `--quiet-after`.
    Quiet,
    /// `--timeout` was reached.
    Timeout,
    /// A signal came that will be passed on (a cancelled job).
    Signal(i32),
}

/// Turns facts into a report, elsewhere.
pub trait Judge {
    /// A new question: the records that matter (header, processes, open phases, the last two snapshots,
    /// triggers, actions), in an order in which a timeline can be built from them. A question that was not
    /// answered yet is dropped.
    fn ask(&mut self, records: &[Cow<'_, Record>]);

    /// The answer to the last question, once. Returns at once in any case; called every 20 ms while a
    /// question is open. A judge that failed or ran out of time answers with a report without a verdict,
    /// or is asked again.
    fn answer(&mut self) -> Option<Report>;

    /// Whether a question is open: asked, and not answered yet.
    fn is_busy(&self) -> bool;

    /// Processes that work for the judge: they are children of this process and no part of the run. They
    /// are left alone and not waited for.
    fn helpers(&self) -> Vec<u32>;

    /// Shows a report while the command runs. Must not block for long: a terminal may be stopped.
    fn announce(&mut self, report: &Report, moment: Moment);
}
