//! One judging of a capture, in a process of its own.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::process::Command;

use hangdog_analysis::{Options, analyse};
use hangdog_schemas::file::Reader;
use hangdog_timeline::Timeline;

/// Times in ms, sizes in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged {
    pub(crate) mib: f64,
    pub(crate) parse: f64,
    pub(crate) index: f64,
    pub(crate) analysis: f64,
    pub(crate) all: f64,
    pub(crate) memory: f64,
}

impl Judged {
    /// Judges a capture twice: at one go, and in steps.
    pub(crate) fn of(file: &Path) -> io::Result<Self> {
        let ([all, memory, _], [parse, index, analysis]) = (told("--judge", file)?, told("--judge-in-steps", file)?);
        let mib = file.metadata()?.len() as f64 / f64::from(1 << 20);
        Ok(Self { mib, parse, index, analysis, all, memory })
    }

    /// The best of two.
    pub(crate) fn best(self, other: Self) -> Self {
        let least = |a: f64, b: f64| if a == 0.0 { b } else { a.min(b) };
        Self {
            mib: other.mib,
            parse: least(self.parse, other.parse),
            index: least(self.index, other.index),
            analysis: least(self.analysis, other.analysis),
            all: least(self.all, other.all),
            memory: least(self.memory, other.memory),
        }
    }
}

/// What a process of its own says.
fn told(how: &str, file: &Path) -> io::Result<[f64; 3]> {
    let output = Command::new(std::env::current_exe()?).arg(how).arg(file).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let said = || io::Error::other(format!("{how}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    figures.try_into().map_err(|_| said())
}

fn open(file: &Path) -> io::Result<Reader<BufReader<File>>> {
    Reader::open(BufReader::new(File::open(file)?)).map_err(io::Error::other)
}

/// Prints ms and MiB of the whole.
pub(crate) fn all(file: &Path) -> io::Result<()> {
    let began = processor()?;
    let timeline = Timeline::from_capture(open(file)?).map_err(io::Error::other)?;
    let told = judge(&timeline)?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
    println!("{} {} {}", processor()? - began, kib / 1024.0, told);
    Ok(())
}

/// Prints ms of each step.
pub(crate) fn in_steps(file: &Path) -> io::Result<()> {
    let began = processor()?;
    let (records, _) = open(file)?.read_all();
    let parse = processor()? - began;
    let began = processor()?;
    let timeline = Timeline::build(records).map_err(io::Error::other)?;
    let index = processor()? - began;
    let began = processor()?;
    judge(&timeline)?;
    println!("{parse} {index} {}", processor()? - began);
    Ok(())
}

/// The number of findings, among which there must be the ring.
fn judge(timeline: &Timeline) -> io::Result<usize> {
    let report = analyse(timeline, &Options::default());
    let kinds: Vec<String> = report.findings.iter().map(|finding| finding.kind.name()).collect();
    if !kinds.iter().any(|kind| kind == "deadlock-cycle") {
        return Err(io::Error::other(format!("found is {kinds:?}, and a ring was made")));
    }
    Ok(report.findings.len())
}

/// Processor time of this process so far, in ms: the same whatever else the machine does. It has one thread.
fn processor() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let ns: f64 = text.split(' ').next().unwrap_or_default().parse().map_err(io::Error::other)?;
    Ok(ns / 1e6)
}
