//! `hangdog phase`: lets a script say what it is doing.
//!
//! A change is one JSON line, appended by a single `write` to the file that `HANGDOG_PHASES` names
//! (`hangdog_schemas::phase_line`). Outside of `hangdog run` there is no such file, and nothing is written: a script
//! works the same with and without hangdog.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use hangdog_schemas::Pid;
use hangdog_schemas::phase_line::{LineTime, PhaseBegin, PhaseFinish, PhaseLine};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use rustix::time::{ClockId, clock_gettime};

use crate::failure::Failure;
use crate::masked::{start_with, with_closed_as_given};
use crate::{console, die, exit};

/// Longest line that appenders do not mix: `PIPE_BUF`, which tmpfs keeps for files as well.
const LINE: usize = 4096;

/// The phase around the ones that are begun now.
const AROUND: &str = "HANGDOG_PHASE";

/// Tell hangdog what a script is doing
///
/// Works inside `hangdog run`; outside it does nothing, and `phase run` just runs the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes:
  0  done, also outside of `hangdog run`
  2  wrong usage
  `phase run` ends like its command; 125 wrong usage, 126 cannot run, 127 not found

Environment:
  HANGDOG_PHASES     where phases are noted; set by `hangdog run`
  HANGDOG_PHASE      id of the phase around; set by `phase run` for its command

Examples:
  hangdog phase run 'unpack the toolchain' --field hang.wait=path:/mnt/cache -- tar xf toolchain.tar

  id=$(hangdog phase begin 'wait for the database' --field hang.wait=tcp:db:5432)
  until pg_isready; do sleep 1; done
  hangdog phase end \"$id\"")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    change: Change,
}

#[derive(Debug, clap::Subcommand)]
enum Change {
    /// Begin a phase; prints its id
    Begin {
        #[command(flatten)]
        phase: Phase,
        /// The process that is in it; the caller when it is not given
        #[arg(long)]
        pid: Option<u32>,
        /// Id of the phase around it
        #[arg(long, value_name = "ID", env = AROUND)]
        parent: Option<String>,
    },
    /// End a phase
    End {
        /// What `phase begin` printed
        id: String,
        /// How it went
        #[arg(long, value_enum)]
        outcome: Option<Outcome>,
    },
    /// Run a command as a phase, and end like it
    Run {
        #[command(flatten)]
        phase: Phase,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
struct Phase {
    /// Its name
    name: String,
    /// A field; `hang.wait`, `hang.hold`, `hang.serve`, `hang.op`, `hang.entity`, `hang.link`, `hang.deadline_ms` mean
    /// something to hangdog
    #[arg(long = "field", value_name = "KEY=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Outcome {
    Ok,
    Failed,
    Cancelled,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it like key=value")?;
    if key.is_empty() {
        return Err("the key is missing: write it like key=value".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Notes the change.
pub(crate) fn perform(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.change {
        Change::Begin { phase, pid, parent } => {
            let pid = pid.unwrap_or_else(|| nix::unistd::getppid().as_raw().cast_unsigned());
            let id = new_id();
            note(&begin(phase, &id, pid, parent));
            console::print(&format!("{id}\n"))
                .map_err(|error| Failure::new("the id cannot be printed").because(&error))?;
            Ok(exit::OK)
        }
        Change::End { id, outcome } => {
            let pid = Pid(nix::unistd::getppid().as_raw().cast_unsigned());
            note(&end(id, pid, outcome));
            Ok(exit::OK)
        }
        Change::Run { phase, command } => run(phase, &command),
    }
}

fn begin(phase: Phase, id: &str, pid: u32, parent: Option<String>) -> PhaseLine {
    PhaseLine::Begin(PhaseBegin {
        id: id.to_owned(),
        name: phase.name,
        pid: Pid(pid),
        start: None,
        tid: None,
        task: None,
        parent: parent.filter(|parent| !parent.is_empty()),
        when: LineTime::monotonic(now()),
        lost: 0,
        fields: phase.fields.into_iter().collect::<BTreeMap<_, _>>(),
    })
}

fn end(id: String, pid: Pid, outcome: Option<Outcome>) -> PhaseLine {
    let outcome = outcome.map(|outcome| outcome.word().to_owned());
    PhaseLine::End(PhaseFinish { id, pid, when: LineTime::monotonic(now()), outcome })
}

/// `CLOCK_MONOTONIC`, ns.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Unique among all phases of a run: two of one process are never begun in the same nanosecond.
fn new_id() -> String {
    format!("{}-{:x}", std::process::id(), now())
}

/// Appends the line. A phase that cannot be noted is no reason to disturb a script: hangdog says so once on stderr.
fn note(line: &PhaseLine) {
    let Some(file) = std::env::var_os("HANGDOG_PHASES").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return;
    };
    if let Err(error) = append(&file, line) {
        let failure = Failure::new(format!("the phase was not noted in {}", file.display())).because(&error);
        console::print_error(&failure.lay_out());
    }
}

fn append(file: &PathBuf, line: &PhaseLine) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    if text.len() > LINE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("name and fields are longer than {LINE} bytes"),
        ));
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(file)?;
    file.write_all(text.as_bytes())
}

fn run(phase: Phase, command: &[OsString]) -> Result<u8, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("no command was given").exit_with(exit::HANGDOG_FAILED));
    };
    let id = new_id();
    let around = console::variable(AROUND);
    let waiting = Waiting::begin().map_err(|error| {
        Failure::new("signals cannot be held back").because(&error).exit_with(exit::HANGDOG_FAILED)
    })?;
    let mut call = Command::new(program);
    call.args(arguments).arg0(program);
    if std::env::var_os("HANGDOG_PHASES").is_some() {
        call.env(AROUND, &id);
    }
    let mut child = with_closed_as_given(start_with(&mut call, waiting.before)).spawn().map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound { exit::NOT_FOUND } else { exit::CANNOT_RUN };
        Failure::new(format!("{} cannot be run", program.to_string_lossy())).because(&error).exit_with(code)
    })?;
    let pid = child.id();
    note(&begin(phase, &id, pid, around));
    let status = waiting.for_end(&mut child).map_err(|error| Failure::of(&error).exit_with(exit::HANGDOG_FAILED))?;
    note(&end(id, Pid(pid), Some(if status.success() { Outcome::Ok } else { Outcome::Failed })));
    Ok(like(status))
}

