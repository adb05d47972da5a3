//! `hangdog completions`: what a shell needs to complete our arguments.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::{args, console, exit};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  2  wrong usage

Example:
  hangdog completions bash > ~/.local/share/bash-completion/completions/hangdog")]
pub(crate) struct Arguments {
    /// Which
    shell: Shell,
}

/// Prints them.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::Arguments::command(), "hangdog", &mut script);
    let script = String::from_utf8_lossy(&script);
    console::print(&script).map_err(|error| Failure::new("the completions cannot be printed").because(&error))?;
    Ok(exit::OK)
}
