//! A comparison of runs as lines: how many failed and how often, and what differs with the counts.

use hangdog_schemas::{Comparison, Difference, DifferenceRole, Rate, Reproduced};

use crate::words;

/// Failures that are listed one by one.
const LISTED: usize = 10;

/// How the runs ended.
pub(crate) fn runs(comparison: &Comparison) -> Vec<String> {
    let mut lines =
        vec![format!("{} passed, {} failed, {} hung", comparison.passed, comparison.failed, comparison.hung)];
    for (rate, which) in [(comparison.undisturbed, "left alone"), (comparison.perturbed, "disturbed")] {
        lines.extend(rate.map(|rate| format!("of those that were {which}, {}", rate_in_words(rate))));
    }
    lines.extend(comparison.reproduced.iter().map(|reproduced| with_seed(reproduced, comparison.undisturbed)));
    for failure in comparison.failures.iter().take(LISTED) {
        let seed = failure.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let capture = failure.capture.as_deref().map(|capture| format!(": {capture}")).unwrap_or_default();
        lines.push(format!("run {} failed with {}{seed}{capture}", failure.run, failure.how));
    }
    let more = comparison.failures.len().saturating_sub(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more failed"));
    }
    lines
}

/// `3 of 20 failed: 15 %, and the true share is between 5 % and 36 %`.
fn rate_in_words(rate: Rate) -> String {
    let share = 100.0 * f64::from(rate.failed) / f64::from(rate.of.max(1));
    format!(
        "{} of {} failed: {share:.0} %, and the true share is between {:.1} % and {:.1} %",
        rate.failed,
        rate.of,
        100.0 * rate.low,
        100.0 * rate.high
    )
}

/// What a seed does, how often runs fail by it, and how many times as often as those that were left alone.
fn with_seed(Reproduced { seed, rate, by }: &Reproduced, alone: Option<Rate>) -> String {
    let does = if by.is_empty() { String::new() } else { format!(" ({})", by.join("; ")) };
    let share = |rate: Rate| f64::from(rate.failed) / f64::from(rate.of.max(1));
    let times = alone.filter(|alone| alone.of > 0).map(|alone| match alone.failed {
        // None of them failed: they may do so as often as the interval says.
        0 => format!("at least {:.1} times as often as those left alone", rate.low / alone.high.max(f64::EPSILON)),
        _ => format!("{:.1} times as often as those left alone", share(*rate) / share(alone)),
    });
    let times = times.map(|times| format!("; {times}")).unwrap_or_default();
    format!("with seed {seed}{does}, {}{times}", rate_in_words(*rate))
}

/// What differs, by how it stands to the failure.
pub(crate) fn differences(comparison: &Comparison) -> Vec<(&'static str, Vec<String>)> {
    let roles = [DifferenceRole::Cause, DifferenceRole::Consequence, DifferenceRole::MayBeChance];
    let lines = |role| {
        let those = comparison.differences.iter().filter(move |difference| difference.role == role);
        those.map(line).collect::<Vec<String>>()
    };
    roles.into_iter().map(|of| (role(of), lines(of))).collect()
}

/// A role in words.
pub(crate) fn role(role: DifferenceRole) -> &'static str {
    match role {
        DifferenceRole::Cause => "What explains it",
        DifferenceRole::Consequence => "What comes with it",
        DifferenceRole::MayBeChance => "What may be chance",
    }
}

fn line(difference: &Difference) -> String {
    let at = difference.at.map(|at| format!(", {} into the run", words::seconds(at))).unwrap_or_default();
    let detail = difference.detail.as_deref().map(|detail| format!("; {detail}")).unwrap_or_default();
    format!(
        "{} (in {} of {} failures and {} of {} passes{at}){detail}",
        difference.text, difference.failed, difference.of_failed, difference.passed, difference.of_passed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_tells_its_interval() {
        let rate = Rate { failed: 3, of: 20, low: 0.052, high: 0.3604 };
        assert_eq!(rate_in_words(rate), "3 of 20 failed: 15 %, and the true share is between 5.2 % and 36.0 %");
    }

    #[test]
    fn a_seed_tells_what_it_does_and_how_often() {
        let by = vec!["worker is held for 8 ms".to_owned(), "others compute beside it".to_owned()];
        let seed = Reproduced { seed: 7, rate: Rate { failed: 9, of: 12, low: 0.4677, high: 0.9111 }, by };
        let alone = Rate { failed: 1, of: 40, low: 0.0044, high: 0.1288 };
        let words = "with seed 7 (worker is held for 8 ms; others compute beside it), 9 of 12 failed: 75 %, and the \
                     true share is between 46.8 % and 91.1 %; ";
        assert_eq!(with_seed(&seed, Some(alone)), format!("{words}30.0 times as often as those left alone"));
        let none = Rate { failed: 0, of: 40, low: 0.0, high: 0.0876 };
        assert_eq!(with_seed(&seed, Some(none)), format!("{words}at least 5.3 times as often as those left alone"));
        assert_eq!(with_seed(&seed, None), words.trim_end_matches("; "));
    }

    #[test]
    fn each_difference_tells_its_counts() {
        let difference = Difference {
            text: "a reads b before it is there".to_owned(),
            detail: None,
            role: DifferenceRole::Cause,
            failed: 9,
            of_failed: 9,
            passed: 0,
            of_passed: 11,
            chance: 1e-5,
            at: Some(hangdog_schemas::RunNs(12_000_000)),
        };
        let comparison =
            Comparison { passed: 11, failed: 8, hung: 1, differences: vec![difference], ..Default::default() };
        let told = differences(&comparison);
        assert_eq!(
            told[0].1,
            ["a reads b before it is there (in 9 of 9 failures and 0 of 11 passes, 12 ms into the run)"]
        );
        assert!(told[1].1.is_empty() && told[2].1.is_empty());
    }
}
