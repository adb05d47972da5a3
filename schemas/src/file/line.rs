//! One line of a capture: a record, or why it is none.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{Record, Version};

/// What a line is.
#[derive(Debug)]
pub(super) enum Line {
    /// A record of a known kind.
    Record(Record),
    /// A record of a kind that this version does not know.
    Unknown(String),
    /// No record, or one that does not follow the format.
    Bad,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Format {
    format: Version,
}

/// Reads a line. The kind is looked at apart, since serde does not tell an unknown kind from a wrong field.
pub(super) fn parse(line: &[u8]) -> Line {
    if let Ok(record) = serde_json::from_slice(line) {
        return Line::Record(record);
    }
    match kind(line) {
        Some(kind) if !Record::KINDS.contains(&kind.as_str()) => Line::Unknown(kind),
        _ => Line::Bad,
    }
}

/// The kind of a line; `None` when it is no record at all.
pub(super) fn kind(line: &[u8]) -> Option<String> {
    serde_json::from_slice::<Kind<'_>>(line).ok().map(|line| line.kind.into_owned())
}

/// The format version that a run header names.
pub(super) fn format(line: &[u8]) -> Result<Version, serde_json::Error> {
    serde_json::from_slice::<Format>(line).map(|line| line.format)
}
