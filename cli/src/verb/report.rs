//! `hangdog report`: thinks about a capture again, with today's rules.

use std::path::PathBuf;

use hangdog_report::Style;
use hangdog_schemas::Report;

use crate::capture::{self, Capture};
use crate::failure::Failure;
use crate::judge::Thinking;
use crate::outputs::{Format, Put, put};
use crate::{console, exit};

/// Say what a capture shows, by the rules of this hangdog
///
/// A capture that was cut, or that hangdog could not finish, is read as far as it goes; what is missing is said.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  1  with --exit-code: something is wrong with the run
  2  wrong usage, or a capture that cannot be read

Environment:
  HANGDOG_PATIENCE   as --patience
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how text is shown

Example:
  hangdog report run.hang
  hangdog report run.hang --format json | jq .verdict.sentence")]
pub(crate) struct Arguments {
    /// The capture
    #[arg(value_name = "FILE.hang")]
    capture: PathBuf,
    /// How to say it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write it to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with 1 when something is wrong with the run
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    thinking: Thinking,
}

/// Prints the report.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let capture = capture::open(&arguments.capture)?;
    let report = think(&capture, &arguments.thinking, &arguments.capture.to_string_lossy());
    if let Some(path) = &arguments.output {
        let text = arguments.format.of(&report, &Style::plain());
        put(path, text.as_bytes(), Put::Replace).map_err(|error| {
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

/// The report of a capture by the rules of this hangdog.
pub(crate) fn think(capture: &Capture, thinking: &Thinking, place: &str) -> Report {
    let mut report = hangdog_analysis::analyse(&capture.timeline, &thinking.options());
    report.run.capture = Some(place.to_owned());
    report.run.missing.extend(capture.missing.iter().cloned());
    report
}
