//! An HTTP service under load, with the layer and without.
//!
//! ```text
//!   wrk on one CPU ──▶ five services on another, one at a time, in turn, round after round
//! ```
//!
//! CPU time of the service's process by its threads' schedstat, over the requests that were answered. One of the
//! five is there twice: how far the two are apart is the noise.

mod load;
mod server;

use std::fmt::Write as _;
use std::str::FromStr;

use crate::clock::{Effort, median, spread, stay_on};
use crate::rounds::progress;
use load::{Load, Pace};
use server::Server;
pub(crate) use server::serve;

/// What is there when nobody can measure.
const HEAD: &str = "\
| service under load | CPU a request | ± | × base | requests/s | × base | p99 | × base | target | |
| --- | --: | --: | --: | --: | --: | --: | --: | --- | --- |
";
/// More CPU time a request than without, at most.
const AT_MOST: f64 = 1.01;

/// What a service has installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Spans without a subscriber.
    Not,
    /// A Registry and a layer that does nothing.
    Registry,
    /// A Registry and the hangdog layer.
    Layer,
    /// The hangdog subscriber, alone.
    Subscriber,
}

impl Recorded {
    const ALL: &[Self] = &[Self::Not, Self::Registry, Self::Layer, Self::Subscriber];

    fn word(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Registry => "registry",
            Self::Layer => "layer",
            Self::Subscriber => "subscriber",
        }
    }
}

impl FromStr for Recorded {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|known| known.word() == word).ok_or(format!("no service records {word:?}"))
    }
}

/// A row: its name, what is installed, the row that it is compared with, whether there is a target.
struct Kind {
    name: &'static str,
    recorded: Recorded,
    base: usize,
    target: Target,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    None,
    Noise,
    AtMost,
}

const KINDS: &[Kind] = &[
    Kind { name: "Registry + no-op layer", recorded: Recorded::Registry, base: 0, target: Target::None },
    Kind { name: "the same once more: the noise", recorded: Recorded::Registry, base: 0, target: Target::Noise },
    Kind { name: "Registry + hangdog layer", recorded: Recorded::Layer, base: 0, target: Target::AtMost },
    Kind { name: "hangdog subscriber, alone", recorded: Recorded::Subscriber, base: 0, target: Target::None },
    Kind { name: "no subscriber", recorded: Recorded::Not, base: 0, target: Target::None },
];

/// Measures all, and gives the table.
pub(crate) fn markdown(effort: Effort, rounds: usize) -> String {
    let ready = load::available().and_then(|()| stay_on(1));
    let of_pace = |pace: &Pace| {
        let rounds = (0..rounds).map(|round| measured(effort, *pace, round)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("| **{}** | | | | | | | | | |\n{}", pace.heading(), rows(&rounds)))
    };
    let all: Result<String, String> = ready.and_then(|()| Pace::ALL.iter().map(of_pace).collect());
    progress("");
    all.map_or_else(|why| format!("The service under load was SKIPPED: {why}"), |rows| format!("{HEAD}{rows}"))
}

/// What each kind did in a round. New processes each time: where their memory lies is part of the noise.
fn measured(effort: Effort, pace: Pace, round: usize) -> Result<Vec<Load>, String> {
    let servers = KINDS.iter().map(|kind| Server::start(kind.recorded)).collect::<Result<Vec<_>, _>>()?;
    let mut loads = vec![Load::default(); KINDS.len()];
    for slice in 0..effort.slices() {
        for (at, server) in servers.iter().enumerate() {
            progress(&format!("service, {}: round {}, {}", pace.heading(), round + 1, KINDS[at].name));
            let load = load::put_on(server, pace)?;
            // The first warms up.
            if slice > 0 {
                loads[at].add(&load);
            }
        }
    }
    Ok(loads)
}

fn rows(rounds: &[Vec<Load>]) -> String {
    let each =
        |kind: usize, of: fn(&Load) -> f64| -> Vec<f64> { rounds.iter().map(|loads| of(&loads[kind])).collect() };
    let times = |kind: usize, of: fn(&Load) -> f64| -> Vec<f64> {
        each(kind, of).iter().zip(each(KINDS[kind].base, of)).map(|(it, base)| it / base).collect()
    };
    let noise = KINDS.iter().position(|kind| kind.target == Target::Noise).map_or(0.0, |kind| {
        let times = times(kind, Load::cpu_us);
        (median(times.iter().copied()) - 1.0).abs().max(spread(times.iter().copied()))
    });
    let mut text = String::new();
    for (at, kind) in KINDS.iter().enumerate() {
        let cpu = times(at, Load::cpu_us);
        let more = median(cpu.iter().copied());
        let (target, verdict) = match kind.target {
            Target::None => (String::new(), ""),
            Target::Noise => (format!("{:.2} %", noise * 100.0), "noise"),
            Target::AtMost if more <= AT_MOST => (format!("≤ {AT_MOST:.2}×"), "met"),
            Target::AtMost if more - 1.0 <= noise => (format!("≤ {AT_MOST:.2}×"), "within the noise"),
            Target::AtMost => (format!("≤ {AT_MOST:.2}×"), "**not met**"),
        };
        let _ = writeln!(
            text,
            "| {} | {:.2} µs | {:.2} % | {more:.3}× | {:.0} | {:.3}× | {:.2} ms | {:.3}× | {target} | {verdict} |",
            kind.name,
            median(each(at, Load::cpu_us)),
            spread(cpu.iter().copied()) * 100.0,
            median(each(at, Load::a_second)),
            median(times(at, Load::a_second)),
            median(each(at, Load::p99_ms)),
            median(times(at, Load::p99_ms)),
        );
    }
    text
}
