//! The newest events, bounded in number and in bytes. Pure.
//!
//! What changes a directory or a file is kept apart from what was only opened: a build that opens all its sources
//! is not to drive out who removed the lock file.

use std::collections::VecDeque;

use hangdog_schemas::record::{FileEvent, FileOp};

/// Events of one kind of the two, and their bytes.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 2 << 20;
/// The same by the same process within this long is one event, ns; so many of the newest are compared.
const SAME: u64 = 10_000_000;
const COMPARED: usize = 8;

/// Both kinds.
#[derive(Debug, Default)]
pub(super) struct Ring {
    opened: Kept,
    changed: Kept,
    next: u64,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<(u64, FileEvent)>,
    bytes: usize,
    dropped: u64,
}

impl Ring {
    /// Adds an event; the oldest go when there is no room.
    pub(super) fn push(&mut self, event: FileEvent) {
        let (kept, others) = match event.op {
            FileOp::Open => (&mut self.opened, &self.changed),
            _ => (&mut self.changed, &self.opened),
        };
        if kept.has(&event, others.last(&event.path)) {
            return;
        }
        kept.bytes += size(&event);
        kept.events.push_back((self.next, event));
        self.next += 1;
        while (kept.events.len() > MOST || kept.bytes > MOST_BYTES)
            && let Some((_, oldest)) = kept.events.pop_front()
        {
            kept.bytes -= size(&oldest);
            kept.dropped += u64::from(oldest.times);
        }
    }

    /// All events in the order in which they came, and how many older ones were dropped: opens, and others.
    pub(super) fn take(&mut self) -> (Vec<FileEvent>, [u64; 2]) {
        let (opened, changed) = (std::mem::take(&mut self.opened), std::mem::take(&mut self.changed));
        let dropped = [opened.dropped, changed.dropped];
        let mut events: Vec<(u64, FileEvent)> = opened.events.into_iter().chain(changed.events).collect();
        events.sort_by_key(|(number, _)| *number);
        (events.into_iter().map(|(_, event)| event).collect(), dropped)
    }
}

impl Kept {
    /// The number of the last event of a file, if it is one of the newest.
    fn last(&self, path: &str) -> Option<u64> {
        self.events.iter().rev().take(COMPARED).find(|(_, event)| event.path == path).map(|(number, _)| *number)
    }

    /// Counts it with one of the newest that says the same, if there is one and nothing else was done to the file
    /// since; `other_kind` is the last event of the other kind.
    fn has(&mut self, event: &FileEvent, other_kind: Option<u64>) -> bool {
        for (number, other) in self.events.iter_mut().rev().take(COMPARED) {
            if other_kind.is_some_and(|other_kind| other_kind > *number) {
                return false;
            }
            let is_same = other.op == event.op && other.pid == event.pid && other.path == event.path;
            if is_same && other.to == event.to {
                let is_now = event.when.t.0.saturating_sub(other.when.t.0) < SAME;
                other.times = other.times.saturating_add(u32::from(is_now));
                return is_now;
            }
            // The order is worth more than a line less.
            if other.path == event.path {
                return false;
            }
        }
        false
    }
}

/// About what it takes in memory.
fn size(event: &FileEvent) -> usize {
    let strings = [&event.to, &event.comm].into_iter().flatten().map(String::len).sum::<usize>();
    size_of::<(u64, FileEvent)>() + event.path.len() + strings
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::{Pid, RunNs, When};

    use super::*;

    fn event(op: FileOp, ms: u64, path: &str) -> FileEvent {
        let when = When::exactly(RunNs(ms * 1_000_000));
        FileEvent {
            when,
            op,
            path: path.to_owned(),
            to: None,
            directory: false,
            pid: Some(Pid(7)),
            comm: None,
            times: 1,
        }
    }

    /// Events as `op path ms`, and what is kept of them with its count.
    #[track_caller]
    fn check(given: &[(FileOp, &str, u64)], kept: &[(&str, u32)]) {
        let mut ring = Ring::default();
        for (op, path, ms) in given {
            ring.push(event(*op, *ms, path));
        }
        let (events, _) = ring.take();
        let found: Vec<(&str, u32)> = events.iter().map(|event| (event.path.as_str(), event.times)).collect();
        assert_eq!(found, kept);
    }

    #[test]
    fn the_same_within_10_ms_is_counted() {
        use FileOp::{CloseWrite, Create, Open, Unlink};
        check(&[(Open, "a", 0), (Open, "b", 1), (Open, "a", 2), (Open, "a", 9)], &[("a", 3), ("b", 1)]);
        check(&[(Open, "a", 0), (Open, "a", 10)], &[("a", 1), ("a", 1)]);
        check(&[(Create, "a", 0), (Unlink, "a", 1), (Create, "a", 2)], &[("a", 1), ("a", 1), ("a", 1)]);
        check(&[(Open, "a", 0), (CloseWrite, "a", 1), (Open, "a", 2)], &[("a", 1), ("a", 1), ("a", 1)]);
    }

    #[test]
    fn the_newest_stay_and_opens_do_not_drive_out_changes() {
        let mut ring = Ring::default();
        ring.push(event(FileOp::Unlink, 0, "lock"));
        for n in 0..MOST as u64 + 5 {
            ring.push(event(FileOp::Open, n, &format!("source-{n}")));
        }
        let (events, dropped) = ring.take();
        let paths: Vec<&str> = events.iter().map(|event| event.path.as_str()).collect();
        assert_eq!((paths.len(), dropped), (MOST + 1, [5, 0]));
        assert_eq!(paths[..2], ["lock", "source-5"]);
        assert_eq!(ring.take(), (Vec::new(), [0, 0]));
    }

    #[test]
    fn long_names_take_the_room_of_many() {
        let mut ring = Ring::default();
        let long = "x".repeat(4000);
        for n in 0..2000 {
            ring.push(event(FileOp::Create, n * 20, &format!("{n}{long}")));
        }
        let (events, [_, dropped]) = ring.take();
        assert!(events.len() < 530, "{}", events.len());
        assert_eq!(events.len() as u64 + dropped, 2000);
    }
}
