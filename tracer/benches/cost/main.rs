//! What recording costs, beside its peers: one command, one table.
//!
//! ```text
//! $ cargo bench -p hangdog-tracer                     all lines, nine rounds
//! $ cargo bench -p hangdog-tracer -- --quick          under a minute, rougher
//! $ cargo bench -p hangdog-tracer -- --only lock      lines with this word, and what they are compared with
//!
//!   rounds ──▶ a process for each line ──▶ a number      registry   154.1
//!   × 9        (global subscriber, one CPU)              layer      167.8      ──▶ median of the rounds, of the
//!                                                        fmt        701.2          differences, of the ratios
//! ```
//!
//! | module | is |
//! | --- | --- |
//! | `arguments` | the command line |
//! | `line` | one line of the table: what is measured, beside what, what it may cost |
//! | `lines` | all of them, one file for each kind of work |
//! | `work` | the work that is measured: pairs of spans, futures, locks |
//! | `clock` | CPU time of this thread, batches, medians; warm and cold |
//! | `memory` | an allocator that counts, pages, page faults |
//! | `rounds` | starts the processes |
//! | `service` | an HTTP service under load, with the layer and without |
//! | `table` | the Markdown |
//! | `machine` | where this was measured |
//!
//! A line that cannot be measured says why in its row; the others go on.

mod arguments;
mod clock;
mod line;
mod lines;
mod machine;
mod memory;
mod rounds;
mod service;
mod table;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    arguments::parse().and_then(arguments::Command::run).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}
