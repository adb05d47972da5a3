//! The child's side of the judge: reads records, answers with a report, within limits that it sets itself.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use hangdog_analysis::Options;
use hangdog_schemas::{Record, Report};
use hangdog_timeline::Timeline;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

/// CPU time, seconds. The wall clock is the parent's matter.
const CPU_SECONDS: u64 = 10;

/// Address space, bytes. Captures that are asked about are some megabytes.
const MEMORY: u64 = 1 << 30;

/// How an analysis is done. The same for a live run and for `hangdog report`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Thinking {
    /// A wait that ends by itself only after longer than this counts as a hang
    #[arg(long, value_name = "DURATION", env = "HANGDOG_PATIENCE", value_parser = crate::args::duration)]
    pub(crate) patience: Option<Duration>,
}

impl Thinking {
    /// As arguments of the child.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let patience = self.patience.map(|patience| format!("--patience={}", humantime::format_duration(patience)));
        patience.into_iter().map(OsString::from).collect()
    }

    /// As the analysis wants it.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        if let Some(patience) = self.patience {
            options.patience = patience;
        }
        options
    }
}

/// Is the child: records as lines on stdin, a report on stdout.
pub(crate) fn think(thinking: &Thinking) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(Resource::Cpu, CPU_SECONDS)?;
    limit(Resource::As, MEMORY)?;
    limit(Resource::Core, 0)?;
    let mut records: Vec<Record> = Vec::new();
    for line in io::stdin().lock().lines() {
        records.push(serde_json::from_str(&line?)?);
    }
    let timeline = Timeline::build(records).map_err(io::Error::other)?;
    let report: Report = hangdog_analysis::analyse(&timeline, &thinking.options());
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &report)?;
    stdout.flush()
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
