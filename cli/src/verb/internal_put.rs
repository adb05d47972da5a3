//! `hangdog internal-put`: writes a file for a run, in a process that may get stuck in its disk.

use std::io::Read as _;
use std::path::PathBuf;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::failure::Failure;
use crate::outputs::{Put, put};
use crate::{console, exit};

/// Writes what comes on stdin
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    how: String,
    path: PathBuf,
}

/// Answers on stdout: `done`, or why not.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let said = write(arguments).map_or_else(|error| error.to_string(), |()| "done".to_owned());
    console::print(&said).map_err(|error| Failure::of(&error))?;
    Ok(exit::OK)
}

fn write(arguments: &Arguments) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let how = Put::from_word(&arguments.how).ok_or(std::io::ErrorKind::InvalidInput)?;
    put(&arguments.path, &bytes, how)
}
