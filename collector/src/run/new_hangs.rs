//! Which hangs of a watch are new. Pure.

use std::collections::BTreeMap;

use hangdog_schemas::{Confidence, Finding, Report, RunNs};

use crate::watchdog::APART;

/// A hang that was not seen for so long is over; seen again, it is another one. Some ten looks.
const OVER: u64 = 60_000_000_000;
/// Hangs that are remembered.
const MOST: usize = 256;

/// The hangs that were told, by their signature, and when each was seen last.
#[derive(Debug, Default)]
pub(super) struct NewHangs {
    told: BTreeMap<String, RunNs>,
    number: u64,
}

impl NewHangs {
    /// Those of a report that stand and were not told yet, each as a report with that verdict. `since` is when the
    /// earlier of its two looks began.
    pub(super) fn of(&mut self, now: RunNs, since: RunNs, report: &Report) -> Vec<Report> {
        let is_apart = now.since(since) >= APART;
        let least = if is_apart { Confidence::Likely } else { Confidence::Certain };
        let hangs: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.kind.is_hang() && finding.confidence >= least).collect();
        self.told.retain(|_, seen| now.0.saturating_sub(seen.0) < OVER);
        let mut new = Vec::new();
        for hang in hangs {
            let is_known = self.told.contains_key(&hang.signature);
            if is_known || self.told.len() < MOST {
                self.told.insert(hang.signature.clone(), now);
            }
            if !is_known {
                self.number += 1;
                new.push(Report { verdict: Some(hang.clone()), ..report.clone() });
            }
        }
        new
    }

    /// How many were told.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::sample;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn report(hangs: &[(&str, Confidence)]) -> Report {
        let mut report = sample::report();
        let pattern = report.verdict.take().expect("the sample has a verdict");
        let finding = |(signature, confidence): &(&str, Confidence)| Finding {
            signature: (*signature).to_owned(),
            confidence: *confidence,
            ..pattern.clone()
        };
        report.findings = hangs.iter().map(finding).collect();
        report
    }

    #[test]
    fn each_hang_is_told_once_as_long_as_it_lasts() {
        let mut hangs = NewHangs::default();
        let mut look = |second: u64, of: &[(&str, Confidence)]| {
            let since = RunNs(second.saturating_sub(5) * SECOND);
            let new = hangs.of(RunNs(second * SECOND), since, &report(of));
            new.into_iter().map(|report| report.verdict.expect("a verdict").signature).collect::<Vec<_>>().join(" ")
        };
        let (certain, likely, possible) = (Confidence::Certain, Confidence::Likely, Confidence::Possible);
        // One second apart, what is likely may be over in a moment.
        assert_eq!(look(1, &[("a", certain), ("b", likely)]), "a");
        assert_eq!(look(10, &[("a", certain), ("b", likely), ("c", possible)]), "b");
        assert_eq!(look(60, &[("a", certain), ("b", likely)]), "");
        assert_eq!(look(100, &[("b", likely)]), "");
        assert_eq!(look(125, &[("a", certain), ("b", likely)]), "a");
    }
}
