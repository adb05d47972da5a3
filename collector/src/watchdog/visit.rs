//! When to look at processes that ran already. Pure. Nothing is ever done to them: it only ends the looking.
//!
//! ```text
//! once:   look ─ 1 s ─ look ─ 2 s ─ look ─ 4 s ─ …  until a verdict stands or the time is over
//! watch:  look ─ 5 s ─ look ─ 5 s ─ …              light looks, fewer where they would cost more than their share
//! ```
//!
//! A verdict stands when it is certain, or when it is likely and two looks that are [`APART`] say so: a lock that is
//! held for a second is no hang.

use std::time::Duration;

use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Confidence, RunNs};

use super::budget::Budget;
use super::{Action, Event, LAST_WORD, News};
use crate::judge::Moment;

/// How far apart two looks are that make a likely hang one that stands.
pub const APART: Duration = Duration::from_secs(2);
/// Between the first two looks.
const FIRST_STEP: Duration = Duration::from_secs(1);
/// Between two looks of a watch.
const WATCH_STEP: Duration = Duration::from_secs(5);

/// How long before the limit the last look comes.
const LAST: Duration = Duration::from_millis(500);

/// How long it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until there is a verdict.
    Once,
    /// Until it is told to go.
    Watch,
}

/// The looks at processes that ran already.
#[derive(Debug)]
pub struct Visit {
    stay: Stay,
    limit: Option<Duration>,
    last_news: (RunNs, News),
    due: RunNs,
    step: Duration,
    is_looking: bool,
    /// Since when the judge is awaited.
    asked: Option<RunNs>,
    looks: u32,
    budget: Budget,
}

impl Visit {
    /// One that begins at 0 and lasts for `limit` at most.
    pub fn new(stay: Stay, limit: Option<Duration>) -> Self {
        Self {
            stay,
            limit,
            last_news: (RunNs(0), News::Start),
            due: RunNs(0),
            step: FIRST_STEP,
            is_looking: false,
            asked: None,
            looks: 0,
            budget: Budget::new(),
        }
    }

    /// The last progress and what it was.
    pub fn last_progress(&self) -> (RunNs, News) {
        self.last_news
    }

    /// One event in, one action out.
    pub fn observe(&mut self, now: RunNs, event: &Event) -> Action {
        match event {
            Event::Sampled(progress) => {
                self.last_news = progress.news.map_or(self.last_news, |news| (now, news));
                self.sampled(now)
            }
            Event::Looked { spent, .. } => {
                // Somebody else may have asked for this look.
                if std::mem::take(&mut self.is_looking) {
                    self.budget.spend(now, *spent);
                    self.looks += 1;
                    self.asked = (self.looks > 1).then_some(now);
                    self.due = self.next(now);
                }
                Action::Wait
            }
            Event::Judged(judgement) => {
                self.asked = None;
                let is_apart = now.since(judgement.since) >= APART;
                let stands = match judgement.hang {
                    Some(Confidence::Certain) => true,
                    Some(Confidence::Likely) => is_apart,
                    _ => false,
                };
                if stands && self.stay == Stay::Once { Action::End(Moment::Proven) } else { Action::Wait }
            }
        }
    }

    fn sampled(&mut self, now: RunNs) -> Action {
        if self.is_looking {
            return Action::Wait;
        }
        let is_over = self.limit.is_some_and(|limit| now.since(RunNs(0)) >= limit);
        if is_over && self.looks > 1 {
            let is_awaited = self.asked.is_some_and(|since| now.since(since) < LAST_WORD);
            return if is_awaited { Action::Wait } else { Action::End(Moment::Timeout) };
        }
        let may_look = self.stay == Stay::Once || self.looks < 2 || self.budget.allows(now);
        if now < self.due || !may_look {
            return Action::Wait;
        }
        self.is_looking = true;
        let extent = match self.stay {
            Stay::Once => SnapshotExtent::Full,
            Stay::Watch => SnapshotExtent::Light,
        };
        Action::Look { extent, reason: TriggerReason::Demand }
    }

    /// When the next look is due. The last one comes so long before the limit that it can be judged by then, unless it
    /// would be one too many.
    fn next(&mut self, now: RunNs) -> RunNs {
        let step = if self.stay == Stay::Watch && self.looks > 1 { WATCH_STEP } else { self.step };
        self.step *= 2;
        let due = now.plus(step.as_nanos() as u64);
        let Some(limit) = self.limit else { return due };
        let last = RunNs(limit.saturating_sub(LAST).as_nanos() as u64);
        let is_too_many = self.looks > 1 && last.since(now) < FIRST_STEP;
        if is_too_many { due } else { due.min(last.max(now)) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::{Involved, Judgement, Progress};
    use super::*;

    /// A sample every quarter of a second; each look takes none, and costs `spent`; the judge answers at once with
    /// what `judge` says of its number. The tenths of a second of the looks, and of the end.
    fn play(mut visit: Visit, seconds: u64, spent: Duration, judge: impl Fn(u32) -> Option<Confidence>) -> String {
        let mut told = String::new();
        let (mut looks, mut since) = (0, RunNs(0));
        for quarter in 1..=seconds * 4 {
            let now = RunNs(quarter * 250_000_000);
            let mut action = visit.observe(now, &Event::Sampled(Progress::default()));
            if let Action::Look { extent, .. } = action {
                looks += 1;
                let _ = write!(told, "{} ", quarter * 10 / 4);
                action = visit.observe(now, &Event::Looked { extent, spent });
                if looks > 1 {
                    let hang = judge(looks);
                    let judgement = Judgement { hang, command: Involved::Others, since };
                    action = visit.observe(now, &Event::Judged(judgement));
                }
                since = now;
            }
            if let Action::End(moment) = action {
                return format!("{told}{moment:?} at {}", quarter * 10 / 4);
            }
        }
        told.trim_end().to_owned()
    }

    #[test]
    fn a_verdict_that_stands_ends_it_and_so_does_the_limit() {
        let once = |limit| Visit::new(Stay::Once, Some(Duration::from_secs(limit)));
        let cheap = Duration::from_millis(5);
        assert_eq!(play(once(10), 60, cheap, |_| None), "2 12 32 72 95 Timeout at 100");
        assert_eq!(play(once(10), 60, cheap, |_| Some(Confidence::Certain)), "2 12 Proven at 12");
        assert_eq!(play(once(10), 60, cheap, |_| Some(Confidence::Likely)), "2 12 32 Proven at 32");
        assert_eq!(play(once(10), 60, cheap, |_| Some(Confidence::Possible)), "2 12 32 72 95 Timeout at 100");
        assert_eq!(play(once(1), 60, cheap, |_| None), "2 5 Timeout at 10");
    }

    #[test]
    fn a_watch_goes_on_and_costs_little() {
        let watch = || Visit::new(Stay::Watch, None);
        assert_eq!(play(watch(), 23, Duration::from_millis(5), |_| Some(Confidence::Certain)), "2 12 62 112 162 212");
        // Half a second of processor time each: 0.4 % of a processor is one such look in 125 s.
        let dear = play(watch(), 600, Duration::from_millis(500), |_| None);
        assert_eq!(dear.split(' ').count(), 6, "{dear}");
    }
}
