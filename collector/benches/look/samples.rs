//! The look several times a second, and what samples and snapshots take in a capture.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use hangdog_collector::clock::RunClock;
use hangdog_collector::observe::{Adopted, Snapshotter, Tree};
use hangdog_schemas::file::Writer;
use hangdog_schemas::{Pid, Record, RunNs, sample};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::crowd;
use crate::figure::Figure;
use crate::looks::look;

/// Between two samples of a run, ns.
const INTERVAL: u64 = 250_000_000;

fn tree() -> io::Result<Tree> {
    Tree::new(RunClock::start(), Pid(std::process::id()), Vec::new())
}

/// Processor time of this process so far.
fn cpu() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros as u64))
}

pub(crate) fn rate() -> io::Result<Vec<Figure>> {
    const PASSES: u32 = 20;
    crowd::start(500)?;
    let mut tree = tree()?;
    let mut now = RunNs(0);
    let mut pass = || {
        now = now.plus(INTERVAL);
        tree.pass(now, &BTreeSet::new(), &Adopted::OfRun)
    };
    for _ in 0..20 {
        pass();
    }
    let mut each = Duration::MAX;
    for _ in 0..10 {
        let before = cpu()?;
        for _ in 0..PASSES {
            pass();
        }
        each = each.min(cpu()?.saturating_sub(before) / PASSES);
    }
    let share = each.as_secs_f64() * 10.0 * 100.0;
    Ok(vec![
        Figure::new("one sample of 500 processes", each.as_secs_f64() * 1e3, "ms"),
        Figure::new("500 processes, ten samples a second, of one core", share, "%").at_most(2.0),
    ])
}

/// Bytes of a capture with these records.
fn bytes(records: impl IntoIterator<Item = Record>) -> io::Result<f64> {
    let failed = |error: hangdog_schemas::file::WriteError| io::Error::other(error.to_string());
    let mut writer = Writer::new(Vec::new()).map_err(failed)?;
    writer.write(&Record::Run(Box::new(sample::header()))).map_err(failed)?;
    for record in records {
        writer.write(&record).map_err(failed)?;
    }
    Ok(writer.finish().map_err(failed)?.len() as f64 / 1e6)
}

pub(crate) fn size_of_a_snapshot() -> io::Result<Vec<Figure>> {
    crowd::start(500)?;
    let mut snapshotter = Snapshotter::new(RunClock::start())?;
    let mut records = Vec::new();
    look(&mut snapshotter, None, |piece| records.extend(piece))?;
    let what = format!("a snapshot of 500 processes in the capture, {} records", records.len());
    Ok(vec![Figure::new(what, bytes(records)?, "MB").at_most(0.5)])
}

/// A minute of real samples, and what ten would be.
pub(crate) fn size_of_a_quiet_run() -> io::Result<Vec<Figure>> {
    const SECONDS: u64 = 60;
    crowd::start(50)?;
    let clock = RunClock::start();
    let mut tree = Tree::new(clock, Pid(std::process::id()), Vec::new())?;
    let mut quiet = Vec::new();
    let before = cpu()?;
    while clock.now() < RunNs(SECONDS * 1_000_000_000) {
        quiet.extend(tree.pass(clock.now(), &BTreeSet::new(), &Adopted::OfRun).into_records());
        std::thread::sleep(Duration::from_nanos(INTERVAL));
    }
    let share = 100.0 * cpu()?.saturating_sub(before).as_secs_f64() / SECONDS as f64;
    let ten_minutes = bytes(quiet)? * 600.0 / SECONDS as f64;
    Ok(vec![
        Figure::new("samples of 50 quiet processes, ten minutes by one, in the capture", ten_minutes, "MB")
            .at_most(1.0),
        Figure::new("of a core meanwhile", share, "%"),
    ])
}
