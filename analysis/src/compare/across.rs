//! What one run does to another: `stale-state`, what an earlier run wrote was read; `cross-run`, two at once get into
//! each other's way.
//!
//! ```text
//! run 1   |-- writes /s/result.json --|
//! run 2                                  |-- reads it, and has not written it --|     stale-state
//! run 3      |-- writes /s/out ------------------|                                    cross-run, of 3 and 4
//! run 4            |-- writes /s/out --|
//! ```
//!
//! Only runs of one boot have times that can be compared. A directory of which each run has its own view is left out.

use std::collections::BTreeMap;

use hangdog_schemas::{Actor, Confidence, Finding, FindingKind, RunNs};
use hangdog_timeline::Timeline;

use super::files::when;
use super::name;
use super::sketch::{Sketch, Tier};
use super::who::Who;
use crate::leftover::{Deed, touches};
use crate::{signature, words};

/// Names that are kept of a run.
const MOST: usize = 4_000;
/// Writes that are kept of a name, and findings of a run.
const FEW: usize = 8;

/// Someone at a time, on the clock of all runs of a boot.
#[derive(Clone, Debug)]
struct Once {
    t: u64,
    at: RunNs,
    actor: Actor,
    role: String,
}

/// What a run did to names that other runs could see.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    run: String,
    boot: String,
    begun: u64,
    ended: u64,
    /// The directory of its own, and of all runs beside it.
    own: Option<(String, String)>,
    /// Read before this run wrote it.
    reads: BTreeMap<String, Once>,
    /// Written; `None` that it was removed.
    writes: BTreeMap<String, Vec<(Once, Change)>>,
    /// Where it mounted something, from when to when.
    mounts: Vec<(String, u64, u64)>,
    /// The first call that names something.
    names: BTreeMap<String, Once>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Written,
    Removed,
}

/// What is so of a run since others were there.
pub(super) struct Across {
    pub(super) at: RunNs,
    pub(super) clause: String,
    pub(super) finding: Finding,
}

impl Traces {
    pub(super) fn of(timeline: &Timeline, who: &Who) -> Self {
        let header = timeline.header();
        let zero = header.anchor.monotonic.0.saturating_sub(header.anchor.t.0);
        let own = header.environment.iter().find(|(name, _)| name == "TMPDIR").and_then(|(_, place)| room(place));
        let views = header.options.iter().filter_map(|option| option.strip_prefix("--own=")).map(str::to_owned);
        let left: Vec<String> = views.chain(own.iter().map(|(own, _)| own.clone())).collect();
        let is_left = |path: &str| !path.starts_with('/') || left.iter().any(|place| is_within(path, place));
        let once = |t: RunNs, tid| Once {
            t: zero.saturating_add(t.0),
            at: t,
            actor: who.actor(tid, t),
            role: who.role(tid, t),
        };
        let mut traces = Self {
            run: header.run.clone(),
            boot: header.boot_id.clone(),
            begun: zero,
            ended: zero.saturating_add(timeline.end().0),
            own,
            ..Self::default()
        };
        for touch in touches(timeline) {
            let (is_known, path) = (traces.writes.contains_key(touch.path), touch.path);
            if is_left(path) || traces.writes.len().max(traces.reads.len()) >= MOST {
                continue;
            }
            let change = match touch.deed {
                Deed::Read if is_known || traces.reads.contains_key(path) => continue,
                Deed::Read => {
                    traces.reads.insert(path.to_owned(), once(touch.t, touch.tid));
                    continue;
                }
                Deed::Refused | Deed::RefusedDirectory => continue,
                Deed::Removed => Change::Removed,
                Deed::Made | Deed::MadeDirectory | Deed::Replaced | Deed::Written | Deed::Renamed => Change::Written,
            };
            let writes = traces.writes.entry(path.to_owned()).or_default();
            if writes.len() == FEW {
                writes.remove(0);
            }
            writes.push((once(touch.t, touch.tid), change));
        }
        for done in timeline.calls() {
            let (Some(path), t) = (done.call.paths.last(), done.done_at()) else { continue };
            match done.call.name.as_str() {
                "mount" if done.is_done() && !done.call.has("MS_PRIVATE") && traces.mounts.len() < MOST => {
                    traces.mounts.push((path.clone(), zero + t.0, traces.ended));
                }
                "umount2" if done.is_done() => {
                    let its = traces.mounts.iter_mut().rev().find(|(place, ..)| place == path);
                    if let Some((.., to)) = its {
                        *to = zero + t.0;
                    }
                }
                _ if is_left(path) || traces.names.contains_key(path) || traces.names.len() >= MOST => {}
                _ => drop(traces.names.insert(path.clone(), once(t, done.call.tid))),
            }
        }
        traces
    }
}

