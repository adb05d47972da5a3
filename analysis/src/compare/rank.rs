//! From the sketches of all runs to the differences in order: what divides failing from passing runs better than chance
//! would among so many things, the kind of thing that explains most first, and of these the earliest.
//!
//! | share of chance | what is weighed |
//! | --- | --- |
//! | 3 % | races and errors |
//! | 1 % | deeds |
//! | 1 % | orders of two |
//!
//! Each share is divided by how many different patterns over the runs were weighed (Bonferroni). Things that always
//! come together are one pattern: they are one guess, not many.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::RunNs;

use super::sketch::{Ending, Feature, Measure, Sketch, Tier};
use super::weigh::chance;

/// Things of which the order is compared: those that all runs have. Beyond, only the first in the alphabet.
const MARKS: usize = 120;
/// Two moments closer than this have no order.
const AT_ONCE: u64 = 20_000;

/// Whether a clause is so, or is not so, in runs that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Polarity {
    Is,
    IsNot,
}

/// Something that divides the runs.
#[derive(Clone, Debug)]
pub(super) struct Divides {
    pub(super) feature: Feature,
    pub(super) level: u32,
    pub(super) polarity: Polarity,
    pub(super) failed: u32,
    pub(super) passed: u32,
    pub(super) chance: f64,
    /// Within what chance may do.
    pub(super) stands: bool,
    pub(super) at: Option<RunNs>,
    pub(super) pattern: Vec<bool>,
}

/// All that divides, the best first, and how many patterns were weighed.
pub(super) fn rank(sketches: &[&Sketch]) -> (Vec<Divides>, u32) {
    let fails: Vec<bool> = sketches.iter().map(|sketch| sketch.ending != Ending::Passed).collect();
    let mut all = features(sketches, &fails);
    all.extend(orders(sketches, &fails));
    let mut patterns: BTreeMap<u8, BTreeSet<Vec<bool>>> = BTreeMap::new();
    for divides in &all {
        patterns.entry(group(divides.feature.tier)).or_default().insert(up_to_complement(&divides.pattern));
    }
    for divides in &mut all {
        let group = group(divides.feature.tier);
        let weighed = patterns.get(&group).map_or(1, BTreeSet::len);
        divides.stands = divides.chance * weighed as f64 <= share(group);
    }
    all.retain(|divides| divides.chance < 0.5 || fails.len() < 5);
    let best = all.iter().filter(|divides| divides.stands).map(|divides| divides.chance).fold(1.0, f64::min);
    // What divides nearly as well is as good: then the kind and the time decide.
    let is_close = |divides: &Divides| divides.stands && divides.chance <= best * 20.0;
    all.sort_by(|a, b| {
        let key = |d: &Divides| (!is_close(d), !d.stands, group(d.feature.tier), d.polarity);
        let near = |d: &Divides| d.at.map_or(u64::MAX, |at| at.0 / 1_000_000);
        key(a)
            .cmp(&key(b))
            .then_with(|| if d_apart(a, b) { a.chance.total_cmp(&b.chance) } else { std::cmp::Ordering::Equal })
            .then_with(|| near(a).cmp(&near(b)))
            .then_with(|| (a.feature.tier, a.at).cmp(&(b.feature.tier, b.at)))
            .then_with(|| (&a.feature.text, a.level).cmp(&(&b.feature.text, b.level)))
    });
    let weighed = patterns.values().map(BTreeSet::len).sum::<usize>();
    (all, u32::try_from(weighed).unwrap_or(u32::MAX))
}

/// Those that do not stand are in the order in which they divide.
fn d_apart(a: &Divides, b: &Divides) -> bool {
    !a.stands && !b.stands
}

fn group(tier: Tier) -> u8 {
    match tier {
        Tier::Race | Tier::Error => 0,
        Tier::Deed => 1,
        Tier::Order => 2,
        Tier::Ending => 3,
    }
}

fn share(group: u8) -> f64 {
    if group == 0 { 0.03 } else { 0.01 }
}

fn up_to_complement(pattern: &[bool]) -> Vec<bool> {
    let turned = pattern.first().copied().unwrap_or(false);
    pattern.iter().map(|is| is ^ turned).collect()
}

