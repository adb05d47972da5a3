//! What a person has been told while the command ran, so that nothing is said twice and nothing is left out.

use std::time::Duration;

use hangdog_collector::{Moment, OnHang};
use hangdog_report::{Style, escape, github, text};
use hangdog_schemas::Report;

use crate::console;

/// How long stderr may keep the watchdog. What it did not take is said after the run.
const PATIENCE: Duration = Duration::from_millis(200);

/// How much of a verdict was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Nothing of it.
    Nothing,
    /// Its sentence: the rest follows after the run, which is ended now.
    Sentence,
    /// All of it.
    All,
}

/// What was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    verdict: Option<(String, String, Extent)>,
    annotated: bool,
    unsaid: String,
}

impl Told {
    /// Tells a report while the command runs.
    pub(crate) fn announce(&mut self, report: &Report, moment: Moment, on_hang: OnHang) {
        let Some(verdict) = &report.verdict else { return };
        let ends = match moment {
            Moment::Proven | Moment::Timeout => matches!(on_hang, OnHang::Rescue | OnHang::Kill),
            Moment::Signal(_) => true,
            Moment::Quiet => false,
        };
        let extent = if ends { Extent::Sentence } else { Extent::All };
        if self.extent_of(report) >= extent {
            return;
        }
        let mut out = match extent {
            Extent::All => framed(report),
            _ => format!("hangdog: {}\n", escape::terminal(&verdict.sentence)),
        };
        out.push_str(&self.annotation(report));
        self.verdict = Some((verdict.signature.clone(), verdict.sentence.clone(), extent));
        let unsaid = console::print_error_within(&format!("{}{out}", self.unsaid), PATIENCE);
        self.unsaid = unsaid;
    }

    /// How much of this report's verdict was told.
    pub(crate) fn extent_of(&self, report: &Report) -> Extent {
        match (&report.verdict, &self.verdict) {
            (Some(verdict), Some((signature, sentence, extent)))
                if *signature == verdict.signature && *sentence == verdict.sentence =>
            {
                *extent
            }
            _ => Extent::Nothing,
        }
    }

    /// The verdict as an annotation of GitHub Actions, once a run and only there. Printed the moment it is known:
    /// it outlives a job that is cancelled.
    pub(crate) fn annotation(&mut self, report: &Report) -> String {
        if self.annotated || console::variable("GITHUB_ACTIONS").as_deref() != Some("true") {
            return String::new();
        }
        let annotation = github::annotation(report).unwrap_or_default();
        self.annotated = !annotation.is_empty();
        annotation
    }

    /// What stderr did not take while the command ran.
    pub(crate) fn take_unsaid(&mut self) -> String {
        std::mem::take(&mut self.unsaid)
    }
}

/// A report among the command's own lines: it begins on a line of its own and is set off.
pub(crate) fn framed(report: &Report) -> String {
    const NAME: &str = "hangdog: ";
    let style = console::stderr_style();
    let room = Style { width: style.width.saturating_sub(NAME.len()), ..style };
    format!("\n{NAME}{}\n", text(report, &room))
}