/// The directory of a run of `flake` and that of all its runs, by its TMPDIR.
fn room(temporary: &str) -> Option<(String, String)> {
    let own = temporary.strip_suffix("/tmp")?;
    let (house, number) = own.rsplit_once('/')?;
    let is_house = house.rsplit('/').next()?.starts_with("hangdog-flake-");
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_house && is_number).then(|| (own.to_owned(), house.to_owned()))
}

fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Who wrote a name, of all runs of a boot, by time.
struct Writes<'s> {
    all: BTreeMap<&'s str, BTreeMap<&'s str, Vec<Write<'s>>>>,
}

/// One of them.
#[derive(Clone, Copy)]
struct Write<'s> {
    run: &'s Traces,
    once: &'s Once,
    change: Change,
}

impl<'s> Writes<'s> {
    fn of(sketches: &[&'s Sketch]) -> Self {
        let mut all: BTreeMap<&str, BTreeMap<&str, Vec<Write<'s>>>> = BTreeMap::new();
        for run in sketches.iter().map(|sketch| &sketch.traces) {
            for (path, own) in &run.writes {
                let writes = own.iter().map(|(once, change)| Write { run, once, change: *change });
                all.entry(&run.boot).or_default().entry(path).or_default().extend(writes);
            }
        }
        for writes in all.values_mut().flat_map(BTreeMap::values_mut) {
            writes.sort_by_key(|write| write.once.t);
        }
        Self { all }
    }

    fn of_path(&self, run: &Traces, path: &str) -> &[Write<'s>] {
        self.all.get(run.boot.as_str()).and_then(|of_boot| of_boot.get(path)).map_or(&[], Vec::as_slice)
    }
}

/// For each run what others did to it.
pub(super) fn across(sketches: &[&Sketch]) -> Vec<Vec<Across>> {
    let writes = Writes::of(sketches);
    sketches.iter().map(|sketch| of_run(&sketch.traces, &writes, sketches)).collect()
}

fn of_run(own: &Traces, writes: &Writes<'_>, sketches: &[&Sketch]) -> Vec<Across> {
    // The same run may be there twice.
    let is_other = |write: &&Write<'_>| write.run.run != own.run;
    let mut found = Vec::new();
    for (path, read) in &own.reads {
        let all = writes.of_path(own, path);
        let before = all.partition_point(|write| write.once.t < read.t);
        let last = before.checked_sub(1).map(|last| &all[last]).filter(is_other);
        if let Some(write) = last.filter(|write| write.change == Change::Written) {
            found.push(read_of(path, read, write.once, own, write.run));
        }
    }
    for (path, (first, _)) in own.writes.iter().filter_map(|(path, own)| Some((path, own.first()?))) {
        let is_beside =
            |write: &&Write<'_>| (own.begun..=own.ended).contains(&write.once.t) && is_beside(own, write.run);
        let beside = writes.of_path(own, path).iter().filter(is_other).find(is_beside);
        found.extend(beside.map(|write| both_write(path, first, write.once)));
    }
    found.extend(elsewhere(own));
    found.extend(in_mounts(own, sketches));
    found.sort_by_key(|across| across.at);
    found.truncate(FEW);
    found
}

fn is_beside(one: &Traces, other: &Traces) -> bool {
    one.begun < other.ended && other.begun < one.ended
}

/// It names something in the directory of another run.
fn elsewhere(traces: &Traces) -> Option<Across> {
    let (own, house) = traces.own.as_ref()?;
    let is_other = |path: &str| {
        let number = path.strip_prefix(house.as_str()).and_then(|rest| rest.strip_prefix('/'))?.split('/').next()?;
        (!is_within(path, own) && number.chars().all(|c| c.is_ascii_digit())).then(|| number.to_owned())
    };
    let (path, once, number) = traces.names.iter().find_map(|(path, once)| Some((path, once, is_other(path)?)))?;
    let sentence = format!(
        "{} is at work in the directory of another run, {}: it names {path} {}",
        name_of(once),
        number.trim_start_matches('0'),
        when(once.at)
    );
    Some(cross(once, format!("{} is at work in the directory of another run", once.role), &sentence))
}

/// It goes into a mount of a run beside it.
fn in_mounts(traces: &Traces, sketches: &[&Sketch]) -> Vec<Across> {
    let is_other = |other: &&Traces| other.run != traces.run && other.boot == traces.boot && is_beside(traces, other);
    let mounts = sketches.iter().map(|sketch| &sketch.traces).filter(is_other).flat_map(|other| &other.mounts);
    let found = mounts.filter_map(|(place, from, to)| {
        if traces.mounts.iter().any(|(own, ..)| own == place) {
            return None;
        }
        let is_there = |(path, once): &(&String, &Once)| is_within(path, place) && (*from..=*to).contains(&once.t);
        // What lies below a place stands behind it in the alphabet, among what begins like it.
        let below = traces.names.range(place.clone()..).take_while(|(path, _)| path.starts_with(place.as_str()));
        let (path, once) = below.take(MOST).find(is_there)?;
        let sentence = format!(
            "{} goes into {place}, which another run has mounted and uses at that time: it names {path} {}",
            name_of(once),
            when(once.at)
        );
        let common = name::path(place, &std::collections::BTreeSet::new());
        Some(cross(once, format!("{} goes into {common}, a mount of another run", once.role), &sentence))
    });
    found.take(FEW).collect()
}

fn read_of(path: &str, read: &Once, write: &Once, own: &Traces, other: &Traces) -> Across {
    let common = name::path(path, &std::collections::BTreeSet::new());
    let (reader, writer) = (name_of(read), name_of(write));
    if is_beside(own, other) {
        let sentence = format!(
            "{reader} reads {path} {}, which another run at the same time has written: {writer}, {} before",
            when(read.at),
            ms(read.t - write.t)
        );
        return cross(read, format!("{} reads {common} as a run beside this one wrote it", read.role), &sentence);
    }
    let clause = format!("{} reads {common} as an earlier run wrote it", read.role);
    let sentence = format!(
        "{reader} reads {path} {}, which this run has not written: {writer} of an earlier run wrote it last, {} before this \
         one began",
        when(read.at),
        ms(own.begun.saturating_sub(write.t))
    );
    let advice = "let each run have a directory of its own, or remove what an earlier one left first, and stop when that fails";
    finding(FindingKind::StaleState, read, clause, &sentence, advice)
}

fn both_write(path: &str, own: &Once, write: &Once) -> Across {
    let common = name::path(path, &std::collections::BTreeSet::new());
    let sentence = format!(
        "two runs at once write {path}: {} {}, and {} of another run",
        name_of(own),
        when(own.at),
        name_of(write)
    );
    cross(own, format!("a run beside this one writes {common}, as {} does", own.role), &sentence)
}

fn cross(once: &Once, clause: String, sentence: &str) -> Across {
    let advice =
        "let each run have directories, mounts and ports of its own, or make one run after the other (`--jobs 1`)";
    finding(FindingKind::CrossRun, once, clause, sentence, advice)
}

fn finding(kind: FindingKind, once: &Once, clause: String, sentence: &str, advice: &str) -> Across {
    let finding = Finding {
        kind,
        confidence: Confidence::Likely,
        sentence: words::sentence(sentence),
        culprits: vec![once.actor.clone()],
        edges: Vec::new(),
        advice: vec![advice.to_owned()],
        rescue: Vec::new(),
        unknown: vec!["whether it is meant to be so: runs may share a cache".to_owned()],
        id: String::new(),
        signature: signature::of_clause(kind, &clause),
    };
    Across { at: once.at, clause, finding }
}

/// Adds to a run what others did to it.
pub(super) fn add(sketch: &mut Sketch, across: Vec<Across>) {
    for Across { at, clause, finding } in across {
        let (culprits, sentence) = (finding.culprits.clone(), finding.sentence.clone());
        sketch.note_with(Tier::Race, clause.clone(), at, culprits, Some(sentence));
        sketch.findings.push((clause, finding));
    }
}

fn name_of(once: &Once) -> String {
    format!("{}[{}]", once.actor.comm, once.actor.tid)
}

fn ms(ns: u64) -> String {
    match ns / 1_000_000 {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests;
