//! A capture of one moment, beside the run's own: what the judge was asked with, and what it answered.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use hangdog_schemas::record::PhaseOpen;
use hangdog_schemas::{Record, Report, RunNs};
use serde::{Deserialize, Serialize};

use super::question::Question;
use crate::write::{Feed, Message, Place, Verdict, default_place};

/// Such captures that are written at once.
const MOST_AT_ONCE: usize = 4;
/// How long one may take, ns.
const LIMIT: u64 = 30_000_000_000;

/// What whoever asked for a look finds in the run's directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// Counts up with each in a run.
    pub number: u64,
    /// When the last of its looks was over, in ns of CLOCK_MONOTONIC: who asked before is answered by it.
    pub looked: u64,
    /// Why there is no capture, or not all of it.
    pub why: Option<String>,
    /// The report; it names the capture.
    pub report: Report,
}

/// One that is being written.
#[derive(Debug)]
pub(super) struct Aside {
    feed: Feed,
    path: PathBuf,
    published: Option<Published>,
    until: Option<RunNs>,
    why: Option<String>,
}

impl Aside {
    /// Begins one in the store, or says why not.
    pub(super) fn start<'a>(
        name: &str,
        question: &'a Question,
        phases: impl Iterator<Item = &'a PhaseOpen>,
        others: usize,
    ) -> Result<Self, String> {
        if others >= MOST_AT_ONCE {
            return Err(format!("no capture is written: {MOST_AT_ONCE} others are being written"));
        }
        let directory = default_place(|variable| std::env::var_os(variable))
            .ok_or("no capture is written: neither XDG_STATE_HOME nor HOME is set")?;
        let path = directory.join(format!("{name}.hang"));
        let feed = Feed::start(&Place::Default { directory, run: name.to_owned() })
            .map_err(|error| format!("no capture is written: its process cannot be started: {error}"))?;
        let mut aside = Self { feed, path, published: None, until: None, why: None };
        for mut record in question.records(phases) {
            if let Cow::Owned(Record::Run(header)) = &mut record {
                name.clone_into(&mut header.run);
            }
            let now = record.when().unwrap_or_default();
            aside.feed.push(now, &record);
        }
        Ok(aside)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// All is said.
    pub(super) fn finish(&mut self, published: Published) {
        let mut report = published.report.clone();
        if let Some(name) = self.path.file_stem() {
            report.run.id = name.to_string_lossy().into_owned();
        }
        self.feed.push(report.run.at, &Record::Report(Box::new(report)));
        self.feed.conclude(Verdict::Keep);
        self.published = Some(published);
    }

    /// Goes on with it. What is to be told, once, when it is written, or when that takes too long.
    pub(super) fn pump(&mut self, now: RunNs) -> Option<Published> {
        self.feed.pump();
        let mut is_over = self.feed.fd().is_none();
        for message in self.feed.messages() {
            match message {
                Message::Failed(why) => self.why = Some(why),
                Message::Done { .. } => is_over = true,
                Message::Opened(_) => {}
            }
        }
        let until = *self.until.get_or_insert(now.plus(LIMIT));
        if !is_over && now < until {
            return None;
        }
        let late = || format!("the capture {} is still being written: its disk is slow", self.path.display());
        let why = self.why.take().or_else(|| (!is_over).then(late));
        self.published.take().map(|published| Published { why, ..published })
    }

    /// Whether its process has ended: as long as it has not, it is a helper.
    pub(super) fn is_gone(&self) -> bool {
        self.published.is_none() && self.feed.has_ended()
    }
}
