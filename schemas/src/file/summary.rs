//! What reading a capture came to: how much was whole, and what is missing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Version;

/// Kinds that are counted by name; all others are counted together.
const NAMED_KINDS: usize = 64;

/// What was found of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IndexState {
    /// The end was not reached yet, or there is none: the file was cut, or its writer was killed.
    #[default]
    Absent,
    /// It is there and sound.
    Present,
    /// It is there and cannot be used.
    Damaged,
}

/// How much of a capture was read, and what is missing. Complete when the reader has come to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whole frames.
    pub frames: u64,
    /// Records that were read.
    pub records: u64,
    /// The file ends inside a frame: this many bytes are there of it.
    pub cut: Option<u64>,
    /// Whole lines that the cut frame still gave.
    pub cut_lines: u64,
    /// Damaged stretches.
    pub damaged: u64,
    /// Bytes in damaged stretches.
    pub damaged_bytes: u64,
    /// Lines that are no records, or records that do not follow the format.
    pub bad_lines: u64,
    /// Kinds of records that this version does not know, with how many there were.
    pub unknown: BTreeMap<String, u64>,
    /// Records that the index names and that were not read.
    pub unread: Option<u64>,
    /// The index.
    pub index: IndexState,
    /// Whether a report was read.
    pub report: bool,
    /// The capture's version, when it is a newer minor one.
    pub newer: Option<Version>,
    /// Reading stopped here since all frames together hold more text than the limit.
    pub stopped_at_limit: bool,
    /// Why reading stopped before the end, when the source failed.
    pub failed: Option<String>,
}

impl Summary {
    /// Counts a record of an unknown kind.
    pub(super) fn count_unknown(&mut self, kind: String) {
        let known = self.unknown.len() < NAMED_KINDS || self.unknown.contains_key(&kind);
        let short = kind.len() <= 64;
        *self.unknown.entry(if known && short { kind } else { "…".to_owned() }).or_default() += 1;
    }

    /// Lines that were read, understood or not.
    pub(super) fn lines(&self) -> u64 {
        self.records + self.bad_lines + self.unknown.values().sum::<u64>()
    }

    /// Whether all that was written was read.
    pub fn is_complete(&self) -> bool {
        self.index == IndexState::Present && self.missing().is_empty()
    }

    /// What is missing, each as a fragment for people; empty when nothing is.
    pub fn missing(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(bytes) = self.cut {
            let lines = count(self.cut_lines, "whole line");
            notes.push(format!("the file ends inside a frame: of its last {bytes} bytes, {lines} could be read"));
        }
        if self.damaged > 0 {
            let stretches = count(self.damaged, "damaged stretch");
            notes.push(format!("{stretches} with {} bytes could not be read", self.damaged_bytes));
        }
        if let Some(unread) = self.unread {
            notes.push(format!("{} that the index names could not be read", count(unread, "record")));
        }
        if self.bad_lines > 0 {
            notes.push(format!("{} could not be understood", count(self.bad_lines, "line")));
        }
        if !self.unknown.is_empty() {
            let mut note = String::from("records of unknown kinds were skipped:");
            for (kind, n) in &self.unknown {
                let _ = write!(note, " {n} {kind:?}");
            }
            if let Some(version) = self.newer {
                let _ = write!(note, " (the capture has the newer format {version})");
            }
            notes.push(note);
        }
        if self.stopped_at_limit {
            notes.push("reading stopped: the capture holds more text than a reader takes".to_owned());
        }
        if let Some(why) = &self.failed {
            notes.push(format!("reading stopped: {why}"));
        }
        match self.index {
            IndexState::Present => {}
            IndexState::Damaged => notes.push("the index is damaged".to_owned()),
            IndexState::Absent => {
                notes.push("the file has no index: it was cut, or hangdog was killed while it wrote".to_owned());
            }
        }
        notes
    }
}

fn count(n: u64, what: &str) -> String {
    match (n, what) {
        (1, _) => format!("1 {what}"),
        (_, "damaged stretch") => format!("{n} damaged stretches"),
        _ => format!("{n} {what}s"),
    }
}
