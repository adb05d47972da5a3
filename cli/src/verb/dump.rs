//! `hangdog dump`: asks a hangdog that is at work for a look at this moment.

use std::time::Duration;

use hangdog_collector::store::{Asked, Life, Run, ask, runs};
use hangdog_collector::watchdog::Stay;
use hangdog_collector::{AttachOptions, Whom};
use hangdog_report::escape;

use crate::failure::Failure;
use crate::judge::Thinking;
use crate::outputs::Format;
use crate::verb::attach::{look, noted, print};
use crate::{console, exit};

/// How long a hangdog may take: two snapshots of ten seconds and an analysis of ten are its own limits.
const LIMIT: Duration = Duration::from_secs(40);
/// How long a process without a hangdog is looked at: enough for what is likely.
const LOOK: Duration = Duration::from_secs(3);

const AFTER_HELP: &str = "\
The run goes on. A hangdog is asked by SIGURG, which whoever does not listen for it ignores: `kill -URG PID` does the
same, and the capture then lies in the store.

Exit codes:
  0  done
  1  with --exit-code: something hangs
  2  wrong usage, nobody to ask, or no answer

Environment:
  XDG_RUNTIME_DIR    where runs have their directories (else /dev/shm)
  HANGDOG_PATIENCE   as --patience
  NO_COLOR, CLICOLOR_FORCE, TERM, LC_ALL, LC_CTYPE, LANG
                     how text is shown

Example:
  hangdog dump
  hangdog dump -p 4412 --format json | jq .verdict.sentence";

/// Ask a running `hangdog run` or `hangdog attach --watch` for a report now; the run goes on
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Only this run, by its name or the begin of it
    #[arg(value_name = "RUN", conflicts_with = "pid")]
    run: Option<String>,
    /// Only the hangdog with this number, or the one whose command has it; when there is none, the process itself is
    /// looked at for three seconds, as by `attach`
    #[arg(short, long, value_name = "PID")]
    pid: Option<u32>,
    /// How to say it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// End with 1 when something hangs
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    thinking: Thinking,
}

/// Asks, and prints the answers.
pub(crate) fn perform(arguments: &Arguments) -> Result<u8, Failure> {
    let uid = rustix::process::geteuid().as_raw();
    let all = runs(std::env::var_os("XDG_RUNTIME_DIR"), uid)
        .map_err(|error| Failure::new("the directories of runs cannot be read").because(&error))?;
    let meant: Vec<&Run> = all.iter().filter(|run| is_watched(run) && is_meant(run, arguments)).collect();
    if meant.is_empty() {
        return alone(arguments);
    }
    let (mut hangs, mut answers) = (false, 0);
    for run in meant {
        let trouble = match ask(run, LIMIT) {
            Ok(Asked::Answered(published)) => {
                answers += 1;
                hangs |= published.report.verdict.is_some();
                print(&published.report, arguments.format)?;
                published.why
            }
            Ok(Asked::Gone) => Some("it has ended".to_owned()),
            Ok(Asked::Silent) => Some(format!("it did not answer within {} s", LIMIT.as_secs())),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = trouble {
            console::print_error(&format!(
                "hangdog: run {}: {}\n",
                escape::terminal(&run.name),
                escape::terminal(&why)
            ));
        }
    }
    if answers == 0 {
        return Err(Failure::new("no hangdog has answered").advise("look at the processes with `hangdog attach`"));
    }
    Ok(if arguments.exit_code && hangs { exit::NO } else { exit::OK })
}

fn is_watched(run: &Run) -> bool {
    run.claim.as_ref().is_some_and(|claim| claim.watcher.life() == Life::Alive)
}

fn is_meant(run: &Run, arguments: &Arguments) -> bool {
    let pids = || run.claim.iter().flat_map(|claim| [Some(&claim.watcher), claim.root.as_ref()]).flatten();
    match (&arguments.run, arguments.pid) {
        (Some(name), _) => run.name.starts_with(name.as_str()),
        (None, Some(pid)) => pids().any(|owner| owner.pid == pid),
        (None, None) => true,
    }
}

/// Nobody watches it: it is looked at from here.
fn alone(arguments: &Arguments) -> Result<u8, Failure> {
    let Some(pid) = arguments.pid else {
        let what = match &arguments.run {
            Some(name) => format!("no hangdog watches a run {name}"),
            None => "no hangdog of this user is at work".to_owned(),
        };
        return Err(
            Failure::new(what).advise("look at a process with `hangdog dump -p PID` or `hangdog attach -p PID`")
        );
    };
    let options = AttachOptions {
        whom: Whom::Processes(vec![pid]),
        stay: Stay::Once,
        limit: Some(LOOK),
        capture: None,
        most_captures: 0,
        noted: noted(&arguments.thinking),
    };
    let looked = look(options, &arguments.thinking)?;
    print(&looked.report, arguments.format)?;
    Ok(if arguments.exit_code && looked.report.verdict.is_some() { exit::NO } else { exit::OK })
}
