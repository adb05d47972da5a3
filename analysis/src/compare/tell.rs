//! A comparison in words: the first sentence says what is otherwise in runs that fail, with the counts that it rests
//! on.

use std::borrow::Cow;

use hangdog_schemas::{Actor, Comparison, Confidence, Difference, DifferenceRole, Finding, FindingKind, RunNs};

use super::across::{Across, across, add};
use super::rank::{Divides, Polarity, rank};
use super::sketch::{Ending, Feature, Measure, Sketch, Tier};
use super::{files, fresh, life};
use crate::{signature, words};

/// Differences that come with the cause, itself included.
const LISTED: usize = 12;
/// Findings of failing runs.
const TOLD: usize = 8;
/// Differences that may be chance.
const CHANCE: usize = 4;
/// Times closer than this are those of one and the same thing, ns.
const NEAR: u64 = 200_000_000;
/// What explains failures is in a third of them and so many times as frequent among them as among passes, or in nearly all.
const RATHER: u64 = 3;
/// With fewer runs nothing stands, whatever it is.
const FEW: usize = 5;

/// What comes of comparing runs.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What explains the failures, or that it is not known; `None` when no run failed.
    pub verdict: Option<Finding>,
    /// The counts, and all that differs.
    pub comparison: Comparison,
    /// Findings of failing runs, each in the words of the first one, that divide them from passing runs.
    pub findings: Vec<Finding>,
}

/// Compares runs. Their order decides nothing.
pub fn compare(all: &[Sketch]) -> Compared {
    // What a run does not show since less was seen of it is no difference.
    let most = all.iter().map(|sketch| sketch.seen).max();
    let sketches: Vec<&Sketch> = all.iter().filter(|sketch| Some(sketch.seen) == most).collect();
    let sketches = &sketches[..];
    let number = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    let count = |ending: Ending| number(all.iter().filter(|sketch| sketch.ending == ending).count());
    let (passed, failed, hung) = (count(Ending::Passed), count(Ending::Failed), count(Ending::Hung));
    let compared = number(sketches.len());
    let mut comparison = Comparison { passed, failed, hung, compared, ..Comparison::default() };
    let bad = failed + hung;
    if bad == 0 {
        return Compared { verdict: None, comparison, findings: Vec::new() };
    }
    let passed = number(sketches.iter().filter(|sketch| sketch.ending == Ending::Passed).count());
    let bad = compared - passed;
    if bad == 0 {
        let sentence =
            "less was seen of the runs that fail than of those that pass, so there is nothing to compare with";
        return Compared { verdict: Some(unknown(sentence, Vec::new())), comparison, findings: Vec::new() };
    }
    if passed == 0 && all.iter().any(|sketch| sketch.ending == Ending::Passed) {
        let sentence =
            "less was seen of the runs that pass than of those that fail, so there is nothing to compare with";
        return Compared { verdict: Some(unknown(sentence, Vec::new())), comparison, findings: Vec::new() };
    }
    if passed == 0 {
        let sentence = format!(
            "the command fails in each of {bad} runs: there is no run that passes to compare with{}",
            common(sketches).map(|clause| format!("; in all of them {clause}")).unwrap_or_default()
        );
        return Compared { verdict: Some(unknown(&sentence, Vec::new())), comparison, findings: Vec::new() };
    }
    let joined = fresh::level(joined(sketches));
    let sketches: Vec<&Sketch> = joined.iter().map(Cow::as_ref).collect();
    let sketches = &sketches[..];
    let (all, weighed) = rank(sketches);
    comparison.weighed = weighed;
    let cause = cause(sketches, &all);
    comparison.differences = differences(sketches, &all, cause, (bad, passed));
    let verdict = match cause {
        Some(cause) => diverged(sketches, &all, cause, (bad, passed)),
        None => unknown_of(&all, &comparison, (bad, passed)),
    };
    let findings = findings(sketches, &comparison);
    Compared { verdict: Some(verdict), comparison, findings }
}

/// Runs with what they did to each other.
fn joined<'s>(sketches: &[&'s Sketch]) -> Vec<Cow<'s, Sketch>> {
    let with = |(sketch, across): (&&'s Sketch, Vec<Across>)| {
        if across.is_empty() {
            return Cow::Borrowed(*sketch);
        }
        let mut own = Sketch::clone(sketch);
        add(&mut own, across);
        Cow::Owned(own)
    };
    sketches.iter().zip(across(sketches)).map(with).collect()
}

