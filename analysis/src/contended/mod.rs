//! Where lateness matters: places of a run at which two come in each other's way, and how late one of them has to be so
//! that the other overtakes.
//!
//! ```text
//! a  ──●──────────────────      ● touches what
//! b  ───────●─────────────      ○ touches too, and one of them changes it
//!      └gap─┘                   a held for longer than the gap: b is first
//! ```
//!
//! As in TSVD (Li and others 2019) and race-directed testing (Sen 2008), a pair that is near without anything that
//! orders it is worth a try; whether something orders it is seen by what comes of the try.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::record::{Call, Visit};
use hangdog_schemas::{Disturbance, Place, RunNs, Tid};
use hangdog_timeline::Timeline;

/// What comes later than this after another is not made to overtake it, ns.
const HORIZON: u64 = 600_000_000;
/// Visits of a thread at a place that can be told apart in a seed.
const TOLD_APART: usize = 7;
/// Moments of a run that are looked at; later ones are left out.
const MOST: usize = 40_000;
/// Holds that are told one by one.
const CLAUSES: usize = 4;
/// Moments at one thing that are looked at.
const MOST_OF_ONE: usize = 2_000;

/// Why lateness matters at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Another is at work at that time, and no more is known.
    Near,
    /// Another touches the same thing later, and one of them changes it.
    Same,
}

/// A thread at a place, that another overtakes when it is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contended {
    /// Where.
    pub place: Place,
    /// Which of the threads that come by, from 0.
    pub who: u8,
    /// At which of its visits, from 1.
    pub nth: u8,
    /// Why.
    pub why: Why,
    /// How late it has to be at least, ns.
    pub gap_ns: u64,
    /// What it touches.
    pub what: What,
}

/// What is touched at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Something without a name: a pipe, a word of memory, time.
    Nameless,
    /// A file, an address, a request, a phase.
    Named,
}

/// A thread at a place.
struct Moment<'t> {
    t: RunNs,
    went_on: RunNs,
    tid: Tid,
    place: Place,
    shared: Option<&'t str>,
    changes: bool,
    what: What,
    /// Which of the threads at this place, from 0, and which of its visits, from 1.
    who: usize,
    nth: usize,
}

/// Where lateness matters in a run, in the order in which it was so there.
pub fn contended(timeline: &Timeline) -> Vec<Contended> {
    let moments = moments(timeline);
    let mut first: BTreeMap<Tid, RunNs> = BTreeMap::new();
    let mut last: BTreeMap<Tid, RunNs> = BTreeMap::new();
    for moment in &moments {
        first.entry(moment.tid).or_insert(moment.t);
        last.insert(moment.tid, moment.went_on);
    }
    let mut same: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, moment) in moments.iter().enumerate() {
        if let Some(shared) = moment.shared {
            let those = same.entry(shared).or_default();
            if those.len() < MOST_OF_ONE {
                those.push(n);
            }
        }
    }
    let mut gaps: BTreeMap<usize, u64> = BTreeMap::new();
    for those in same.values() {
        for (at, n) in those.iter().enumerate() {
            let early = &moments[*n];
            let overtakes = |late: &&Moment<'_>| {
                late.tid != early.tid
                    && (late.changes || early.changes)
                    // Who was not there yet may be there because of this.
                    && first.get(&late.tid).is_some_and(|first| *first <= early.t)
            };
            let rest = those[at + 1..].iter().map(|n| &moments[*n]);
            let near = rest.take_while(|late| late.t.0.saturating_sub(early.went_on.0) < HORIZON);
            if let Some(late) = near.into_iter().find(overtakes) {
                let gap = late.t.0.saturating_sub(early.went_on.0);
                gaps.entry(*n).and_modify(|own| *own = (*own).min(gap)).or_insert(gap);
            }
        }
    }
    let is_beside = |moment: &Moment<'_>| {
        first.iter().any(|(tid, first)| {
            *tid != moment.tid && *first <= moment.t && last.get(tid).is_some_and(|last| *last > moment.t)
        })
    };
    let told = moments.iter().enumerate().filter_map(|(n, moment)| {
        let (why, gap_ns) = match gaps.get(&n) {
            Some(gap) => (Why::Same, *gap),
            None if moment.nth <= 2 && is_beside(moment) => (Why::Near, 0),
            None => return None,
        };
        let is_told_apart = moment.who < TOLD_APART && moment.nth <= TOLD_APART;
        let (who, nth) = (moment.who as u8, moment.nth as u8);
        is_told_apart.then_some(Contended { place: moment.place, who, nth, why, gap_ns, what: moment.what })
    });
    told.collect()
}

