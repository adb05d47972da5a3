//! `hangdog attach`: looks at what already runs.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hangdog_collector::watchdog::Stay;
use hangdog_collector::{AttachError, AttachOptions, AttachOutcome, Left, Whom};
use hangdog_report::escape;
use hangdog_schemas::Report;

use crate::failure::Failure;
use crate::judge::{ChildJudge, Thinking};
use crate::outputs::{Format, ReportFile, report_file};
use crate::{console, exit, quiet};

/// How long it looks when nobody says so.
const LIMIT: Duration = Duration::from_secs(10);

const AFTER_HELP: &str = "\
Nothing is done to the processes: no signal, no stop, nothing is ended. When hangdog is killed they do not notice.

Exit codes:
  0  done
  1  with --exit-code: something hangs
  2  wrong usage, or nobody there who can be looked at

Environment:
  HANGDOG_PATIENCE   as --patience
  XDG_STATE_HOME     captures of --watch are kept in its `hangdog` directory (~/.local/state/hangdog)
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how text is shown

Examples:
  hangdog attach -p 4412
  hangdog attach --cgroup /system.slice/indexd.service --watch >> hangs.txt";

/// Look at what already runs: name the cause of a hang, and leave everything as it is
///
/// It ends with the first verdict that is certain, or that is likely for two seconds, or after --timeout.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    whom: WhomArgs,
    /// Stay, and print a report each time there is a new hang, until SIGINT or SIGTERM, or until all of them have ended
    #[arg(long)]
    watch: bool,
    /// How many captures of hangs --watch puts into the store at most; later hangs are only printed
    #[arg(long, value_name = "NUMBER", default_value_t = 20, requires = "watch")]
    captures: u64,
    /// How long to look at most (10s; with --watch no limit)
    #[arg(long, value_name = "DURATION", value_parser = crate::args::duration)]
    timeout: Option<Duration>,
    /// Keep a capture of the whole time in this file
    #[arg(short, long, value_name = "FILE.hang")]
    output: Option<PathBuf>,
    /// Write the report here too; its ending names the format: json, md, html, txt, xml (JUnit). May be given several
    /// times
    #[arg(long, value_name = "FILE", value_parser = report_file, conflicts_with = "watch")]
    report: Vec<ReportFile>,
    /// How to say it
    #[arg(short, long, value_enum, default_value_t = Format::Text, conflicts_with = "watch")]
    format: Format,
    /// End with 1 when something hangs
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    thinking: Thinking,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct WhomArgs {
    /// Look at this process and what it started. May be given several times
    #[arg(short, long, value_name = "PID")]
    pid: Vec<u32>,
    /// Look at the processes of this control group and of those below it, as in /proc/PID/cgroup or as a directory
    #[arg(long, value_name = "PATH")]
    cgroup: Option<PathBuf>,
    /// Look at all processes of this user; as root, of everybody
    #[arg(long)]
    all: bool,
}

impl WhomArgs {
    fn whom(self) -> Whom {
        match self.cgroup {
            Some(path) => Whom::Cgroup(path),
            None if self.all => Whom::All,
            None => Whom::Processes(self.pid),
        }
    }
}

/// Looks, and prints what there is to say.
pub(crate) fn perform(arguments: Arguments) -> Result<u8, Failure> {
    let stay = if arguments.watch { Stay::Watch } else { Stay::Once };
    let options = AttachOptions {
        whom: arguments.whom.whom(),
        stay,
        limit: arguments.timeout.or((stay == Stay::Once).then_some(LIMIT)),
        capture: arguments.output,
        most_captures: arguments.captures,
        noted: noted(&arguments.thinking),
    };
    let looked = look(options, &arguments.thinking)?;
    let hangs = match stay {
        Stay::Watch => {
            console::print_error(&end_of_watch(&looked.outcome));
            looked.outcome.hangs > 0
        }
        Stay::Once => {
            print(&looked.report, arguments.format)?;
            for file in &arguments.report {
                if let Err(why) = file.write(&looked.report) {
                    return Err(Failure::new(format!("the report {} was not written: {why}", file.path().display()))
                        .advise("write it to a directory on a local disk with room"));
                }
            }
            looked.report.verdict.is_some()
        }
    };
    Ok(if arguments.exit_code && hangs { exit::NO } else { exit::OK })
}

/// What a look has found.
pub(super) struct Looked {
    /// There is one in any case.
    pub(super) report: Report,
    outcome: AttachOutcome,
}

pub(super) fn noted(thinking: &Thinking) -> Vec<String> {
    thinking.arguments().iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Looks, and tells on stderr what went wrong on the way.
pub(super) fn look(options: AttachOptions, thinking: &Thinking) -> Result<Looked, Failure> {
    let command: Vec<_> =
        ["hangdog".to_owned(), "attach".to_owned()].into_iter().chain(options.whom.words()).collect();
    let command: Vec<_> = command.into_iter().map(Into::into).collect();
    let mut judge = ChildJudge::of_others(thinking);
    let begin = Instant::now();
    let outcome = hangdog_collector::attach(options, &mut judge).map_err(|error| failure(&error))?;
    for note in &outcome.notes {
        console::print_error(&format!("hangdog: {}\n", escape::terminal(note)));
    }
    if outcome.left == Left::Gone {
        console::print_error("hangdog: all of the processes have ended\n");
    }
    let report = outcome
        .report
        .clone()
        .unwrap_or_else(|| quiet::report(&outcome.run, &command, begin.elapsed(), outcome.capture.as_deref()));
    Ok(Looked { report, outcome })
}

/// Prints a report on stdout.
pub(super) fn print(report: &Report, format: Format) -> Result<(), Failure> {
    let text = format.of(report, &console::stdout_style());
    console::print(&text).map_err(|error| Failure::new("the report cannot be printed").because(&error))
}

fn end_of_watch(outcome: &AttachOutcome) -> String {
    let mut out = match outcome.hangs {
        0 => "hangdog: no hang was seen".to_owned(),
        1 => "hangdog: one hang was seen".to_owned(),
        hangs => format!("hangdog: {hangs} hangs were seen"),
    };
    if let Some(capture) = &outcome.capture {
        _ = write!(out, "; the capture is {}", escape::terminal(&capture.display().to_string()));
    }
    out.push('\n');
    out
}

fn failure(error: &AttachError) -> Failure {
    Failure::of(error).advise(error.advice())
}
