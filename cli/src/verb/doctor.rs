//! `hangdog doctor`: what this machine lets hangdog see, and how to get the rest.

use std::fmt::Write as _;

use hangdog_report::{Colour, escape};

use crate::doctor::{Check, State, examine};
use crate::failure::Failure;
use crate::{console, exit};

/// Show what this machine lets hangdog see, and how to get the rest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done, whatever was found
  1  with --exit-code: something is limited or missing
  2  wrong usage

Environment:
  XDG_STATE_HOME, XDG_RUNTIME_DIR   where captures and recorders would be kept

Example:
  hangdog doctor
  hangdog doctor --json | jq '.[] | select(.state != \"ok\")'")]
pub(crate) struct Arguments {
    /// Print a JSON list instead: name, state, found, cost, advice
    #[arg(long)]
    json: bool,
    /// End with 1 when something is limited or missing
    #[arg(long)]
    exit_code: bool,
}

/// Looks and prints.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let checks = examine();
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&checks).map_err(|error| Failure::of(&error))?;
        format!("{json}\n")
    } else {
        table(&checks, console::stdout_style().colour)
    };
    console::print(&text).map_err(|error| Failure::new("the table cannot be printed").because(&error))?;
    let short = checks.iter().any(|check| check.state != State::Ok);
    Ok(if arguments.exit_code && short { exit::NO } else { exit::OK })
}

fn table(checks: &[Check], colour: Colour) -> String {
    let column = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let code = match (colour, check.state) {
            (Colour::Never, _) => "",
            (Colour::Ansi, State::Ok) => "32",
            (Colour::Ansi, State::Limited) => "33",
            (Colour::Ansi, State::Missing) => "31",
        };
        let word = format!("{:<7}", check.state.word());
        let word = if code.is_empty() { word } else { format!("\x1b[{code}m{word}\x1b[0m") };
        _ = writeln!(out, "{word}  {:<column$}  {}", check.name, escape::terminal(&check.found));
        if check.state != State::Ok {
            _ = writeln!(out, "         costs: {}", check.cost);
            _ = writeln!(out, "         to get it: {}", check.advice);
        }
    }
    out
}
