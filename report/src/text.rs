//! A report for a person at a terminal: the sentence first, the rest in the order in which it is needed.

use hangdog_schemas::{Confidence, Finding, Report};

use crate::page::Page;
use crate::style::{Ink, Style};
use crate::{chain, compared, words};

/// The report as lines of text. Ends with a line end.
pub fn text(report: &Report, style: &Style) -> String {
    let mut page = Page::new(style);
    if let Some(verdict) = &report.verdict {
        page.para("", ink(verdict), &verdict.sentence);
        page.blank();
        page.para("", Ink::Plain, &standing(verdict, report));
        page.whole("command: ", Ink::Plain, &words::command(report));
        body(&mut page, verdict, style);
    } else {
        page.para("", Ink::Good, &words::all_clear(report));
        page.whole("command: ", Ink::Plain, &words::command(report));
    }
    compared(&mut page, report);
    list(&mut page, "What hangdog did", &report.run.actions);
    also(&mut page, report);
    list(&mut page, "Missing from the capture", &report.run.missing);
    if let Some(capture) = &report.run.capture {
        page.heading("Capture");
        page.whole("  ", Ink::Plain, capture);
        page.whole("  ", Ink::Plain, &words::replay(capture));
    }
    page.finish()
}

fn ink(finding: &Finding) -> Ink {
    match finding.confidence {
        Confidence::Certain => Ink::Bad,
        Confidence::Likely | Confidence::Possible => Ink::Fair,
    }
}

fn standing(verdict: &Finding, report: &Report) -> String {
    let mut parts = vec![format!("{}, {}", verdict.kind.name(), verdict.confidence.word())];
    parts.extend(words::stillness(report));
    if !verdict.signature.is_empty() {
        parts.push(format!("signature {}", verdict.signature));
    }
    parts.join("; ")
}

fn body(page: &mut Page<'_>, verdict: &Finding, style: &Style) {
    let rows = chain::draw(verdict, style);
    if !rows.is_empty() {
        page.heading("Who waits for whom");
        for row in rows {
            page.raw(&row.prefix, row.ink, &row.text);
        }
    }
    if !verdict.culprits.is_empty() {
        page.heading("To blame");
        for culprit in &verdict.culprits {
            let name = words::actor(culprit);
            let line = match &culprit.phase {
                Some(phase) => format!("{name}, in {phase}"),
                None => name,
            };
            page.item(Ink::Plain, &line);
        }
    }
    list(page, "Advice", &verdict.advice);
    list(page, "To free it now", &verdict.rescue);
    list(page, "What could not be seen", &verdict.unknown);
}

fn compared(page: &mut Page<'_>, report: &Report) {
    let Some(comparison) = &report.comparison else { return };
    page.heading("Runs");
    for line in compared::runs(comparison) {
        page.item(Ink::Plain, &line);
    }
    for (title, lines) in compared::differences(comparison) {
        list(page, title, &lines);
    }
}

fn list(page: &mut Page<'_>, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.heading(title);
    for item in items {
        page.item(Ink::Plain, item);
    }
}

fn also(page: &mut Page<'_>, report: &Report) {
    let mut first = true;
    for finding in words::others(report) {
        if std::mem::take(&mut first) {
            page.heading("Also found");
        }
        page.item(
            Ink::Plain,
            &format!("{} ({}): {}", finding.kind.name(), finding.confidence.word(), finding.sentence),
        );
        for advice in &finding.advice {
            page.para("    ", Ink::Faint, advice);
        }
    }
}
