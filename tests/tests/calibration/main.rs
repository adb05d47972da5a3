//! How often each degree of confidence is right, and how long the sentence takes: all scenarios of `hangs.rs`,
//! `primitives.rs` and `healthy.rs` are run, and where a folder of others is given those too; two tables come out.
//!
//! ```text
//! cargo test -p hangdog-tests --test calibration                    some minutes
//! cargo test -p hangdog-tests --test calibration -- --zoo DIR       a folder with a program `zoo` that runs and judges
//! cargo test -p hangdog-tests --test calibration -- --zoo-alone DIR  the same without those of this package
//! cargo test -p hangdog-tests --test calibration -- --only WORD     scenarios with this word
//! cargo test -p hangdog-tests --test calibration -- --hangdog FILE  another build of hangdog
//! cargo test -p hangdog-tests --test calibration -- --quiet DURATION
//!                                                                   `--quiet-after`; 60s is the default of hangdog
//! ```
//!
//! Not run by a plain `cargo test`: each of these scenarios is a test already. It fails when a certain verdict is
//! wrong.
//!
//! | module | is |
//! | --- | --- |
//! | `judged` | what became of a scenario: how sure, right or wrong, and how long after the last thread went to sleep |
//! | `own` | the scenarios of this package |
//! | `zoo` | those of a folder |

#[expect(dead_code, reason = "it is a test of its own, and its table is used here")]
#[path = "../hangs.rs"]
mod hangs;
#[expect(dead_code, reason = "it is a test of its own, and its table is used here")]
#[path = "../healthy.rs"]
mod healthy;
mod judged;
mod own;
#[expect(dead_code, reason = "it is a test of its own, and its table is used here")]
#[path = "../primitives.rs"]
mod primitives;
mod zoo;

use std::path::PathBuf;
use std::process::ExitCode;

use hangdog_schemas::Confidence;
use hangdog_tests::programs;

use judged::{Judged, Truth};

/// A hang that is proven takes no longer than this.
const SOON: f64 = 3.0;

fn main() -> ExitCode {
    hangdog_tests::as_in_the_foreground();
    let (mut folder, mut only, mut quiet) = (None, String::new(), "8s".to_owned());
    let mut is_alone = false;
    let mut programs = programs!();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--zoo", Some(value)) => folder = Some(PathBuf::from(value)),
            ("--zoo-alone", Some(value)) => (folder, is_alone) = (Some(PathBuf::from(value)), true),
            ("--only", Some(value)) => only = value,
            ("--hangdog", Some(value)) => programs.hangdog = value.into(),
            ("--quiet", Some(value)) => quiet = value,
            _ => {
                eprintln!(
                    "calibration: [--zoo DIR | --zoo-alone DIR] [--only WORD] [--hangdog FILE] [--quiet DURATION]"
                );
                return ExitCode::from(2);
            }
        }
    }
    let wanted = Wanted { only, quiet };
    let mut all = if is_alone { Vec::new() } else { own::all(&programs, &wanted) };
    if let Some(folder) = folder {
        all.extend(zoo::all(&programs, &folder, &wanted));
    }
    println!("{}\n{}", table(&all), times(&all));
    let wrong = all.iter().filter(|judged| judged.confidence == Some(Confidence::Certain) && !judged.is_right);
    if wrong.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is run, and how.
struct Wanted {
    /// A word of its name.
    only: String,
    /// `--quiet-after`.
    quiet: String,
}

/// Right and wrong by confidence.
fn table(all: &[Judged]) -> String {
    let row = |word: &str, confidence: Option<Confidence>, truth: Truth| {
        let of = || all.iter().filter(move |judged| judged.confidence == confidence && judged.truth == truth);
        let wrong: Vec<&str> = of().filter(|judged| !judged.is_right).map(|judged| judged.name.as_str()).collect();
        let right = of().count() - wrong.len();
        let names = if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join(", ")) };
        format!("| {word} | {right} | {}{names} |", wrong.len())
    };
    let degrees = [Some(Confidence::Certain), Some(Confidence::Likely), Some(Confidence::Possible), None];
    let mut rows = vec!["| what was said | right | wrong |".to_owned(), "| --- | --- | --- |".to_owned()];
    for (of, truth) in [("of a hang", Truth::Hang), ("of a healthy program", Truth::Healthy)] {
        let said = |confidence: Option<Confidence>| confidence.map_or("nothing", Confidence::word);
        rows.extend(degrees.iter().map(|degree| row(&format!("{of}: {}", said(*degree)), *degree, truth)));
    }
    rows.join("\n")
}

/// From the moment the last thread of the chain went to sleep to the sentence; and why it is no surer.
fn times(all: &[Judged]) -> String {
    let row = |judged: &Judged| {
        let said = judged.confidence.map_or("nothing", Confidence::word);
        let late = judged.confidence == Some(Confidence::Certain) && judged.seconds.is_some_and(|s| s > SOON);
        let seconds = judged.seconds.map_or_else(String::new, |seconds| format!("{seconds:.1}"));
        let late = if late { " **late**" } else { "" };
        format!("| {} | {said} | {seconds}{late} | {} |", judged.name, judged.unseen.join("; "))
    };
    let mut rows = vec![
        "\n| hang | said | seconds from the last thread's sleep | what could not be seen |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    rows.extend(all.iter().filter(|judged| judged.truth == Truth::Hang).map(row));
    rows.join("\n")
}
