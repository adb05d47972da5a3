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
//! A reader costs the writer nothing at up to a thousand looks a second; one that spins costs it a lot.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::clock::{Anchor, ClockSource};
use crate::identity::{BootId, Owner};
use crate::layout::{MAGIC, MAJOR, PAGE, WORD, cell, header, more, name, slot, thread};
use crate::recording::{Event, EventKind, Hang, OpenPhase, Recording, Thread};
use crate::{Loss, Outcome, value};

/// Longest file that is read.
const LONGEST: u64 = 1 << 30;
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
        if !metadata.is_file() || metadata.len() < PAGE as u64 {
            return Err(ReadError::NotARecorder);
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

    fn events(
        &mut self,
        layout: &Layout,
        names: &Names,
        anchor: &Anchor,
        heads: &[(usize, u64)],
        torn: &mut u32,
    ) -> Result<(Vec<Event>, u64), ReadError> {
        self.cursors.resize(layout.threads.count, 0);
        let size = layout.events as u64;
        let mut events = Vec::new();
        let mut overwritten = 0_u64;
        for &(ring, head) in heads {
            let seen = if self.cursors[ring] > head { 0 } else { self.cursors[ring] };
            if seen == head {
                continue;
            }
            let at = layout.rings + ring * layout.events * cell::WORDS * WORD;
            let words = self.words(at, layout.events * cell::WORDS)?;
            let now = self.words(layout.threads.offset + (ring * thread::WORDS + thread::HEAD) * WORD, 1)?[0];
            // What the writer reached meanwhile, and the event it may be in the middle of.
            let safe = now.max(head).saturating_add(cell::MARGIN).saturating_sub(size);
            let from = if head > size - cell::MARGIN || now != head { seen.max(safe) } else { seen }.min(head);
            overwritten = overwritten.saturating_add(from - seen);
            let cells: Vec<&[u64]> = (from..head)
                .map(|at| {
                    let at = (at & (size - 1)) as usize * cell::WORDS;
                    &words[at..at + cell::WORDS]
                })
                .collect();
            decode(&cells, names, anchor, &mut events, torn);
            self.cursors[ring] = head;
        }
        events.sort_by_key(|event| event.monotonic_ns);
        Ok((events, overwritten))
    }
}

