//! Runs healthy trees of commands under hangdog and says who was accused. None may be.
//!
//! `soak [--count 300] [--jobs 4] [--from 0] [--only WORD] [--limit 60] [--keep] [--list]`: trees `from` to
//! `from + count`, `jobs` at a time; `--only` takes the recipes whose name has this word, `--limit` is the `--timeout` of each
//! tree in seconds (at most 100), `--keep` leaves the directory of what went wrong.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hangdog_tests::Programs;
use hangdog_tests::soak::{Came, Keep, Recipe, Tree, Trial, recipes};

struct Wanted {
    from: u64,
    count: u64,
    jobs: usize,
    only: String,
    limit: Duration,
    keep: Keep,
    list: bool,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(trouble) => {
            eprintln!("soak: {trouble}");
            return ExitCode::from(2);
        }
    };
    let all: Vec<Recipe> = recipes().into_iter().filter(|recipe| recipe.name.contains(&wanted.only)).collect();
    let (here, missing): (Vec<Recipe>, Vec<Recipe>) = all.into_iter().partition(|recipe| recipe.missing().is_none());
    for recipe in &missing {
        println!("SKIPPED: {} needs {}", recipe.name, recipe.missing().unwrap_or_default());
    }
    if here.is_empty() {
        eprintln!("soak: no recipe is left to run");
        return ExitCode::from(2);
    }
    if wanted.list {
        for seed in wanted.from..wanted.from + wanted.count {
            println!("{}", Tree::new(seed, &here).name());
        }
        return ExitCode::SUCCESS;
    }
    hangdog_tests::as_in_the_foreground();
    let all = run_all(&wanted, &here);
    let (wrong, doubtful) = (
        all.iter().filter(|came| !came.faults.is_empty()).count(),
        all.iter().filter(|came| !came.doubts.is_empty()).count(),
    );
    let spoken = all.iter().filter(|came| !came.said.is_empty()).count();
    println!(
        "{} trees: {wrong} went wrong, {doubtful} had a pair of snapshots that alone would accuse, about {spoken} something \
         was said; {} of {} recipes SKIPPED",
        all.len(),
        missing.len(),
        missing.len() + here.len(),
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the trees, some at a time, and prints each as it ends.
fn run_all(wanted: &Wanted, recipes: &[Recipe]) -> Vec<Came> {
    let cache = tempfile::Builder::new().prefix("hangdog-soak-").tempdir().expect("a temporary directory");
    let next = AtomicU64::new(wanted.from);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..wanted.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= wanted.from + wanted.count {
                        return;
                    }
                    let tree = Tree::new(seed, recipes);
                    let trial =
                        Trial { programs: programs(), tree, cache: cache.path().to_owned(), limit: wanted.limit };
                    let came = trial.run(wanted.keep);
                    tell(&came);
                    all.lock().expect("no thread panics with it").push(came);
                }
            });
        }
    });
    all.into_inner().expect("no thread panics with it")
}

fn tell(came: &Came) {
    let word = if came.faults.is_empty() { "ok" } else { "WRONG" };
    let mut lines = vec![format!("{word:<6}{:5.1} s  {}", came.took.as_secs_f64(), came.name)];
    lines.extend(came.faults.iter().map(|fault| format!("        {fault}")));
    lines.extend(came.doubts.iter().map(|doubt| format!("        doubt {doubt}")));
    lines.extend(came.said.lines().map(|line| format!("        said: {line}")));
    lines.extend(came.kept.iter().map(|kept| format!("        kept: {}", kept.display())));
    println!("{}", lines.join("\n"));
}

/// Programs beside this one, as cargo builds them.
fn programs() -> Programs {
    let own = std::env::current_exe().expect("a program knows where it lies");
    let beside = |name: &str| -> PathBuf { own.with_file_name(name) };
    Programs { hangdog: beside("hangdog-under-test"), scenario: beside("scenario") }
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let limit = Duration::from_mins(1);
    let mut wanted =
        Wanted { from: 0, count: 300, jobs: 4, only: String::new(), limit, keep: Keep::Nothing, list: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
        match word.as_str() {
            "--from" => wanted.from = number(value()?)?,
            "--count" => wanted.count = number(value()?)?,
            "--jobs" => wanted.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            "--limit" => wanted.limit = Duration::from_secs(number(value()?)?.min(100)),
            "--only" => wanted.only = value()?,
            "--keep" => wanted.keep = Keep::WhatWentWrong,
            "--list" => wanted.list = true,
            _ => return Err(format!("{word:?} is not known")),
        }
    }
    Ok(wanted)
}
