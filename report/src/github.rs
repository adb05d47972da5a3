//! GitHub Actions: one annotation with the verdict, and a step summary.
//!
//! Annotations survive a cancelled job because they are recorded as they are printed; at most ten of a step
//! are shown, so there is one. A step summary above 1024 KiB is thrown away whole.

use hangdog_schemas::Report;

use crate::escape::{terminal, workflow_command, workflow_property};
use crate::markdown;

/// Largest step summary that is written, bytes.
pub const SUMMARY_LIMIT: usize = 256 * 1024;

const CUT: &str = "\n\n_cut here; `hangdog report` on the capture shows all of it_\n";

/// The verdict as a workflow command, with a line end; `None` without a verdict.
pub fn annotation(report: &Report) -> Option<String> {
    let verdict = report.verdict.as_ref()?;
    let level = if verdict.kind.is_hang() { "error" } else { "warning" };
    let title = workflow_property(&terminal(&format!("hangdog: {}", verdict.kind.name())));
    let message = workflow_command(&terminal(&verdict.sentence));
    Some(format!("::{level} title={title}::{message}\n"))
}

/// The report as Markdown for `$GITHUB_STEP_SUMMARY`, at most [`SUMMARY_LIMIT`] bytes.
pub fn summary(report: &Report) -> String {
    let mut text = format!("## hangdog\n\n{}\n", markdown(report));
    if text.len() > SUMMARY_LIMIT {
        let mut end = SUMMARY_LIMIT - CUT.len() - 1024;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // A cut inside the drawing would leave its code block open.
        let fences = text[..end].lines().filter(|line| line.starts_with("```"));
        let fences: Vec<usize> = fences.map(|line| line.bytes().take_while(|b| *b == b'`').count()).collect();
        text.truncate(end);
        if fences.len() % 2 == 1 {
            text.push('\n');
            text.push_str(&"`".repeat(fences.last().copied().unwrap_or(3)));
        }
        text.push_str(CUT);
    }
    text
}
