//! Opening a capture: the file, its records as a timeline, and what is missing from it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hangdog_schemas::file::Reader;
use hangdog_timeline::Timeline;

use crate::failure::Failure;

/// A capture that was read.
pub(crate) struct Capture {
    /// What was recorded.
    pub(crate) timeline: Timeline,
    /// What is missing from it, as fragments.
    pub(crate) missing: Vec<String>,
}

/// Reads a capture, whole or cut.
pub(crate) fn open(path: &Path) -> Result<Capture, Failure> {
    let failed = || Failure::new(format!("{} cannot be read as a capture", path.display()));
    let file = File::open(path).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; `hangdog run` prints where it keeps a capture",
            std::io::ErrorKind::PermissionDenied => "read it as the user who recorded it",
            _ => "check the path and the disk",
        };
        failed().because(&error).advise(advice)
    })?;
    let reader =
        Reader::open(BufReader::new(file)).map_err(|error| failed().because(&error).advise(error.advice()))?;
    let (records, summary) = reader.read_all();
    let timeline = Timeline::build(records).map_err(|error| {
        failed().because(&error).advise("record the run again: the capture holds nothing to look at")
    })?;
    Ok(Capture { timeline, missing: summary.missing() })
}
