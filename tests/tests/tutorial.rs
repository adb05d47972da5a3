//! The tutorial of the replay, as it is written: its commands make the captures, its keys are pressed, and what it says
//! stands on the screen then stands there. Numbers of processes, descriptors and times are those of the day.
//!
//! ```text
//! ## 1. …
//! $ hangdog run … -o x.hang -- …        run, in a directory with docs/incidents
//!     hangdog replay x.hang             what is looked at
//! | `a` | … `words` … **`more`** |      pressed; all of these are on the screen then
//! ```

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hangdog_tests::{Bench, Ended, Needs, programs, root, trial};
use libtest_mimic::{Arguments, Trial};

const PAGE: &str = include_str!("../../docs/tutorial-replay.md");

const SIZE: &str = "100x30";

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = incidents()
        .into_iter()
        .map(|incident| {
            let needs = match incident.number {
                1 => Needs::Fuse,
                2 => Needs::Nothing,
                3 => Needs::Program("flock", "--version"),
                4 => Needs::Program("python3", "--version"),
                _ => Needs::That(root_and_python),
            };
            trial(incident.title.to_owned(), needs, move || incident.walk())
        })
        .collect();
    assert_eq!(trials.len(), 5, "the page has five incidents");
    libtest_mimic::run(&arguments, trials).exit();
}

/// Names in system calls are for root.
fn root_and_python() -> Option<String> {
    let python = std::process::Command::new("python3").arg("--version").output();
    root().or_else(|| python.is_err().then(|| "needs python3".to_owned()))
}

/// A section of the page.
struct Incident {
    number: usize,
    title: &'static str,
    /// Lines of its console, without the `$`.
    commands: Vec<&'static str>,
    /// Captures that it is looked at with.
    captures: Vec<&'static str>,
    steps: Vec<Step>,
}

/// A row of its table.
struct Step {
    keys: String,
    seen: Vec<&'static str>,
    /// Those of `seen` that are bold: the facts of the cause.
    cause: Vec<&'static str>,
}

fn incidents() -> Vec<Incident> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .filter_map(|section| {
            let title = section.lines().next()?;
            let number = title.split_once('.')?.0.parse().ok()?;
            let commands = section.lines().filter_map(|line| line.strip_prefix("$ "));
            let commands = commands.filter(|line| !line.contains("--screenshot")).collect();
            let captures = section.lines().find_map(|line| line.strip_prefix("    hangdog replay "))?;
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            let steps = rows.filter_map(|row| row.split_once("` |")).map(|(keys, text)| Step {
                keys: keys.split("` `").collect(),
                seen: text.split('`').skip(1).step_by(2).collect(),
                cause: text.split("**`").skip(1).filter_map(|rest| rest.split('`').next()).collect(),
            });
            let (steps, captures) = (steps.collect(), captures.split(' ').collect());
            Some(Incident { number, title, commands, captures, steps })
        })
        .collect()
}

impl Incident {
    fn walk(&self) {
        let bench = Bench::new(programs!());
        self.record(&bench);
        let mut keys = String::new();
        for step in &self.steps {
            keys.push_str(&step.keys);
            let screen = self.screen(&bench, &keys);
            for words in &step.seen {
                let known = without_numbers(&screen);
                assert!(known.contains(&without_numbers(words)), "after {keys}: {words:?} is not on\n{screen}");
            }
        }
        let count = |keys: &str| hangdog_tui::parse_keys(keys).expect("keys").len();
        let told = format!("| {} | {} |\n", self.seen(&bench), count(&keys));
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {} ", self.number))).expect("a row");
        assert!(format!("{row}\n").ends_with(&told), "the page says {row}, and counted are {told}");
    }

    /// Runs the commands of the page.
    fn record(&self, bench: &Bench) {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for place in ["docs/incidents", "tracer/clients/python"] {
            for file in fs::read_dir(repository.join(place)).expect("a directory") {
                let file = file.expect("a file").path();
                if file.is_file() {
                    fs::copy(&file, bench.path(file.file_name().expect("a name"))).expect("a copy");
                }
            }
        }
        symlink(&programs!().hangdog, bench.path("hangdog")).expect("a link");
        // What is called so may be a script that starts a dozen programs to find the interpreter (pyenv).
        if let Some(python) = interpreter() {
            symlink(python, bench.path("python3")).expect("a link");
        }
        let mut script = String::new();
        for command in &self.commands {
            _ = writeln!(script, "{command}");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = bench.unwatched(["sh", "-c", &script]);
        command.current_dir(bench.path("")).env("PATH", format!("{}:{path}", bench.path("").display()));
        // Of cargo: each program of the page would look for its libraries there first.
        command.env_remove("LD_LIBRARY_PATH");
        let status = command.stdout(Stdio::null()).status();
        let all: Vec<_> = self.captures.iter().map(|capture| bench.path(capture)).collect();
        let told = fs::read_to_string(bench.path("verdict.txt")).unwrap_or_default();
        assert!(all.iter().all(|capture| capture.exists()), "{status:?}: {all:?} are not all there\n{told}");
    }

    fn screen(&self, bench: &Bench, keys: &str) -> String {
        let picture = bench.path("screen.txt");
        let mut command = bench.hangdog(["replay", "--size", SIZE, "--keys", keys, "--screenshot"]);
        command.arg(&picture).args(&self.captures).current_dir(bench.path(""));
        let Ended { status, stderr, .. } = bench.end_of(&mut command);
        assert!(status.success(), "{stderr}");
        fs::read_to_string(picture).expect("a picture")
    }

    /// After how many keys all facts of the cause stand on the screen at once.
    fn seen(&self, bench: &Bench) -> usize {
        let cause: Vec<String> =
            self.steps.iter().flat_map(|step| &step.cause).map(|words| without_numbers(words)).collect();
        assert!(!cause.is_empty(), "nothing of the page is bold");
        let mut keys = String::new();
        for step in &self.steps {
            keys.push_str(&step.keys);
            let screen = without_numbers(&self.screen(bench, &keys));
            if cause.iter().all(|words| screen.contains(words)) {
                return hangdog_tui::parse_keys(&keys).expect("keys").len();
            }
        }
        panic!("the facts never stand on the screen together: {cause:?}");
    }
}

/// The program that interprets Python.
fn interpreter() -> Option<PathBuf> {
    let said =
        std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

/// The same text with one blank between words and one sign for each number.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            match c {
                '0'..='9' if out.ends_with('#') => {}
                '0'..='9' => out.push('#'),
                c => out.push(c),
            }
        }
    }
    out
}
