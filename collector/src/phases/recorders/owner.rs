//! Whose a recorder is, and how its clock relates to the run's. Pure.
//!
//! A program knows itself by the numbers of its own namespaces. In a nested pid namespace its number is another; in a
//! time namespace its clocks are ahead or behind, and so is the start time that it reads of itself:
//!
//! ```text
//! host       boottime ──┬───────── start ────── anchor      CLOCK_REALTIME is the same for all, so at the
//! program    boottime ──┴─ + b ─── start + b ── anchor + b  anchor it tells b, and m for CLOCK_MONOTONIC
//! ```
//!
//! The wall clock can be set meanwhile, which looks like a `b`. It is none when the process with that number has
//! exactly the start time that the program says.
//!
//! A start time that had to be shifted is right within a tick only. So it is put together with the process that a
//! sample saw, and names one by itself only when no sample will see it any more.

use hangdog_flight::{Anchor, Owner};
use hangdog_schemas::{Big, ClockAnchor, Pid, ProcessId, When};

use crate::phases::{Moment, Processes};

/// Nearer than this, two clocks are the same: it is the time between looks at them.
const SAME: i64 = 10_000_000;
/// What is added to the error of times that had to be shifted.
const SHIFT_ERROR: u64 = 1_000_000;

/// The owner of a recorder as the observer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) process: ProcessId,
    /// What it calls itself, where that is another number than here.
    pub(super) inner_pid: Option<u32>,
    /// How far its `CLOCK_MONOTONIC` is ahead of the host's, ns.
    ahead: i64,
}

/// What is to be thought of a process that no sample knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It may be too new: the next sample will tell.
    Awaited,
    /// It ended before one saw it.
    Ended,
}

/// What the host's clocks said when the recorder was looked at for the first time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) clocks: ClockAnchor,
    pub(super) pid_namespace: u64,
    pub(super) ticks_per_second: u64,
    /// Whether the machine was suspended since the run began.
    pub(super) has_slept: bool,
}

impl Whose {
    /// `None` as long as a process of another pid namespace is not known, or one with other clocks is awaited.
    pub(super) fn find(
        owner: &Owner,
        anchor: &Anchor,
        host: &Host,
        processes: &dyn Processes,
        unseen: Unseen,
    ) -> Option<Self> {
        let same_pids = owner.pid_namespace == host.pid_namespace;
        let inner_pid = (!same_pids).then_some(owner.pid);
        let (monotonic, boottime) = ahead(anchor, &host.clocks);
        let tick = 1_000_000_000 / host.ticks_per_second.max(1) as i64;
        let shifted = owner.start_ticks.saturating_add_signed(-(boottime / tick));
        let by = |start: u64, slack: u64| {
            let known =
                if same_pids { processes.by_pid(owner.pid) } else { processes.by_inner(owner.pid, start, slack) };
            known.filter(|process| process.start.0.abs_diff(start) <= slack)
        };
        if let Some(process) = by(owner.start_ticks, 0) {
            // Its boottime is ours, so what the wall clock seems to say of it is a step of the wall clock. Its
            // monotonic clock alone may still be another; after a suspend that cannot be told from the suspend.
            let ahead = if host.has_slept { 0 } else { unless_same(monotonic - boottime) };
            return Some(Self { process, inner_pid, ahead });
        }
        if unless_same(boottime) != 0
            && let Some(process) = by(shifted, 1)
        {
            return Some(Self { process, inner_pid, ahead: unless_same(monotonic) });
        }
        // It may have ended before the first sample saw it, and is known well enough by what it says itself.
        let start = match (unless_same(boottime), unseen) {
            (0, _) => owner.start_ticks,
            (_, Unseen::Ended) if !processes.is_awaited(owner.pid) => shifted,
            (_, Unseen::Ended | Unseen::Awaited) => return None,
        };
        let process = ProcessId { pid: Pid(owner.pid), start: Big(start) };
        same_pids.then_some(Self { process, inner_pid, ahead: unless_same(monotonic) })
    }

    /// A time of the recorder on the run's time line: something that happened in `ns ..= ns + later`, and not after now.
    pub(super) fn when(&self, ns: u64, later: u64, moment: Moment) -> When {
        let run = |ns: u64| moment.clock.from_monotonic(ns.saturating_add_signed(-self.ahead));
        let from = run(ns).min(moment.now);
        let to = run(ns.saturating_add(later)).clamp(from, moment.now);
        let half = to.0.abs_diff(from.0).div_ceil(2);
        When { t: from.plus(to.0.abs_diff(from.0) / 2), err: half + if self.ahead == 0 { 0 } else { SHIFT_ERROR } }
    }
}

/// How far a program's `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME` are ahead of the host's, by the wall clock.
fn ahead(anchor: &Anchor, host: &ClockAnchor) -> (i64, i64) {
    let ago = host.realtime.0.wrapping_sub(anchor.realtime_ns);
    let ahead = |theirs: u64, ours: u64| theirs.wrapping_sub(ours.wrapping_sub(ago)) as i64;
    (ahead(anchor.monotonic_ns, host.monotonic.0), ahead(anchor.boottime_ns, host.boottime.0))
}

fn unless_same(ahead: i64) -> i64 {
    if ahead.abs() < SAME { 0 } else { ahead }
}

#[cfg(test)]
mod tests {
    use hangdog_flight::{BootId, ClockSource};
    use hangdog_schemas::{RunNs, Tid};

