//! What goes on while the program does nothing.

use std::fs;
use std::time::Duration;

use hangdog_flight::TICK_THREAD;
use hangdog_tracer::phase;

use crate::clock::Effort;
use crate::line::{Line, Measured, Target, Unit};

pub(crate) const LINES: &[Line] = &[
    Line::new("threads of the recorder: the tick", |_| {
        drop(phase!("first"));
        Ok((threads()?.len() - 1) as f64)
    })
    .in_unit(Unit::Count)
    .wanted(Target::itself(1.0)),
    Line::new("CPU of the tick thread, of one core", tick).in_unit(Unit::Percent).wanted(Target::itself(0.3)),
];

/// Its whole life, start included; it goes at its own pace, and nothing is waited for here.
fn tick(effort: Effort) -> Measured {
    let _open = phase!("waits");
    std::thread::sleep(effort.watch());
    let threads = threads()?;
    let (tid, _) = threads.iter().find(|(_, name)| name == TICK_THREAD).ok_or("there is no tick thread")?;
    Ok(run_time(tid)?.as_secs_f64() / effort.watch().as_secs_f64() * 100.0)
}

/// Number and name of each thread of this process.
fn threads() -> Result<Vec<(String, String)>, String> {
    let entries = fs::read_dir("/proc/self/task").map_err(|error| error.to_string())?;
    let tids = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let named = tids.map(|tid| {
        let name = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default();
        (tid, name.trim_end().to_owned())
    });
    Ok(named.collect())
}

/// First word of schedstat: ns on a CPU.
fn run_time(tid: &str) -> Result<Duration, String> {
    let path = format!("/proc/self/task/{tid}/schedstat");
    let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or("schedstat has no run time")?;
    Ok(Duration::from_nanos(ns))
}
