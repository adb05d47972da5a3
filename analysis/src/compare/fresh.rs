//! Names that each run makes up anew, and that no single run shows to be made up: `two-tellers-kqzwvxyb` is one of
//! `mkdtemp`, and `two-tellers-accounts` is not. Over several runs the one is another in each. Pure.
//!
//! ```text
//! run 1   $TMPDIR/two-tellers-kqzwvxyb/bank.db ┐
//! run 2   $TMPDIR/two-tellers-a3_ltyqm/bank.db ├── $TMPDIR/two-tellers-*/bank.db
//! run 3   $TMPDIR/two-tellers-*/bank.db        ┘   by its looks alone, in `name`
//! ```
//!
//! Without this a thing has as many names as there are runs, and none of them divides anything.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::sketch::Sketch;

/// So many characters are made up by `mkdtemp(3)` and `mktemp(1)`, and by Python's `tempfile`.
const LENGTHS: [usize; 2] = [6, 8];
/// In so many runs a name has to be another one; one that looks made up in another run counts for them.
const RUNS: usize = 3;
/// More of a run are not looked at.
const MOST: usize = 2_000;

/// What a prefix is followed by.
#[derive(Default)]
struct Group<'s> {
    /// In how many runs by something that looks made up.
    stars: usize,
    /// In how many runs by this.
    ends: BTreeMap<&'s str, usize>,
}

/// Calls what is made up by one name in all runs.
pub(super) fn level<'s>(sketches: Vec<Cow<'s, Sketch>>) -> Vec<Cow<'s, Sketch>> {
    let made_up = made_up(&sketches);
    if made_up.is_empty() {
        return sketches;
    }
    let renamed = |sketch: Cow<'s, Sketch>| {
        let is_its = |text: &String| parts(text).any(|part| made_up.contains(part));
        if !texts(&sketch).any(is_its) {
            return sketch;
        }
        let mut sketch = sketch.into_owned();
        sketch.rename(|text| renamed(text, &made_up));
        Cow::Owned(sketch)
    };
    sketches.into_iter().map(renamed).collect()
}

fn texts(sketch: &Sketch) -> impl Iterator<Item = &String> {
    sketch.features.keys().map(|feature| &feature.text).chain(sketch.marks.keys())
}

/// Parts of paths, and all that stands like one.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(['/', ' ', '(', ')', ',', '"']).filter(|part| !part.is_empty())
}

/// What stands before the last divider, with it, and what stands after it.
fn divided(part: &str) -> Option<(&str, &str)> {
    // Python's own part has underscores in it.
    let at = part.rfind(['-', '.']).or_else(|| part.rfind('_')).filter(|at| *at > 0)?;
    let (before, end) = part.split_at(at + 1);
    let is_end = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (end == "*" || LENGTHS.contains(&end.len()) && end.chars().all(is_end)).then_some((before, end))
}

fn made_up(sketches: &[Cow<'_, Sketch>]) -> BTreeSet<String> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for sketch in sketches {
        let own: BTreeSet<(&str, &str)> = texts(sketch).flat_map(|text| parts(text)).filter_map(divided).collect();
        let mut starred = "";
        for (before, end) in own.into_iter().take(MOST) {
            let group = groups.entry(before).or_default();
            if end != "*" {
                *group.ends.entry(end).or_default() += 1;
            } else if starred != before {
                group.stars += 1;
                starred = before;
            }
        }
    }
    let of_group = |(before, group): (&str, Group<'_>)| {
        let once: Vec<&str> = group.ends.iter().filter(|(_, runs)| **runs == 1).map(|(end, _)| *end).collect();
        let is_made_up = once.len() + group.stars >= RUNS || group.stars > 0;
        once.into_iter().filter(|_| is_made_up).map(|end| format!("{before}{end}")).collect::<Vec<_>>()
    };
    groups.into_iter().flat_map(of_group).collect()
}

fn renamed(text: &str, made_up: &BTreeSet<String>) -> String {
    let mut out = text.to_owned();
    for part in parts(text).filter(|part| made_up.contains(*part)) {
        if let Some((before, _)) = divided(part) {
            out = out.replace(part, &format!("{before}*"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::RunNs;

    use super::super::sketch::{Ending, Tier};
    use super::*;

    /// Runs that do one thing each to what is named; what they are called at last.
    #[track_caller]
    fn check(runs: &[&[&str]], expected: &[&[&str]]) {
        let sketch = |names: &&[&str]| {
            let mut sketch = Sketch::new(Ending::Passed);
            for name in *names {
                sketch.note(Tier::Deed, format!("cp reads {name}"), RunNs(1), None);
                sketch.mark(&format!("cp reads {name}"), RunNs(1));
            }
            Cow::Owned(sketch)
        };
        let found = level(runs.iter().map(sketch).collect());
        for (sketch, expected) in found.iter().zip(expected) {
            let expected: Vec<String> = expected.iter().map(|name| format!("cp reads {name}")).collect();
            assert_eq!(sketch.features.keys().map(|feature| feature.text.clone()).collect::<Vec<_>>(), expected);
            assert_eq!(sketch.marks.keys().cloned().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_is_another_in_each_run_is_called_alike() {
        check(&[&["/t/x-kqzwvxyb/f"], &["/t/x-a_3ltyqm/f"], &["/t/x-database/f"]], &[&["/t/x-*/f"][..]; 3]);
        // One that looks made up by itself shows what the others are.
        check(&[&["/t/x-*/f"], &["/t/x-hqckQe/f"]], &[&["/t/x-*/f"][..]; 2]);
        // One that is the same in two runs is a name.
        check(
            &[&["/t/x-output"], &["/t/x-output"], &["/t/x-result"]],
            &[&["/t/x-output"], &["/t/x-output"], &["/t/x-result"]],
        );
        let stays = ["/t/x-*", "/t/x-output"];
        check(&[&["/t/x-Ycgysz", "/t/x-output"], &stays, &stays], &[&stays[..]; 3]);
        // Two runs alone do not show it.
        check(&[&["/t/x-kqzwvxyb"], &["/t/x-wwwdefgh"]], &[&["/t/x-kqzwvxyb"], &["/t/x-wwwdefgh"]]);
    }
}
