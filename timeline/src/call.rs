//! System calls that name something, with what came of them.

use std::collections::{BTreeMap, VecDeque};

use hangdog_schemas::record::{Call, KernelDeed, Visit};
use hangdog_schemas::{RunNs, Tid, When};

use crate::Timeline;
use crate::kernel_event::KernelEvents;

/// A call with its end, where the kernel's recorder saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallDone {
    /// What was asked.
    pub call: Call,
    /// When it ended.
    pub end: Option<When>,
    /// What it gave; from -4095 to -1 a negative errno.
    pub result: Option<i64>,
}

impl CallDone {
    /// The errno, when it is known to have failed.
    pub fn errno(&self) -> Option<i32> {
        self.result.filter(|result| (-4095..0).contains(result)).and_then(|result| i32::try_from(-result).ok())
    }

    /// Whether it is known to have succeeded.
    pub fn is_done(&self) -> bool {
        self.result.is_some() && self.errno().is_none()
    }

    /// When it went on, at the earliest: what it did, it did between then and its end.
    pub fn went_on(&self) -> RunNs {
        self.call.when.t.plus(self.call.held_ns)
    }

    /// When it had done what it did, as far as that is known.
    pub fn done_at(&self) -> RunNs {
        self.end.map_or(self.went_on(), |end| end.t)
    }
}

/// Puts calls in order and joins them with their ends.
pub(crate) fn settle(mut calls: Vec<Call>, events: &KernelEvents) -> Vec<CallDone> {
    if calls.is_empty() {
        return Vec::new();
    }
    calls.sort_by_key(|call| call.when.t);
    let mut ends: BTreeMap<(Tid, u32), VecDeque<(When, i64)>> = BTreeMap::new();
    for event in events.all() {
        if let KernelDeed::SyscallEnd { number, result, .. } = event.what {
            ends.entry((event.tid, number)).or_default().push_back((event.when, result));
        }
    }
    // A call that began again after a signal is told twice and ends once: the next one of the same thread limits it.
    let mut next: BTreeMap<Tid, RunNs> = BTreeMap::new();
    let mut done: Vec<CallDone> = Vec::with_capacity(calls.len());
    let limits: Vec<Option<RunNs>> = calls.iter().rev().map(|call| next.insert(call.tid, call.when.t)).collect();
    for (call, limit) in calls.into_iter().zip(limits.into_iter().rev()) {
        let of_call = ends.get_mut(&(call.tid, call.number));
        let end = of_call.and_then(|ends| {
            while ends.front().is_some_and(|(when, _)| when.t < call.when.t) {
                ends.pop_front();
            }
            let is_its = ends.front().is_some_and(|(when, _)| limit.is_none_or(|limit| when.t <= limit));
            if is_its { ends.pop_front() } else { None }
        });
        done.push(CallDone { call, end: end.map(|(when, _)| when), result: end.map(|(_, result)| result) });
    }
    done
}

/// System calls that name something.
impl Timeline {
    /// All of them, in the order in which they began.
    pub fn calls(&self) -> &[CallDone] {
        &self.calls
    }

    /// Threads of a disturbed run at places where they can be made late, in the order in which they came there.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }
}
