//! A row of the table.

use std::fmt;
use std::fs::read_to_string;
use std::process::Command;
use std::time::{Duration, Instant};

/// A figure, and what it is to be.
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    most: Option<f64>,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, most: None }
    }

    /// It is to be at most this.
    pub(crate) fn at_most(self, most: f64) -> Self {
        Self { most: Some(most), ..self }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, unit, most } = self;
        let (target, verdict) = match most {
            None => (String::new(), ""),
            Some(most) => (format!("≤ {most} {unit}"), if value <= most { "met" } else { "**not met**" }),
        };
        writeln!(f, "| {what} | {value:.2} {unit} | {target} | {verdict} |")
    }
}

/// The best of so many rounds, in ms: whatever else the machine does only adds to it.
pub(crate) fn best_ms(rounds: usize, mut round: impl FnMut() -> std::io::Result<()>) -> std::io::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        round()?;
        times.push(began.elapsed());
    }
    Ok(times.into_iter().min().map_or(0.0, ms))
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Where and when this was measured.
pub(crate) fn machine() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?");
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!("{}; {model}; Linux {}; load {load}", said("date", "+%Y-%m-%d %H:%M %Z"), said("uname", "-r"))
}