    use super::*;
    use crate::clock::RunClock;

    const SECOND: u64 = 1_000_000_000;

    /// The host knows process 40, started at 200 s of boottime, which calls itself 7 in a nested namespace.
    struct Host40;

    impl Processes for Host40 {
        fn by_pid(&self, pid: u32) -> Option<ProcessId> {
            (pid == 40).then_some(PROCESS)
        }

        fn is_awaited(&self, pid: u32) -> bool {
            pid == 42
        }

        fn by_start(&self, _: u64) -> Option<ProcessId> {
            None
        }

        fn by_inner(&self, pid: u32, start: u64, slack: u64) -> Option<ProcessId> {
            (pid == 7 && start.abs_diff(20_000) <= slack).then_some(PROCESS)
        }

        fn runs(&self, _: ProcessId) -> bool {
            true
        }

        fn is_there(&self, _: ProcessId) -> bool {
            true
        }

        fn ran(&self, _: ProcessId) -> Option<u64> {
            None
        }

        fn only_thread(&self, _: ProcessId) -> Option<Tid> {
            None
        }
    }

    const PROCESS: ProcessId = ProcessId { pid: Pid(40), start: Big(20_000) };

    /// The run began at 300 s of the monotonic clock, 310 s of boottime, and it is 20 s into the run. The program's
    /// anchor was read 5 s ago. Its clocks are `m` and `b` seconds ahead, the wall clock was set by `step`.
    #[track_caller]
    fn check(pid: u32, clocks: (i64, i64, i64), expected: Option<(u32, u64, u64, u64)>) {
        check_unseen(pid, clocks, Unseen::Ended, expected);
    }

    #[track_caller]
    fn check_unseen(pid: u32, (m, b, step): (i64, i64, i64), unseen: Unseen, expected: Option<(u32, u64, u64, u64)>) {
        let at = |seconds: i64| seconds as u64 * SECOND;
        let owner = Owner {
            pid,
            start_ticks: (20_000 + b * 100) as u64,
            boot_id: BootId(1),
            pid_namespace: if pid == 7 { 2 } else { 1 },
        };
        let anchor = Anchor {
            monotonic_ns: at(315 + m),
            boottime_ns: at(325 + b),
            realtime_ns: at(5000 - step),
            source: ClockSource::Tick,
            resolution_ns: 20_000_000,
        };
        let clocks = ClockAnchor {
            t: RunNs(20 * SECOND),
            monotonic: Big(at(320)),
            boottime: Big(at(330)),
            realtime: Big(at(5005)),
        };
        let host = Host { clocks, pid_namespace: 1, ticks_per_second: 100, has_slept: false };
        let whose = Whose::find(&owner, &anchor, &host, &Host40, unseen);
        let moment = Moment {
            clock: RunClock::at(300 * SECOND),
            now: RunNs(20 * SECOND),
            before: RunNs(0),
            asleep: 10 * SECOND,
        };
        // Something at 16 s of the run, ± half a tick of the recorder.
        let found = whose.map(|whose| {
            let when = whose.when(at(316 + m), 20_000_000, moment);
            (whose.process.pid.0, whose.process.start.0, when.t.0, when.err)
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn clocks_of_other_namespaces_are_put_on_the_time_line() {
        let t = 16 * SECOND + 10_000_000;
        check(40, (0, 0, 0), Some((40, 20_000, t, 10_000_000)));
        check(40, (86_400, 86_400, 0), Some((40, 20_000, t, 11_000_000)));
        check(40, (-50, 7, 0), Some((40, 20_000, t, 11_000_000)));
        check(40, (1000, 0, 0), Some((40, 20_000, t, 11_000_000)));
        // The wall clock was set, by an hour, and it is no time namespace.
        check(40, (0, 0, 3600), Some((40, 20_000, t, 10_000_000)));
        check(40, (0, 0, -3600), Some((40, 20_000, t, 10_000_000)));
        // In a pid namespace, with and without a time namespace; one that no sample saw.
        check(7, (0, 0, 0), Some((40, 20_000, t, 10_000_000)));
        check(7, (500, 500, 0), Some((40, 20_000, t, 11_000_000)));
        check(41, (0, 0, 0), Some((41, 20_000, t, 10_000_000)));
        check(41, (500, 500, 0), Some((41, 20_000, t, 11_000_000)));
        // The start time that it says may be a tick off: a sample knows better, as long as one may come.
        check_unseen(41, (0, 0, 0), Unseen::Awaited, Some((41, 20_000, t, 10_000_000)));
        check_unseen(41, (500, 500, 0), Unseen::Awaited, None);
        check(42, (0, 0, 0), Some((42, 20_000, t, 10_000_000)));
        check(42, (500, 500, 0), None);
    }

    #[test]
    fn a_time_is_the_middle_of_when_it_may_have_been_and_never_in_the_future() {
        let whose = Whose { process: PROCESS, inner_pid: None, ahead: 0 };
        let moment = Moment { clock: RunClock::at(100), now: RunNs(50), before: RunNs(0), asleep: 0 };
        let told = |ns, later| {
            let when = whose.when(ns, later, moment);
            (when.t.0, when.err)
        };
        assert_eq!(told(110, 20), (20, 10));
        assert_eq!(told(110, 0), (10, 0));
        assert_eq!(told(110, 5), (12, 3));
        assert_eq!(told(140, 200), (45, 5));
        assert_eq!(told(900, 200), (50, 0));
    }
}
