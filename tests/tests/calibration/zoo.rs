//! Scenarios of a folder with a program `zoo` that runs each under a command and judges the report.

use std::path::Path;
use std::process::{Command, Stdio};

use hangdog_schemas::Report;
use hangdog_tests::Programs;

use crate::Wanted;
use crate::judged::{Judged, Truth};

/// Runs and judges all that are wanted.
///
/// # Panics
/// When there is no such program.
pub(crate) fn all(programs: &Programs, folder: &Path, wanted: &Wanted) -> Vec<Judged> {
    let base = tempfile::Builder::new().prefix("hangdog-zoo-").tempdir().expect("a temporary directory");
    let hangdog = programs.hangdog.display();
    let quiet = &wanted.quiet;
    let line = format!("{hangdog} run --quiet-after {quiet} --timeout 25s --report {{report}} -- {{cmd}}");
    let zoo = || {
        let mut command = Command::new(folder.join("zoo"));
        command.env("ZOO_BASE", base.path()).env("XDG_STATE_HOME", base.path().join("captures"));
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    };
    let list = zoo().arg("list").output().expect("the folder has a program `zoo`");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| name.contains(&wanted.only)).collect();
    let ran = zoo().args(["all", "--limit", "60", "--cmd", &line]).args(names).output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    said.lines().filter_map(|line| judge(line, base.path())).collect()
}

/// `pass 14-pipe-full-wait  hang  2.1s rc=124 …`
fn judge(line: &str, base: &Path) -> Option<Judged> {
    let [word, name, kind, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let is_right = match word {
        "pass" => true,
        "FAIL" => false,
        _ => return None,
    };
    if !is_right {
        eprintln!("{line}");
    }
    let truth = if kind == "hang" { Truth::Hang } else { Truth::Healthy };
    let report = std::fs::read(base.join("reports").join(format!("{name}.json"))).ok();
    let report: Option<Report> = report.and_then(|text| serde_json::from_slice(&text).ok());
    let capture = report.as_ref().and_then(|report| report.run.capture.clone()).unwrap_or_default();
    Some(Judged::new(name, truth, report.as_ref(), is_right, Path::new(&capture)))
}
