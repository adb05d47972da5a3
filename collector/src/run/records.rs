//! Where records go: the capture, the spool, and what the judge is asked with.

use std::path::PathBuf;

use hangdog_schemas::record::{Action, Deed};
use hangdog_schemas::{Record, RunNs, When};

use super::question::Question;
use crate::spool::Spool;
use crate::write::{Feed, Message};

/// All outlets of a run.
pub(super) struct Records {
    pub(super) feed: Option<Feed>,
    pub(super) question: Question,
    spool: Spool,
    /// The record that is being written, as a line.
    json: Vec<u8>,
    /// Where the writer has the capture open.
    pub(super) opened: Option<PathBuf>,
    /// What the writer could not do.
    pub(super) failed: Option<String>,
}

impl Records {
    /// Begins with the header.
    pub(super) fn new(feed: Option<Feed>, spool: Spool, question: Question) -> Self {
        let mut records = Self { feed, question, spool, json: Vec::new(), opened: None, failed: None };
        let header = Record::Run(Box::new(records.question.header().clone()));
        if let Ok(json) = serde_json::to_vec(&header) {
            records.push_line(RunNs(0), &json);
            records.spool.header(&json);
        }
        records
    }

    /// Notes a record everywhere.
    pub(super) fn push(&mut self, now: RunNs, record: &Record) {
        self.write(now, record);
        match record {
            Record::ProcessStart(start) => self.question.started(start),
            Record::ProcessChange(change) => self.question.changed(change),
            Record::ProcessEnd(end) => self.question.ended(end),
            Record::Output(output) => self.question.output(output),
            Record::Trigger(trigger) => self.question.trigger(trigger),
            Record::Action(action) => self.question.action(action),
            Record::Lost(lost) => self.question.lost(lost),
            Record::PhaseOpen(open) => self.question.phase_opened(open),
            Record::PhaseClose(close) => self.question.phase_closed(close),
            Record::RunEnd(end) => self.question.run_end(end),
            _ => {}
        }
    }

    /// Notes records that come as JSON from a helper. They are for the capture alone.
    pub(super) fn push_json(&mut self, now: RunNs, records: Vec<Vec<u8>>) {
        for record in records {
            self.push_line(now, &record);
        }
    }

    /// Notes one such record.
    pub(super) fn push_line(&mut self, now: RunNs, json: &[u8]) {
        if let Some(feed) = &mut self.feed {
            feed.push_line(now, json);
        }
    }

    /// Whether the capture takes more without losing any.
    pub(super) fn has_room(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::has_room)
    }

    /// Notes facts of a snapshot, as they come.
    pub(super) fn facts(&mut self, now: RunNs, facts: &[Record]) {
        for fact in facts {
            self.write(now, fact);
        }
    }

    /// Notes what was done.
    pub(super) fn deed(&mut self, now: RunNs, deed: Deed, failed: Option<String>) {
        self.push(now, &Record::Action(Action { when: When::exactly(now), deed, failed }));
    }

    /// Notes what was seen right after a trigger: the capture gets it with the snapshot that follows.
    pub(super) fn first_facts(&mut self, facts: &[Record]) {
        for fact in facts {
            if let Ok(json) = serde_json::to_vec(fact) {
                self.spool.push(&json);
            }
        }
    }

    fn write(&mut self, now: RunNs, record: &Record) {
        self.json.clear();
        if serde_json::to_writer(&mut self.json, record).is_err() {
            return;
        }
        if let Some(feed) = &mut self.feed {
            feed.push_line(now, &self.json);
        }
        match record {
            // They are left to the capture.
            Record::Sample(_) | Record::Output(_) | Record::Anchor(_) => {}
            Record::Trigger(_) => {
                self.spool.trigger();
                self.spool.push(&self.json);
            }
            _ => self.spool.push(&self.json),
        }
    }

    /// Sends what the writer takes and hears what it says.
    pub(super) fn pump(&mut self) {
        let Some(feed) = &mut self.feed else { return };
        feed.pump();
        let messages = feed.messages();
        self.hear(messages);
    }

    pub(super) fn hear(&mut self, messages: Vec<Message>) {
        for message in messages {
            match message {
                Message::Opened(path) => self.opened = Some(path),
                Message::Failed(why) => self.failed = Some(why),
                Message::Done { .. } => {}
            }
        }
    }
}