fn decode(cells: &[&[u64]], names: &Names, anchor: &Anchor, events: &mut Vec<Event>, torn: &mut u32) {
    let mut rest = cells.iter().peekable();
    // The front may begin in the middle of a text.
    while rest.next_if(|cell| cell::split(cell[2]).0 == cell::TEXT).is_some() {}
    while let Some(first) = rest.next() {
        let (kind, argument, name, tid) = cell::split(first[2]);
        let mut text = Vec::new();
        while let Some(next) = rest.next_if(|cell| cell::split(cell[2]).0 == cell::TEXT) {
            text.extend([next[0], next[1], next[3]].into_iter().flat_map(u64::to_ne_bytes));
        }
        text.truncate(usize::from(argument));
        let text = || String::from_utf8_lossy(&text).into_owned();
        let kind = match kind {
            cell::OPEN => EventKind::Open { name: names.get(name), parent: some(first[3]) },
            cell::CLOSE => EventKind::Close {
                name: names.get(name),
                start_monotonic_ns: first[3],
                outcome: Outcome::from_number(u64::from(argument)),
            },
            cell::WAIT => EventKind::Wait { resource: text() },
            cell::WAKE => EventKind::Wake,
            cell::NOTE => EventKind::Note { key: names.get(name), text: text() },
            _ => {
                *torn = torn.saturating_add(1);
                continue;
            }
        };
        events.push(Event { monotonic_ns: first[0], err_ns: anchor.resolution_ns, tid, phase: some(first[1]), kind });
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

fn phase(id: u64, words: &[u64], more: Option<&[u64]>, names: &Names, anchor: &Anchor, torn: &mut u32) -> OpenPhase {
    let mut phase = OpenPhase {
        id,
        parent: some(words[slot::PARENT]),
        tid: words[slot::ENTRY] as u32,
        task: None,
        name: names.get(words[slot::SHAPE] as u16),
        start_monotonic_ns: words[slot::START],
        err_ns: anchor.resolution_ns,
        fields: Vec::new(),
        hang: Hang::default(),
        polls: (words[slot::ENTRY] >> 33) as u32,
        polled_now: words[slot::ENTRY] & slot::INSIDE != 0,
        outcome: Outcome::from_number(slot::outcome(words[slot::COMMIT])),
    };
    let shape = words[slot::SHAPE];
    let inline = [
        ((shape >> 16) as u16, (shape >> 48) as u8, &words[slot::VALUE_0..=slot::VALUE_0]),
        ((shape >> 32) as u16, (shape >> 56) as u8, &words[slot::VALUE_1..=slot::VALUE_1 + 1]),
    ];
    for (key, shape, value) in inline.into_iter().filter(|(_, shape, _)| *shape != 0) {
        match show(shape & 7, usize::from(shape >> 3), value) {
            Some(text) => phase.fields.push((names.get(key), text)),
            None => *torn = torn.saturating_add(1),
        }
    }
    if let Some(more) = more {
        phase.task = some(more[more::TASK]);
        let used = more::used(more[more::STATE]).min(more::CAPACITY);
        let entries = &more[more::ENTRIES..more::ENTRIES + used];
        *torn = torn.saturating_add(u32::from(!read_entries(entries, names, &mut phase)));
    }
    phase
}

/// Whether all entries were as they should be.
fn read_entries(mut entries: &[u64], names: &Names, phase: &mut OpenPhase) -> bool {
    while let Some((&head, body)) = entries.split_first() {
        let (key, kind, length) = more::split(head);
        let words = length.div_ceil(WORD);
        let Some(value) = body.get(..words).filter(|_| length <= value::MAX_VALUE) else { return false };
        let Some(text) = show(kind, length, value) else { return false };
        set(phase, names.get(key), text);
        entries = &body[words..];
    }
    true
}

/// A later value of the same key replaces the earlier one.
fn set(phase: &mut OpenPhase, key: String, text: String) {
    let hang = &mut phase.hang;
    match key.as_str() {
        "hang.wait" => hang.wait = Some(text),
        "hang.hold" => hang.hold = Some(text),
        "hang.serve" => hang.serve = Some(text),
        "hang.op" => hang.op = Some(text),
        "hang.entity" => hang.entity = Some(text),
        "hang.link" => hang.link = Some(text),
        "hang.deadline_ms" => hang.deadline_ms = text.parse().ok(),
        _ => match phase.fields.iter_mut().find(|(known, _)| *known == key) {
            Some((_, value)) => *value = text,
            None => phase.fields.push((key, text)),
        },
    }
}

/// A value as text; `None` for garbage.
fn show(kind: u8, length: usize, words: &[u64]) -> Option<String> {
    if kind == value::TEXT {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        return Some(String::from_utf8_lossy(bytes.get(..length)?).into_owned());
    }
    value::show_number(kind, *words.first()?)
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

/// A section that lies within the file.
#[derive(Clone, Copy, Debug)]
struct Section {
    offset: usize,
    count: usize,
}

/// The header's promises, checked.
#[derive(Debug)]
struct Layout {
    names: Section,
    text: Section,
    slots: Section,
    more: Section,
    threads: Section,
    rings: usize,
    events: usize,
}

impl Layout {
    fn of(head: &[u64], file_bytes: u64) -> Result<Self, ReadError> {
        if head[header::MAGIC] != MAGIC {
            return Err(ReadError::NotARecorder);
        }
        let found = head[header::VERSION] as u16;
        if found != MAJOR {
            return Err(ReadError::Layout { found });
        }
        if head[header::STATE] != header::READY {
            return Err(ReadError::NotReady);
        }
        let bytes = head[header::FILE_BYTES].min(file_bytes);
        if bytes > LONGEST {
            return Err(ReadError::Damaged("it is larger than any recorder"));
        }
        let section = |at: usize, entry_bytes: usize, most: usize, what: &'static str| {
            let (offset, count) = (head[at], head[at + 1]);
            let end = count.checked_mul(entry_bytes as u64).and_then(|length| offset.checked_add(length));
            let fits = offset % WORD as u64 == 0 && count <= most as u64 && end.is_some_and(|end| end <= bytes);
            if fits {
                Ok(Section { offset: offset as usize, count: count as usize })
            } else {
                Err(ReadError::Damaged(what))
            }
        };
        let mut slots = section(header::SLOTS, slot::WORDS * WORD, slot::MAX, "slots")?;
        let mut more = section(header::MORE, more::WORDS * WORD, more::MAX, "second slots")?;
        let threads = section(header::THREADS, thread::WORDS * WORD, thread::MAX, "threads")?;
        let mut names = section(header::NAMES, name::WORDS * WORD, 1 << 16, "names")?;
        // The one section whose count is in bytes.
        let text = section(header::TEXT, 1, 1 << 24, "text")?;
        let mut text = Section { count: text.count / WORD, ..text };
        // Only what was ever used is worth a copy.
        let used = |at: usize, section: &mut Section| {
            section.count = section.count.min(usize::try_from(head[at]).unwrap_or(usize::MAX));
        };
        used(header::SLOTS_HIGH, &mut slots);
        used(header::MORE_HIGH, &mut more);
        used(header::NAMES_USED, &mut names);
        used(header::TEXT_USED, &mut text);
        let events = head[header::RINGS + 1];
        let a_ring = events.is_power_of_two() && events > 2 * cell::MARGIN && events <= cell::MAX_RING as u64;
        let ring_bytes = events.saturating_mul((cell::WORDS * WORD) as u64);
        let rings = head[header::RINGS];
        let end = ring_bytes.checked_mul(threads.count as u64).and_then(|all| rings.checked_add(all));
        if !(a_ring && end.is_some_and(|end| end <= bytes)) {
            return Err(ReadError::Damaged("rings"));
        }
        Ok(Self { names, text, slots, more, threads, rings: rings as usize, events: events as usize })
    }
}

/// All names of a file.
struct Names {
    entries: Vec<u64>,
    text: Vec<u64>,
}

impl Names {
    fn read(reader: &Reader, layout: &Layout) -> Result<Self, ReadError> {
        Ok(Self {
            entries: reader.words(layout.names.offset, layout.names.count * name::WORDS)?,
            text: reader.words(layout.text.offset, layout.text.count)?,
        })
    }

    /// Names that are missing show as `?`.
    fn get(&self, number: u16) -> String {
        self.find(number).filter(|_| number != 0).unwrap_or_else(|| "?".to_owned())
    }

    fn find(&self, number: u16) -> Option<String> {
        let (length, offset) = name::unpack(*self.entries.get(usize::from(number) * name::WORDS)?)?;
        let words = self.text.get(offset..offset.checked_add(length.div_ceil(WORD))?)?;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Some(String::from_utf8_lossy(bytes.get(..length.min(name::MAX_BYTES))?).into_owned())
    }
}
