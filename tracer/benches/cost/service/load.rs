//! The load, by `wrk`.

use std::process::{Command, Stdio};

use super::server::Server;

/// What came of a second of load, or of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    requests: f64,
    seconds: f64,
    cpu_seconds: f64,
    /// The 99th percentile of each.
    p99_ms: Vec<f64>,
}

impl Load {
    pub(super) fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.seconds += more.seconds;
        self.cpu_seconds += more.cpu_seconds;
        self.p99_ms.extend(&more.p99_ms);
    }

    /// CPU time of a request.
    pub(super) fn cpu_us(&self) -> f64 {
        self.cpu_seconds / self.requests * 1e6
    }

    /// Requests a second.
    pub(super) fn a_second(&self) -> f64 {
        self.requests / self.seconds
    }

    /// What 99 of 100 requests took at most.
    pub(super) fn p99_ms(&self) -> f64 {
        crate::clock::median(self.p99_ms.iter().copied())
    }
}

/// Whether there is a `wrk`.
pub(super) fn available() -> Result<(), String> {
    // It says its version and ends with 1.
    let asked = Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.map(|_| ()).map_err(|error| format!("needs wrk: {error}"))
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Some 10,000 requests a second, each for a page of 100 items.
    TenThousand,
    /// As many as one thread can ask, each for a word: the service does nothing but record.
    Flood,
}

impl Pace {
    pub(super) const ALL: &[Self] = &[Self::TenThousand, Self::Flood];

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::TenThousand => "some 10,000 requests a second, for pages of 100 items",
            Self::Flood => "as many requests as one thread can ask, for a word",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::TenThousand => "pages/42",
            Self::Flood => "items/42",
        }
    }
}

/// A second of it, over 40 connections.
pub(super) fn put_on(server: &Server, pace: Pace) -> Result<Load, String> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", "40", "--duration", "1s", "--latency"]);
    if pace == Pace::TenThousand {
        wrk.args(["--script", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cost/service/ten_thousand.lua")]);
    }
    let before = server.cpu_time()?;
    let output = wrk
        .arg(format!("http://{}/{}", server.address, pace.path()))
        .output()
        .map_err(|error| format!("wrk: {error}"))?;
    let cpu_seconds = server.cpu_time()?.saturating_sub(before).as_secs_f64();
    let said = String::from_utf8_lossy(&output.stdout);
    understood(&said, cpu_seconds)
        .ok_or_else(|| format!("wrk said {said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// `    99%  768.00us`, `  61234 requests in 1.10s, 9.11MB read`.
fn understood(said: &str, cpu_seconds: f64) -> Option<Load> {
    let mut lines = said.lines().map(str::trim);
    let p99 = lines.find_map(|line| line.strip_prefix("99%"))?;
    let (requests, rest) = lines.find_map(|line| line.split_once(" requests in "))?;
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    Some(Load {
        requests: requests.parse().ok()?,
        seconds: milliseconds(rest.split(',').next()?)? / 1e3,
        cpu_seconds,
        p99_ms: vec![milliseconds(p99)?],
    })
}

/// `1.10s`, `768.00us`, `2.35ms`.
fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text.trim_end_matches(char::is_alphabetic);
    let of_one = match &text[number.len()..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * of_one)
}
