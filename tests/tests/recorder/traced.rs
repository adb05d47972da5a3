//! A traced program that is told what to do and looked at from outside: through its recorder, and what `/proc` says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hangdog_flight::{OpenPhase, Reader, Recording};
use hangdog_tests::{programs, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Longer than any answer takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program of `scenario` with a directory on tmpfs for its recorder. Dropping it kills it.
pub(crate) struct Traced {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    place: TempDir,
    /// What it says of its recorder.
    pub(crate) status: String,
}

impl Traced {
    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(line: &[&str]) -> Self {
        Self::start_as(line, |_, _| {})
    }

    /// The same with a command that was changed before; the path is that of the run's directory.
    #[track_caller]
    pub(crate) fn start_as(line: &[&str], change: impl FnOnce(&mut Command, &Path)) -> Self {
        let place = tempfile::Builder::new().prefix("hangdog-tests-").tempdir_in("/dev/shm").expect("a tmpfs");
        let mut command = Command::new(programs!().scenario);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HANGDOG")) {
            command.env_remove(name);
        }
        command.args(line).env("HANGDOG_RUN_DIR", place.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        change(&mut command, place.path());
        let mut child = command.spawn().expect("the traced program");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let mut traced = Self { child, input, lines, place, status: String::new() };
        traced.status = traced.heard();
        traced
    }

    /// Tells it what to do, and waits for its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.heard()
    }

    /// Tells it what to do.
    #[track_caller]
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it still listens");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("it does not listen any more: {error}: {line}"));
    }

    /// Its next line.
    #[track_caller]
    pub(crate) fn heard(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("it said nothing ({error}); {:?}", self.child.try_wait()),
        }
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).expect("our own child");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the end of the traced program", || self.child.try_wait().expect("our own child"))
    }

    /// The same, while somebody goes on doing something to it.
    #[track_caller]
    pub(crate) fn ended_under(&mut self, mut act: impl FnMut()) -> ExitStatus {
        until("the end of the traced program", || {
            act();
            self.child.try_wait().expect("our own child")
        })
    }

    /// Lets its input end, and waits for its own end.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.input = None;
        self.ended()
    }

    /// The files of all recorders in its directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        hangdog_flight::list(&self.place.path().join("flight")).expect("a directory")
    }

    /// What all recorders in its directory say.
    #[track_caller]
    pub(crate) fn recordings(&self) -> Vec<Recording> {
        self.files().iter().map(|file| read(&mut Reader::open(file).expect("a recorder"))).collect()
    }

    /// The one file in its directory.
    #[track_caller]
    pub(crate) fn file(&self) -> PathBuf {
        match &self.files()[..] {
            [file] => file.clone(),
            files => panic!("not one recorder: {files:?}; {}", self.status),
        }
    }

    /// A reader of the one recorder in its directory.
    #[track_caller]
    pub(crate) fn reader(&self) -> Reader {
        Reader::open(self.file()).expect("a recorder")
    }

    /// What the one recorder in its directory says.
    #[track_caller]
    pub(crate) fn recording(&self) -> Recording {
        read(&mut self.reader())
    }

    /// The thread of this name.
    #[track_caller]
    pub(crate) fn thread(&self, name: &str) -> u32 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("a live process");
        tasks
            .flatten()
            .find(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name))
            .and_then(|task| task.file_name().to_str()?.parse().ok())
            .unwrap_or_else(|| panic!("there is no thread {name}"))
    }

    /// The state of a thread, as in its `stat`.
    #[track_caller]
    pub(crate) fn state(&self, thread: u32) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/task/{thread}/stat", self.pid())).expect("a live thread");
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a state")
    }

    /// A line of the `status` of the process, or of a thread of it, as a number.
    #[track_caller]
    pub(crate) fn counted(&self, thread: Option<u32>, key: &str) -> u64 {
        let of = thread.map_or(String::new(), |thread| format!("/task/{thread}"));
        let status = fs::read_to_string(format!("/proc/{}{of}/status", self.pid())).expect("a live process");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).expect("a line");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Its open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("a live process").count()
    }

    /// Bytes of memory that its recorder takes.
    #[track_caller]
    pub(crate) fn recorder_bytes(&self) -> u64 {
        fs::metadata(self.file()).expect("a recorder").blocks() * 512
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        // One that is stuck on a disk ends when the disk is thawed, which may be after this.
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a recorder says, which must be whole.
#[track_caller]
pub(crate) fn read(reader: &mut Reader) -> Recording {
    reader.read().unwrap_or_else(|error| panic!("{error}"))
}

/// A field of a phase.
pub(crate) fn field<'a>(phase: &'a OpenPhase, key: &str) -> Option<&'a str> {
    phase.fields.iter().find_map(|(known, value)| (known == key).then_some(value.as_str()))
}

/// A field of a phase, as a number.
pub(crate) fn number(phase: &OpenPhase, key: &str) -> Option<u64> {
    field(phase, key)?.parse().ok()
}

/// The open phase of this name.
#[track_caller]
pub(crate) fn phase<'a>(recording: &'a Recording, name: &str) -> &'a OpenPhase {
    let names: Vec<_> = recording.open.iter().map(|phase| &phase.name).collect();
    recording.open.iter().find(|phase| phase.name == name).unwrap_or_else(|| panic!("no phase {name} in {names:?}"))
}

/// The rounds that threads at work are in: kind, and which.
pub(crate) fn rounds(recording: &Recording) -> BTreeMap<String, u64> {
    let rounds = recording.open.iter().filter(|phase| phase.name == "round");
    rounds.filter_map(|round| Some((field(round, "kind")?.to_owned(), number(round, "n")?))).collect()
}
