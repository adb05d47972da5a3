//! Reading a recorder file: copies with `pread`, never a mapping (an owner that shortens the file would kill
//! us), and not one length, index or offset from it used before it was checked.
//!
//! | module | is |
//! | --- | --- |
//! | `checked` | the header |
//! | `slots` | which slots were open, whole |
//! | `phase` | a slot understood |
//! | `names`, `resources`, `history` | the other sections |
//! | `source` | the file itself |
//!
//! A reader costs the writer nothing at up to a thousand looks a second; one that spins costs it a lot.

mod checked;
mod history;
#[cfg(all(loom, test))]
pub(crate) mod model;
mod names;
mod phase;
mod resources;
mod slots;
mod source;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Acquire;

use rustix::fs::{Mode, OFlags};

use crate::Loss;
use crate::clock::Anchors;
use crate::identity::{BootId, Owner};
use crate::layout::{MAJOR, PAGE, header, thread};
use crate::recording::{OpenPhase, Recording, Thread, ThreadRole};
use crate::sync::fence;
use checked::Layout;
use names::Names;
use phase::Around;
use resources::Resources;
use slots::Slots;
use source::Source;

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
    source: Source,
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
        Ok(Self { source: Source::File(file), cursors: Vec::new() })
    }

    /// Everything that is open now, and what happened since the read before.
    pub fn read(&mut self) -> Result<Recording, ReadError> {
        let head = self.words(0, header::WORDS)?;
        let layout = Layout::of(&head, self.source.bytes()?)?;
        let mut torn = 0;
        // What slots point to is copied before and after them: what is the same in both was so in between.
        let threads_before = self.threads(&layout)?;
        let resources_before = Resources::copy(self, &layout)?;
        let mut slots = Slots::read(self, &layout, &mut torn)?;
        let resources_after = Resources::copy(self, &layout)?;
        let threads = Threads::of(&threads_before, &self.threads(&layout)?, &slots);
        // A phase of a stack is its thread's own; when that ended meanwhile, so did the phase.
        slots.open.retain(|whole| whole.stack_of.is_none_or(|entry| threads.tid_of(entry).is_some()));
        // Whatever a slot names is there by now, and a gap of its clock is known.
        let later = self.words(0, header::WORDS)?;
        let anchors = Anchors::read(&head, &later);
        let names = Names::read(self, &Layout::of(&later, self.source.bytes()?)?)?;
        let resources = Resources::of(resources_before, resources_after, &names);
        let around =
            Around { names: &names, anchors: &anchors, slots: &slots, threads: &threads, resources: &resources };
        let mut open: Vec<OpenPhase> = slots.open.iter().map(|whole| around.phase(whole, &mut torn)).collect();
        open.extend(resources.holds(&anchors));
        inherit_tasks(&mut open);
        let current: HashSet<u64> = threads.seen.iter().filter_map(|thread| thread.current).collect();
        for phase in &mut open {
            phase.polled_now |= current.contains(&phase.id);
        }
        open.sort_by_key(|phase| (phase.start_monotonic_ns, phase.id));
        let (events, overwritten) = self.events(&layout, &names, &anchors, &slots, &threads.heads, &mut torn)?;
        let losses = losses(&later);
        let heads = threads.heads.iter().fold(0_u64, |sum, (_, head)| sum.wrapping_add(*head));
        Ok(Recording {
            owner: owner(&head),
            anchor: anchors.first,
            attached: self.source.is_attached()?,
            heartbeat: slots.beats.wrapping_add(heads).wrapping_add(resources.beats()),
            open,
            events,
            overwritten,
            dropped: losses.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count)),
            losses,
            torn,
            threads: threads.seen,
            tick_tid: u32::try_from(later[header::TICK_TID]).ok().filter(|tid| *tid != 0),
        })
    }

    /// `count` words at `offset` bytes. Both were checked against the file's length, and are small.
    fn words(&self, offset: usize, count: usize) -> Result<Vec<u64>, ReadError> {
        let words = self.source.words(offset, count);
        // What is copied next is copied later.
        fence(Acquire);
        words
    }

    fn threads(&self, layout: &Layout) -> Result<Vec<u64>, ReadError> {
        self.words(layout.threads.offset, layout.threads.count * thread::WORDS)
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
    /// For each entry the thread that had it all the time, if one had.
    tids: Vec<Option<u32>>,
}

impl Threads {
    /// From copies of the entries from before and after those of the slots.
    fn of(before: &[u64], after: &[u64], slots: &Slots) -> Self {
        let mut all = Self { seen: Vec::new(), heads: Vec::new(), tids: Vec::new() };
        let entries = before.chunks_exact(thread::WORDS).zip(after.chunks_exact(thread::WORDS));
        for (at, (before, entry)) in entries.enumerate() {
            let state = entry[thread::COMMIT] & 3;
            let tid = entry[thread::TID] as u32;
            let stayed = before[thread::COMMIT] == entry[thread::COMMIT] && before[thread::TID] as u32 == tid;
            let lives = state == thread::LIVE;
            all.tids.push((stayed && lives).then_some(tid));
            if state == thread::NEVER {
                continue;
            }
            all.heads.push((at, entry[thread::HEAD]));
            let comm: Vec<u8> =
                entry[thread::COMM..thread::COMM + 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
            let comm = comm.split(|&byte| byte == 0).next().unwrap_or_default();
            // Where it is stands in its stack.
            let [current, task] = slots.home(at).filter(|_| stayed && lives).unwrap_or_default();
            all.seen.push(Thread {
                tid,
                name: String::from_utf8_lossy(comm).into_owned(),
                current: some(current),
                task: some(task),
                role: ThreadRole::from_number(entry[thread::TID] >> 32),
                ended: !lives,
            });
        }
        all
    }

    fn tid_of(&self, entry: usize) -> Option<u32> {
        *self.tids.get(entry)?
    }
}
