//! What the kernel's recorder saw, by time and by thread.

use std::collections::BTreeMap;

use hangdog_schemas::record::{KernelDeed, KernelEvent};
use hangdog_schemas::{RunNs, ThreadId, Tid};

use crate::thread::ThreadLife;

/// All events of a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct KernelEvents {
    all: Vec<KernelEvent>,
    /// Where the events of a thread are, those that were done to it included.
    by_thread: BTreeMap<Tid, Vec<u32>>,
    /// Who had a number, by when they were first seen.
    threads: BTreeMap<Tid, Vec<Seen>>,
}

/// When a thread was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    first: RunNs,
    thread: ThreadId,
    gone: Option<RunNs>,
}

impl KernelEvents {
    pub(crate) fn add(&mut self, event: KernelEvent) {
        self.all.push(event);
    }

    /// To be called when all are there. Events of one moment keep the order of the capture.
    pub(crate) fn settle(&mut self, threads: &BTreeMap<ThreadId, ThreadLife>) {
        for (thread, life) in threads.iter().filter(|_| !self.all.is_empty()) {
            let first = life.states.first().map_or(RunNs(0), |state| state.since);
            let seen = Seen { first, thread: *thread, gone: life.gone() };
            self.threads.entry(thread.tid).or_default().push(seen);
        }
        self.threads.values_mut().for_each(|seen| seen.sort_unstable());
        self.all.sort_by_key(|event| event.when.t);
        for (n, event) in (0..).zip(&self.all) {
            let target = target(event).filter(|target| *target != event.tid);
            for tid in std::iter::once(event.tid).chain(target) {
                self.by_thread.entry(tid).or_default().push(n);
            }
        }
    }

    pub(crate) fn all(&self) -> &[KernelEvent] {
        &self.all
    }

    pub(crate) fn between(&self, from: RunNs, to: RunNs) -> &[KernelEvent] {
        let first = self.all.partition_point(|event| event.when.t < from);
        let behind = self.all.partition_point(|event| event.when.t <= to).max(first);
        &self.all[first..behind]
    }

    /// A thread begins before it is seen, and is missed after it has ended.
    pub(crate) fn thread(&self, tid: Tid, t: RunNs) -> Option<ThreadId> {
        let seen = self.threads.get(&tid)?;
        let later = seen.partition_point(|seen| seen.first <= t);
        let before = later.checked_sub(1).map(|n| seen[n]).filter(|seen| seen.gone.is_none_or(|gone| gone >= t));
        before.or(seen.get(later).copied()).or(seen.last().copied()).map(|seen| seen.thread)
    }

    pub(crate) fn of(&self, tid: Tid) -> impl Iterator<Item = &KernelEvent> {
        self.by_thread.get(&tid).into_iter().flatten().filter_map(|n| self.all.get(*n as usize))
    }
}

/// Whom it was done to.
fn target(event: &KernelEvent) -> Option<Tid> {
    match event.what {
        KernelDeed::Wake { woken: target, .. }
        | KernelDeed::Fork { child: target, .. }
        | KernelDeed::SignalSent { target, .. } => Some(target),
        _ => None,
    }
}
