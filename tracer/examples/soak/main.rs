//! A long load on the recorder, judged from outside: nothing grows, and every phase that the program opened was
//! either recorded or counted as dropped.
//!
//! ```text
//! $ cargo run --release -p hangdog-tracer --example soak -- --seconds 600 --rate 2000000
//! ```
//!
//! `--rate` is in phases a second, of all threads together. Without `--seconds` this is a test of one second, as `cargo
//! test` runs it.
//!
//! ```text
//!   soak ── starts ──▶ soak load RATE          six kinds of threads, each phase in the history too
//!     │ ▲  overflow, release, stop ──▶ │
//!     │ └── opened: nested 4711 … ──── ┘
//!     └──── reads its recorder and /proc/PID, several times a second
//! ```

mod load;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

use watch::Order;

/// Phases a second, when nothing else is said.
const RATE: u64 = 2_000_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["load", rate] = words[..] {
        return ended(rate.parse().map_err(Into::into).and_then(load::run));
    }
    if !words.contains(&"--seconds") {
        let order = Order { time: Duration::from_secs(1), rate: RATE };
        let trial = Trial::test("a second of soak", move || watch::run(order).map_err(|why| why.to_string().into()));
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    }
    ended(order(&words).and_then(watch::run))
}

fn order(words: &[&str]) -> Outcome<Order> {
    let mut order = Order { time: Duration::ZERO, rate: RATE };
    for pair in words.chunks(2) {
        match *pair {
            ["--seconds", seconds] => order.time = Duration::from_secs(seconds.parse()?),
            ["--rate", rate] => order.rate = rate.parse()?,
            _ => return Err(format!("{pair:?}: what is known is --seconds and --rate, each with a number").into()),
        }
    }
    Ok(order)
}

fn ended(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Any failure ends this program with a message.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
