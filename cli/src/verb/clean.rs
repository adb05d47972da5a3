//! `hangdog clean`: what dead runs left, and removing it.

use std::fmt::Write as _;

use hangdog_collector::store::{Leftover, Standing, apply, leftovers};
use hangdog_collector::write::default_place;
use hangdog_report::escape;

use crate::failure::Failure;
use crate::{console, exit};

/// Show what dead runs left behind; with --apply, remove it
///
/// Only what is proven to be a dead run's is removed: processes, FUSE connections and mounts that it left,
/// directories of runs in memory and those in which `flake` made its runs, recorders of programs, first facts of runs whose capture could not be written, and
/// stale locks. Each is told with why it is the run's. Captures stay. No removal goes through a mount.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  1  something could not be removed
  2  wrong usage, or a place that cannot be read or is locked

Environment:
  XDG_RUNTIME_DIR    where runs have their directories (else /dev/shm)
  XDG_STATE_HOME     where captures are kept
  TMPDIR             where flake made its runs (else /tmp)

Example:
  hangdog clean
  hangdog clean --apply")]
pub(crate) struct Arguments {
    /// Remove it; without, it is only listed
    #[arg(long)]
    apply: bool,
}

/// Lists, and removes if told to.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let captures = default_place(|variable| std::env::var_os(variable));
    let uid = rustix::process::geteuid().as_raw();
    let temporary = std::env::temp_dir();
    let found = leftovers(std::env::var_os("XDG_RUNTIME_DIR"), uid, captures.as_deref(), &temporary)
        .map_err(|error| Failure::new("what runs left cannot be listed").because(&error))?;
    if !arguments.apply {
        say(&listed(&found, "would remove"))?;
        return Ok(exit::OK);
    }
    let stays = apply(&found, captures.as_deref()).map_err(|error| Failure::of(&error).advise(error.advice()))?;
    let (stay, done): (Vec<_>, Vec<_>) = found.into_iter().zip(stays).partition(|(_, why)| why.is_some());
    let done: Vec<Leftover> = done.into_iter().map(|(leftover, _)| leftover).collect();
    say(&listed(&done, "removed"))?;
    for (leftover, why) in &stay {
        console::print_error(&format!(
            "hangdog: the {} {} cannot be removed: {}\n",
            leftover.kind.words(),
            escape::terminal(&leftover.what),
            escape::terminal(why.as_deref().unwrap_or_default())
        ));
    }
    Ok(if stay.is_empty() { exit::OK } else { exit::NO })
}

fn say(text: &str) -> Result<(), Failure> {
    console::print(text).map_err(|error| Failure::new("the list cannot be printed").because(&error))
}

fn listed(found: &[Leftover], dead: &str) -> String {
    let mut out = String::new();
    for leftover in found {
        let (word, more) = match &leftover.standing {
            Standing::Dead => (dead, format!(": {}", leftover.why)),
            Standing::InUse(pid) => ("in use", format!(", by process {pid}")),
            Standing::Unknown(why) => ("left alone", format!(": {why}")),
        };
        let kind = leftover.kind.words();
        _ = writeln!(out, "{word:<12}  {kind:<21}  {}{}", escape::terminal(&leftover.what), escape::terminal(&more));
    }
    let number = found.iter().filter(|leftover| leftover.standing == Standing::Dead).count();
    if number == 0 {
        out.push_str("dead runs have left nothing here\n");
    } else if dead == "would remove" {
        out.push_str("nothing was removed; `hangdog clean --apply` does it\n");
    }
    out
}
