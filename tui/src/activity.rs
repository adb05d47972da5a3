//! When any thread of a process ran, merged: what the lane of a folded process shows, however many threads it has.

use std::collections::BTreeMap;

use hangdog_schemas::fact::TaskState;
use hangdog_schemas::{ProcessId, RunNs};
use hangdog_timeline::Timeline;

/// Stretches of running, by process.
pub(crate) struct Activity {
    /// Ordered, apart from each other.
    stretches: BTreeMap<ProcessId, Vec<(RunNs, RunNs)>>,
}

impl Activity {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let mut stretches: BTreeMap<ProcessId, Vec<(RunNs, RunNs)>> = BTreeMap::new();
        let end = timeline.end().plus(1);
        for (thread, _) in timeline.threads() {
            let states = timeline.thread_states(thread);
            let gone = timeline.thread_gone(thread).unwrap_or(end);
            let own = stretches.entry(thread.process).or_default();
            for (n, at) in states.iter().enumerate().filter(|(_, at)| at.state == TaskState::R) {
                let until = states.get(n + 1).map_or(gone, |next| next.since);
                own.push((at.since, until.max(at.since.plus(1))));
            }
        }
        for own in stretches.values_mut() {
            own.sort_unstable();
            own.dedup_by(|later, earlier| {
                let touch = later.0 <= earlier.1;
                if touch {
                    earlier.1 = earlier.1.max(later.1);
                }
                touch
            });
            own.shrink_to_fit();
        }
        Self { stretches }
    }

    /// Whether any thread of a process ran within `from..to`.
    pub(crate) fn ran(&self, process: ProcessId, from: RunNs, to: RunNs) -> bool {
        let Some(own) = self.stretches.get(&process) else { return false };
        let next = own.partition_point(|(_, end)| *end <= from);
        own.get(next).is_some_and(|(begin, _)| *begin < to)
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::record::{Sample, ThreadSample};
    use hangdog_schemas::{Big, Pid, Record, ThreadId, Tid, When};

    use super::*;

    /// Drawn as `R` and `S`, ten nanoseconds a letter; a line a thread.
    #[track_caller]
    fn check(threads: &[&str], expected: &str) {
        let process = ProcessId { pid: Pid(1), start: Big(1) };
        let mut records = vec![crate::sample::header()];
        for at in 0..expected.len() {
            let thread = |(n, line): (usize, &&str)| ThreadSample {
                thread: ThreadId { process, tid: Tid(n as u32 + 1) },
                comm: None,
                state: if line.as_bytes()[at] == b'R' { TaskState::R } else { TaskState::S },
                cpu_ns: None,
                vol: 0,
                invol: 0,
            };
            let when = When::exactly(RunNs(at as u64 * 10));
            let threads = threads.iter().enumerate().map(thread).collect();
            records.push(Record::Sample(Sample { when, threads, gone: Vec::new() }));
        }
        let activity = Activity::of(&Timeline::build(records).unwrap());
        let drawn: String = (0..expected.len() as u64)
            .map(|at| if activity.ran(process, RunNs(at * 10), RunNs(at * 10 + 10)) { 'R' } else { '.' })
            .collect();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_process_ran_when_any_of_its_threads_did() {
        check(&["RRSSSSRS"], "RR....R.");
        check(&["RSSSRSSS", "SRSSSSSS", "SSSSRRSS"], "RR..RR..");
        check(&["SSSS", "SSSS"], "....");
    }
}
