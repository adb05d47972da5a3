//! A worker that sleeps in a read for longer than most reads take: it may be stuck, and is not given up yet. What else it
//! was to read is done by others meanwhile, so that the time that reads are waited for does not add up.

use std::time::Instant;

use super::process::letter;
use super::{Ask, SOON, State, Worker};

impl Worker {
    /// Whether it has waited in the kernel for a while, or has to be replaced: others may read in its stead.
    pub(super) fn waits(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Running { since, waits, .. } => {
                if !*waits && now.saturating_duration_since(*since) > SOON {
                    // One that could run only wants a processor.
                    *waits = !matches!(self.pid.and_then(letter), Some('R'));
                }
                *waits
            }
            State::Killed { .. } | State::Broken => true,
            State::Idle => false,
        }
    }

    /// Whether nothing is asked of it.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Gives away what it has not begun, but for what is of the process in which it waits: the same lock may be held.
    pub(super) fn hand_on(&mut self) -> Vec<Ask> {
        let State::Running { to, handed_on, .. } = &mut self.state else { return Vec::new() };
        let Some(now) = self.asks.get(self.next) else { return Vec::new() };
        let is_near = |ask: &Ask| ask.pid == now.pid;
        let near = self.asks[self.next..].iter().rposition(is_near).unwrap_or(0);
        let rest = self.asks.split_off(self.next + near + 1);
        if self.asks.len() < *to {
            (*to, *handed_on) = (self.asks.len(), true);
        }
        self.answers.truncate(self.asks.len());
        rest
    }
}