/// What is wrong with failing runs by themselves, where it is so in no passing one or divides them well enough.
fn findings(sketches: &[&Sketch], comparison: &Comparison) -> Vec<Finding> {
    let is_few = sketches.len() < FEW;
    let told = comparison.differences.iter().filter(|difference| {
        let divides = difference.role != DifferenceRole::MayBeChance || is_few && difference.passed == 0;
        divides && difference.failed > 0
    });
    let failing = sketches.iter().filter(|sketch| sketch.ending != Ending::Passed);
    let finding = |difference: &Difference| {
        let is_its = |(clause, _): &&(String, Finding)| {
            let rest = difference.text.strip_prefix(clause.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
        };
        failing.clone().find_map(|sketch| sketch.findings.iter().find(is_its)).map(|(_, finding)| finding.clone())
    };
    told.filter_map(finding).take(TOLD).collect()
}

/// What looks like a race and is so in every run, first in time.
fn common(sketches: &[&Sketch]) -> Option<String> {
    let first = sketches.first()?;
    let mut races: Vec<(&Feature, u32, RunNs)> = Vec::new();
    for (feature, seen) in first.features.iter().filter(|(feature, _)| feature.tier == Tier::Race) {
        let level = |sketch: &&Sketch| sketch.features.get(feature).map_or(0, |seen| seen.level);
        let least = sketches.iter().map(level).min().unwrap_or(0);
        if least > u32::from(feature.measure == Measure::AtOnce) {
            races.push((feature, least, seen.first));
        }
    }
    races.sort_by_key(|(_, _, first)| *first);
    races.first().map(|(feature, level, _)| worded(feature, *level))
}

/// What explains the failures: it stands, it is there, and it is no end of a process, which only tells that it failed.
/// What is missing explains nothing: a run that fails breaks off, and all that comes later in the others is missing from it.
/// Nor does that something is done more often, or more at once: who polls a slow run looks more often. Nor does what many runs have that
/// pass and not all that fail: it makes a failure likelier, as load does, and something else decides.
fn cause<'d>(sketches: &[&Sketch], all: &'d [Divides]) -> Option<&'d Divides> {
    let total = |of_passed: bool| {
        let those = sketches.iter().filter(|sketch| (sketch.ending == Ending::Passed) == of_passed);
        u64::try_from(those.count()).unwrap_or(u64::MAX)
    };
    let (bad, passed) = (total(false), total(true));
    let explains = |divides: &&Divides| {
        let failed = u64::from(divides.failed);
        let is_rather = failed * passed >= u64::from(divides.passed) * bad * RATHER;
        let is_in_nearly_all = failed * 10 >= bad * 9;
        let is_of_degree = divides.level > 1 && matches!(divides.feature.tier, Tier::Deed | Tier::Error);
        let is_in_enough = failed * 3 >= bad;
        divides.feature.tier != Tier::Ending
            && divides.polarity == Polarity::Is
            && (is_rather && is_in_enough || is_in_nearly_all)
            && !is_of_degree
    };
    if sketches.len() < FEW {
        // Of a few runs only what is wrong by itself is worth a word, and no more than possible.
        return all
            .iter()
            .filter(explains)
            .find(|divides| matches!(divides.feature.tier, Tier::Race | Tier::Error) && divides.passed == 0);
    }
    let first = all.iter().filter(explains).find(|divides| divides.stands)?;
    // Of what is so in the same runs at about the same time, who came in whose way says more than that a call failed.
    let is_near = |divides: &&Divides| match (divides.at, first.at) {
        (Some(at), Some(first)) => at.0.abs_diff(first.0) < NEAR,
        _ => false,
    };
    let race = all.iter().filter(|divides| divides.stands && divides.feature.tier == Tier::Race);
    let mut race = race.filter(|divides| divides.polarity == Polarity::Is && divides.pattern == first.pattern);
    Some(race.find(is_near).filter(|_| first.feature.tier == Tier::Error).unwrap_or(first))
}

/// The clause of a difference.
fn clause(divides: &Divides) -> String {
    let said = worded(&divides.feature, divides.level);
    match divides.polarity {
        Polarity::Is => said,
        Polarity::IsNot => format!("this does not happen: {said}"),
    }
}

