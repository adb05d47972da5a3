//! The programs of `tests/flakes`: how often each fails when nobody looks, whether `hangdog flake` finds it within ten
//! minutes, and how often it fails with the seed that is told. Takes an hour; `--ignored` runs it and prints a table.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hangdog_schemas::{Rate, Report};
use hangdog_tests::{Bench, Programs};

/// Runs when nobody looks; `HANGDOG_BARE` says another number.
const BARE: u32 = 600;
/// Runs of the series at most, and with the seed that it tells.
const SERIES: &str = "400";
const WITH_SEED: &str = "40";
/// So soon it is to be found.
const SOON: Duration = Duration::from_mins(10);
/// So many times as often as when nobody looks a run is to fail with the seed, in all but one.
const TIMES: f64 = 10.0;

const ALL: &[&str] = &[
    "ready-early.js",
    "missed-signal.c",
    "stale-fill.go",
    "two-migrations.sh",
    "token-rotated.py",
    "two-tellers.py",
];

/// A line of the table.
struct Found {
    times: f64,
    took: Duration,
    line: String,
}

/// Each of them, one after the other.
pub(crate) fn found(programs: &Programs) {
    let bare = std::env::var("HANGDOG_BARE").ok().and_then(|text| text.parse().ok()).unwrap_or(BARE);
    println!(
        "| program | left alone | with the seed | times | found after | seed, and what it does | first sentence |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let only = std::env::var("HANGDOG_FLAKE").unwrap_or_default();
    let chosen = ALL.iter().filter(|name| name.contains(&only));
    let all: Vec<Found> =
        chosen.map(|name| one(programs.clone(), name, bare)).inspect(|found| println!("{}", found.line)).collect();
    let late = all.iter().filter(|found| found.took > SOON).count();
    let seldom = all.iter().filter(|found| found.times < TIMES).count();
    assert!(late == 0, "{late} were not found within {} s", SOON.as_secs());
    assert!(seldom <= 1, "{seldom} fail less than {TIMES} times as often with the seed");
}

fn one(programs: Programs, name: &str, bare: u32) -> Found {
    let bench = Bench::new(programs);
    let command = built(&bench, name);
    let scratch = bench.path("bare");
    std::fs::create_dir(&scratch).unwrap();
    let alone = rate((0..bare).filter(|_| fails(&command, &scratch)).count(), bare);
    let begun = Instant::now();
    let report = series(&bench, &["--runs", SERIES], &command);
    let took = begun.elapsed();
    let sentence = report.verdict.map(|verdict| verdict.sentence).unwrap_or_default();
    let Some(reproduced) = report.comparison.and_then(|comparison| comparison.reproduced) else {
        let line = format!("| {name} | {} | no seed | | {} s | | {sentence} |", words(alone), took.as_secs());
        return Found { times: 0.0, took, line };
    };
    let seed = format!("--seed={}", reproduced.seed);
    let again = series(&bench, &[&seed, "--runs", WITH_SEED], &command);
    let with_seed = again.comparison.and_then(|comparison| comparison.perturbed).unwrap();
    // When none failed, one of so many might have.
    let least = f64::from(alone.failed.max(1)) / f64::from(alone.of);
    let times = f64::from(with_seed.failed) / f64::from(with_seed.of) / least;
    let line = format!(
        "| {name} | {} | {} | {times:.0} | {} s | {}: {} | {sentence} |",
        words(alone),
        words(with_seed),
        took.as_secs(),
        reproduced.seed,
        reproduced.by.join("; ")
    );
    Found { times, took, line }
}

/// The words that start a program, once it is built.
fn built(bench: &Bench, name: &str) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("flakes").join(name);
    let (source, binary) = (text(&source), text(&bench.path("flake")));
    let make = |words: &[&str]| {
        let made = Command::new(words[0]).args(&words[1..]).status();
        assert!(made.is_ok_and(|made| made.success()), "{words:?}");
        vec![binary.clone()]
    };
    match source.rsplit('.').next() {
        Some("c") => make(&["cc", "-O1", "-o", &binary, &source]),
        Some("go") => make(&["go", "build", "-o", &binary, &source]),
        Some("js") => vec!["node".to_owned(), source],
        Some("sh") => vec!["bash".to_owned(), source],
        _ => vec![super::python().to_owned(), source],
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("the path is text").to_owned()
}

fn fails(words: &[String], scratch: &PathBuf) -> bool {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("TMPDIR", scratch);
    !command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn series(bench: &Bench, options: &[&str], command: &[String]) -> Report {
    let (report, captures) = (bench.path("flake.json"), bench.path("captures"));
    let mut words = vec!["flake", "--timeout", "100s", "--report", report.to_str().unwrap()];
    words.extend(["--captures", captures.to_str().unwrap()]);
    words.extend(options);
    words.push("--");
    words.extend(command.iter().map(String::as_str));
    let output = bench.hangdog(&words).output().unwrap();
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&text).unwrap()
}

fn rate(failed: usize, of: u32) -> Rate {
    hangdog_analysis::rate(u32::try_from(failed).unwrap_or(u32::MAX), of)
}

fn words(rate: Rate) -> String {
    format!("{} of {}: {:.1} to {:.1} %", rate.failed, rate.of, 100.0 * rate.low, 100.0 * rate.high)
}
