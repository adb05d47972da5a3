//! When to look closer, and when to act. Pure: events and their times go in, one action comes out.
//!
//! ```text
//! threads:  running ──▶ some are still ─────────────────────────────────────────────▶
//! looks:                     0.5 s   1 s     2 s          4 s   … light, doubling up to 60 s
//! judged:                            ▼       ▼            ▼     two looks show whether a wait is the same
//! certain and the command waits:     end at once
//! likely:                                                       end at --quiet-after, after two full looks
//! anything else:                                                say so at --quiet-after, end at --timeout
//! ```
//!
//! Whether a look that is wanted begins, waits, or is covered by another one is decided in [`Gate`].
//!
//! *Progress* is something new ([`News`]); *still* is a thread whose switches do not grow. They are
//! different questions: a server with a deadlocked worker still answers pings, and a compile in which
//! nothing is still is no progress for a minute. So the light looks follow what is still, and the quiet
//! time follows what is new.
//!
//! Invariants: quiet without a proven dead set never ends a run, nor does a verdict in whose chain the
//! command does not stand; light looks together cost at most [`SHARE`] of one processor in the long run.

mod budget;
mod gate;
#[cfg(test)]
mod tests;
mod visit;

use std::time::Duration;

use hangdog_schemas::record::{SnapshotExtent, TriggerReason};
use hangdog_schemas::{Confidence, RunNs};

use budget::Budget;
pub use budget::SHARE;
pub use gate::{Gate, Hurry, Outcome, Pass};
pub use visit::{APART, Stay, Visit};

use crate::judge::Moment;
use crate::run::OnHang;

/// How long a set of threads is still until the first light look.
pub const STILL: Duration = Duration::from_millis(500);
/// Light looks of one still set are never further apart than this.
const LONGEST_STEP: Duration = Duration::from_mins(1);
/// Between the two full looks, so that "the same wait" can be judged.
const BETWEEN_FULL: Duration = Duration::from_millis(600);
/// How long an overdue end waits for the judge's last word.
const LAST_WORD: Duration = Duration::from_secs(5);

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `--quiet-after`.
    pub quiet_after: Duration,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// `--on-hang`.
    pub on_hang: OnHang,
}

/// Something new in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// It was started; of processes that ran already: the first look at them.
    Start,
    /// At least 1 % of a processor since the sample before.
    Cpu,
    /// A process appeared.
    ProcessStart,
    /// A process ended.
    ProcessEnd,
    /// A process runs another program.
    Program,
    /// A phase that is not a repeat.
    Phase,
    /// The command wrote something.
    Output,
    /// The whole run was stopped and goes on, or the machine slept.
    Continued,
}

impl News {
    /// The word in a trigger.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "the start of the command",
            Self::Cpu => "cpu",
            Self::ProcessStart => "a new process",
            Self::ProcessEnd => "the end of a process",
            Self::Program => "a new program",
            Self::Phase => "a new phase",
            Self::Output => "output",
            Self::Continued => "the run was continued",
        }
    }
}

/// What one sample showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The most telling new thing since the sample before.
    pub news: Option<News>,
    /// When the last of the threads that are still went still; `None` when none has been for [`STILL`].
    pub still_since: Option<RunNs>,
    /// When the command's first thread went still; `None` when it moves.
    pub root_still_since: Option<RunNs>,
}

/// What the judge said, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Confidence of the verdict, when it is a hang.
    pub hang: Option<Confidence>,
    /// Whether the command is in the chain.
    pub command: Involved,
    /// When the earlier of the two looks began.
    pub since: RunNs,
}

/// Whether the command itself is part of a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Involved {
    /// It is in the set, or waits on it.
    Command,
    /// Only others.
    Others,
}

/// Something the watchdog is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A sample was taken.
    Sampled(Progress),
    /// The look that was wanted is complete, or another one that covers it, or it was given up; `spent` is what hangdog
    /// and its helpers used for it, and for judging the one before.
    Looked {
        /// How much was looked at.
        extent: SnapshotExtent,
        /// Processor time.
        spent: Duration,
    },
    /// The judge answered.
    Judged(Judgement),
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Nothing.
    Wait,
    /// Take a snapshot; then ask the judge, if there are two.
    Look {
        /// How much.
        extent: SnapshotExtent,
        /// Why.
        reason: TriggerReason,
    },
    /// Show the verdict; the run goes on.
    Announce(Moment),
    /// End the run.
    End(Moment),
}

