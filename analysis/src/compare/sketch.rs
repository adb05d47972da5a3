//! What is kept of one run for a comparison: clauses that are worded alike in all runs, how often each is so, and when
//! first. A sketch is small, so that many runs fit where a single timeline does.

use std::collections::BTreeMap;

use hangdog_schemas::{Actor, Finding, RunNs};

use super::across::Traces;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With 0.
    Passed,
    /// Otherwise, by itself.
    Failed,
    /// hangdog ended it.
    Hung,
}

/// What kind of thing a clause says, in the order in which it explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    /// Two came in each other's way: what one had looked at was changed before it acted, or the same was done twice.
    Race,
    /// A call failed that changes something, or a phase said so.
    Error,
    /// Something was done, or looked for in vain.
    Deed,
    /// Two things in this order.
    Order,
    /// How a process ended: what comes of a failure, not what causes it.
    Ending,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// So many times.
    Times,
    /// So many at once.
    AtOnce,
}

/// What can be so in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature {
    pub(super) tier: Tier,
    pub(super) measure: Measure,
    pub(super) text: String,
}

/// How it was in one run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) level: u32,
    pub(super) first: RunNs,
    /// When it was so for the last time.
    pub(super) last: RunNs,
    pub(super) detail: Option<String>,
    pub(super) actors: Vec<Actor>,
}

/// More clauses than this of one run are left out: a run that names so many things differs in most of them.
const MOST: usize = 40_000;
/// Actors that are kept of a clause.
const ACTORS: usize = 4;

/// One run.
#[derive(Clone, Debug)]
pub struct Sketch {
    pub(super) ending: Ending,
    pub(super) features: BTreeMap<Feature, Seen>,
    /// When each of the things happened first of which the order is compared.
    pub(super) marks: BTreeMap<String, RunNs>,
    pub(super) left_out: usize,
    pub(super) seen: Extent,
    /// What is wrong with it by itself, by the clause that says so.
    pub(super) findings: Vec<(String, Finding)>,
    pub(super) traces: Traces,
}

/// How much was seen of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// No system calls with their names.
    Plain,
    /// Names without what came of them.
    Names,
    /// Both.
    Results,
}

impl Sketch {
    pub(super) fn new(ending: Ending) -> Self {
        Self {
            ending,
            features: BTreeMap::new(),
            marks: BTreeMap::new(),
            left_out: 0,
            seen: Extent::Plain,
            findings: Vec::new(),
            traces: Traces::default(),
        }
    }

    /// How the run ended.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// It was so once more.
    pub(super) fn note(&mut self, tier: Tier, text: String, t: RunNs, actor: Option<Actor>) {
        self.note_with(tier, text, t, actor.into_iter().collect(), None);
    }

    /// The same with more to tell of it.
    pub(super) fn note_with(
        &mut self,
        tier: Tier,
        text: String,
        t: RunNs,
        actors: Vec<Actor>,
        detail: Option<String>,
    ) {
        let feature = Feature { tier, measure: Measure::Times, text };
        self.add(feature, Seen { level: 1, first: t, last: t, detail, actors });
    }

    /// The same of something that was noted with as many actors as are kept; `false` when it was not.
    pub(super) fn again(&mut self, feature: &Feature, t: RunNs) -> bool {
        let Some(known) = self.features.get_mut(feature).filter(|known| known.actors.len() == ACTORS) else {
            return false;
        };
        known.level += 1;
        known.first = known.first.min(t);
        true
    }

    /// So many were so at once, since `t`.
    pub(super) fn at_once(&mut self, tier: Tier, text: String, many: u32, t: RunNs, actors: Vec<Actor>) {
        let feature = Feature { tier, measure: Measure::AtOnce, text };
        self.add(feature, Seen { level: many, first: t, last: t, detail: None, actors });
    }

    fn add(&mut self, feature: Feature, seen: Seen) {
        let measure = feature.measure;
        if let Some(known) = self.features.get_mut(&feature) {
            match measure {
                Measure::Times => known.level += seen.level,
                Measure::AtOnce => known.level = known.level.max(seen.level),
            }
            known.first = known.first.min(seen.first);
            known.last = known.last.max(seen.last);
            known.detail = known.detail.take().or(seen.detail);
            for actor in seen.actors {
                if known.actors.len() < ACTORS && !known.actors.iter().any(|own| own.is(&actor)) {
                    known.actors.push(actor);
                }
            }
        } else if self.features.len() < MOST {
            self.features.insert(feature, seen);
        } else {
            self.left_out += 1;
        }
    }

    /// Calls everything by another name; what is called alike then is one thing.
    pub(super) fn rename(&mut self, name: impl Fn(&str) -> String) {
        for (feature, seen) in std::mem::take(&mut self.features) {
            self.add(Feature { text: name(&feature.text), ..feature }, seen);
        }
        for (text, t) in std::mem::take(&mut self.marks) {
            self.mark(&name(&text), t);
        }
        for (clause, _) in &mut self.findings {
            *clause = name(clause);
        }
    }

    /// Something of which the order to others is compared.
    pub(super) fn mark(&mut self, text: &str, t: RunNs) {
        if let Some(first) = self.marks.get_mut(text) {
            *first = (*first).min(t);
        } else if self.marks.len() < MOST {
            self.marks.insert(text.to_owned(), t);
        }
    }
}