/// Weighs one pattern over the runs. `None` when it does not divide them, or the wrong way for both polarities.
fn weigh(pattern: Vec<bool>, fails: &[bool], feature: Feature, level: u32, at: Option<RunNs>) -> Option<Divides> {
    let count = |of_failed: bool| {
        let those = pattern.iter().zip(fails).filter(|(is, fails)| **is && **fails == of_failed).count();
        u32::try_from(those).unwrap_or(u32::MAX)
    };
    let failing = u32::try_from(fails.iter().filter(|fails| **fails).count()).unwrap_or(u32::MAX);
    let passing = u32::try_from(fails.len()).unwrap_or(u32::MAX) - failing;
    let (failed, passed) = (count(true), count(false));
    if failed + passed == 0 || failed + passed == failing + passing {
        return None;
    }
    let is = chance(failed, failing, passed, passing);
    let is_not = chance(failing - failed, failing, passing - passed, passing);
    let (chance, polarity, failed, passed) = if is <= is_not {
        (is, Polarity::Is, failed, passed)
    } else {
        (is_not, Polarity::IsNot, failing - failed, passing - passed)
    };
    Some(Divides { feature, level, polarity, failed, passed, chance, stands: false, at, pattern })
}

/// Every clause at every level that divides the runs.
fn features(sketches: &[&Sketch], fails: &[bool]) -> Vec<Divides> {
    let mut levels: BTreeMap<&Feature, Vec<u32>> = BTreeMap::new();
    for (n, sketch) in sketches.iter().enumerate() {
        for (feature, seen) in &sketch.features {
            levels.entry(feature).or_insert_with(|| vec![0; sketches.len()])[n] = seen.level;
        }
    }
    let mut all = Vec::new();
    for (feature, levels) in levels {
        let different: BTreeSet<u32> = levels.iter().copied().filter(|level| *level > 0).collect();
        // One alone at a time is nothing to tell.
        let least = if feature.measure == Measure::AtOnce { 2 } else { 1 };
        let of_feature = different.into_iter().filter(|level| *level >= least).filter_map(|level| {
            let pattern: Vec<bool> = levels.iter().map(|own| *own >= level).collect();
            let at = median(sketches, fails, feature);
            weigh(pattern, fails, feature.clone(), level, at)
        });
        // Of the levels of one thing the one that divides best.
        all.extend(of_feature.min_by(|a, b| a.chance.total_cmp(&b.chance)));
    }
    all
}

/// When it is first so, in the middle of the failing runs.
fn median(sketches: &[&Sketch], fails: &[bool], feature: &Feature) -> Option<RunNs> {
    let of_failed = sketches.iter().zip(fails).filter(|(_, fails)| **fails);
    let mut times: Vec<RunNs> =
        of_failed.filter_map(|(sketch, _)| sketch.features.get(feature)).map(|seen| seen.first).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// The order of each two things that all runs have.
fn orders(sketches: &[&Sketch], fails: &[bool]) -> Vec<Divides> {
    let Some(first) = sketches.first() else { return Vec::new() };
    let common = first.marks.keys().filter(|mark| sketches.iter().all(|sketch| sketch.marks.contains_key(*mark)));
    let common: Vec<&String> = common.take(MARKS).collect();
    let mut all = Vec::new();
    for (n, one) in common.iter().enumerate() {
        for other in &common[n + 1..] {
            let Some(pattern) = order(sketches, one, other) else { continue };
            let at = middle(sketches, fails, one, other);
            let told = weigh(pattern, fails, order_feature(one, other), 1, at);
            // That it is not so is told the other way round.
            all.extend(told.map(|told| match told.polarity {
                Polarity::Is => told,
                Polarity::IsNot => Divides { feature: order_feature(other, one), polarity: Polarity::Is, ..told },
            }));
        }
    }
    all
}

fn order_feature(one: &str, other: &str) -> Feature {
    // Who fails ends early, and so before much else.
    let is_end = one.ends_with(" ends") && !one.starts_with("phase ");
    let tier = if is_end { Tier::Ending } else { Tier::Order };
    Feature { tier, measure: Measure::Times, text: format!("\"{one}\" comes before \"{other}\"") }
}

/// In which runs one comes first; `None` when in some run neither surely does.
fn order(sketches: &[&Sketch], one: &str, other: &str) -> Option<Vec<bool>> {
    let of_run = |sketch: &&Sketch| {
        let (a, b) = (*sketch.marks.get(one)?, *sketch.marks.get(other)?);
        (a.0.abs_diff(b.0) > AT_ONCE).then_some(a < b)
    };
    let pattern: Option<Vec<bool>> = sketches.iter().map(of_run).collect();
    pattern.filter(|pattern| pattern.iter().any(|is| *is) && pattern.iter().any(|is| !*is))
}

fn middle(sketches: &[&Sketch], fails: &[bool], one: &str, other: &str) -> Option<RunNs> {
    let of_failed = sketches.iter().zip(fails).filter(|(_, fails)| **fails);
    let mut times: Vec<RunNs> =
        of_failed.filter_map(|(sketch, _)| Some(*sketch.marks.get(one)?.min(sketch.marks.get(other)?))).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
