//! What became of a scenario.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hangdog_schemas::file::Reader;
use hangdog_schemas::{Actor, Confidence, Finding, Report, RunNs};
use hangdog_timeline::Timeline;

/// What a scenario is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    Hang,
    Healthy,
}

/// What was said of it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) name: String,
    pub(crate) truth: Truth,
    /// Of the verdict, if there was one.
    pub(crate) confidence: Option<Confidence>,
    pub(crate) is_right: bool,
    /// From the last sample that still saw a thread of the chain move, to the first act or the end of the run.
    pub(crate) seconds: Option<f64>,
    /// What the verdict says that it could not see.
    pub(crate) unseen: Vec<String>,
}

impl Judged {
    pub(crate) fn new(name: &str, truth: Truth, report: Option<&Report>, is_right: bool, capture: &Path) -> Self {
        let verdict = report.and_then(|report| report.verdict.as_ref());
        let judged = Self {
            name: name.to_owned(),
            truth,
            confidence: verdict.map(|verdict| verdict.confidence),
            is_right,
            seconds: verdict.and_then(|verdict| seconds(verdict, capture)),
            unseen: verdict.map(|verdict| verdict.unknown.clone()).unwrap_or_default(),
        };
        let (said, word) =
            (judged.confidence.map_or("nothing", Confidence::word), if is_right { "right" } else { "WRONG" });
        eprintln!("{word} {name}: {said}");
        judged
    }
}

fn seconds(verdict: &Finding, capture: &Path) -> Option<f64> {
    let reader = Reader::open(BufReader::new(File::open(capture).ok()?)).ok()?;
    let timeline = Timeline::from_capture(reader).ok()?;
    let told = timeline.actions().first().map_or(timeline.end(), |action| action.when.t);
    let actors = verdict.edges.iter().flat_map(|edge| std::iter::once(&edge.waiter).chain(&edge.resolver));
    let asleep = actors.filter_map(|actor| asleep(&timeline, actor, told)).max()?;
    Some(told.since(asleep).as_secs_f64())
}

/// Since when a thread was seen as it was in the end.
fn asleep(timeline: &Timeline, actor: &Actor, at: RunNs) -> Option<RunNs> {
    let is_it = |thread: &hangdog_schemas::ThreadId| thread.process.pid == actor.pid && thread.tid == actor.tid;
    let thread = timeline.threads().map(|(thread, _)| thread).find(is_it)?;
    Some(timeline.thread_at(thread, at)?.since)
}
