//! Where and when this was measured.

use std::fs::read_to_string;
use std::process::Command;

use crate::clock::{Effort, cpus};

/// One line for the head of the table.
pub(crate) fn described(effort: Effort, rounds: usize) -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("?", |(_, value)| value).to_owned()
    };
    format!(
        "{}; {} CPUs, {} (family {}, model {}); Linux {}; {}; load {}; {} batches of {:?}, {rounds} rounds",
        said("date", &["+%Y-%m-%d %H:%M %Z"]),
        cpus().len(),
        field("model name"),
        field("cpu family"),
        field("model\t"),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
        read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?"),
        effort.batches(),
        effort.batch(),
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or(format!("{program}?"), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
