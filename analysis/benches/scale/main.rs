//! What it takes to judge a large capture, and whether twice the capture takes twice as long.
//!
//! ```text
//! $ cargo bench -p hangdog-analysis                 10,000 threads, 100,000 descriptors, 1,000,000 records of phases
//! $ cargo bench -p hangdog-analysis -- --part 10    a tenth of that
//! $ cargo bench -p hangdog-analysis -- --make FILE THREADS; … -- --judge-in-steps FILE     for a profiler
//!
//!   made ──▶ capture in a file ──▶ a process of its own: lines ──▶ records ──▶ timeline ──▶ verdict ──▶ rows
//! ```
//!
//! | module | is |
//! | --- | --- |
//! | `made` | the capture: processes with threads at pipes, sockets, locks and event loops, and a ring among them |
//! | `judged` | one judging of it, in a process of its own whose memory is measured |
//!
//! *Parse* is from the bytes of the file to records; *index* from records to the timeline; *analysis* from there to the
//! report. *All* is what `hangdog report` does, where records are indexed as they are read. Times are those of the
//! processor.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "it measures; the crate itself does none of this"
)]

mod judged;
mod made;

use std::path::Path;
use std::process::ExitCode;

use judged::Judged;

/// Times that each figure is taken; the best counts, since whatever else the machine does only adds to it.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => table(1),
        ["--part", part] => part.parse().map_err(std::io::Error::other).and_then(table),
        ["--make", file, threads] => {
            threads.parse().map_err(std::io::Error::other).and_then(|threads| made::write(Path::new(file), threads))
        }
        ["--judge", file] => judged::all(Path::new(file)),
        ["--judge-in-steps", file] => judged::in_steps(Path::new(file)),
        _ => Err(std::io::Error::other("cargo bench -p hangdog-analysis [-- --part N]")),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// The table, of a capture that is `part` times smaller than the one that counts.
fn table(part: usize) -> std::io::Result<()> {
    let directory = tempfile::tempdir()?;
    println!("| what | the capture | twice | ratio | target |");
    println!("| --- | --- | --- | --- | --- |");
    let (mut one, mut two) = (Judged::default(), Judged::default());
    let files = [1, 2].map(|times| (directory.path().join(format!("{times}.hang")), 10_000 * times / part.max(1)));
    for (file, threads) in &files {
        made::write(file, *threads)?;
    }
    // In turn, so that what else the machine does falls on both.
    for _ in 0..ROUNDS {
        one = one.best(Judged::of(&files[0].0)?);
        two = two.best(Judged::of(&files[1].0)?);
    }
    let row = |what: &str, (a, b): (f64, f64), unit: &str, target: &str| {
        println!("| {what} | {a:.0} {unit} | {b:.0} {unit} | {:.2} | {target} |", b / a);
    };
    row("size of the file", (one.mib, two.mib), "MiB", "");
    row("parse", (one.parse, two.parse), "ms", "");
    row("index", (one.index, two.index), "ms", "");
    row("analysis", (one.analysis, two.analysis), "ms", "");
    let thought = (one.index + one.analysis, two.index + two.analysis);
    row("index and analysis", thought, "ms", "≤ 1000 ms; ratio ≤ 2.2");
    row("all, from the file", (one.all, two.all), "ms", "ratio ≤ 2.2");
    row("memory at most, all", (one.memory, two.memory), "MiB", "≤ 500 MiB");
    Ok(())
}
