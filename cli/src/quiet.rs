//! The report of a run about which there is nothing to say: no hang, and nothing left behind.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use hangdog_schemas::{REPORT_VERSION, Report, RunNs, RunSummary, redact};

/// A report without a verdict and without findings.
pub(crate) fn report(run: &str, command: &[OsString], took: Duration, capture: Option<&Path>) -> Report {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let run = RunSummary {
        id: run.to_owned(),
        command: redact::arguments(&words).value,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        at: RunNs(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        last_progress: None,
        progress: None,
        capture: capture.map(|path| path.display().to_string()),
        actions: Vec::new(),
        missing: Vec::new(),
    };
    Report { verdict: None, findings: Vec::new(), run, comparison: None, schema: REPORT_VERSION }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_no_verdict_and_no_secrets() {
        let command = ["curl", "--password=hunter2", "x"].map(OsString::from);
        let report = report("r", &command, Duration::from_secs(2), None);
        assert_eq!((report.verdict, report.findings.len(), report.run.at), (None, 0, RunNs(2_000_000_000)));
        assert!(!report.run.command.join(" ").contains("hunter2"), "{:?}", report.run.command);
    }
}
