//! How much of which kind still goes into a capture. Pure.
//!
//! A reader stops at a limit of text ([`Limits::total`](hangdog_schemas::file::Limits)), and what matters most
//! comes last: so the more text there is, the fewer kinds are taken.
//!
//! ```text
//! 0 ─────────────── 1/2 ───────────── 3/4 ──────────── 7/8 ──────────── limit
//!   samples, phases, │   processes,    │    full         │    triggers, actions,
//!   output, events   │   light looks   │    snapshots    │    the end, the report
//! ```

use std::collections::BTreeMap;

use hangdog_schemas::record::{Lost, SnapshotExtent};
use hangdog_schemas::{Record, RunNs, SnapshotId, When};

/// Counts what was written, and says what still is.
#[derive(Debug)]
pub(super) struct Ration {
    limit: u64,
    text: u64,
    /// The snapshot that is not taken: its facts go with its begin.
    refused: Option<SnapshotId>,
    /// What was left out and not said yet.
    left_out: BTreeMap<&'static str, u64>,
    last: RunNs,
}

impl Ration {
    /// For a reader that takes `limit` bytes of text.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, text: 0, refused: None, left_out: BTreeMap::new(), last: RunNs(0) }
    }

    /// Whether a record is to be written. `bytes` is its length as a line.
    pub(super) fn takes(&mut self, record: &Record, bytes: u64) -> bool {
        self.last = self.last.max(record.when().unwrap_or_default());
        if let Record::SnapshotBegin(begin) = record {
            self.refused = (self.text >= self.share(record)).then_some(begin.snapshot);
        }
        // A snapshot is whole or not there.
        let takes = match record.snapshot() {
            Some(snapshot) => self.refused != Some(snapshot),
            None => self.text < self.share(record),
        };
        if takes {
            self.text += bytes;
        } else {
            *self.left_out.entry(name(record)).or_default() += 1;
        }
        takes
    }

    /// Up to how much text a record is taken.
    fn share(&self, record: &Record) -> u64 {
        match record {
            Record::Sample(_)
            | Record::PhaseOpen(_)
            | Record::PhaseClose(_)
            | Record::PhaseState(_)
            | Record::Output(_)
            | Record::FileEvent(_)
            | Record::KernelEvent(_)
            | Record::Call(_)
            | Record::Visit(_) => self.limit / 2,
            Record::ProcessStart(_) | Record::ProcessChange(_) | Record::ProcessEnd(_) | Record::Anchor(_) => {
                self.limit / 4 * 3
            }
            Record::SnapshotBegin(begin) if begin.extent == SnapshotExtent::Light => self.limit / 4 * 3,
            Record::SnapshotBegin(_) => self.limit / 8 * 7,
            _ => u64::MAX,
        }
    }

    /// What was left out since the last call.
    pub(super) fn take_losses(&mut self) -> Vec<Record> {
        let when = When::exactly(self.last);
        let lost = std::mem::take(&mut self.left_out).into_iter().map(|(name, records)| {
            let at = format!("{name}, since the capture has grown to {} MiB", self.text >> 20);
            Record::Lost(Lost { when, at, records })
        });
        let lost: Vec<Record> = lost.collect();
        self.text += 200 * lost.len() as u64;
        lost
    }
}

fn name(record: &Record) -> &'static str {
    match record {
        Record::Sample(_) => "samples",
        Record::PhaseOpen(_) | Record::PhaseClose(_) | Record::PhaseState(_) => "phases",
        Record::Output(_) => "output",
        Record::FileEvent(_) => Lost::FILE_EVENTS,
        Record::KernelEvent(_) => Lost::KERNEL_EVENTS,
        Record::ProcessStart(_) | Record::ProcessChange(_) | Record::ProcessEnd(_) => "processes",
        Record::Anchor(_) => "clock anchors",
        _ => "facts of snapshots",
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::record::{
        Output, ProcessEnd, RunEnd, Sample, SnapshotBegin, SnapshotEnd, Stream, Trigger, TriggerReason,
    };
    use hangdog_schemas::{Big, Pid, ProcessId};

    use super::*;

    const PROCESS: ProcessId = ProcessId { pid: Pid(1), start: Big(1) };

    /// `s`ample, `o`utput, `p`rocess, `l`ight and `f`ull begin of a snapshot with its `e`nd, `t`rigger, end of the `r`un.
    fn record(letter: char, snapshot: SnapshotId) -> Record {
        let when = When::default();
        let reason = TriggerReason::Still;
        let begin = |extent| Record::SnapshotBegin(SnapshotBegin { when, snapshot, extent, reason });
        match letter {
            's' => Record::Sample(Sample::default()),
            'o' => Record::Output(Output { when, stream: Stream::Stdout, bytes: 1, text: None }),
            'p' => Record::ProcessEnd(ProcessEnd { when, process: PROCESS, how: None }),
            'l' => begin(SnapshotExtent::Light),
            'f' => begin(SnapshotExtent::Full),
            'e' => Record::SnapshotEnd(SnapshotEnd { when, snapshot, stalls: 0 }),
            't' => Record::Trigger(Trigger { when, reason, last_progress: RunNs(0), progress: String::new() }),
            'r' => Record::RunEnd(RunEnd { when, how: None, ended_by_hangdog: true, cpu_ns: 0, own_cpu_ns: 0 }),
            other => panic!("no record is called {other}"),
        }
    }

    /// Each record has 10 bytes of 160; `-` stands for one that is left out.
    #[track_caller]
    fn check(offered: &str, taken: &str) {
        let mut ration = Ration::new(160);
        let mut snapshot = 0;
        let found: String = offered
            .chars()
            .map(|letter| {
                snapshot += u32::from(matches!(letter, 'l' | 'f'));
                if ration.takes(&record(letter, SnapshotId(snapshot)), 10) { letter } else { '-' }
            })
            .collect();
        assert_eq!(found, taken);
        let lost: u64 = ration
            .take_losses()
            .iter()
            .map(|record| match record {
                Record::Lost(lost) => lost.records,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(lost, taken.chars().filter(|letter| *letter == '-').count() as u64);
        assert!(ration.take_losses().is_empty());
    }

    #[test]
    fn the_first_are_taken_and_of_the_last_those_that_matter() {
        check("ssssssss", "ssssssss");
        check("ssssssssso", "ssssssss--");
        check("sssssssspsppspppp", "ssssssssp-pp-p---");
        check("ssssssssppppplefetr", "sssssssspppp---fetr");
        // A snapshot that was begun is whole; the next is not there at all.
        check("ssssssssppplesoletr", "ssssssssppple----tr");
    }
}