fn worded(feature: &Feature, level: u32) -> String {
    let Feature { measure, text, .. } = feature;
    match (measure, level) {
        (Measure::Times, 0 | 1) => text.clone(),
        (Measure::Times, level) => format!("{text}, {level} times or more"),
        (Measure::AtOnce, level) => format!("{level} or more {text} are open at once (they overlap)"),
    }
}

fn detail(sketches: &[&Sketch], divides: &Divides) -> (Option<String>, Vec<Actor>) {
    let mut failing = sketches.iter().filter(|sketch| sketch.ending != Ending::Passed);
    let seen =
        failing.find_map(|sketch| sketch.features.get(&divides.feature).filter(|seen| seen.level >= divides.level));
    let seen = seen.filter(|_| divides.polarity == Polarity::Is);
    seen.map(|seen| (seen.detail.clone(), seen.actors.clone())).unwrap_or_default()
}

fn same(a: &Divides, b: &Divides) -> bool {
    std::ptr::eq(a, b)
}

fn differences(
    sketches: &[&Sketch],
    all: &[Divides],
    cause: Option<&Divides>,
    (bad, passed): (u32, u32),
) -> Vec<Difference> {
    let told = |divides: &Divides| {
        let role = match cause {
            Some(cause) if same(cause, divides) => DifferenceRole::Cause,
            _ if divides.stands => DifferenceRole::Consequence,
            _ => DifferenceRole::MayBeChance,
        };
        Difference {
            text: clause(divides),
            detail: detail(sketches, divides).0,
            role,
            failed: divides.failed,
            of_failed: bad,
            passed: divides.passed,
            of_passed: passed,
            chance: divides.chance,
            at: divides.at,
        }
    };
    let rest = |stands: bool| {
        all.iter().filter(move |divides| divides.stands == stands && cause.is_none_or(|cause| !same(cause, divides)))
    };
    let mut with: Vec<&Divides> = rest(true).collect();
    with.sort_by_key(|divides| (divides.polarity, divides.feature.tier == Tier::Order, divides.at));
    let listed = cause.into_iter().chain(with).take(LISTED).chain(rest(false).take(CHANCE));
    listed.map(told).collect()
}

fn diverged(sketches: &[&Sketch], all: &[Divides], cause: &Divides, (bad, passed): (u32, u32)) -> Finding {
    let (more, culprits) = detail(sketches, cause);
    let mut sentence = format!("{}, {}", counts(cause, bad, passed), clause(cause));
    let few = sketches.len() < FEW;
    if let Some(more) = more.filter(|_| cause.feature.tier == Tier::Error) {
        sentence = format!("{sentence}: {more}");
    }
    // What went wrong before it in the same runs, first of all.
    let earlier = all.iter().filter(|divides| {
        let is_told = matches!(divides.feature.tier, Tier::Race | Tier::Error) && divides.polarity == Polarity::Is;
        let is_in_all = cause.pattern.iter().zip(&divides.pattern).all(|(cause, own)| !cause || *own);
        is_told && divides.stands && divides.at < cause.at && is_in_all
    });
    if let Some(earlier) = earlier.min_by_key(|divides| divides.at) {
        let short = format!("{sentence}; before that, {}", clause(earlier));
        let more = detail(sketches, earlier).0.map(|more| format!("{short}: {more}"));
        let fits = |text: &String| text.chars().count() <= words::SENTENCE_LIMIT;
        sentence = more.into_iter().chain([short]).find(fits).unwrap_or(sentence);
    }
    let follows = all.iter().filter(|divides| {
        let is_told = matches!(divides.feature.tier, Tier::Race | Tier::Error);
        let is_later = divides.at >= cause.at && divides.polarity == Polarity::Is;
        is_told && is_later && !same(cause, divides) && (divides.stands || few && divides.passed == 0)
    });
    let mut follows: Vec<&Divides> = follows.collect();
    // Who came in whose way says more than that a call failed.
    follows.sort_by_key(|divides| (divides.feature.tier, divides.at));
    let mut word = "; then";
    for divides in follows.into_iter().take(3) {
        let longer = format!("{sentence}{word} {}", clause(divides));
        if longer.chars().count() > words::SENTENCE_LIMIT {
            break;
        }
        (sentence, word) = (longer, ", and");
    }
    let own = sketches.iter().find_map(|sketch| {
        let is_failing = sketch.ending != Ending::Passed && cause.polarity == Polarity::Is;
        let own = sketch.findings.iter().find(|(clause, _)| is_failing && *clause == cause.feature.text);
        own.map(|(_, finding)| finding)
    });
    let unknown = if few {
        vec![format!("whether it is the cause: {} runs cannot tell that from chance", sketches.len())]
    } else {
        vec!["what is in no record: memory, files that are read through a mapping, calls without names".to_owned()]
    };
    Finding {
        kind: FindingKind::Diverged,
        confidence: if few { Confidence::Possible } else { Confidence::Likely },
        sentence: words::sentence(&sentence),
        culprits,
        edges: Vec::new(),
        advice: own.map_or_else(|| vec![advice(cause)], |own| own.advice.clone()),
        rescue: Vec::new(),
        unknown,
        id: String::new(),
        signature: signature::of_clause(FindingKind::Diverged, &cause.feature.text),
    }
}

