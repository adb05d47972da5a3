//! Running programs: with and without hangdog, in a directory of their own, with an end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hangdog_schemas::Report;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Longer than any run here takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The programs under test.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `hangdog`.
    pub hangdog: PathBuf,
    /// The scenarios of this package.
    pub scenario: PathBuf,
}

/// A directory in which one test runs its programs.
#[derive(Debug)]
pub struct Bench {
    programs: Programs,
    directory: TempDir,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Bench {
    /// A new one; it is removed with this value.
    ///
    /// # Panics
    /// When no temporary directory can be created.
    pub fn new(programs: Programs) -> Self {
        let directory = tempfile::Builder::new().prefix("hangdog-tests-").tempdir().expect("a temporary directory");
        Self { programs, directory }
    }

    /// Leaves its directory where it is.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }

    /// A path in its directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where `hangdog run` is told to write its report.
    pub fn report_path(&self) -> PathBuf {
        self.path("report.json")
    }

    /// Where `hangdog run` is told to write its capture.
    pub fn capture_path(&self) -> PathBuf {
        self.path("run.hang")
    }

    /// The command line of a scenario.
    pub fn scenario(&self, name: &str, arguments: &[&OsStr]) -> Vec<OsString> {
        let mut line = vec![self.programs.scenario.clone().into_os_string(), name.into()];
        line.extend(arguments.iter().map(|&argument| argument.to_owned()));
        line
    }

    /// A command in this directory that finds no hangdog settings of the machine.
    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HANGDOG") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("GITHUB_ACTIONS")
            .env("XDG_STATE_HOME", self.path("state"))
            .env("SCENARIO_ROLES", self.path("roles"))
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    /// `hangdog` with these arguments.
    pub fn hangdog<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = self.command(self.programs.hangdog.as_os_str());
        command.args(arguments);
        command
    }

    /// `hangdog run`, quick to look, with report and capture in this directory, and `options` after that.
    pub fn watched<I: AsRef<OsStr>>(&self, options: &[&str], line: impl IntoIterator<Item = I>) -> Command {
        let mut command = self.hangdog(["run", "--quiet-after", "2s", "--timeout", "40s"]);
        command.arg("--report").arg(self.report_path()).arg("-o").arg(self.capture_path());
        command.args(options).arg("--").args(line);
        command
    }

    /// The same line without hangdog.
    ///
    /// # Panics
    /// When the line is empty.
    pub fn unwatched<I: AsRef<OsStr>>(&self, line: impl IntoIterator<Item = I>) -> Command {
        let mut words = line.into_iter();
        let program = words.next().expect("a command line has a program");
        let mut command = self.command(program.as_ref());
        command.args(words);
        command
    }

    /// Runs a command to its end. Output goes to files: a pipe would stay open as long as anybody has it.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[track_caller]
    pub fn end_of(&self, command: &mut Command) -> Ended {
        let (out, err) =
            (tempfile::NamedTempFile::new_in(&self.directory), tempfile::NamedTempFile::new_in(&self.directory));
        let (out, err) = (out.expect("a file for output"), err.expect("a file for output"));
        let reopened = |file: &Path| File::options().append(true).open(file).expect("a file for output");
        command.stdout(reopened(out.path())).stderr(reopened(err.path()));
        let status = self.status_of(command);
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        Ended { status, stdout: text(out.path()), stderr: text(err.path()) }
    }

    /// Runs a command to its end with the streams that it was given.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    #[track_caller]
    pub fn status_of(&self, command: &mut Command) -> ExitStatus {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
        let (tell, told) = mpsc::channel();
        let waiter = std::thread::spawn(move || tell.send(child.wait()));
        let Ok(status) = told.recv_timeout(PATIENCE) else {
            kill(pid, Signal::SIGKILL).expect("our own child can be killed");
            panic!("{command:?} did not end within {PATIENCE:?}");
        };
        waiter.join().expect("the waiting thread").expect("somebody listens");
        status.expect("a child can be waited for")
    }

    /// The report that was written, if one was.
    ///
    /// # Panics
    /// When it is not of the report's shape.
    #[track_caller]
    pub fn report(&self) -> Option<Report> {
        let text = fs::read(self.report_path()).ok()?;
        Some(serde_json::from_slice(&text).expect("a report as the schema says"))
    }

    /// The process that noted this role.
    ///
    /// # Panics
    /// When none did.
    #[track_caller]
    pub fn pid_of(&self, role: &str) -> u32 {
        self.roles()
            .into_iter()
            .find_map(|(name, pid)| (name == role).then_some(pid))
            .unwrap_or_else(|| panic!("no process took the role {role}: {:?}", self.roles()))
    }

    /// All roles that were noted, with their processes.
    pub fn roles(&self) -> Vec<(String, u32)> {
        let text = fs::read_to_string(self.path("roles")).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let (role, pid) = line.split_once(' ')?;
                Some((role.to_owned(), pid.parse().ok()?))
            })
            .collect()
    }

    /// Roles whose process is still there.
    pub fn alive(&self) -> Vec<String> {
        self.roles()
            .into_iter()
            .filter(|(role, pid)| {
                fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == role)
            })
            .map(|(role, pid)| format!("{role}[{pid}]"))
            .collect()
    }
}
