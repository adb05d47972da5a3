//! A report for CI servers, in the Jenkins flavour of JUnit XML: the run is one test case, a hang is its error. Runs that
//! were compared are one test case too; how many failed, and what explains it, are properties.
//!
//! Write it to a file of its own (`hangdog-junit.xml`), beside that of the test runner.

use std::fmt::Write as _;

use hangdog_schemas::{Comparison, DifferenceRole, Report};

use crate::escape::{xml, xml_lines};
use crate::style::Style;
use crate::{text, words};

/// The report as JUnit XML. A hang is `<error type="hang">`, another verdict a failure of its kind; a clean
/// run is a test case that passed.
pub fn junit(report: &Report) -> String {
    let verdict = report.verdict.as_ref();
    let errors = verdict.filter(|verdict| verdict.kind.is_hang()).map_or(0, |_| 1);
    let failures = verdict.filter(|verdict| !verdict.kind.is_hang()).map_or(0, |_| 1);
    let counts = format!(r#"tests="1" failures="{failures}" errors="{errors}""#);
    let time = format!("{:.3}", report.run.at.seconds());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    _ = writeln!(out, r#"<testsuites name="hangdog" {counts} time="{time}">"#);
    let host = xml(&report.run.host);
    _ = writeln!(out, r#"  <testsuite name="hangdog" {counts} skipped="0" hostname="{host}" time="{time}">"#);
    if let Some(comparison) = &report.comparison {
        properties(&mut out, comparison);
    }
    let name = xml(&words::command(report));
    _ = writeln!(out, r#"    <testcase name="{name}" classname="hangdog.run" time="{time}">"#);
    if let Some(verdict) = verdict {
        let (element, kind) =
            if verdict.kind.is_hang() { ("error", "hang".to_owned()) } else { ("failure", verdict.kind.name()) };
        let sentence = xml(&verdict.sentence);
        _ = writeln!(out, r#"      <{element} type="{kind}" message="{sentence}">{sentence}</{element}>"#);
    }
    _ = writeln!(out, "      <system-err>{}</system-err>", xml_lines(&text(report, &Style::plain())));
    out.push_str("    </testcase>\n  </testsuite>\n</testsuites>\n");
    out
}

fn properties(out: &mut String, comparison: &Comparison) {
    out.push_str("    <properties>\n");
    let mut property = |name: &str, value: &str| {
        _ = writeln!(out, r#"      <property name="hangdog.{name}" value="{}"/>"#, xml(value));
    };
    for (name, runs) in [("passed", comparison.passed), ("failed", comparison.failed), ("hung", comparison.hung)] {
        property(name, &runs.to_string());
    }
    let causes = comparison.differences.iter().filter(|difference| difference.role == DifferenceRole::Cause);
    for cause in causes {
        property("cause", &cause.text);
    }
    for failure in &comparison.failures {
        let seed = failure.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        property("failure", &format!("run {}: {}{seed}", failure.run, failure.how));
    }
    out.push_str("    </properties>\n");
}
