//! `hangdog diff`: what is otherwise in captures of runs that failed than in those of runs that passed.

use std::path::PathBuf;
use std::time::Duration;

use hangdog_analysis::{Compared, Sketch, compare};

use crate::failure::Failure;
use crate::flake::{not_compared, number, summary};
use crate::outputs::{Format, Put, put};
use crate::{capture, console, exit};
use hangdog_report::Style;

/// Say what is otherwise in captures of runs that failed than in those of runs that passed
///
/// How a run ended is in its capture. Two captures alone tell what differs, not what causes it: `hangdog flake` makes
/// as many as that takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  1  with --exit-code: some of the runs failed
  2  wrong usage, or a capture that cannot be read

Environment:
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how text is shown

Example:
  hangdog diff failed.hang passed.hang
  hangdog diff captures/*.hang --format json | jq .comparison.differences")]
pub(crate) struct Arguments {
    /// The captures, in any order
    #[arg(value_name = "FILE.hang", required = true, num_args = 2..)]
    captures: Vec<PathBuf>,
    /// How to say it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write it to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with 1 when some of the runs failed
    #[arg(long)]
    exit_code: bool,
}

/// Prints the report.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let mut report = summary(&[], Duration::ZERO);
    let mut sketches = Vec::new();
    for path in &arguments.captures {
        let capture = capture::open(path)?;
        if sketches.is_empty() {
            report.run.command.clone_from(&capture.timeline.header().command);
        }
        let missing = capture.missing.iter().map(|missing| format!("{}: {missing}", path.display()));
        report.run.missing.extend(missing);
        sketches.push(Sketch::of(&capture.timeline));
    }
    let Compared { verdict, comparison, findings } = compare(&sketches);
    "diff".clone_into(&mut report.run.id);
    report.findings = verdict.iter().cloned().chain(findings).collect();
    report.verdict = verdict;
    number(&mut report);
    report.comparison = Some(comparison);
    report.run.missing.extend(not_compared(sketches.len(), &report));
    if let Some(path) = &arguments.output {
        put(path, arguments.format.of(&report, &Style::plain()).as_bytes(), Put::Replace).map_err(|error| {
            Failure::new(format!("{} cannot be written", path.display()))
                .because(&error)
                .advise("write it to a directory that exists and has room")
        })?;
    } else {
        let text = arguments.format.of(&report, &console::stdout_style());
        console::print(&text).map_err(|error| Failure::new("the report cannot be printed").because(&error))?;
    }
    Ok(if arguments.exit_code && report.verdict.is_some() { exit::NO } else { exit::OK })
}
