//! The command line.

use std::process::ExitCode;

use crate::clock::Effort;
use crate::{line, lines, machine, rounds, service, table};

const USAGE: &str = "\
cargo bench -p hangdog-tracer [-- OPTIONS]
  --quick        fewer rounds and shorter batches, under a minute
  --only WORD    lines with this word in their name, and what they are compared with; may be repeated
  --rounds N     how often each line is measured
  --list         names of the lines";

/// What is to be done.
pub(crate) enum Command {
    /// Print what there is.
    List,
    /// Print how to use it.
    Help,
    /// Measure one line in this process and print its number.
    One { name: String, effort: Effort },
    /// Be the HTTP service that is put under load.
    Serve { recorded: service::Recorded },
    /// Open phases and wait to be killed.
    Victim,
    /// Measure lines and print the table.
    Table { effort: Effort, only: Vec<String>, rounds: usize },
}

/// Understands the command line. `--bench` is cargo's own.
pub(crate) fn parse() -> Result<Command, String> {
    let mut words = std::env::args().skip(1);
    let mut effort = Effort::Full;
    let mut only = Vec::new();
    let mut rounds = None;
    let mut one = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--quick" => effort = Effort::Quick,
            "--only" => only.push(value()?),
            "--rounds" => rounds = Some(value()?.parse().map_err(|error| format!("--rounds: {error}"))?),
            "--measure" => one = Some(value()?),
            "--serve" => return Ok(Command::Serve { recorded: value()?.parse()? }),
            "--victim" => return Ok(Command::Victim),
            "--list" => return Ok(Command::List),
            "--help" => return Ok(Command::Help),
            other => return Err(format!("{other} is not an option\n{USAGE}")),
        }
    }
    Ok(match one {
        Some(name) => Command::One { name, effort },
        None => Command::Table { effort, only, rounds: rounds.unwrap_or(effort.rounds()).max(1) },
    })
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        match self {
            Self::List => lines::all().for_each(|line| println!("{}", line.name)),
            Self::Help => println!("{USAGE}"),
            Self::One { name, effort } => println!("{}", rounds::one(&name, effort)?),
            Self::Victim => lines::victim(),
            Self::Serve { recorded } => service::serve(recorded)?,
            Self::Table { effort, only, rounds } => {
                let wanted = line::select(&lines::all().collect::<Vec<_>>(), &only);
                println!("{}\n", machine::described(effort, rounds));
                if !wanted.is_empty() {
                    println!("{}", table::markdown(&rounds::all(&wanted, effort, rounds)));
                }
                if only.is_empty() || only.iter().any(|word| "service".contains(word.as_str())) {
                    println!("\n{}", service::markdown(effort, rounds));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
