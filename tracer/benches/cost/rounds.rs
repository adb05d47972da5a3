//! Starts a process for each line, round after round, so that what disturbs the machine for a while disturbs all.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::clock::{Effort, cpus, stay_on};
use crate::line::{Line, Measured};
use crate::lines;

/// A process that has not ended by then will not.
const AT_MOST: Duration = Duration::from_mins(1);

/// What was measured of a line, a round each.
pub(crate) struct Row<'a> {
    /// Of which.
    pub(crate) line: &'a Line,
    /// A number for each round, or why there is none.
    pub(crate) rounds: Vec<Measured>,
}

/// Measures a line in this process.
pub(crate) fn one(name: &str, effort: Effort) -> Measured {
    let line = lines::all().find(|line| line.name == name).ok_or(format!("there is no line {name:?}"))?;
    // Asked once, before there is only one.
    let _all = cpus();
    stay_on(0)?;
    (line.measure)(effort)
}

/// Measures all, interleaved.
pub(crate) fn all<'a>(lines: &[&'a Line], effort: Effort, rounds: usize) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = lines.iter().map(|line| Row { line, rounds: Vec::new() }).collect();
    for round in 0..rounds {
        for (done, row) in rows.iter_mut().enumerate() {
            progress(&format!("round {} of {rounds}, {done} of {}: {}", round + 1, lines.len(), row.line.name));
            row.rounds.push(in_a_process(row.line, effort));
        }
    }
    progress("");
    rows
}

fn in_a_process(line: &Line, effort: Effort) -> Measured {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--measure", line.name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if effort == Effort::Quick {
        command.arg("--quick");
    }
    // Only the settings of the line, whatever the caller's are.
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("HANGDOG")) {
        command.env_remove(key);
    }
    command.envs(line.environment.iter().copied());
    let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut said, mut complained) = (String::new(), String::new());
        let _ = out.as_mut().map(|out| out.read_to_string(&mut said));
        let _ = err.as_mut().map(|err| err.read_to_string(&mut complained));
        let _ = sender.send((said, complained));
    });
    let Ok((said, complained)) = receiver.recv_timeout(AT_MOST) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("did not end within {AT_MOST:?}"));
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    let number = said.lines().last().and_then(|line| line.parse().ok());
    number.filter(|_| status.success()).ok_or_else(|| {
        let why = complained.trim();
        if why.is_empty() { status.to_string() } else { why.replace('\n', " ") }
    })
}

/// Where it is, on a terminal.
pub(crate) fn progress(what: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r\x1b[K{what}");
    }
}
