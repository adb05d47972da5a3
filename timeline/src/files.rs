//! File events by time and by path: who touched a file, in order.

use std::collections::BTreeMap;

use hangdog_schemas::record::{FileEvent, FileWatch};
use hangdog_schemas::{Big, ProcessId, RunNs};

use crate::Timeline;

/// All file events of a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// By time; those of one time stay in the order in which the kernel told of them.
    events: Vec<FileEvent>,
    watches: Vec<FileWatch>,
    /// Numbers of the events that name a path, in order.
    by_path: BTreeMap<String, Vec<usize>>,
}

impl Files {
    pub(crate) fn add(&mut self, event: FileEvent) {
        self.events.push(event);
    }

    pub(crate) fn watched(&mut self, watch: FileWatch) {
        self.watches.push(watch);
    }

    pub(crate) fn settle(&mut self) {
        self.events.sort_by_key(|event| event.when.t);
        for (n, event) in self.events.iter().enumerate() {
            self.by_path.entry(event.path.clone()).or_default().push(n);
            if let Some(to) = event.to.as_ref().filter(|to| **to != event.path) {
                self.by_path.entry(to.clone()).or_default().push(n);
            }
        }
    }
}

/// File events.
impl Timeline {
    /// All of them, oldest first.
    pub fn file_events(&self) -> &[FileEvent] {
        &self.files.events
    }

    /// Those within `from..=to`.
    pub fn file_events_between(&self, from: RunNs, to: RunNs) -> &[FileEvent] {
        let events = &self.files.events;
        let first = events.partition_point(|event| event.when.t < from);
        let behind = events.partition_point(|event| event.when.t <= to).max(first);
        &events[first..behind]
    }

    /// Those of a path, oldest first; a rename counts for both its names.
    pub fn file_events_of(&self, path: &str) -> impl Iterator<Item = &FileEvent> {
        let numbers = self.files.by_path.get(path).map_or(&[][..], Vec::as_slice);
        numbers.iter().map(|n| &self.files.events[*n])
    }

    /// All paths that events name, in order of the alphabet.
    pub fn touched_paths(&self) -> impl Iterator<Item = &str> {
        self.files.by_path.keys().map(String::as_str)
    }

    /// Which directories were watched for file events, and how.
    pub fn file_watches(&self) -> &[FileWatch] {
        &self.files.watches
    }

    /// The process that did it, where only one with its number can have lived then.
    pub fn process_of(&self, event: &FileEvent) -> Option<ProcessId> {
        let pid = event.pid?;
        let all = ProcessId { pid, start: Big(0) }..=ProcessId { pid, start: Big(u64::MAX) };
        let (from, to) = (event.when.t.0.saturating_sub(event.when.err), event.when.t.plus(event.when.err));
        let may = |process: &&crate::Process| {
            process.start.t.0.saturating_sub(process.start.err) <= to.0
                && process.end.is_none_or(|end| end.t.plus(end.err).0 >= from)
        };
        let mut those = self.processes.range(all).map(|(_, process)| process).filter(may);
        let one = those.next()?;
        those.next().is_none().then_some(one.id)
    }
}