/// `in 9 of 9 failing runs and in 0 of 11 passing ones`.
fn counts(divides: &Divides, bad: u32, passed: u32) -> String {
    format!("in {} of {bad} failing runs and in {} of {passed} passing ones", divides.failed, divides.passed)
}

fn advice(cause: &Divides) -> String {
    let text = &cause.feature.text;
    let advice = match (cause.feature.tier, cause.feature.measure) {
        _ if text.ends_with(life::AT_WORK) => {
            "block the signal before the look, and wait for it with sigsuspend, ppoll or a signalfd: then none comes between"
        }
        _ if text.ends_with(files::PUT_BACK) => {
            "before what was made is put in place, see whether it was removed since it was begun (a number that each removal \
             raises), under one lock with the removal"
        }
        _ if cause.feature.tier == Tier::Deed && text.ends_with(life::IS_OPEN) => {
            "count what is in flight from its first step on, and let the end wait until none is"
        }
        (Tier::Race, Measure::AtOnce) => {
            "let the first caller of a key do it and the others wait for its result, or take a lock around both the look \
             and the deed"
        }
        (Tier::Race, Measure::Times) => {
            "make the look and the deed one step: create with O_EXCL, rename into place, or hold a lock (flock on a file \
             that stays) over both"
        }
        (Tier::Error, _) => {
            "let the program stop, or clean up, when this call fails; then see to it that what it fails by has ended before"
        }
        (Tier::Order, _) => {
            "let the later of the two wait for the earlier one, by a signal of its own and not by time"
        }
        _ => "look at a failing and a passing run in the replay, at the time of this difference",
    };
    advice.to_owned()
}

fn unknown_of(all: &[Divides], comparison: &Comparison, (bad, passed): (u32, u32)) -> Finding {
    let best = all.iter().find(|divides| divides.feature.tier != Tier::Ending);
    let sentence = match best {
        Some(best) if best.stands => format!(
            "what makes the command fail in {bad} of {} runs is not known: {}, {}, {}",
            bad + passed,
            counts(best, bad, passed),
            clause(best),
            match best.polarity {
                Polarity::IsNot => "but a run that fails breaks off, and that may come of it",
                Polarity::Is => "which makes it likelier or comes of it, and does not decide it",
            },
        ),
        Some(best) => format!(
            "the command fails in {bad} of {} runs, and what differs between failing and passing runs may be chance: of {} \
             patterns the best divides {} of {bad} failures from {} of {passed} passes, and so would luck. It is: {}",
            bad + passed,
            comparison.weighed,
            best.failed,
            best.passed,
            clause(best),
        ),
        None => format!(
            "the command fails in {bad} of {} runs, and nothing that is recorded differs between failing and passing runs",
            bad + passed
        ),
    };
    unknown(
        &sentence,
        vec!["what is in no record: memory, files that are read through a mapping, calls without names".to_owned()],
    )
}

fn unknown(sentence: &str, unknown: Vec<String>) -> Finding {
    Finding {
        kind: FindingKind::Unknown,
        confidence: Confidence::Possible,
        sentence: words::sentence(sentence),
        culprits: Vec::new(),
        edges: Vec::new(),
        advice: vec![
            "record more runs (`--runs`), and let the program say what it does: the tracing layer or `hangdog phase`"
                .to_owned(),
        ],
        rescue: Vec::new(),
        unknown,
        id: String::new(),
        signature: signature::of_clause(FindingKind::Unknown, "flake"),
    }
}
