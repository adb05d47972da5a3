//! The main loop's end: a bounded queue in front of a socket that is never waited for.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hangdog_schemas::record::Lost;
use hangdog_schemas::{Record, RunNs, When};

use super::place::Place;
use super::process::{self, Message};
use crate::kernel::{Helper, fork_helper};

/// Bytes that may wait in the main loop for a writer that is slow.
const MOST_QUEUED: usize = 8 << 20;

/// What becomes of a capture at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is finished and stays.
    Keep,
    /// It is removed.
    Drop,
}

/// Feeds the writer process.
#[derive(Debug)]
pub struct Feed {
    socket: Option<UnixStream>,
    writer: Helper,
    queue: Vec<u8>,
    /// Bytes of the queue that are sent already.
    sent: usize,
    lost: u64,
    heard: Vec<u8>,
    messages: Vec<Message>,
}

impl Feed {
    /// Starts the writer process.
    pub fn start(place: &Place) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let keep = theirs.as_fd();
        let writer = fork_helper(c"hangdog-write", &[keep], || process::main(&theirs, place))?;
        Ok(Self {
            socket: Some(ours),
            writer,
            queue: Vec::new(),
            sent: 0,
            lost: 0,
            heard: Vec::new(),
            messages: Vec::new(),
        })
    }

    /// The writer's process number.
    pub fn writer(&self) -> u32 {
        self.writer.pid
    }

    /// What to poll, while the writer listens.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Whether something waits to be sent.
    pub fn is_waiting(&self) -> bool {
        self.sent < self.queue.len() && self.socket.is_some()
    }

    /// Puts a record in the queue, or counts it as lost.
    pub fn push(&mut self, now: RunNs, record: &Record) {
        if self.takes(now) {
            self.frame(process::RECORD, record);
        }
    }

    /// The same for a record that is JSON already.
    pub fn push_line(&mut self, now: RunNs, json: &[u8]) {
        if self.takes(now) {
            self.queue.push(process::RECORD);
            self.queue.extend((json.len() as u32).to_le_bytes());
            self.queue.extend_from_slice(json);
        }
    }

    /// Whether there is room for what is not urgent: half of the queue stays free for what is.
    pub fn has_room(&self) -> bool {
        self.queue.len() - self.sent < MOST_QUEUED / 2
    }

    /// Whether a record finds a place. What did not is told before.
    fn takes(&mut self, now: RunNs) -> bool {
        if self.socket.is_none() {
            return false;
        }
        if self.queue.len() - self.sent > MOST_QUEUED {
            self.lost += 1;
            return false;
        }
        if self.lost > 0 {
            let lost = Lost { when: When::exactly(now), at: "queue".to_owned(), records: self.lost };
            self.lost = 0;
            self.frame(process::RECORD, &Record::Lost(lost));
        }
        true
    }

    fn frame(&mut self, kind: u8, record: &Record) {
        let head = self.queue.len();
        self.queue.extend([kind, 0, 0, 0, 0]);
        if serde_json::to_writer(&mut self.queue, record).is_err() {
            self.queue.truncate(head);
            self.lost += 1;
            return;
        }
        let len = (self.queue.len() - head - 5) as u32;
        self.queue[head + 1..head + 5].copy_from_slice(&len.to_le_bytes());
    }

    /// Sends what the socket takes, hears what the writer says. Never waits.
    pub fn pump(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        let mut is_gone = false;
        while self.sent < self.queue.len() {
            match rustix::net::send(&*socket, &self.queue[self.sent..], rustix::net::SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => {
                    is_gone = true;
                    break;
                }
            }
        }
        if self.sent == self.queue.len() {
            self.queue.clear();
            self.queue.shrink_to(1 << 20);
            self.sent = 0;
        } else if self.sent > MOST_QUEUED / 8 {
            self.queue.drain(..self.sent);
            self.sent = 0;
        }
        let mut bytes = [0; 1024];
        loop {
            match socket.read(&mut bytes) {
                Ok(0) => {
                    is_gone = true;
                    break;
                }
                Ok(n) => self.heard.extend_from_slice(&bytes[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    is_gone = true;
                    break;
                }
            }
        }
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            self.messages.extend(Message::parse(&line));
        }
        if is_gone {
            self.socket = None;
        }
    }

    /// What the writer said since the last call.
    pub fn messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// Says what becomes of the capture, after all records. Never waits: [`Message::Done`] comes with a later pump.
    pub fn conclude(&mut self, verdict: Verdict) {
        let word = match verdict {
            Verdict::Keep => process::KEEP,
            Verdict::Drop => process::DROP,
        };
        self.queue.extend([word, 0, 0, 0, 0]);
    }

    /// Whether the writer has ended, and was waited for. Never waits.
    pub fn has_ended(&self) -> bool {
        self.writer.wait(Duration::ZERO).is_some()
    }

    /// Says what becomes of the capture and waits for the writer, for at most `limit`. All that the writer
    /// said; without a [`Message::Done`] it is still at work, or died.
    pub fn finish(mut self, verdict: Verdict, limit: Duration) -> Vec<Message> {
        self.conclude(verdict);
        let tick = Duration::from_millis(10);
        let mut left = limit;
        let is_done = |messages: &[Message]| messages.iter().any(|message| matches!(message, Message::Done { .. }));
        while self.socket.is_some() && !left.is_zero() {
            self.pump();
            if is_done(&self.messages) {
                break;
            }
            if self.socket.is_some() {
                self.wait_for_socket(tick);
                left = left.saturating_sub(tick);
            }
        }
        // It says "done" before it ends; a stuck one is left to itself.
        if self.socket.is_none() {
            self.writer.wait(Duration::from_millis(200));
        }
        self.messages
    }

    fn wait_for_socket(&self, limit: Duration) {
        use rustix::event::{PollFd, PollFlags, poll};
        let Some(socket) = &self.socket else { return };
        let mut wanted = PollFlags::IN;
        if self.is_waiting() {
            wanted |= PollFlags::OUT;
        }
        let _ = poll(&mut [PollFd::new(socket, wanted)], Some(&crate::kernel::timespec(limit)));
    }
}

impl Message {
    /// Sends a message to the main loop. Short enough for the socket's buffer.
    pub(super) fn send(&self, mut socket: &UnixStream) {
        let line = match self {
            Self::Opened(path) => format!("opened {}\n", path.display()),
            Self::Failed(text) => format!("failed {}\n", text.replace('\n', " ")),
            Self::Done { bytes } => format!("done {bytes}\n"),
        };
        // The main loop may be gone; the capture is finished all the same.
        let _ = socket.write_all(line.as_bytes());
    }

    fn parse(line: &[u8]) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (word, rest) = (&line[..space], &line[space + 1..]);
        Some(match word {
            b"opened" => Self::Opened(std::ffi::OsStr::from_bytes(rest).into()),
            b"failed" => Self::Failed(String::from_utf8_lossy(rest).into_owned()),
            b"done" => Self::Done { bytes: std::str::from_utf8(rest).ok()?.parse().ok()? },
            _ => return None,
        })
    }
}
