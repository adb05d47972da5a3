//! The first facts of a hang, on tmpfs: what is known when the disk that the capture goes to is part of it.

use std::fs::File;
use std::io::Write;

use hangdog_schemas::Record;

/// A tmpfs is memory: this is what the spool may take of it.
const MOST: usize = 4 << 20;

/// A bounded file of JSON lines.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Option<File>,
    bytes: usize,
}

impl Spool {
    pub(crate) fn new(file: Option<File>) -> Self {
        Self { file, bytes: 0 }
    }

    /// Adds records, while there is room. Samples and outputs are left to the capture.
    pub(crate) fn push(&mut self, record: &Record) {
        let is_first_fact = !matches!(record, Record::Sample(_) | Record::Output(_) | Record::Anchor(_));
        let Some(file) = self.file.as_mut().filter(|_| is_first_fact && self.bytes < MOST) else { return };
        let Ok(mut line) = serde_json::to_vec(record) else { return };
        line.push(b'\n');
        self.bytes += line.len();
        if file.write_all(&line).is_err() {
            self.file = None;
        }
    }
}
