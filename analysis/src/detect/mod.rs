//! Kinds of findings, a file each: the sentence, the advice, what frees it.

mod deadlock_cycle;
mod external_wait;
mod frozen;
mod idle_holder;
mod lost_wakeup;
mod orphan_wait;
mod polling;
mod pool_exhausted;
mod runtimes;
mod self_deadlock;
mod spinning;
mod stale_lock;
mod stopped_holder;
mod terminal_prompt;
mod unknown;
mod zombie;

pub(crate) use polling::polling;
pub(crate) use spinning::spinning;
pub(crate) use stale_lock::stale_lock;
pub(crate) use unknown::unknown;
pub(crate) use zombie::zombie;

use hangdog_schemas::FindingKind;

use crate::cause::Cause;
use crate::graph::{Graph, Link};
use crate::view::View;
use crate::wait::{Class, Wait};
use crate::words;

/// A cause and where it was found.
pub(crate) struct Story<'s> {
    pub(crate) view: &'s View<'s>,
    pub(crate) graph: &'s Graph,
    pub(crate) cause: &'s Cause<'s>,
}

/// What a detector says.
pub(crate) struct Told {
    pub(crate) sentence: String,
    pub(crate) advice: Vec<String>,
}

impl Story<'_> {
    /// The words of this story.
    pub(crate) fn tell(&self) -> Told {
        match self.cause.kind {
            FindingKind::DeadlockCycle => deadlock_cycle::tell(self),
            FindingKind::SelfDeadlock => self_deadlock::tell(self),
            FindingKind::OrphanWait => orphan_wait::tell(self),
            FindingKind::LostWakeup => lost_wakeup::tell(self),
            FindingKind::PoolExhausted => pool_exhausted::tell(self),
            FindingKind::IdleHolder => idle_holder::tell(self),
            FindingKind::StoppedHolder => stopped_holder::tell(self),
            FindingKind::Frozen => frozen::tell(self),
            FindingKind::TerminalPrompt => terminal_prompt::tell(self),
            _ => external_wait::tell(self),
        }
    }

    fn name(&self, task: usize) -> String {
        self.view.name(self.graph.tasks[task].key)
    }

    /// The way to the cause with a comma after it, or nothing when the command itself is the cause:
    /// `run[7] waits for the exit of cat[9], which `.
    fn way_which(&self, task: usize) -> String {
        if self.cause.way.is_empty() {
            format!("{} ", self.name_in_phase(task))
        } else {
            // The last two links tell the most; a shell in front of them adds nothing.
            let way = &self.cause.way;
            let shown = &way[way.len().saturating_sub(2)..];
            format!("{}, which ", words::chain(self.view, self.graph, shown))
        }
    }

    /// `; behind it: cat[9] is in openat("/mnt/x") on a FUSE mount served by quotad[5]`.
    fn behind(&self) -> String {
        // That the threads of a program wait for what its tasks do says nothing more.
        let adds = |link: &&Link<'_>| link.wait.class != Class::Event;
        let Some(last) = self.cause.way.last().filter(adds) else { return String::new() };
        let mut text = format!("; behind it {}", words::chain(self.view, self.graph, &[*last]));
        let own = self.cause.cycle.iter().any(|link| link.wait.class == Class::FuseReply);
        if last.wait.class == Class::FuseReply && !own {
            text.push_str(", which does not read its requests");
        }
        text
    }

    /// `task 7 of svc[10] (in GET /a > get)`.
    fn name_in_phase(&self, task: usize) -> String {
        let phase = self.view.phase_names(self.graph.tasks[task].key);
        phase.map_or_else(|| self.name(task), |phase| format!("{} (in {})", self.name(task), words::short(&phase)))
    }

    fn phrase(&self, task: usize, wait: &Wait, resolver: &str) -> String {
        words::phrase(self.graph, task, wait, resolver)
    }

    /// All links of the story: the way, then the ring.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link<'_>> {
        self.cause.way.iter().chain(&self.cause.cycle)
    }
}