fn like(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => {
            die::of_signal(signal);
            exit::of_signal(signal)
        }
        (None, None) => exit::HANGDOG_FAILED,
    }
}

/// Waits for a command and passes signals on to it. The terminal sends Ctrl-C and Ctrl-\ to it by itself.
struct Waiting {
    signals: SigSet,
    before: SigSet,
}

impl Waiting {
    fn begin() -> nix::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [
            Signal::SIGCHLD,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGUSR2,
        ] {
            signals.add(signal);
        }
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { signals, before })
    }

    fn for_end(&self, child: &mut std::process::Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            match self.signals.wait()? {
                Signal::SIGCHLD => {}
                Signal::SIGINT | Signal::SIGQUIT if has_terminal() => {}
                // Not waited for yet, so the number is still the command's. It may have ended just now.
                signal => _ = kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), signal),
            }
        }
    }
}

fn has_terminal() -> bool {
    OpenOptions::new().read(true).open("/dev/tty").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_key_and_value() {
        assert_eq!(field("hang.wait=path:/a=b"), Ok(("hang.wait".to_owned(), "path:/a=b".to_owned())));
        assert!(field("x").is_err() && field("=x").is_err());
    }

    #[test]
    fn lines_are_appended_whole_and_links_are_not_followed() {
        let place = std::env::temp_dir().join(format!("hangdog-phase-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let file = place.join("phases.jsonl");
        let phase = Phase { name: "unpack\n".to_owned(), fields: vec![("hang.op".to_owned(), "x".to_owned())] };
        append(&file, &begin(phase, "7", 42, Some(String::new()))).unwrap();
        append(&file, &end("7".to_owned(), Pid(42), Some(Outcome::Ok))).unwrap();
        let long = Phase { name: "x".repeat(LINE), fields: vec![] };
        let refused = append(&file, &begin(long, "8", 42, None));
        let link = place.join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let through_link = append(&link, &end("7".to_owned(), Pid(42), None));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_dir_all(&place).unwrap();
        let lines: Vec<PhaseLine> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        let PhaseLine::Begin(begin) = &lines[0] else { panic!("the first line is no begin") };
        assert_eq!((begin.name.as_str(), begin.pid, begin.parent.as_ref()), ("unpack\n", Pid(42), None));
        assert!(refused.is_err() && through_link.is_err());
    }
}
