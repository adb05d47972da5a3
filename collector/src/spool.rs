//! The first facts of a hang, on tmpfs: what is known when the disk that the capture goes to is part of it.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

/// A tmpfs is memory: this is what the spool may take of it.
const MOST: usize = 4 << 20;

/// A bounded file of JSON lines. It begins with the header of the run.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Option<File>,
    header: Vec<u8>,
    bytes: usize,
}

impl Spool {
    pub(crate) fn new(file: Option<File>) -> Self {
        Self { file, header: Vec::new(), bytes: 0 }
    }

    /// The first line, which stays.
    pub(crate) fn header(&mut self, json: &[u8]) {
        self.header = json.to_vec();
        self.push(json);
    }

    /// What comes now is of a new trigger. It gets the room of older ones when there is little left.
    pub(crate) fn trigger(&mut self) {
        if self.bytes < MOST / 2 {
            return;
        }
        let emptied = self
            .file
            .as_mut()
            .is_some_and(|file| file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).is_ok());
        if emptied {
            self.bytes = 0;
            let header = std::mem::take(&mut self.header);
            self.header(&header);
        }
    }

    /// Adds a record, while there is room.
    pub(crate) fn push(&mut self, json: &[u8]) {
        let Some(file) = self.file.as_mut().filter(|_| self.bytes < MOST) else { return };
        self.bytes += json.len() + 1;
        // One write, so that a line is there or not.
        if file.write_all(&[json, b"\n"].concat()).is_err() {
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_newest_trigger_has_room_and_the_header_stays() {
        let mut file = tempfile::tempfile().unwrap();
        let mut spool = Spool::new(Some(file.try_clone().unwrap()));
        spool.header(b"header");
        let long = vec![b'x'; MOST / 4];
        for n in 0..10 {
            spool.trigger();
            spool.push(format!("trigger {n}").as_bytes());
            spool.push(&long);
        }
        spool.push(b"last");
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert!(text.len() <= MOST + long.len(), "{}", text.len());
        let lines: Vec<&str> = text.lines().filter(|line| line.len() < 100).collect();
        assert_eq!((lines[0], *lines.last().unwrap()), ("header", "last"));
        assert!(lines.contains(&"trigger 9") && !lines.contains(&"trigger 0"), "{lines:?}");
    }
}
