//! One tree under hangdog: what became of it, and what is wrong with that.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use hangdog_analysis::{Options, analyse};
use hangdog_schemas::file::Reader;
use hangdog_schemas::{Confidence, Finding, FindingKind, Report};
use hangdog_timeline::Timeline;

use super::outside::Outside;
use super::recipe;
use super::tree::Tree;
use crate::{Bench, Programs};

/// Exit code of a run that hangdog ended.
const ENDED_BY_HANGDOG: i32 = 124;
/// How long processes may need to go after the end of the run: the command may end before its children, who end by
/// themselves.
const GOING: Duration = Duration::from_mins(1);

/// A tree that is about to be run.
#[derive(Debug)]
pub struct Trial {
    /// The programs.
    pub programs: Programs,
    /// The tree.
    pub tree: Tree,
    /// What compilers keep from run to run.
    pub cache: PathBuf,
    /// `--timeout`. A tree takes some ten seconds on a machine that does nothing else.
    pub limit: Duration,
}

/// What became of a tree.
#[derive(Debug)]
pub struct Came {
    /// The tree.
    pub name: String,
    /// What is wrong; nothing should be.
    pub faults: Vec<Fault>,
    /// Hangs that were likely or certain by some pair of snapshots, and not acted on.
    pub doubts: Vec<String>,
    /// What hangdog said on standard error.
    pub said: String,
    /// How long it took.
    pub took: Duration,
    /// Its directory, if it is to be kept.
    pub kept: Option<PathBuf>,
}

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// A healthy program was said to hang.
    Accused(String),
    /// It did not end by the time limit, on a machine that is too busy or because it was held up.
    Overran(String),
    /// The exit code is not the command's own.
    Code(String),
    /// Processes that were left.
    Left(String),
    /// A recipe failed: the soak itself is wrong, or hangdog disturbed it.
    Failed(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accused(what) => write!(f, "ACCUSED: {what}"),
            Self::Overran(what) => write!(f, "OVERRAN: {what}"),
            Self::Code(what) => write!(f, "EXIT CODE: {what}"),
            Self::Left(what) => write!(f, "LEFT BEHIND: {what}"),
            Self::Failed(what) => write!(f, "FAILED: {what}"),
        }
    }
}

impl Trial {
    /// Runs it. With `keep`, the directory of one that went wrong is left where it is.
    ///
    /// # Panics
    /// When its directory cannot be filled or hangdog cannot be started.
    #[must_use]
    pub fn run(self, keep: Keep) -> Came {
        let bench = Bench::new(self.programs.clone());
        let tree = bench.path("tree");
        self.write(&tree).expect("a directory for a tree");
        let pause = Duration::from_secs(3 + self.tree.seed % 4);
        let outside = Outside::new(&tree, pause).expect("an outside for a tree");
        let mark = format!("SOAK_TREE={}-{}", std::process::id(), self.tree.seed);
        let line = ["bash".into(), tree.join("tree.sh").into_os_string()];
        let mut command = bench.hangdog(["run", "--quiet-after", "2s"]);
        command.arg("--timeout").arg(format!("{}s", self.limit.as_secs()));
        command.arg("--report").arg(bench.report_path()).arg("-o").arg(bench.capture_path()).arg("--").args(line);
        command.current_dir(&tree).env("TREE", &tree).env("SOAK_CACHE", &self.cache);
        command.env("SOAK_SERVICE", &self.programs.scenario);
        command.env("FREEZER", recipe::freezer().unwrap_or_default());
        command.env("POSTGRES", recipe::postgres().unwrap_or_default());
        command.envs(mark.split_once('='));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.envs(outside.variables());
        let begun = Instant::now();
        let ended = bench.end_of(&mut command);
        let took = begun.elapsed();
        let mut came = Came {
            name: self.tree.name(),
            faults: Vec::new(),
            doubts: doubts(&bench.capture_path()),
            said: ended.stderr.clone(),
            took,
            kept: None,
        };
        self.judge(&bench, ended.status, &mut came);
        if let Some(left) = left_behind(&mark) {
            came.faults.push(Fault::Left(left));
        }
        if keep == Keep::WhatWentWrong && !(came.faults.is_empty() && came.doubts.is_empty()) {
            came.kept = Some(bench.keep());
        }
        came
    }

