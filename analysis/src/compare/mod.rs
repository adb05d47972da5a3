//! Runs of one command compared: what is so in those that fail and not in those that pass.
//!
//! ```text
//! timeline ──▶ sketch: clauses worded alike in all runs ─┐
//!      files, sockets, life, history, leftovers          ├──▶ across ──▶ rank ──▶ tell ──▶ report
//! timeline ──▶ sketch ───────────────────────────────────┘                weigh
//! ```
//!
//! Runs are aligned by who did what to what, not by time. A difference is a cause only where so many runs show it that
//! chance would not do as well among all that was weighed; else it is told as what it is.

mod across;
mod errno;
mod files;
mod fresh;
mod life;
mod name;
mod part;
mod rank;
mod sketch;
mod sockets;
mod tell;
mod weigh;
mod who;

#[cfg(test)]
mod tests;

use hangdog_schemas::record::ExitStatus;
use hangdog_timeline::Timeline;

pub use errno::name as errno_name;
pub use part::{Parting, part};
use sketch::Extent;
pub use sketch::{Ending, Sketch};
pub use tell::{Compared, compare};
pub use weigh::rate;

pub(crate) use files::{busy_mounts, when};
pub(crate) use life::actor;
pub(crate) use name::path as common_path;
pub(crate) use who::Who;

impl Sketch {
    /// What is kept of a run.
    pub fn of(timeline: &Timeline) -> Self {
        let mut sketch = Self::new(ending(timeline));
        sketch.seen = match timeline.calls() {
            [] => Extent::Plain,
            calls if calls.iter().any(|done| done.result.is_some()) => Extent::Results,
            _ => Extent::Names,
        };
        let who = who::Who::of(timeline);
        files::note(timeline, &who, &mut sketch);
        sockets::note(timeline, &who, &mut sketch);
        life::processes(timeline, &who, &mut sketch);
        life::phases(timeline, &who, &mut sketch);
        for told in crate::leftover::told(timeline, &who) {
            let (culprits, sentence) = (told.finding.culprits.clone(), told.finding.sentence.clone());
            sketch.note_with(sketch::Tier::Race, told.clause.clone(), told.at, culprits, Some(sentence));
            sketch.findings.push((told.clause, told.finding));
        }
        for seen in crate::history::seen(timeline) {
            let text = name::word(&seen.clause, &who.pids);
            let (culprits, sentence) = (seen.culprits.clone(), seen.sentence.clone());
            sketch.note_with(sketch::Tier::Race, text.clone(), seen.at, culprits, Some(sentence));
            sketch.findings.push((text, crate::history::finding(seen)));
        }
        sketch.traces = across::Traces::of(timeline, &who);
        sketch
    }
}

/// How the run ended, by its last record. A capture that was cut has no end: its run did not pass.
fn ending(timeline: &Timeline) -> Ending {
    match timeline.run_end() {
        Some(end) if end.ended_by_hangdog => Ending::Hung,
        Some(end) if end.how == Some(ExitStatus::Code(0)) => Ending::Passed,
        _ => Ending::Failed,
    }
}
