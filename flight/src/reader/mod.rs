//! Reading a recorder file: copies with `pread`, never a mapping (an owner that shortens the file would kill
//! us), and not one length, index or offset from it used before it was checked.
//!
//! A slot is copied twice. When both copies have the same commit word and say "open", what lies between them
//! in time was stable, and the first copy is whole:
//!
//! ```text
//!   copy 1  commit: open 7 │ name, parent, start, fields │
//!   copy 2                                                 commit: open 7   ──▶ copy 1 counts
//!                                                          commit: free 7   ──▶ it was closed; gone
//!                                                          commit: open 8   ──▶ again, then torn
//! ```
//!
//! The parts: `checked` (the header), `names`, `phase` (a slot), `history` (the rings).
//!
//! A reader costs the writer nothing at up to a thousand looks a second; one that spins costs it a lot.

mod checked;
mod history;
mod names;
mod phase;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::Loss;
use crate::clock::{Anchor, ClockSource};
use crate::identity::{BootId, Owner};
use crate::layout::{MAJOR, PAGE, WORD, header, more, slot, thread};
use crate::lock;
use crate::recording::{OpenPhase, Recording, Thread};
use checked::Layout;
use names::Names;
use phase::phase;

const HEADER_BYTES: u64 = PAGE as u64;
const RETRIES: usize = 3;

/// Why a recorder file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The kernel refused.
    #[error("the recorder file cannot be read")]
    Io(#[from] io::Error),
    /// Its first bytes are others, or it is no regular file.
    #[error("this is no recorder file")]
    NotARecorder,
    /// Its owner has not finished making it.
    #[error("the recorder is still being made")]
    NotReady,
    /// Another layout.
    #[error("the recorder has layout {found}, and this hangdog reads {MAJOR}")]
    Layout {
        /// Its major version.
        found: u16,
    },
    /// The header contradicts itself or the file's length.
    #[error("the recorder's header is damaged: {0}")]
    Damaged(&'static str),
}

/// Reads one recorder file, again and again.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// Cells of each ring seen so far.
    cursors: Vec<u64>,
}

