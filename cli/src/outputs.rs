//! Reports as files: the format by the file's ending, written whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hangdog_report::Style;
use hangdog_schemas::Report;

use crate::fed::{Answer, Fed, Food};

/// How long a report's disk may take.
const DISK_LIMIT: Duration = Duration::from_secs(10);

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// For programs; `hangdog schema report` describes it
    Json,
    /// For an issue or a pull request
    Markdown,
    /// A page that needs nothing else
    Html,
    /// For CI servers
    Junit,
}

impl Format {
    /// The report in this format.
    pub(crate) fn of(self, report: &Report, style: &Style) -> String {
        match self {
            Self::Text => hangdog_report::text(report, style),
            Self::Json => hangdog_report::json(report),
            Self::Markdown => hangdog_report::markdown(report),
            Self::Html => hangdog_report::html(report),
            Self::Junit => hangdog_report::junit(report),
        }
    }

    fn of_ending(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "json" => Self::Json,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" => Self::Html,
            "txt" => Self::Text,
            "xml" => Self::Junit,
            _ => return None,
        })
    }
}

/// A file that a report goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportFile {
    path: PathBuf,
    format: Format,
}

/// Reads `--report FILE`.
pub(crate) fn report_file(text: &str) -> Result<ReportFile, String> {
    let path = PathBuf::from(text);
    let format = Format::of_ending(&path)
        .ok_or("its ending names no format: use .json, .md, .html, .txt, or .xml for JUnit")?;
    Ok(ReportFile { path, format })
}

impl ReportFile {
    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the report, through a child: the disk may be the one that hangs.
    pub(crate) fn write(&self, report: &Report) -> Result<(), String> {
        let text = self.format.of(report, &Style::plain());
        put_guarded(&self.path, text.as_bytes(), Put::Replace)
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// A new file takes the place of the old one.
    Replace,
    /// After what is there.
    Append,
}

impl Put {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Append => "append",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Replace, Self::Append].into_iter().find(|put| put.word() == word)
    }
}

/// Writes a file through a child of ourselves, and gives up on it after ten seconds.
pub(crate) fn put_guarded(path: &Path, bytes: &[u8], how: Put) -> Result<(), String> {
    let arguments = [OsStr::new("internal-put"), OsStr::new(how.word()), path.as_os_str()];
    let answer = Food::of(bytes)
        .and_then(|food| Fed::start(&arguments, &food, DISK_LIMIT))
        .map_err(|error| error.to_string())?
        .wait();
    match answer {
        Answer::Said(said) if said == b"done" => Ok(()),
        Answer::Said(said) if said.is_empty() => Err("the process that writes it ended early".to_owned()),
        Answer::Said(said) => Err(String::from_utf8_lossy(&said).into_owned()),
        Answer::Pending | Answer::TooLate => Err(format!("its disk took longer than {} s", DISK_LIMIT.as_secs())),
    }
}

/// Writes a file. Replacing goes by rename in the same directory: a reader sees the old or the new one, whole.
pub(crate) fn put(path: &Path, bytes: &[u8], how: Put) -> io::Result<()> {
    if how == Put::Append {
        return OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = OsStr::new(".").to_owned();
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o666)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // It may never have been created; then there is nothing to remove.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_format() {
        for (name, format) in [
            ("a.json", Format::Json),
            ("x/b.md", Format::Markdown),
            ("c.html", Format::Html),
            ("d.txt", Format::Text),
            ("hangdog-junit.xml", Format::Junit),
        ] {
            assert_eq!(report_file(name).unwrap().format, format, "{name}");
        }
        for name in ["a", "a.pdf", ".json", "dir/"] {
            assert!(report_file(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_report_is_replaced_whole_and_leaves_nothing_beside_it() {
        let place = std::env::temp_dir().join(format!("hangdog-outputs-{}", std::process::id()));
        fs::create_dir(&place).unwrap();
        let file = place.join("r.json");
        put(&file, b"old", Put::Replace).unwrap();
        put(&file, b"new", Put::Replace).unwrap();
        put(&file, b"er", Put::Append).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let names = fs::read_dir(&place).unwrap().count();
        let refused = put(&place.join("no/such/r.json"), b"x", Put::Replace).map_err(|error| error.kind());
        fs::remove_dir_all(&place).unwrap();
        assert_eq!((text.as_str(), names), ("newer", 1));
        assert_eq!(refused, Err(io::ErrorKind::NotFound));
    }
}
