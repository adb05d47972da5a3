//! The verbs and what they take. Each verb's own flags stand in its file.

use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Style};
use clap::{Parser, Subcommand};

use crate::demo::{DemoArgs, PartArgs};
use crate::flake::LoadArguments;
use crate::judge::Thinking;
use crate::verb::{
    attach, clean, completions, diff, doctor, dump, flake, internal_put, internal_trial, phase, replay, report, run,
    schema,
};

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Says who waits on what, held by whom, and which link to cut
#[derive(Debug, Parser)]
#[command(
    name = "hangdog",
    version,
    styles = STYLES,
    long_about = "\
Says who waits on what, held by whom, and which link to cut

  hangdog run -- cargo test    watch a command; on a hang: name the cause, free what is stuck
  hangdog attach -p 4412       look at what already runs
  hangdog flake -- cargo test  run it again and again; say what is otherwise in runs that fail
  hangdog replay run.hang      scrub through what happened
  hangdog demo                 see it work",
    disable_help_subcommand = true,
    after_help = "`hangdog VERB --help` tells more of each, with an example."
)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Run(run::Arguments),
    Attach(attach::Arguments),
    Dump(dump::Arguments),
    Report(report::Arguments),
    Flake(flake::Arguments),
    Diff(diff::Arguments),
    Replay(replay::Arguments),
    /// Show a real hang being named and freed: a server that walks into the mount of the test that waits for it
    #[command(after_help = "\
Exit codes:
  0  the hang was named and freed, and nothing stayed behind (or the twin ran through)
  1  it went another way; what was expected is printed
  2  it could not be shown here

Example:
  hangdog demo
  hangdog demo --answer-first      # the healthy twin")]
    Demo(DemoArgs),
    Phase(phase::Arguments),
    Doctor(doctor::Arguments),
    Clean(clean::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    /// One process of the demo
    #[command(hide = true)]
    DemoPart(PartArgs),
    /// Thinks for `run`: records in, a report out
    #[command(hide = true)]
    InternalJudge(Thinking),
    /// Writes a file for `run`
    #[command(hide = true)]
    InternalPut(internal_put::Arguments),
    /// Load beside a run of `flake`
    #[command(hide = true)]
    InternalLoad(LoadArguments),
    /// One run for `flake`
    #[command(hide = true)]
    InternalTrial(internal_trial::Arguments),
}

/// Reads a duration: `30s`, `2m`, `1h 30m`. Zero is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text.trim().chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!(
            "a number needs its unit: {}s or {0}m",
            if text.trim().is_empty() { "30" } else { text.trim() }
        ));
    }
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 30s, 2m or 1h"))?;
    if duration.is_zero() {
        return Err("it must be longer than nothing; write it like 30s, 2m or 1h".to_owned());
    }
    if duration > Duration::from_hours(366 * 24) {
        return Err("it is longer than a year; write it like 30s, 2m or 1h".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_units_and_are_not_zero() {
        for (text, seconds) in [("30s", 30), ("2m", 120), ("1h 30m", 5400), ("1min", 60)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for (text, part) in [
            ("30", "30s or 30m"),
            ("1.5", "unit"),
            ("", "30s"),
            ("0s", "longer than nothing"),
            ("-3s", "30s"),
            ("soon", "30s"),
            ("2000y", "year"),
        ] {
            let error = duration(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn each_visible_verb_tells_exit_codes_and_an_example() {
        for verb in Arguments::command().get_subcommands_mut().filter(|verb| !verb.is_hide_set()) {
            let help = verb.render_long_help().to_string();
            let name = verb.get_name();
            assert!(help.contains("Exit codes:") && help.contains("Example"), "{name}: {help}");
        }
    }
}
