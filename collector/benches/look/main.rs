//! What a look costs, beside what others take for the same machine: one command, one table.
//!
//! ```text
//! $ cargo bench -p hangdog-collector                    all parts; root, lsof where it is installed
//! $ cargo bench -p hangdog-collector -- --only stuck    parts with this word
//!
//!   part ──▶ a pid namespace of its own ──▶ 2,000 processes with 50,000 descriptors ──▶ rows
//! ```
//!
//! | module | is |
//! | --- | --- |
//! | `apart` | a part in namespaces of its own: only its processes are there, and all end with it |
//! | `crowd` | the processes |
//! | `dead` | ten that are stuck in the kernel |
//! | `looks` | snapshots, with and without the guard, beside peers |
//! | `samples` | the look several times a second, and what all of it takes in a capture |
//! | `figure` | a figure and its target |

mod apart;
mod crowd;
mod dead;
mod figure;
mod looks;
mod samples;

use std::process::ExitCode;

use figure::Figure;

/// A part of the benchmark: what it measures, in namespaces of its own.
type Part = fn() -> std::io::Result<Vec<Figure>>;

const PARTS: &[(&str, Part)] = &[
    ("snapshot", looks::snapshot),
    ("first", looks::first),
    ("memory", looks::memory),
    ("guard", looks::guard),
    ("stuck", looks::stuck),
    ("peers", looks::peers),
    ("samples", samples::rate),
    ("capture", samples::size_of_a_snapshot),
    ("quiet", samples::size_of_a_quiet_run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--apart", name] => apart::enter(name),
        ["--inside", name] => apart::inside(PARTS.iter().find(|(known, _)| known == name).map(|(_, part)| *part)),
        [] => table(""),
        ["--only", word] => table(word),
        _ => Err(std::io::Error::other("cargo bench -p hangdog-collector [-- --only WORD]")),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn table(word: &str) -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces and other users' descriptors need root");
        return Ok(());
    }
    println!("{}\n", figure::machine());
    println!("| what | measured | target | |\n| --- | --: | --- | --- |");
    for (name, _) in PARTS.iter().filter(|(name, _)| name.contains(word)) {
        print!("{}", apart::run(name)?);
    }
    Ok(())
}
