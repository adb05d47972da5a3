//! Which threads are still, and for how long; and how much the run computed. Pure.

use std::collections::BTreeMap;

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{ProcessId, RunNs, ThreadId};

use crate::observe::ThreadNow;
use crate::watchdog::STILL;

#[derive(Debug)]
struct Seen {
    switches: u64,
    cpu_ns: u64,
    since: RunNs,
    state: TaskState,
    mark: u64,
}

/// What the threads of a run did since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pulse {
    /// When the last of those that are still went still.
    pub(super) still_since: Option<RunNs>,
    /// The same for the command's first thread.
    pub(super) root_still_since: Option<RunNs>,
    /// Whether the run used at least 1 % of a processor.
    pub(super) computes: bool,
}

/// Remembers each thread's last change.
#[derive(Debug, Default)]
pub(super) struct Stillness {
    threads: BTreeMap<ThreadId, Seen>,
    mark: u64,
    last: RunNs,
}

impl Stillness {
    /// One sample of all threads. A thread is still when its voluntary switches and its processor time
    /// have not changed for [`STILL`] and it does not run; short timed wake-ups of others do not matter.
    pub(super) fn look(&mut self, now: RunNs, root: ProcessId, threads: impl Iterator<Item = ThreadNow>) -> Pulse {
        self.mark += 1;
        let mut used = 0;
        for thread in threads {
            let cpu_ns = thread.cpu_ns.unwrap_or(0);
            let switches = thread.vol + thread.invol;
            let seen = self.threads.entry(thread.thread).or_insert(Seen {
                switches,
                cpu_ns: 0,
                since: now,
                state: thread.state,
                mark: 0,
            });
            used += cpu_ns.saturating_sub(seen.cpu_ns);
            let moved = switches != seen.switches || cpu_ns != seen.cpu_ns || thread.state != seen.state;
            if moved || thread.state == TaskState::R {
                seen.since = now;
            }
            (seen.switches, seen.cpu_ns, seen.state, seen.mark) = (switches, cpu_ns, thread.state, self.mark);
        }
        self.threads.retain(|_, seen| seen.mark == self.mark);
        let interval = now.0.saturating_sub(self.last.0);
        self.last = now;
        Pulse {
            still_since: self.still(now).filter(|seen| !is_over(seen.state)).map(|seen| seen.since).max(),
            root_still_since: self
                .threads
                .get(&ThreadId::main_of(root))
                .filter(|seen| is_still(seen, now))
                .map(|s| s.since),
            computes: used > 0 && used >= interval / 100,
        }
    }

    /// Begins anew, after a time in which nobody could move.
    pub(super) fn forget(&mut self, now: RunNs) {
        for seen in self.threads.values_mut() {
            seen.since = now;
        }
        self.last = now;
    }

    fn still(&self, now: RunNs) -> impl Iterator<Item = &Seen> {
        self.threads.values().filter(move |seen| is_still(seen, now))
    }
}

fn is_still(seen: &Seen, now: RunNs) -> bool {
    now.since(seen.since) >= STILL
}

/// A first thread that ended before the others is a zombie for as long as they live: that is no wait.
fn is_over(state: TaskState) -> bool {
    matches!(state, TaskState::Z | TaskState::X)
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::{Big, Pid, Tid};

    use super::*;

    const ROOT: ProcessId = ProcessId { pid: Pid(10), start: Big(1) };

    fn thread(tid: u32, state: char, vol: u64, cpu_ms: u64) -> ThreadNow {
        let thread = ThreadId { process: ROOT, tid: Tid(tid) };
        ThreadNow { thread, state: TaskState::from_letter(state), vol, invol: 0, cpu_ns: Some(cpu_ms * 1_000_000) }
    }

    #[test]
    fn a_thread_is_still_when_its_counters_stand() {
        let mut stillness = Stillness::default();
        let quarter = 250_000_000;
        let mut look =
            |n: u64, threads: &[ThreadNow]| stillness.look(RunNs(n * quarter), ROOT, threads.iter().copied());
        // 10 waits from the first look on; 11 wakes up every time; 12 computes.
        let mut pulse = Pulse::default();
        for n in 1..=3 {
            pulse = look(n, &[thread(10, 'S', 5, 1), thread(11, 'S', n, 1), thread(12, 'R', 0, 200 * n)]);
        }
        assert_eq!(pulse.still_since, Some(RunNs(quarter)));
        assert_eq!(pulse.root_still_since, Some(RunNs(quarter)));
        assert!(pulse.computes);
        // 12 goes to sleep, and joins the still ones half a second later.
        for n in 4..=6 {
            pulse = look(n, &[thread(10, 'S', 5, 1), thread(11, 'S', n, 1), thread(12, 'S', 1, 700)]);
        }
        assert_eq!(pulse.still_since, Some(RunNs(4 * quarter)));
        assert!(!pulse.computes);
        // The command's first thread moves: no longer still.
        pulse = look(7, &[thread(10, 'S', 6, 1), thread(12, 'S', 1, 700)]);
        assert_eq!((pulse.root_still_since, pulse.still_since), (None, Some(RunNs(4 * quarter))));
    }
}
