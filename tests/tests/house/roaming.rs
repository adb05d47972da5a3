//! Commands that fork, exec, leave sessions and namespaces, change their names and end at random, some of them in a
//! hang that is ended. Beside each of them stand others with the same names, arguments, directories and even the same
//! variables of hangdog: they are never touched. Of the command none is left after a hang, and none is ended after a
//! normal end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::process::{Child, Command};

use hangdog_tests::{Bench, programs, until};

use crate::{descendants, rounds};

/// Two who look the same are children of hangdog itself, from before.
const FROM_BEFORE: &str = r#"ROAM_AS=canary "$@" & ROAM_AS=starter "$@" &
exec "$HANGDOG_PROGRAM" run --quiet-after 1s --timeout 6s -- "$@""#;

pub(crate) fn families() {
    rounds::each(|seed| Round::new(seed).play());
}

/// One family, and those who look like it.
struct Round {
    bench: Bench,
    seed: u64,
    is_hang: bool,
    has_children_before: bool,
    mark: String,
}

impl Round {
    fn new(seed: u64) -> Self {
        let has_children_before = seed % 2 == 1;
        // Where hangdog had children before, an orphan that hides its environment cannot be proven to be the run's.
        let mark = format!("family-{}-{seed}-{}", std::process::id(), ["alone", "among"][usize::from(seed % 2 == 1)]);
        Self { bench: Bench::new(programs!()), seed, is_hang: !seed.is_multiple_of(3), has_children_before, mark }
    }

    fn line(&self) -> Vec<std::ffi::OsString> {
        let ending = if self.is_hang { "hang" } else { "exit" };
        self.bench.scenario("roam", &[self.seed.to_string().as_ref(), ending.as_ref(), self.mark.as_ref()])
    }

    fn start(&self, command: &mut Command) -> Child {
        let file = |name: &str| File::create(self.bench.path(name)).expect("a file for output");
        command.current_dir(self.bench.path("work")).env("TMPDIR", self.bench.path("work"));
        command.stdout(file("out")).stderr(file("err")).spawn().expect("a program that can be started")
    }

    fn play(&self) {
        fs::create_dir(self.bench.path("work")).expect("a directory");
        let mut outside = vec![self.start(self.bench.unwatched(self.line()).env("ROAM_AS", "canary"))];
        let mut hangdog = self.start(&mut self.watched());
        let first = until("the first of the family", || self.numbers("first").pop());
        outside.push(self.start(&mut self.late(first)));
        let expected = if self.has_children_before { 5 } else { 2 };
        let canaries: BTreeMap<u32, String> = until("those who look the same", || {
            let canaries = self.numbers("canary");
            (canaries.len() == expected).then(|| canaries.into_iter().map(|pid| (pid, begin_of(pid))).collect())
        });
        let status = until("the end", || hangdog.try_wait().expect("our own child"));
        let told = fs::read_to_string(self.bench.path("err")).unwrap_or_default();
        self.check_canaries(&canaries, &told);
        let canaries: BTreeSet<u32> = canaries.into_keys().collect();
        if self.is_hang {
            assert_eq!(status.code(), Some(124), "seed {}: {told}", self.seed);
            descendants::none(&self.mark, &canaries, &format!("seed {}: {told}", self.seed));
        } else {
            assert!(status.code().is_some_and(|code| code < 7), "seed {}: {status}: {told}", self.seed);
            let mut gone = self.numbers("stays");
            gone.retain(|pid| !descendants::has_mark(*pid, &self.mark));
            assert_eq!(gone, [0_u32; 0], "seed {}: ended after a normal end: {told}", self.seed);
        }
        descendants::end(&self.mark, &BTreeSet::new());
        for mut child in outside {
            child.wait().expect("our own child");
        }
    }

    fn watched(&self) -> Command {
        if self.has_children_before {
            let mut command = self.bench.unwatched(["sh", "-c", FROM_BEFORE, "sh"]);
            command.args(self.line()).env("HANGDOG_PROGRAM", self.bench.hangdog([""; 0]).get_program());
            return command;
        }
        let mut command = self.bench.hangdog(["run", "--quiet-after", "1s", "--timeout", "6s", "--"]);
        command.args(self.line());
        command
    }

    /// One with the variables that the command has of hangdog.
    fn late(&self, first: u32) -> Command {
        let mut command = self.bench.unwatched(self.line());
        let environment = fs::read(format!("/proc/{first}/environ")).expect("the first waits for this one");
        for variable in environment.split(|byte| *byte == 0) {
            let variable = String::from_utf8_lossy(variable);
            if let Some((name, value)) = variable.split_once('=').filter(|(name, _)| name.starts_with("HANGDOG")) {
                command.env(name, value);
            }
        }
        command.env("ROAM_AS", "canary").env("ROAM_LATE", "1");
        command
    }

    fn numbers(&self, role: &str) -> Vec<u32> {
        self.bench.roles().into_iter().filter(|(name, _)| name == role).map(|(_, pid)| pid).collect()
    }

    fn check_canaries(&self, canaries: &BTreeMap<u32, String>, told: &str) {
        for (pid, began) in canaries {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
            let seen = (begin_of(*pid), of("State:"), of("SigPnd:"), of("ShdPnd:"));
            let none = "0000000000000000";
            let untouched = (began.clone(), "S (sleeping)", none, none);
            assert_eq!(seen, untouched, "seed {}: one who only looks the same was touched: {told}", self.seed);
        }
    }
}

/// When a process began, which no other process of its number has in common with it; empty when there is none.
fn begin_of(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(20)).unwrap_or_default().to_owned()
}