fn moments(timeline: &Timeline) -> Vec<Moment<'_>> {
    let calls = timeline.calls().iter().map(|done| of_call(&done.call, done.went_on()));
    let mut all: Vec<Moment<'_>> = calls.chain(timeline.visits().iter().map(of_visit)).collect();
    all.sort_by_key(|moment| moment.t);
    all.truncate(MOST);
    // As they are counted where they are held.
    let mut came: BTreeMap<Place, Vec<(Tid, usize)>> = BTreeMap::new();
    for moment in &mut all {
        let those = came.entry(moment.place).or_default();
        let who = those.iter().position(|(tid, _)| *tid == moment.tid).unwrap_or_else(|| {
            those.push((moment.tid, 0));
            those.len() - 1
        });
        those[who].1 += 1;
        (moment.who, moment.nth) = (who, those[who].1);
    }
    all
}

fn of_call(call: &Call, went_on: RunNs) -> Moment<'_> {
    let shared = call.paths.last().map(String::as_str).or(call.address.as_deref()).or(call.request.as_deref());
    let (place, t, tid) = (Place::of_call(call), call.when.t, call.tid);
    Moment { t, went_on, tid, place, shared, changes: changes(call), what: What::Named, who: 0, nth: 0 }
}

fn of_visit(visit: &Visit) -> Moment<'_> {
    let (place, t, tid) = (Place::of_visit(visit), visit.when.t, visit.tid);
    let (went_on, shared) = (t.plus(visit.held_ns), visit.shared.as_deref());
    let is_named = matches!(visit.what.as_str(), "begin" | "end" | "kill" | "tgkill" | "rt_sigaction")
        || shared.is_some_and(|shared| shared.starts_with('/'));
    let what = if is_named { What::Named } else { What::Nameless };
    Moment { t, went_on, tid, place, shared, changes: visit.changes, what, who: 0, nth: 0 }
}

/// Whether others may find it otherwise after this.
fn changes(call: &Call) -> bool {
    const LOOKS: [&str; 8] = ["stat", "lstat", "access", "newfstatat", "statx", "faccessat", "faccessat2", "chdir"];
    const OPENS: [&str; 3] = ["open", "openat", "openat2"];
    let name = call.name.as_str();
    let only_reads = || call.has("O_RDONLY") && !call.has("O_CREAT") && !call.has("O_TRUNC");
    !(LOOKS.contains(&name) || OPENS.contains(&name) && only_reads())
}

/// What was done to a run, a clause each: who was held where and for how long in this run, and what the seed says of
/// all of it.
pub fn disturbed(timeline: &Timeline, what: &Disturbance) -> Vec<String> {
    let mut held: BTreeMap<(String, u64), u32> = BTreeMap::new();
    let mut order: Vec<(RunNs, (String, u64))> = Vec::new();
    let calls = timeline.calls().iter().map(|done| {
        let call = &done.call;
        (call.when.t, call.held_ns, words(&call.comm, &call.name, call.object()))
    });
    let visits = timeline.visits().iter();
    let visits = visits.map(|visit| (visit.when.t, visit.held_ns, words(&visit.comm, &visit.what, &visit.object)));
    for (t, ns, words) in calls.chain(visits).filter(|(_, ns, _)| *ns > 0) {
        *held.entry((words.clone(), ns)).or_default() += 1;
        order.push((t, (words, ns)));
    }
    order.sort();
    let mut seen = BTreeSet::new();
    let first = order.into_iter().filter(|(_, key)| seen.insert(key.clone()));
    let told = first.map(|(_, key)| {
        let times = held.get(&key).copied().unwrap_or(1);
        let again = if times > 1 { format!(", {times} times") } else { String::new() };
        format!("{} for {} ms{again}", key.0, milliseconds(key.1))
    });
    let mut clauses: Vec<String> = told.collect();
    // Chance makes many late.
    let more = clauses.len().saturating_sub(CLAUSES);
    if more > 0 {
        clauses.truncate(CLAUSES);
        clauses.push(format!("and so on, {more} more"));
    }
    let flags = [
        (what.one_processor(), "all are on one processor"),
        (what.load(), "others compute beside it"),
        (what.slows(), "some have a lower priority"),
    ];
    clauses.extend(flags.iter().filter(|(is, _)| *is).map(|(_, words)| (*words).to_owned()));
    clauses
}

fn words(comm: &str, what: &str, object: &str) -> String {
    match (what, object) {
        ("begin", phase) => format!("{comm} is held where it begins {phase}"),
        ("end", phase) => format!("{comm} is held where it has ended {phase}"),
        ("start", _) => format!("{comm} is held as it starts"),
        (call, "") => format!("{comm} is held at {call}"),
        (call, object) => format!("{comm} is held at {call} of {object}"),
    }
}

fn milliseconds(ns: u64) -> String {
    let (whole, tenths) = (ns / 1_000_000, ns / 100_000 % 10);
    if tenths == 0 { whole.to_string() } else { format!("{whole}.{tenths}") }
}
