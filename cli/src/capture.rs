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

/// Looks whether a file is a capture that can be read, at its first line.
pub(crate) fn probe(path: &Path) -> Result<(), Failure> {
    begin(path).map(|_| ())
}

/// Reads a capture, whole or cut.
pub(crate) fn open(path: &Path) -> Result<Capture, Failure> {
    let (records, summary) = begin(path)?.read_all();
    let timeline = Timeline::build(records).map_err(|error| {
        unreadable(path).because(&error).advise("record the run again: the capture holds nothing to look at")
    })?;
    Ok(Capture { timeline, missing: summary.missing() })
}

fn unreadable(path: &Path) -> Failure {
    Failure::new(format!("{} cannot be read as a capture", path.display()))
}

fn begin(path: &Path) -> Result<Reader<BufReader<File>>, Failure> {
    let file = File::open(path).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; `hangdog run` prints where it keeps a capture",
            std::io::ErrorKind::PermissionDenied => "read it as the user who recorded it",
            _ => "check the path and the disk",
        };
        unreadable(path).because(&error).advise(advice)
    })?;
    Reader::open(BufReader::new(file)).map_err(|error| unreadable(path).because(&error).advise(error.advice()))
}
