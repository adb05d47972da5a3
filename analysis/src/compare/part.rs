//! Two runs beside each other: what is in one and not in the other, in order of time.
//!
//! ```text
//! 1  ──A──B──────X───────     only in 1: X, which in 2 would stand as long after B
//! 2  ────A──B────────Y───     only in 2: Y
//! ```
//!
//! Two runs tell what differs and not what causes it. The order of two things is not compared: without more runs it says
//! nothing.

use std::collections::BTreeMap;

use hangdog_schemas::RunNs;
use hangdog_timeline::Timeline;

use super::life;
use super::sketch::{Ending, Measure, Seen, Sketch, Tier};
use super::who::Who;

/// Something that is in one of two runs, or more often in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// When in the first run, or when it would have been.
    pub first: RunNs,
    /// The same moment of the second run.
    pub second: RunNs,
    /// In words; the runs are called 1 and 2.
    pub sentence: String,
}

/// More differences than this are not told: two runs that differ so much are not of one command.
const MOST: usize = 200;

/// What differs between two runs, the earliest first.
pub fn part(first: &Timeline, second: &Timeline) -> Vec<Parting> {
    let (mut one, mut two) = (Sketch::of(first), Sketch::of(second));
    if one.seen != two.seen {
        // What a run does not show since less was seen of it is no difference; phases are told by the programs.
        (one, two) = (of_phases(&one, first), of_phases(&two, second));
    }
    let ends = (first.end(), second.end());
    let (there, back) = (Clock::from(&one, &two, ends.1), Clock::from(&two, &one, ends.0));
    let only_one = |t: RunNs, text: &str| (t, there.at(t), format!("only in 1: {text}"));
    let only_two = |t: RunNs, text: &str| (back.at(t), t, format!("only in 2: {text}"));
    let mut found: Vec<(RunNs, RunNs, String)> = Vec::new();
    for (feature, own) in one.features.iter().filter(|(feature, _)| tells(feature.measure, feature.tier)) {
        match two.features.get(feature) {
            None if is_there(feature.measure, own) => found.push(only_one(own.first, &told(&feature.text, own))),
            Some(other) => {
                let (a, b) = (is_there(feature.measure, own), is_there(feature.measure, other));
                let text = &feature.text;
                match feature.measure {
                    Measure::AtOnce if a && !b => found.push(only_one(own.first, &overlap(text, own))),
                    Measure::AtOnce if b && !a => found.push(only_two(other.first, &overlap(text, other))),
                    Measure::Times if own.level > other.level => {
                        found.push((own.last, there.at(own.last), more(text, own, other)));
                    }
                    Measure::Times if own.level < other.level => {
                        found.push((back.at(other.last), other.last, more(text, own, other)));
                    }
                    _ => {}
                }
            }
            None => {}
        }
    }
    let tells = two.features.iter().filter(|(feature, _)| tells(feature.measure, feature.tier));
    for (feature, other) in tells.filter(|(feature, _)| !one.features.contains_key(*feature)) {
        if is_there(feature.measure, other) {
            found.push(only_two(other.first, &told(&feature.text, other)));
        }
    }
    let missing = |marks: &BTreeMap<String, RunNs>, others: &BTreeMap<String, RunNs>| -> Vec<(String, RunNs)> {
        let those = marks.iter().filter(|(text, _)| !others.contains_key(*text));
        those.map(|(text, t)| (text.clone(), *t)).collect()
    };
    found.extend(missing(&one.marks, &two.marks).into_iter().map(|(text, t)| only_one(t, &text)));
    found.extend(missing(&two.marks, &one.marks).into_iter().map(|(text, t)| only_two(t, &text)));
    if one.ending != two.ending {
        found.push((ends.0, ends.1, format!("1 {}, 2 {}", ended(one.ending), ended(two.ending))));
    }
    in_order(found)
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Passed => "passed",
        Ending::Failed => "failed",
        Ending::Hung => "was ended by hangdog",
    }
}

/// Those of one moment are one difference, told in the words that came first.
fn in_order(mut found: Vec<(RunNs, RunNs, String)>) -> Vec<Parting> {
    found.sort_by_key(|(first, second, _)| (*first, *second));
    found.dedup_by_key(|(first, second, _)| (*first, *second));
    found.truncate(MOST);
    found.into_iter().map(|(first, second, sentence)| Parting { first, second, sentence }).collect()
}

fn of_phases(sketch: &Sketch, timeline: &Timeline) -> Sketch {
    let mut phases = Sketch::new(sketch.ending());
    life::phases(timeline, &Who::of(timeline), &mut phases);
    phases
}

/// How many deeds overlap is a matter of time in every run; that two with one key do is not.
fn tells(measure: Measure, tier: Tier) -> bool {
    measure == Measure::Times || tier == Tier::Race
}

fn is_there(measure: Measure, seen: &Seen) -> bool {
    seen.level > u32::from(measure == Measure::AtOnce)
}

fn told(text: &str, seen: &Seen) -> String {
    seen.detail.as_ref().map_or_else(|| text.to_owned(), |detail| format!("{text}; {detail}"))
}

fn overlap(text: &str, seen: &Seen) -> String {
    format!("{} {text} are open at once", seen.level)
}

fn more(text: &str, own: &Seen, other: &Seen) -> String {
    let times = |n: u32| if n == 1 { "once".to_owned() } else { format!("{n} times") };
    format!("{} in 1, {} in 2: {text}", times(own.level), times(other.level))
}

/// Moments of one run in the time of another: as long after the last thing that both have as in the one.
struct Clock {
    /// Times of things that both have, by the time of the one.
    common: Vec<(RunNs, RunNs)>,
    end: RunNs,
}

impl Clock {
    fn from(one: &Sketch, other: &Sketch, end: RunNs) -> Self {
        let marks = one.marks.iter().filter_map(|(text, t)| Some((*t, *other.marks.get(text)?)));
        let features =
            one.features.iter().filter_map(|(feature, seen)| Some((seen.first, other.features.get(feature)?.first)));
        let mut common: Vec<(RunNs, RunNs)> = marks.chain(features).collect();
        common.sort_unstable();
        Self { common, end }
    }

    fn at(&self, t: RunNs) -> RunNs {
        let before = self.common.partition_point(|(own, _)| *own <= t).checked_sub(1);
        let (own, other) = before.map_or((RunNs(0), RunNs(0)), |at| self.common[at]);
        other.plus(t.0 - own.0).min(self.end)
    }
}