    /// The tree's scripts.
    fn write(&self, directory: &Path) -> std::io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("tree.sh"), self.tree.script())?;
        for (n, leaf) in self.tree.leaves.iter().enumerate() {
            let place = directory.join(n.to_string());
            fs::create_dir(&place)?;
            let set = format!("export P={} S={} N={}", leaf.pause, leaf.moment, leaf.number);
            fs::write(place.join("run"), format!("set -eu\n{set}\n{}", leaf.recipe.script))?;
        }
        Ok(())
    }

    fn judge(&self, bench: &Bench, status: ExitStatus, came: &mut Came) {
        let own = i32::from(self.tree.code);
        let verdict = bench.report().and_then(|report: Report| report.verdict);
        if status.code() == Some(ENDED_BY_HANGDOG) && came.took >= self.limit {
            let said = verdict.as_ref().map_or_else(String::new, told);
            came.faults.push(Fault::Overran(format!("{} s; {said}", self.limit.as_secs())));
            return;
        }
        if status.code() != Some(own) {
            let signal = status.signal().map(|signal| format!("signal {signal}")).unwrap_or_default();
            let code = status.code().map_or(signal, |code| code.to_string());
            came.faults.push(Fault::Code(format!("{code} instead of {own}, after {:.1} s", came.took.as_secs_f64())));
        }
        came.faults.extend(
            verdict.filter(|verdict| !is_no_accusation(verdict)).map(|verdict| Fault::Accused(told(&verdict))),
        );
        let begun = fs::read_to_string(bench.path("tree/begun")).unwrap_or_default();
        if begun.lines().count() != self.tree.leaves.len() {
            came.faults.push(Fault::Failed(format!("not every part of the tree was run: {begun:?}")));
        }
        if let Ok(failed) = fs::read_to_string(bench.path("tree/failed")) {
            let names = failed.lines().filter_map(|n| self.tree.leaves.get(n.parse::<usize>().ok()?));
            let names: Vec<&str> = names.map(|leaf| leaf.recipe.name).collect();
            let said = fs::read_to_string(bench.path("tree/tree.err")).unwrap_or_default();
            came.faults.push(Fault::Failed(format!("{}: {}", names.join(", "), said.trim())));
        }
    }
}

/// What becomes of the directory of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It goes.
    Nothing,
    /// It stays when something went wrong.
    WhatWentWrong,
}

/// Slow, or waiting for somebody outside: no accusation.
fn is_no_accusation(finding: &Finding) -> bool {
    !finding.kind.is_hang() || finding.kind == FindingKind::ExternalWait && finding.confidence == Confidence::Possible
}

fn told(finding: &Finding) -> String {
    format!("{} {}: {}", finding.kind.name(), finding.confidence.word(), finding.sentence)
}

/// What each pair of snapshots alone would have said, if it had been more than possible.
fn doubts(capture: &Path) -> Vec<String> {
    let Ok(file) = File::open(capture) else { return Vec::new() };
    let timeline =
        Reader::open(std::io::BufReader::new(file)).ok().and_then(|reader| Timeline::from_capture(reader).ok());
    let Some(timeline) = timeline else { return vec!["the capture cannot be read".to_owned()] };
    let mut doubts: Vec<String> = Vec::new();
    for snapshot in timeline.snapshots() {
        let options = Options { at: Some(snapshot.end), ..Options::default() };
        let findings = analyse(&timeline, &options).findings;
        let sure =
            findings.iter().filter(|finding| finding.kind.is_hang() && finding.confidence > Confidence::Possible);
        doubts.extend(sure.map(|finding| format!("at {:.1} s {}", snapshot.end.0 as f64 / 1e9, told(finding))));
    }
    doubts
}

/// Processes that carry the mark and do not go.
fn left_behind(mark: &str) -> Option<String> {
    let begun = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() || begun.elapsed() > GOING {
            return (!left.is_empty()).then(|| left.join(", "));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn marked(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_marked = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let comm = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    numbers.filter(is_marked).map(|pid| format!("{}[{pid}]", comm(pid))).collect()
}
