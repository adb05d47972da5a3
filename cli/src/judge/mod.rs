//! The judge of a run: thinks in a child of ourselves, so that the watchdog never waits for an analysis.
//!
//! ```text
//!   watchdog ── ask ──▶ records as lines in memory ──▶ hangdog internal-judge
//!       ▲                                                   │ timeline, analysis;
//!       └──────────── answer ◀── report as JSON ◀───────────┘ limits on CPU time, memory, wall clock
//! ```

mod child;
mod told;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write as _};
use std::time::Duration;

use hangdog_collector::{Judge, Moment, OnHang};
use hangdog_report::Style;
use hangdog_schemas::{REPORT_VERSION, Record, Report, RunNs, RunSummary};

use crate::console;
use crate::fed::{Answer, Fed, Food};

pub(crate) use child::{Thinking, think};
pub(crate) use told::{Extent, Told, framed};

/// How long one analysis may take. Those of real captures take some ten milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// How long the reader of a watch may keep it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks children of ourselves.
pub(crate) struct ChildJudge {
    arguments: Vec<OsString>,
    asked: Option<Asked>,
    leaving: Vec<Fed>,
    listener: Listener,
}

/// Who is told of a hang while the main loop goes on.
enum Listener {
    /// A person at the terminal of the command, beside the command's own lines.
    Run(Told, OnHang),
    /// Whoever reads the standard output of a watch.
    Attach(Style),
    /// Nobody: the capture is read later.
    Nobody,
}

struct Asked {
    /// `None`: the child could not be started, or nothing came of it.
    child: Option<Fed>,
    summary: RunSummary,
    trouble: String,
}

impl ChildJudge {
    /// A judge that thinks as `thinking` says.
    pub(crate) fn new(thinking: &Thinking, on_hang: OnHang) -> Self {
        Self::telling(thinking, Listener::Run(Told::default(), on_hang))
    }

    /// The same over processes that ran already: what is new is printed on standard output.
    pub(crate) fn of_others(thinking: &Thinking) -> Self {
        Self::telling(thinking, Listener::Attach(console::stdout_style()))
    }

    /// The same, without a word.
    pub(crate) fn silent(mut self) -> Self {
        self.listener = Listener::Nobody;
        self
    }

    fn telling(thinking: &Thinking, listener: Listener) -> Self {
        let mut arguments = vec![OsString::from("internal-judge")];
        arguments.extend(thinking.arguments());
        Self { arguments, asked: None, leaving: Vec::new(), listener }
    }

    /// What was said while the command ran.
    pub(crate) fn told(self) -> Told {
        // Fields cannot be moved out of a type that has a `Drop`, and children are ended by that.
        let mut this = self;
        match &mut this.listener {
            Listener::Run(told, _) => std::mem::take(told),
            Listener::Attach(_) | Listener::Nobody => Told::default(),
        }
    }

    fn start(&self, records: &[Cow<'_, Record>]) -> io::Result<Fed> {
        let mut food = Food::new()?;
        let mut lines = BufWriter::with_capacity(64 << 10, food.file());
        for record in records {
            serde_json::to_writer(&mut lines, record)?;
            lines.write_all(b"\n")?;
        }
        lines.flush()?;
        drop(lines);
        let arguments: Vec<&OsStr> = self.arguments.iter().map(OsString::as_os_str).collect();
        Fed::start(&arguments, &food, LIMIT)
    }

    fn reap(&mut self) {
        self.leaving.retain_mut(|child| !child.dismiss());
    }
}

impl Judge for ChildJudge {
    fn ask(&mut self, records: &[Cow<'_, Record>]) {
        if let Some(child) = self.asked.take().and_then(|asked| asked.child) {
            self.leaving.push(child);
        }
        self.reap();
        let (child, trouble) = match self.start(records) {
            Ok(child) => (Some(child), String::new()),
            Err(error) => (None, format!("the analysis could not be started: {error}")),
        };
        self.asked = Some(Asked { child, summary: summary(records), trouble });
    }

    fn answer(&mut self) -> Option<Report> {
        self.reap();
        let asked = self.asked.as_mut()?;
        let answer = asked.child.as_mut().map_or(Answer::Said(Vec::new()), Fed::poll);
        let report = match answer {
            Answer::Pending => return None,
            Answer::TooLate => {
                asked.trouble = format!("the analysis took longer than {} s and was ended", LIMIT.as_secs());
                None
            }
            Answer::Said(said) => serde_json::from_slice(&said).ok(),
        };
        let asked = self.asked.take()?;
        self.leaving.extend(asked.child);
        self.reap();
        Some(report.unwrap_or_else(|| without_verdict(asked.summary, asked.trouble)))
    }

    fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    fn helpers(&self) -> Vec<u32> {
        let asked = self.asked.iter().filter_map(|asked| asked.child.as_ref());
        asked.chain(&self.leaving).map(Fed::pid).collect()
    }

    fn announce(&mut self, report: &Report, moment: Moment) {
        match &mut self.listener {
            Listener::Run(told, on_hang) => told.announce(report, moment, *on_hang),
            Listener::Nobody => {}
            // Who does not read for so long finds it in the capture.
            Listener::Attach(style) => {
                let text = format!("{}\n", hangdog_report::text(report, style));
                console::print_within(&std::io::stdout(), &text, PATIENCE);
            }
        }
    }
}

impl Drop for ChildJudge {
    fn drop(&mut self) {
        self.leaving.extend(self.asked.take().and_then(|asked| asked.child));
        self.reap();
    }
}

/// What can be said of a run when nothing could be thought about it.
fn without_verdict(mut run: RunSummary, trouble: String) -> Report {
    let trouble = if trouble.is_empty() { "the analysis ended without an answer".to_owned() } else { trouble };
    run.missing.push(trouble);
    Report { verdict: None, findings: Vec::new(), run, comparison: None, schema: REPORT_VERSION }
}

fn summary(records: &[Cow<'_, Record>]) -> RunSummary {
    let all = records.iter().map(AsRef::as_ref);
    let header = all.clone().find_map(|record| if let Record::Run(header) = record { Some(header) } else { None });
    let trigger = all.clone().rev().find_map(|r| if let Record::Trigger(trigger) = r { Some(trigger) } else { None });
    RunSummary {
        id: header.map(|header| header.run.clone()).unwrap_or_default(),
        command: header.map(|header| header.command.clone()).unwrap_or_default(),
        host: header.map(|header| header.host.clone()).unwrap_or_default(),
        at: all.filter_map(Record::when).max().unwrap_or(RunNs(0)),
        last_progress: trigger.map(|trigger| trigger.last_progress),
        progress: trigger.map(|trigger| trigger.progress.clone()),
        capture: None,
        actions: Vec::new(),
        missing: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::sample;

    use super::*;

    #[test]
    fn a_child_that_answers_nonsense_gives_a_report_without_a_verdict() {
        // In a test the program that is started again is the test's own, which knows no verb.
        let mut judge = ChildJudge::new(&Thinking::default(), OnHang::Rescue);
        judge.ask(&[Cow::Owned(Record::Run(Box::new(sample::header())))]);
        assert!(judge.is_busy());
        assert_eq!(judge.helpers().len(), 1);
        let report = loop {
            if let Some(report) = judge.answer() {
                break report;
            }
            std::thread::yield_now();
        };
        assert!(!judge.is_busy());
        assert_eq!((report.verdict, report.run.id), (None, sample::header().run));
        assert_eq!(report.run.missing, ["the analysis ended without an answer"]);
    }
}