impl Reader {
    /// Opens a recorder file. Follows no link and does not wait for a FIFO.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(path.as_ref(), flags, Mode::empty()).map_err(io::Error::from)?;
        Self::from_file(file.into())
    }

    /// Reads from a file that is open, such as a memfd.
    pub fn from_file(file: File) -> Result<Self, ReadError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotARecorder);
        }
        match metadata.len() {
            // Between its creation and its first byte.
            0 => return Err(ReadError::NotReady),
            1..HEADER_BYTES => return Err(ReadError::NotARecorder),
            _ => {}
        }
        Ok(Self { file, cursors: Vec::new() })
    }

    /// Everything that is open now, and what happened since the read before.
    pub fn read(&mut self) -> Result<Recording, ReadError> {
        let head = self.words(0, header::WORDS)?;
        let layout = Layout::of(&head, self.file.metadata()?.len())?;
        let anchor = anchor(&head);
        let names = Names::read(self, &layout)?;
        let mut torn = 0;
        let Threads { seen: threads, heads, beats } = self.threads(&layout)?;
        let mut open = self.open_phases(&layout, &names, &anchor, &mut torn)?;
        for phase in &mut open {
            phase.polled_now |= threads.iter().any(|thread| thread.current == Some(phase.id));
        }
        open.sort_by_key(|phase| (phase.start_monotonic_ns, phase.id));
        let (events, overwritten) = self.events(&layout, &names, &anchor, &heads, &mut torn)?;
        let losses = losses(&head);
        Ok(Recording {
            owner: owner(&head),
            anchor,
            attached: lock::is_taken(self.file.as_fd())?,
            heartbeat: head[header::HEARTBEAT].wrapping_add(beats),
            open,
            events,
            overwritten,
            dropped: losses.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            losses,
            torn,
            threads,
        })
    }

    /// `count` words at `offset` bytes. Both were checked against the file's length, and are small.
    fn words(&self, offset: usize, count: usize) -> Result<Vec<u64>, ReadError> {
        let mut bytes = vec![0; count * WORD];
        self.file.read_exact_at(&mut bytes, offset as u64).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Damaged("the file became shorter"),
            _ => ReadError::Io(error),
        })?;
        Ok(bytes.chunks_exact(WORD).map(word).collect())
    }

    fn threads(&self, layout: &Layout) -> Result<Threads, ReadError> {
        let words = self.words(layout.threads.offset, layout.threads.count * thread::WORDS)?;
        let mut all = Threads { seen: Vec::new(), heads: Vec::new(), beats: 0 };
        for (at, entry) in words.chunks_exact(thread::WORDS).enumerate() {
            let state = entry[thread::COMMIT] & 3;
            all.beats = all.beats.wrapping_add(entry[thread::BEATS]);
            if state == thread::NEVER {
                continue;
            }
            all.heads.push((at, entry[thread::HEAD]));
            let comm: Vec<u8> =
                entry[thread::COMM..thread::COMM + 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
            let comm = comm.split(|&byte| byte == 0).next().unwrap_or_default();
            all.seen.push(Thread {
                tid: entry[thread::TID] as u32,
                name: String::from_utf8_lossy(comm).into_owned(),
                current: some(entry[thread::CURRENT]).filter(|_| state == thread::LIVE),
                ended: state != thread::LIVE,
            });
        }
        Ok(all)
    }

    fn open_phases(
        &self,
        layout: &Layout,
        names: &Names,
        anchor: &Anchor,
        torn: &mut u32,
    ) -> Result<Vec<OpenPhase>, ReadError> {
        let first = self.words(layout.slots.offset, layout.slots.count * slot::WORDS)?;
        let first_more = self.words(layout.more.offset, layout.more.count * more::WORDS)?;
        let second = self.words(layout.slots.offset, layout.slots.count * slot::WORDS)?;
        let says_more: std::collections::HashMap<u64, &[u64]> = first_more
            .chunks_exact(more::WORDS)
            .filter(|words| words[more::OWNER] != 0)
            .map(|words| (words[more::OWNER], words))
            .collect();
        let mut open = Vec::new();
        let pairs = first.chunks_exact(slot::WORDS).zip(second.chunks_exact(slot::WORDS));
        for (index, (one, two)) in pairs.enumerate() {
            if slot::state(one[slot::COMMIT]) == slot::FREE && slot::state(two[slot::COMMIT]) == slot::FREE {
                continue;
            }
            let whole = same_and_open(one, two).then(|| (one.to_vec(), None));
            let whole = match whole {
                Some(whole) => Some(whole),
                None => self.again(layout, index, torn)?,
            };
            let Some((words, fresh_more)) = whole else { continue };
            let id = slot::phase(words[slot::COMMIT], index);
            let mut more = fresh_more;
            if words[slot::COMMIT] & slot::HAS_MORE != 0 && more.is_none() {
                more = says_more.get(&id).map(|words| words.to_vec());
                // Without it the phase is still true, only less is known of it.
                *torn = torn.saturating_add(u32::from(more.is_none()));
            }
            open.push(phase(id, &words, more.as_deref(), names, anchor, torn));
        }
        Ok(open)
    }

    /// A slot that was changing, looked at alone: open and whole, or gone, or torn.
    #[expect(clippy::type_complexity, reason = "a slot and its second one")]
    fn again(
        &self,
        layout: &Layout,
        index: usize,
        torn: &mut u32,
    ) -> Result<Option<(Vec<u64>, Option<Vec<u64>>)>, ReadError> {
        let at = layout.slots.offset + index * slot::WORDS * WORD;
        for _ in 0..RETRIES {
            let one = self.words(at, slot::WORDS)?;
            if slot::state(one[slot::COMMIT]) == slot::FREE {
                return Ok(None);
            }
            let id = slot::phase(one[slot::COMMIT], index);
            let more = if one[slot::COMMIT] & slot::HAS_MORE == 0 { None } else { self.more_of(layout, id)? };
            let two = self.words(at, slot::WORDS)?;
            if same_and_open(&one, &two) {
                return Ok(Some((one, more)));
            }
        }
        *torn = torn.saturating_add(1);
        Ok(None)
    }

    fn more_of(&self, layout: &Layout, id: u64) -> Result<Option<Vec<u64>>, ReadError> {
        let all = self.words(layout.more.offset, layout.more.count * more::WORDS)?;
        Ok(all.chunks_exact(more::WORDS).find(|words| words[more::OWNER] == id).map(<[u64]>::to_vec))
    }
}

fn same_and_open(one: &[u64], two: &[u64]) -> bool {
    let (one, two) = (one[slot::COMMIT], two[slot::COMMIT]);
    // An outcome or a second slot may come in between: the phase is the same.
    slot::state(one) == slot::OPEN
        && slot::state(two) == slot::OPEN
        && slot::generation(one) == slot::generation(two)
        && slot::generation(one) != 0
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

fn some(word: u64) -> Option<u64> {
    (word != 0).then_some(word)
}

fn owner(head: &[u64]) -> Owner {
    Owner {
        pid: head[header::PID] as u32,
        start_ticks: head[header::START_TICKS],
        boot_id: BootId(u128::from(head[header::BOOT_ID]) << 64 | u128::from(head[header::BOOT_ID + 1])),
        pid_namespace: head[header::PID_NAMESPACE],
    }
}

fn anchor(head: &[u64]) -> Anchor {
    Anchor {
        monotonic_ns: head[header::MONOTONIC],
        boottime_ns: head[header::BOOTTIME],
        realtime_ns: head[header::REALTIME],
        source: ClockSource::from_number(head[header::CLOCK_SOURCE]),
        resolution_ns: head[header::CLOCK_RESOLUTION],
    }
}

fn losses(head: &[u64]) -> Vec<(Loss, u64)> {
    let count = |loss: Loss| head[header::DROPPED + loss as usize];
    Loss::ALL.into_iter().map(|loss| (loss, count(loss))).filter(|(_, count)| *count > 0).collect()
}

/// The threads of a file, and how far each ring is.
struct Threads {
    seen: Vec<Thread>,
    heads: Vec<(usize, u64)>,
    beats: u64,
}
