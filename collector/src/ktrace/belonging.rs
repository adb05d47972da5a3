//! Which events are the run's. The rings hold those of the whole machine.
//!
//! A thread is the run's from the event of its fork on, when a thread of the run forked it; or from the beginning, when
//! the samples know it and its fork is no longer in the ring. The fork of a thread comes before whatever it does: a ring
//! that has lost the fork of a thread that ended soon has lost most of the rest as well. It stops with its end: numbers are
//! used again.

use std::collections::BTreeSet;

use hangdog_schemas::record::{KernelDeed, KernelEvent};

/// The threads of a run, from event to event.
#[derive(Debug, Default)]
pub(super) struct Belonging(BTreeSet<u32>);

impl Belonging {
    /// Begins with the command.
    pub(super) fn with(&mut self, root: u32) {
        self.0.insert(root);
    }

    /// Before a look at events: threads that the samples know now. Those that were forked within the events belong from
    /// there on only: before, the number was somebody else's.
    pub(super) fn know<'a>(&mut self, threads: &[u32], events: impl Iterator<Item = &'a KernelEvent>) {
        let forked: BTreeSet<u32> = events
            .filter_map(|event| match &event.what {
                KernelDeed::Fork { child, .. } => Some(child.0),
                _ => None,
            })
            .collect();
        self.0.extend(threads.iter().filter(|thread| !forked.contains(thread)));
    }

    /// Whether an event is the run's. Events are to come in the order of their times.
    pub(super) fn takes(&mut self, event: &KernelEvent) -> bool {
        let actor = event.tid.0;
        let is_own = self.0.contains(&actor);
        match &event.what {
            KernelDeed::Fork { child, .. } => {
                // The number was free, whoever had it.
                if is_own {
                    self.0.insert(child.0);
                } else {
                    self.0.remove(&child.0);
                }
                is_own
            }
            KernelDeed::Exit { .. } => self.0.remove(&actor),
            // The kernel gives it the number of the first thread, which has ended.
            KernelDeed::Exec { was: Some(was), .. } if self.0.remove(&was.0) => {
                self.0.insert(actor);
                true
            }
            KernelDeed::Wake { woken, .. } => is_own || self.0.contains(&woken.0),
            KernelDeed::SignalSent { target, .. } => is_own || self.0.contains(&target.0),
            _ => is_own,
        }
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::record::Doer;
    use hangdog_schemas::{Tid, When};

    use super::*;

    /// `1f2`: 1 forks 2; `1s2`: 1 signals 2; `1x`: 1 exits; `1e2`: 1 begins a program, and was 2; `1e`: anything else.
    fn event(text: &str) -> KernelEvent {
        let numbers: Vec<u32> =
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        let comm = String::new();
        let what = match text.chars().find(|c| c.is_alphabetic()) {
            Some('f') => KernelDeed::Fork { child: Tid(numbers[1]), comm },
            Some('s') => KernelDeed::SignalSent { signal: 9, code: 0, target: Tid(numbers[1]), comm, result: 0 },
            Some('x') => KernelDeed::Exit { comm, last: None },
            _ => KernelDeed::Exec { file: comm, was: numbers.get(1).copied().map(Tid) },
        };
        KernelEvent { when: When::default(), tid: Tid(numbers[0]), by: Doer::Thread, what }
    }

    #[track_caller]
    fn check(known: &[u32], events: &str, taken: &str) {
        let events: Vec<KernelEvent> = events.split(' ').map(event).collect();
        let mut belonging = Belonging::default();
        belonging.with(1);
        belonging.know(known, events.iter());
        let found: String = events.iter().map(|event| if belonging.takes(event) { '+' } else { '-' }).collect();
        assert_eq!(found, taken);
    }

    #[test]
    fn threads_of_the_run_are_followed_from_fork_to_exit() {
        check(&[], "1e 2e 1f2 2e 2f3 3e 3x 3e", "+-+++++-");
        check(&[7], "7e 8e 7x 7e", "+-+-");
        // 7 is somebody else's until it is forked by the run.
        check(&[7], "7e 7x 1f7 7e", "--++");
        // 2 was the run's, ended unseen, and is somebody else's now.
        check(&[2], "2e 9f2 2e", "---");
        check(&[], "9s1 9s8 1s9", "+-+");
        check(&[], "1f2 1x 1e2 1e 2e 7e8", "++++--");
    }
}
