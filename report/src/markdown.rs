//! A report for an issue, a pull request or a step summary, in GitHub flavoured Markdown.

use std::fmt::Write as _;

use hangdog_schemas::{Finding, Report};

use crate::escape::{markdown as plain, markdown_code as code, not_a_command};
use crate::style::Style;
use crate::{chain, compared, words};

/// The report as Markdown. Begins with the sentence.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    if let Some(verdict) = &report.verdict {
        _ = writeln!(out, "**{}**\n", plain(&verdict.sentence));
        _ = write!(out, "{}, {}", code(&verdict.kind.name()), verdict.confidence.word());
        if let Some(still) = words::stillness(report) {
            _ = write!(out, "; {}", plain(&still));
        }
        _ = writeln!(out, "; signature {}  ", code(&verdict.signature));
        _ = writeln!(out, "command: {}", code(&words::command(report)));
        body(&mut out, verdict);
    } else {
        _ = writeln!(out, "{}\n", plain(&words::all_clear(report)));
        _ = writeln!(out, "command: {}", code(&words::command(report)));
    }
    if let Some(comparison) = &report.comparison {
        list(&mut out, "Runs", &compared::runs(comparison));
        for (title, lines) in compared::differences(comparison) {
            list(&mut out, title, &lines);
        }
    }
    list(&mut out, "What hangdog did", &report.run.actions);
    let others: Vec<String> = words::others(report)
        .map(|f| format!("{} ({}): {}", f.kind.name(), f.confidence.word(), f.sentence))
        .collect();
    list(&mut out, "Also found", &others);
    list(&mut out, "Missing from the capture", &report.run.missing);
    if let Some(capture) = &report.run.capture {
        _ = writeln!(out, "\n### Capture\n\n{}\n\n{}", code(capture), code(&words::replay(capture)));
    }
    out
}

fn body(out: &mut String, verdict: &Finding) {
    let rows = chain::draw(verdict, &Style::plain());
    if !rows.is_empty() {
        let lines: Vec<String> = rows
            .iter()
            .map(|row| not_a_command(format!("{}{}", row.prefix, row.text)).trim_end().to_owned())
            .collect();
        // The fence is longer than any row of backticks in somebody's name.
        let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        _ = writeln!(out, "\n### Who waits for whom\n\n{fence}text\n{}\n{fence}", lines.join("\n"));
    }
    if !verdict.culprits.is_empty() {
        out.push_str("\n### To blame\n\n");
        for culprit in &verdict.culprits {
            _ = write!(out, "- {}", code(&words::actor(culprit)));
            if let Some(phase) = &culprit.phase {
                _ = write!(out, ", in {}", code(phase));
            }
            out.push('\n');
        }
    }
    list(out, "Advice", &verdict.advice);
    list(out, "To free it now", &verdict.rescue);
    list(out, "What could not be seen", &verdict.unknown);
}

fn list(out: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    _ = writeln!(out, "\n### {title}\n");
    for item in items {
        _ = writeln!(out, "- {}", plain(item));
    }
}
