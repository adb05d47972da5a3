//! `hangdog demo`: a hang from real parts, run under the watchdog, named and freed.
//!
//! ```text
//!     hangdog demo ── starts ──▶ hangdog run … -- hangdog demo-part test          (fuse.test)
//!                                                    │ starts
//!                     ┌──────────────────────────────┼───────────────────────┐
//!                     ▼                              ▼                       ▼
//!                  indexd  ◀── POST, no time limit ── session loop ◀─ FLUSH ─ write (closes `send`)
//!                     └── walks the temp directory ──▶ the mount of that session loop
//! ```
//!
//! Each box is a process; nothing is simulated and nothing sleeps to win a race: the walk begins after
//! the POST came in and the POST is answered after the walk, so the loop closes every time. In the
//! twin (`--answer-first`) the server answers before it walks, and the same parts end with 0.
//!
//! | to know | look in |
//! | --- | --- |
//! | what is run, and what is expected of it | [`show`], [`expect`] |
//! | the server | [`indexd`], [`walk`] |
//! | the test with its file system | [`fuse_test`], [`outbox`], [`mount`] |
//! | where FUSE cannot be had | [`pipes`] |
//! | directories, pids, what is left afterwards | [`stage`] |
//!
//! Not here: anything that helps hangdog to find the cause. The demo calls the `hangdog` program like
//! everybody else and reads the report it wrote.

mod error;
mod expect;
mod fuse_test;
mod indexd;
mod mount;
mod outbox;
mod pipes;
mod recorded;
mod show;
mod stage;
mod walk;

pub(crate) use error::DemoError;
pub(crate) use show::{Shown, run};

use std::path::PathBuf;

/// Arguments of `hangdog demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Name of the directory that the test mounts its file system on
    #[arg(long, value_name = "NAME", default_value = "mount", value_parser = directory_name)]
    mount_name: String,
    /// Threads of the server's runtime
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// The healthy twin: the server answers before it walks, and nothing hangs
    #[arg(long)]
    answer_first: bool,
    /// Leave the hang in place until Ctrl-C, to look at it with other tools
    #[arg(long, conflicts_with = "answer_first")]
    hold: bool,
}

/// Arguments of the hidden verb `demo-part`: one process of the demo.
#[derive(Debug, clap::Args)]
pub(crate) struct PartArgs {
    #[command(subcommand)]
    part: Part,
}

/// A process of the demo.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
enum Part {
    /// Mounts and unmounts, to see whether that way works here
    Probe {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        way: mount::Way,
    },
    /// The test process, server of the file system
    Test {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        way: mount::Way,
        #[arg(long)]
        mount_name: String,
        #[arg(long)]
        threads: u16,
        #[arg(long)]
        answer_first: bool,
    },
    /// The HTTP server
    Indexd {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        threads: u16,
        #[arg(long)]
        answer_first: bool,
    },
    /// Writes a file of the mount and closes it
    Write {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        file: PathBuf,
    },
    /// Starts the two below
    PipeTest {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        answer_first: bool,
    },
    /// Takes the file lock and reads the pipe
    PipeReader {
        #[arg(long)]
        base: PathBuf,
    },
    /// Takes the file lock and writes the pipe
    PipeWriter {
        #[arg(long)]
        base: PathBuf,
        #[arg(long)]
        answer_first: bool,
    },
}

/// Is one process of the demo until it ends.
pub(crate) fn part(args: PartArgs) -> Result<(), DemoError> {
    match args.part {
        Part::Probe { base, way } => mount::probe(&base, way),
        Part::Test { base, way, mount_name, threads, answer_first } => {
            let answer = Answer::from_flag(answer_first);
            fuse_test::run(&stage::Stage::at(base), way, &mount_name, threads, answer)
        }
        Part::Indexd { base, threads, answer_first } => {
            indexd::run(&stage::Stage::at(base), threads, Answer::from_flag(answer_first))
        }
        Part::Write { base, file } => fuse_test::write(&stage::Stage::at(base), &file),
        Part::PipeTest { base, answer_first } => pipes::run(&stage::Stage::at(base), Answer::from_flag(answer_first)),
        Part::PipeReader { base } => pipes::read(&stage::Stage::at(base)),
        Part::PipeWriter { base, answer_first } => {
            pipes::write(&stage::Stage::at(base), Answer::from_flag(answer_first))
        }
    }
}

/// Whether the request is answered before or after the work that closes the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The twin: nothing hangs.
    First,
    /// The hang.
    Last,
}

impl Answer {
    fn from_flag(answer_first: bool) -> Self {
        if answer_first { Self::First } else { Self::Last }
    }

    /// The same as an argument of a part.
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::First => Some("--answer-first"),
            Self::Last => None,
        }
    }
}

fn directory_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('/') || text == "." || text == ".." {
        return Err("not the name of a directory".to_owned());
    }
    if text.len() > 64 {
        return Err("longer than 64 bytes".to_owned());
    }
    Ok(text.to_owned())
}