/// How far the two full looks are, at `--quiet-after` or `--timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    NotDue,
    First,
    SecondAt(RunNs),
    Second,
    Judging(RunNs),
    Told,
}

/// What decides in a main loop.
#[derive(Debug)]
pub enum Watch {
    /// Over a command that hangdog started.
    Command(Watchdog),
    /// Over processes that ran already.
    Others(Visit),
}

impl Watch {
    /// One event in, one action out.
    pub fn observe(&mut self, now: RunNs, event: &Event) -> Action {
        match self {
            Self::Command(watchdog) => watchdog.observe(now, event),
            Self::Others(visit) => visit.observe(now, event),
        }
    }

    /// The last progress and what it was.
    pub fn last_progress(&self) -> (RunNs, News) {
        match self {
            Self::Command(watchdog) => watchdog.last_progress(),
            Self::Others(visit) => visit.last_progress(),
        }
    }
}

/// The watchdog of one run.
#[derive(Debug)]
pub struct Watchdog {
    policy: Policy,
    last_news: (RunNs, News),
    /// The still set that the light looks follow, and how long after it the next one is due.
    anchor: Option<RunNs>,
    step: Duration,
    looking: bool,
    budget: Budget,
    root_still_since: Option<RunNs>,
    judged: Option<Judgement>,
    quiet: Full,
    timeout: Full,
    proven_told: bool,
    ended: bool,
}

