//! A report as one page that needs nothing else: no script, no font, no other file; light or dark as the reader likes.

use std::fmt::Write as _;

use hangdog_schemas::{Actor, Comparison, Confidence, Edge, Finding, Report};

use crate::escape::html as esc;
use crate::{compared, words};

/// The report as an HTML page.
pub fn html(report: &Report) -> String {
    let title = report.verdict.as_ref().map_or("no hang".to_owned(), |verdict| verdict.kind.name());
    let mut out = String::with_capacity(16 * 1024);
    _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>hangdog: {}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        esc(&title),
        include_str!("page.css"),
    );
    if let Some(verdict) = &report.verdict {
        _ = writeln!(out, "<h1 class=\"{}\">{}</h1>", verdict.confidence.word(), esc(&verdict.sentence));
        facts(&mut out, report, Some(verdict));
        chain(&mut out, verdict);
        if !verdict.culprits.is_empty() {
            out.push_str("<h2>To blame</h2>\n<ul>\n");
            for culprit in &verdict.culprits {
                _ = writeln!(out, "<li>{}</li>", task(culprit));
            }
            out.push_str("</ul>\n");
        }
        list(&mut out, "Advice", &verdict.advice);
        list(&mut out, "To free it now", &verdict.rescue);
        list(&mut out, "What could not be seen", &verdict.unknown);
    } else {
        _ = writeln!(out, "<h1>{}</h1>", esc(&words::all_clear(report)));
        facts(&mut out, report, None);
    }
    if let Some(comparison) = &report.comparison {
        list(&mut out, "Runs", &compared::runs(comparison));
        differences(&mut out, comparison);
    }
    list(&mut out, "What hangdog did", &report.run.actions);
    others(&mut out, report);
    list(&mut out, "Missing from the capture", &report.run.missing);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn facts(out: &mut String, report: &Report, verdict: Option<&Finding>) {
    out.push_str("<dl>\n");
    let mut row = |name: &str, value: String| _ = writeln!(out, "<dt>{name}</dt><dd>{value}</dd>");
    if let Some(verdict) = verdict {
        row("kind", format!("<code>{}</code> {}", esc(&verdict.kind.name()), tag(verdict.confidence)));
        row("signature", format!("<code>{}</code>", esc(&verdict.signature)));
    }
    row("command", format!("<code>{}</code>", esc(&words::command(report))));
    row("host", esc(&report.run.host));
    row("run", format!("<code>{}</code>", esc(&report.run.id)));
    if let Some(still) = words::stillness(report) {
        row("progress", esc(&still));
    }
    if let Some(capture) = &report.run.capture {
        row("capture", format!("<code>{}</code>", esc(capture)));
        row("replay", format!("<code>{}</code>", esc(&words::replay(capture))));
    }
    out.push_str("</dl>\n");
}

/// One row a difference: the counts side by side, the better the further they are apart.
fn differences(out: &mut String, comparison: &Comparison) {
    if comparison.differences.is_empty() {
        return;
    }
    out.push_str("<h2>What differs</h2>\n<table>\n<thead><tr><th>failures</th><th>passes</th><th>from</th><th></th></tr></thead>\n<tbody>\n");
    for difference in &comparison.differences {
        let role = compared::role(difference.role);
        let detail = difference.detail.as_deref().map(|detail| format!("<br>{}", esc(detail))).unwrap_or_default();
        let at = difference.at.map(words::seconds).unwrap_or_default();
        _ = writeln!(
            out,
            "<tr><td>{} of {}</td><td>{} of {}</td><td>{at}</td><td><strong>{role}</strong>: {}{detail}</td></tr>",
            difference.failed,
            difference.of_failed,
            difference.passed,
            difference.of_passed,
            esc(&difference.text),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn chain(out: &mut String, finding: &Finding) {
    if finding.edges.is_empty() {
        return;
    }
    out.push_str("<h2>Who waits for whom</h2>\n<ol class=\"chain\">\n");
    let mut seen: Vec<&Actor> = Vec::new();
    let mut last: Option<&Actor> = None;
    for (i, edge) in finding.edges.iter().enumerate() {
        if last != Some(&edge.waiter) {
            node(out, &edge.waiter, &mut seen);
        }
        wait(out, edge);
        // The next edge knows which thread of the resolver waits on.
        let next = finding.edges.get(i + 1).map(|next| &next.waiter);
        last = match (&edge.resolver, next) {
            (None, _) => {
                _ = writeln!(out, "<li><div class=\"task nobody\">{}</div></li>", esc(words::nobody(finding.kind)));
                None
            }
            (Some(resolver), Some(thread)) if thread.pid == resolver.pid => Some(node(out, thread, &mut seen)),
            (Some(resolver), _) => Some(node(out, resolver, &mut seen)),
        };
    }
    out.push_str("</ol>\n");
}

fn node<'a>(out: &mut String, actor: &'a Actor, seen: &mut Vec<&'a Actor>) -> &'a Actor {
    let again = seen.iter().any(|one| one.is(actor));
    let (class, note) = if again { ("task again", " (above)") } else { ("task", "") };
    _ = writeln!(out, "<li><div class=\"{class}\">{}{note}</div></li>", task(actor));
    seen.push(actor);
    actor
}

fn task(actor: &Actor) -> String {
    let name = esc(&words::actor(actor));
    match &actor.phase {
        Some(phase) => format!("<b>{name}</b> <span>in {}</span>", esc(phase)),
        None => format!("<b>{name}</b>"),
    }
}

fn tag(confidence: Confidence) -> String {
    format!("<span class=\"tag {0}\">{0}</span>", confidence.word())
}

fn wait(out: &mut String, edge: &Edge) {
    out.push_str("<li><div class=\"wait\">\n");
    if let Some(call) = &edge.resource.call {
        _ = writeln!(out, "<p>is in <code>{}</code></p>", esc(call));
    }
    _ = writeln!(out, "<p>waits for <code>{}</code> {}</p>", esc(&edge.resource.name), tag(edge.confidence));
    if !edge.evidence.is_empty() {
        out.push_str("<ul>\n");
        for evidence in &edge.evidence {
            let facts: Vec<String> = evidence.facts.iter().map(|fact| esc(&fact.to_string())).collect();
            _ = writeln!(out, "<li>{} <span class=\"facts\">{}</span></li>", esc(&evidence.text), facts.join(" "));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</div></li>\n");
}

fn list(out: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    _ = writeln!(out, "<h2>{title}</h2>\n<ul>");
    for item in items {
        _ = writeln!(out, "<li>{}</li>", esc(item));
    }
    out.push_str("</ul>\n");
}

fn others(out: &mut String, report: &Report) {
    let mut first = true;
    for finding in words::others(report) {
        if std::mem::take(&mut first) {
            out.push_str("<h2>Also found</h2>\n");
        }
        _ = writeln!(
            out,
            "<details><summary><code>{}</code> {} {}</summary>",
            esc(&finding.kind.name()),
            tag(finding.confidence),
            esc(&finding.sentence)
        );
        chain(out, finding);
        list(out, "Advice", &finding.advice);
        out.push_str("</details>\n");
    }
}
