//! One call of the program from its arguments to its exit code.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Arguments, Verb};
use crate::failure::Failure;
use crate::{console, demo, exit, flake, judge, verb};

/// Does what the arguments ask for.
pub(crate) fn attempt(arguments: Vec<OsString>) -> ExitCode {
    let wrong_usage = wrong_usage(&arguments);
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            let asked_for_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A reader that has gone (`hangdog --help | head`) is no failure.
            let _gone = error.print();
            return ExitCode::from(if asked_for_help { exit::OK } else { wrong_usage });
        }
    };
    match perform(parsed.verb) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            console::print_error(&failure.lay_out());
            ExitCode::from(failure.exit())
        }
    }
}

/// The code for wrong usage. A script that runs commands through `hangdog run` must be able to tell our mistake from
/// the command's, so there it is not 2.
fn wrong_usage(arguments: &[OsString]) -> u8 {
    let mut words = arguments.iter().skip(1).map(OsString::as_os_str);
    let is_run = |word: Option<&OsStr>| word == Some(OsStr::new("run"));
    match words.next() {
        first if is_run(first) => exit::HANGDOG_FAILED,
        Some(first) if first == "phase" && is_run(words.next()) => exit::HANGDOG_FAILED,
        _ => exit::UNREADABLE,
    }
}

fn perform(verb: Verb) -> Result<u8, Failure> {
    match verb {
        Verb::Run(arguments) => verb::run::perform(arguments),
        Verb::Attach(arguments) => verb::attach::perform(arguments),
        Verb::Dump(arguments) => verb::dump::perform(&arguments),
        Verb::Clean(arguments) => verb::clean::perform(&arguments),
        Verb::Flake(arguments) => verb::flake::perform(arguments),
        Verb::Diff(arguments) => verb::diff::perform(&arguments),
        Verb::InternalLoad(arguments) => flake::be_load(&arguments),
        Verb::Report(arguments) => verb::report::perform(&arguments),
        Verb::Replay(arguments) => verb::replay::perform(&arguments),
        Verb::Demo(arguments) => match demo::run(&arguments).map_err(|error| demo_failure(&error))? {
            demo::Shown::AsExpected => Ok(exit::OK),
            demo::Shown::Otherwise => Ok(exit::NO),
        },
        Verb::Phase(arguments) => verb::phase::perform(arguments),
        Verb::Doctor(arguments) => verb::doctor::perform(&arguments),
        Verb::Schema(arguments) => verb::schema::perform(&arguments),
        Verb::Completions(arguments) => verb::completions::perform(&arguments),
        Verb::DemoPart(arguments) => demo::part(arguments).map(|()| exit::OK).map_err(|error| demo_failure(&error)),
        Verb::InternalJudge(thinking) => {
            judge::think(&thinking).map(|()| exit::OK).map_err(|error| Failure::of(&error))
        }
        Verb::InternalTrial(arguments) => verb::internal_trial::perform(arguments),
        Verb::InternalPut(arguments) => verb::internal_put::perform(&arguments),
    }
}

fn demo_failure(error: &demo::DemoError) -> Failure {
    let failure = Failure::of(error);
    match error.advice() {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, code: u8) {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(wrong_usage(&arguments), code, "{line}");
    }

    #[test]
    fn wrong_usage_of_run_is_125_and_of_the_others_2() {
        check("hangdog run --no-such-flag", 125);
        check("hangdog phase run", 125);
        check("hangdog phase begin", 2);
        check("hangdog report", 2);
        check("hangdog --no-such-flag", 2);
        check("hangdog", 2);
    }
}
