//! Reading a recorder file: copies with `pread`, never a mapping (an owner that shortens the file would kill
//! us), and not one length, index or offset from it used before it was checked.
//!
//! | module | is |
//! | --- | --- |
//! | `checked` | the header |
//! | `slots` | which slots were open, whole |
//! | `phase` | a slot understood |
//! | `names`, `resources`, `history` | the other sections |
//!
//! A reader costs the writer nothing at up to a thousand looks a second; one that spins costs it a lot.

mod checked;
mod history;
mod names;
mod phase;
mod resources;
mod slots;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::Loss;
use crate::clock::Anchors;
use crate::identity::{BootId, Owner};
use crate::layout::{MAJOR, PAGE, WORD, header, thread};
use crate::lock;
use crate::recording::{OpenPhase, Recording, Thread, ThreadRole};
use checked::Layout;
use names::Names;
use phase::Around;
use resources::Resources;
use slots::Slots;

const HEADER_BYTES: u64 = PAGE as u64;
/// Phases within phases deeper than this are not followed.
const DEEPEST: usize = 200;

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
        let anchors = Anchors::read(&head);
        let mut torn = 0;
        let mut threads = self.threads(&layout)?;
        let slots = Slots::read(self, &layout, &mut torn)?;
        threads.settle(&slots);
        // Read after the slots: whatever a slot names is there by now.
        let names = Names::read(self, &layout)?;
        let resources = Resources::read(self, &layout, &names)?;
        let around =
            Around { names: &names, anchors: &anchors, slots: &slots, threads: &threads, resources: &resources };
        let mut open: Vec<OpenPhase> = slots.open.iter().map(|whole| around.phase(whole, &mut torn)).collect();
        open.extend(resources.holds(&anchors));
        inherit_tasks(&mut open);
        for phase in &mut open {
            phase.polled_now |= threads.seen.iter().any(|thread| thread.current == Some(phase.id));
        }
        open.sort_by_key(|phase| (phase.start_monotonic_ns, phase.id));
        let (events, overwritten) = self.events(&layout, &names, &anchors, &slots, &threads.heads, &mut torn)?;
        let losses = losses(&head);
        let heads = threads.heads.iter().fold(0_u64, |sum, (_, head)| sum.wrapping_add(*head));
        Ok(Recording {
            owner: owner(&head),
            anchor: anchors.first,
            attached: lock::is_taken(self.file.as_fd())?,
            heartbeat: slots.beats.wrapping_add(heads).wrapping_add(resources.beats()),
            open,
            events,
            overwritten,
            dropped: losses.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            losses,
            torn,
            threads: threads.seen,
            tick_tid: u32::try_from(head[header::TICK_TID]).ok().filter(|tid| *tid != 0),
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
        let mut all = Threads { seen: Vec::new(), heads: Vec::new(), tids: Vec::new(), live: Vec::new() };
        for (at, entry) in words.chunks_exact(thread::WORDS).enumerate() {
            let state = entry[thread::COMMIT] & 3;
            all.tids.push(entry[thread::TID] as u32);
            if state == thread::NEVER {
                continue;
            }
            all.heads.push((at, entry[thread::HEAD]));
            all.live.push((state == thread::LIVE).then_some(at));
            let comm: Vec<u8> =
                entry[thread::COMM..thread::COMM + 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
            let comm = comm.split(|&byte| byte == 0).next().unwrap_or_default();
            all.seen.push(Thread {
                tid: entry[thread::TID] as u32,
                name: String::from_utf8_lossy(comm).into_owned(),
                current: None,
                task: None,
                role: ThreadRole::from_number(entry[thread::TID] >> 32),
                ended: state != thread::LIVE,
            });
        }
        Ok(all)
    }
}

/// A phase of a thread's stack belongs to the task of the phase around it.
fn inherit_tasks(open: &mut [OpenPhase]) {
    let known: HashMap<u64, (Option<u64>, Option<u64>)> =
        open.iter().map(|phase| (phase.id, (phase.task, phase.parent))).collect();
    for phase in open.iter_mut().filter(|phase| phase.task.is_none()) {
        let mut next = phase.parent;
        // A chain that closes on itself ends too.
        for _ in 0..DEEPEST {
            let Some((task, parent)) = next.and_then(|parent| known.get(&parent)) else { break };
            if task.is_some() {
                phase.task = *task;
                break;
            }
            next = *parent;
        }
    }
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

fn losses(head: &[u64]) -> Vec<(Loss, u64)> {
    let count = |loss: Loss| head[header::DROPPED + loss as usize];
    Loss::ALL.into_iter().map(|loss| (loss, count(loss))).filter(|(_, count)| *count > 0).collect()
}

/// The threads of a file, and how far each ring is.
struct Threads {
    seen: Vec<Thread>,
    heads: Vec<(usize, u64)>,
    tids: Vec<u32>,
    /// For each of `seen`, its entry while it lives.
    live: Vec<Option<usize>>,
}

impl Threads {
    /// Where each thread is: that stands in its stack.
    fn settle(&mut self, slots: &Slots) {
        for (thread, entry) in self.seen.iter_mut().zip(&self.live) {
            if let Some([current, task]) = entry.and_then(|entry| slots.home(entry)) {
                (thread.current, thread.task) = (some(current), some(task));
            }
        }
    }

    fn tid_of(&self, entry: usize) -> u32 {
        self.tids.get(entry).copied().unwrap_or(0)
    }
}
