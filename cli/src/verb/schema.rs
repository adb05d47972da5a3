//! `hangdog schema`: the JSON Schema of captures and reports.

use crate::failure::Failure;
use crate::{console, exit};

/// Print the JSON Schema of a capture's lines or of a report
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  2  wrong usage

Example:
  hangdog schema report > report.schema.json
  zstdcat run.hang | jq -c .    # what `hangdog schema record` describes, a line each")]
pub(crate) struct Arguments {
    /// Of what
    #[arg(value_enum, default_value_t = Subject::Report)]
    of: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// A line of a capture
    Record,
    /// A report
    Report,
}

/// Prints the schema.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let schema = match arguments.of {
        Subject::Record => hangdog_schemas::json_schema::record(),
        Subject::Report => hangdog_schemas::json_schema::report(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::of(&error))?;
    console::print(&format!("{text}\n"))
        .map_err(|error| Failure::new("the schema cannot be printed").because(&error))?;
    Ok(exit::OK)
}