impl Watchdog {
    /// A watchdog for a run that began at 0.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            last_news: (RunNs(0), News::Start),
            anchor: None,
            step: STILL,
            looking: false,
            budget: Budget::new(),
            root_still_since: None,
            judged: None,
            quiet: Full::NotDue,
            timeout: Full::NotDue,
            proven_told: false,
            ended: false,
        }
    }

    /// The last progress and what it was.
    pub fn last_progress(&self) -> (RunNs, News) {
        self.last_news
    }

    /// One event in, one action out. After [`Action::Look`] it waits for [`Event::Looked`] before the next.
    pub fn observe(&mut self, now: RunNs, event: &Event) -> Action {
        if self.ended {
            return Action::Wait;
        }
        let action = match event {
            Event::Sampled(progress) => self.sampled(now, progress),
            Event::Looked { extent, spent } => self.looked(now, *extent, *spent),
            Event::Judged(judgement) => self.judged(now, *judgement),
        };
        self.looking |= matches!(action, Action::Look { .. });
        self.ended |= matches!(action, Action::End(_));
        action
    }

    fn sampled(&mut self, now: RunNs, progress: &Progress) -> Action {
        self.root_still_since = progress.root_still_since;
        if let Some(news) = progress.news {
            self.last_news = (now, news);
            self.quiet = Full::NotDue;
        }
        let is_quiet = self.is_quiet(now);
        let is_over = self.policy.timeout.is_some_and(|limit| now.since(RunNs(0)) >= limit);
        if is_over && self.timeout != Full::Told {
            if let Some(action) = self.full_look(now, TriggerReason::Timeout) {
                return action;
            }
        } else if is_quiet
            && self.quiet != Full::Told
            && let Some(action) = self.full_look(now, TriggerReason::Quiet)
        {
            return action;
        }
        self.light_look(now, progress.still_since)
    }

    fn is_quiet(&self, now: RunNs) -> bool {
        now.since(self.last_news.0) >= self.policy.quiet_after
    }

    fn stage(&mut self, reason: TriggerReason) -> &mut Full {
        if reason == TriggerReason::Timeout { &mut self.timeout } else { &mut self.quiet }
    }

    fn full_look(&mut self, now: RunNs, reason: TriggerReason) -> Option<Action> {
        if self.looking {
            return None;
        }
        let look = Action::Look { extent: SnapshotExtent::Full, reason };
        let stage = self.stage(reason);
        match *stage {
            Full::NotDue => {
                *stage = Full::First;
                Some(look)
            }
            Full::SecondAt(due) if now >= due => {
                *stage = Full::Second;
                Some(look)
            }
            Full::Judging(since) if now.since(since) >= LAST_WORD => {
                *stage = Full::Told;
                Some(self.conclude(reason))
            }
            _ => None,
        }
    }

    fn light_look(&mut self, now: RunNs, still_since: Option<RunNs>) -> Action {
        if still_since > self.anchor {
            self.step = STILL;
        }
        self.anchor = still_since;
        let Some(anchor) = still_since else { return Action::Wait };
        let full_looks_run = |stage| matches!(stage, Full::First | Full::SecondAt(_) | Full::Second);
        if self.looking || full_looks_run(self.quiet) || full_looks_run(self.timeout) {
            return Action::Wait;
        }
        if now.since(anchor) < self.step || !self.budget.allows(now) {
            return Action::Wait;
        }
        self.skip_steps(now, anchor);
        Action::Look { extent: SnapshotExtent::Light, reason: TriggerReason::Still }
    }

    /// The next step that is not over yet: looks that were missed are not made up for.
    fn skip_steps(&mut self, now: RunNs, anchor: RunNs) {
        while self.step <= now.since(anchor) {
            self.step += self.step.min(LONGEST_STEP);
        }
    }

    fn looked(&mut self, now: RunNs, extent: SnapshotExtent, spent: Duration) -> Action {
        self.looking = false;
        if let Some(anchor) = self.anchor {
            self.skip_steps(now, anchor);
        }
        if extent == SnapshotExtent::Light {
            self.budget.spend(now, spent);
            return Action::Wait;
        }
        for stage in [&mut self.timeout, &mut self.quiet] {
            match *stage {
                Full::First => *stage = Full::SecondAt(now.plus(BETWEEN_FULL.as_nanos() as u64)),
                Full::Second => *stage = Full::Judging(now),
                _ => {}
            }
        }
        Action::Wait
    }

    fn judged(&mut self, now: RunNs, judgement: Judgement) -> Action {
        self.judged = Some(judgement);
        let at_once = judgement.hang == Some(Confidence::Certain)
            && judgement.command == Involved::Command
            && self.root_still_since.is_some_and(|since| since <= judgement.since);
        if at_once {
            // Under `report` it may be told already, and `--timeout` still counts.
            let action = self.proven();
            if action != Action::Wait {
                return action;
            }
        }
        if matches!(self.timeout, Full::Judging(_)) {
            self.timeout = Full::Told;
            return self.conclude(TriggerReason::Timeout);
        }
        let is_quiet = self.is_quiet(now) && judgement.since >= self.last_news.0;
        let is_first_of_quiet = matches!(self.quiet, Full::Judging(_));
        if is_first_of_quiet {
            self.quiet = Full::Told;
        } else if self.quiet != Full::Told {
            return Action::Wait;
        }
        if is_quiet && judgement.hang >= Some(Confidence::Likely) && judgement.command == Involved::Command {
            self.proven()
        } else if is_first_of_quiet {
            Action::Announce(Moment::Quiet)
        } else {
            Action::Wait
        }
    }

    /// The judge did not answer in time, or `--timeout` was reached and everything is known.
    fn conclude(&mut self, reason: TriggerReason) -> Action {
        match (reason, self.policy.on_hang) {
            (TriggerReason::Timeout, OnHang::Wait) => Action::Announce(Moment::Timeout),
            (TriggerReason::Timeout, _) => Action::End(Moment::Timeout),
            _ => Action::Announce(Moment::Quiet),
        }
    }

    fn proven(&mut self) -> Action {
        match self.policy.on_hang {
            OnHang::Rescue | OnHang::Kill => Action::End(Moment::Proven),
            OnHang::Report | OnHang::Wait if self.proven_told => Action::Wait,
            OnHang::Report | OnHang::Wait => {
                self.proven_told = true;
                self.quiet = Full::Told;
                Action::Announce(Moment::Proven)
            }
        }
    }
}
