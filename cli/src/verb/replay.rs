//! `hangdog replay`: a capture in the terminal, or a picture of that.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use hangdog_timeline::Timeline;
use hangdog_tui::{Divergence, Growth, Options, Rehearsal, Source};

use crate::failure::Failure;
use crate::judge::Thinking;
use crate::outputs::{Put, put};
use crate::verb::report;
use crate::{capture, config, console, exit};

/// Scrub through a capture in the terminal
///
/// Press `?` for the keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done
  2  wrong usage, or a capture that cannot be read

Environment:
  HANGDOG_PATIENCE   as --patience
  NO_COLOR, TERM, COLORTERM, LC_ALL, LC_CTYPE, LANG
                     which colours and characters are used

Files:
  .config/hangdog.toml   its table [keys] binds keys, here or in a directory above

Example:
  hangdog replay run.hang
  hangdog replay --follow run.hang
  hangdog replay failed.hang passed.hang
  hangdog replay run.hang --screenshot picture.svg --size 100x30 --keys 2")]
pub(crate) struct Arguments {
    /// The capture
    #[arg(value_name = "FILE.hang")]
    capture: PathBuf,
    /// Another capture, shown below it: the same moment in the same column
    #[arg(value_name = "SECOND.hang", conflicts_with = "follow")]
    second: Option<PathBuf>,
    /// Draw one screen into this file (.svg, or .txt) instead of opening the terminal
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
    /// Columns and rows of the screenshot
    #[arg(long, value_name = "WxH", default_value = "80x24", value_parser = size, requires = "screenshot")]
    size: (u16, u16),
    /// Keys to press before the screenshot, as `jj<Enter>`
    #[arg(long, value_name = "KEYS", default_value = "", requires = "screenshot", allow_hyphen_values = true)]
    keys: String,
    /// Show what is appended while the capture is still written
    #[arg(short, long, conflicts_with = "screenshot")]
    follow: bool,
    #[command(flatten)]
    thinking: Thinking,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parse = |part: &str| part.parse::<u16>().ok().filter(|n| (1..=1000).contains(n));
    text.split_once('x')
        .and_then(|(columns, rows)| Some((parse(columns)?, parse(rows)?)))
        .ok_or_else(|| "write it like 80x24; each from 1 to 1000".to_owned())
}

/// Opens the replay.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    if let Some(file) = &arguments.screenshot {
        return draw(file, arguments);
    }
    // What is no capture is said before the terminal is taken.
    for path in std::iter::once(&arguments.capture).chain(&arguments.second) {
        capture::probe(path)?;
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Failure::new("a replay needs a terminal, and stdin or stdout is none")
            .advise("run it in a terminal, or use `hangdog report` or --screenshot"));
    }
    let options = Options::from_environment(console::variable);
    let keys = config::read()?.keymap()?;
    let place = arguments.capture.to_string_lossy().into_owned();
    let judging = arguments.thinking.options();
    let judge = move |timeline: &Timeline, missing: Vec<String>| {
        let mut report = hangdog_analysis::analyse(timeline, &judging);
        report.run.capture = Some(place.clone());
        report.run.missing.extend(missing);
        report
    };
    let growth = if arguments.follow { Growth::Followed } else { Growth::Ended };
    let (path, beside) = (arguments.capture.clone(), arguments.second.clone());
    let source = Source { path, growth, judge: Box::new(judge), beside, compare: Some(Box::new(divergences)) };
    hangdog_tui::run(source, keys, options).map_err(|error| Failure::of(&error))?;
    Ok(exit::OK)
}

/// Where two runs part.
fn divergences(first: &Timeline, second: &Timeline) -> Vec<Divergence> {
    let parts = hangdog_analysis::part(first, second).into_iter();
    parts.map(|part| Divergence { first: part.first, second: part.second, sentence: part.sentence }).collect()
}

fn draw(file: &Path, arguments: &Arguments) -> Result<u8, Failure> {
    let open = |path: &Path| -> Result<_, Failure> {
        let capture = capture::open(path)?;
        let report = report::think(&capture, &arguments.thinking, &path.to_string_lossy());
        Ok((capture.timeline, Some(report)))
    };
    let (timeline, report) = open(&arguments.capture)?;
    let mut rehearsal = Rehearsal::new(timeline, report, arguments.size, Options::default());
    if let Some(second) = &arguments.second {
        let (timeline, report) = open(second)?;
        let parts = divergences(rehearsal.timeline(), &timeline);
        rehearsal = rehearsal.beside(timeline, report, parts);
    }
    let shot = rehearsal
        .after(&arguments.keys)
        .map_err(|error| Failure::new("the screenshot cannot be drawn").because(&error))?;
    let picture = match file.extension().and_then(std::ffi::OsStr::to_str) {
        Some("svg") => shot.svg,
        Some("txt") => shot.text,
        _ => {
            return Err(
                Failure::new(format!("{} names no format", file.display())).advise("let it end in .svg or .txt")
            );
        }
    };
    put(file, picture.as_bytes(), Put::Replace).map_err(|error| {
        Failure::new(format!("{} cannot be written", file.display()))
            .because(&error)
            .advise("write it to a directory that exists and has room")
    })?;
    Ok(exit::OK)
}
