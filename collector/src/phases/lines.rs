//! The file that `HANGDOG_PHASES` names: one JSON line a change, appended by scripts and by programs in other
//! languages than Rust.
//!
//! What was read is given back to the tmpfs that it lies on, so that a service may write lines for weeks.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use hangdog_schemas::phase_line::{LineTime, PhaseBegin, PhaseFinish, PhaseLine, PhaseNote};
use hangdog_schemas::record::{Lost, PhaseMeaning, PhaseOpen};
use hangdog_schemas::{Big, PhaseId, ProcessId, Record, ResourceKey, Tid, When};
use rustix::fs::{FallocateFlags, fallocate};

use super::{Found, Moment, Phases, Processes};

/// Read in one look; the rest comes with the next.
const A_LOOK: usize = 1 << 20;
/// Looks at the end of the run; what is still unread after these is counted.
const LAST_LOOKS: usize = 64;
/// A longer line is no line of ours.
const LONGEST_LINE: usize = 64 << 10;
/// Fields are cut at this length.
const LONGEST_FIELD: usize = 256;
/// More fields than this, a phase does not get by notes.
const MOST_FIELDS: usize = 32;
/// Numbers of recorded phases are small; these begin where they never get to.
const FIRST_NUMBER: u64 = 1 << 63;
/// What was read is given back in pieces of this size.
const GIVEN_BACK: u64 = 1 << 20;
/// No line is from further ahead, and no shell's from longer ago, when it is read; ns.
const A_WHILE: u64 = 10_000_000_000;
/// `/proc/uptime` counts in these, ns.
const UPTIME_STEP: u64 = 10_000_000;

/// Follows the file from where it was read to.
#[derive(Debug)]
pub struct Lines {
    file: File,
    offset: u64,
    given_back: u64,
    part: Vec<u8>,
    is_skipping: bool,
    next_number: u64,
    /// The open phases by the id in their line.
    ids: BTreeMap<String, PhaseId>,
    /// Begins of processes that no sample has seen yet, and what came of them: they wait for the next sample.
    early: Vec<PhaseLine>,
    bad: u64,
}

/// What a look works with.
struct Look<'a> {
    table: &'a mut Phases,
    moment: Moment,
    processes: &'a dyn Processes,
    found: &'a mut Found,
}

impl Lines {
    /// Follows a file that is open for reading, and for giving back if that is wanted.
    pub fn new(file: File) -> Self {
        Self {
            file,
            offset: 0,
            given_back: 0,
            part: Vec::new(),
            is_skipping: false,
            next_number: FIRST_NUMBER,
            ids: BTreeMap::new(),
            early: Vec::new(),
            bad: 0,
        }
    }

    /// Reads what was appended since the last look.
    pub fn look(&mut self, table: &mut Phases, moment: Moment, processes: &dyn Processes, found: &mut Found) {
        let mut look = Look { table, moment, processes, found };
        for line in std::mem::take(&mut self.early) {
            self.change(line, &mut look);
        }
        let mut block = vec![0; 16 << 10];
        let mut read = 0;
        while read < A_LOOK {
            let Ok(len) = self.file.read_at(&mut block, self.offset) else { break };
            if len == 0 {
                break;
            }
            read += len;
            self.offset += len as u64;
            for piece in block[..len].split_inclusive(|byte| *byte == b'\n') {
                self.piece(piece, &mut look);
            }
        }
        self.give_back();
        let bad = std::mem::take(&mut self.bad);
        if bad > 0 {
            let at = "phase lines that were not understood".to_owned();
            found.records.push(Record::Lost(Lost { when: When::exactly(moment.now), at, records: bad }));
        }
    }

    /// The last looks: at all that is there, and at what waited for a next sample.
    pub fn finish(&mut self, table: &mut Phases, moment: Moment, processes: &dyn Processes, found: &mut Found) {
        for _ in 0..LAST_LOOKS {
            let before = self.offset;
            self.look(table, moment, processes, found);
            if self.offset == before && self.early.is_empty() {
                return;
            }
        }
        let unread = self.file.metadata().map_or(0, |about| about.len()).saturating_sub(self.offset);
        let at = "bytes of phase lines, which came faster than they were read".to_owned();
        found.records.push(Record::Lost(Lost { when: When::exactly(moment.now), at, records: unread }));
    }

    /// A hole takes no memory, and those who append do not notice it. Without it the file only gets larger.
    fn give_back(&mut self) {
        let until = self.offset - self.offset % GIVEN_BACK;
        if until > self.given_back {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&self.file, flags, self.given_back, until - self.given_back);
            self.given_back = until;
        }
    }

    /// Puts a line together from what was read; a line may be half written yet.
    fn piece(&mut self, piece: &[u8], look: &mut Look<'_>) {
        let is_whole = piece.ends_with(b"\n");
        if self.part.len() + piece.len() > LONGEST_LINE {
            self.is_skipping = true;
            self.part.clear();
        } else if !self.is_skipping {
            self.part.extend_from_slice(piece);
        }
        if !is_whole {
            return;
        }
        let line = std::mem::take(&mut self.part);
        if std::mem::take(&mut self.is_skipping) {
            self.bad += 1;
        } else if !line.trim_ascii().is_empty() {
            // A shell cuts long names by bytes, and paths are not always UTF-8.
            match serde_json::from_str(&String::from_utf8_lossy(&line)) {
                Ok(line) if self.is_early(&line, look) => self.early.push(line),
                Ok(line) => self.change(line, look),
                Err(_) => self.bad += 1,
            }
        }
    }

    fn is_early(&self, line: &PhaseLine, look: &Look<'_>) -> bool {
        let waits = |id: &String| self.early.iter().any(|early| matches!(early, PhaseLine::Begin(b) if b.id == *id));
        match line {
            PhaseLine::Begin(begin) => owner(begin, look.processes).is_none(),
            PhaseLine::Note(note) => waits(&note.id),
            PhaseLine::End(end) => waits(&end.id),
        }
    }

    fn change(&mut self, line: PhaseLine, look: &mut Look<'_>) {
        let is_good = match line {
            PhaseLine::Begin(begin) => {
                self.begin(begin, look);
                true
            }
            PhaseLine::Note(note) => self.note(note, look),
            PhaseLine::End(end) => self.end(end, look),
        };
        self.bad += u64::from(!is_good);
    }

    fn begin(&mut self, begin: PhaseBegin, look: &mut Look<'_>) {
        // A shell that came and went between two samples has no known start; what it said still counts.
        let process = owner(&begin, look.processes).unwrap_or(ProcessId { pid: begin.pid, start: Big(0) });
        if begin.lost > 0 {
            let when = When::exactly(look.moment.now);
            let at = format!("phases of {} (its lines came faster than they are read)", process.pid);
            look.found.records.push(Record::Lost(Lost { when, at, records: begin.lost }));
        }
        let id = PhaseId { process, phase: Big(self.next_number) };
        self.next_number += 1;
        let (hang, fields) = meaning(PhaseMeaning::default(), begin.fields);
        // A parent in another process is none: ids of phases count within their process.
        let parent = begin.parent.and_then(|parent| self.ids.get(&parent));
        let parent = parent.filter(|parent| parent.process == process).map(|parent| parent.phase);
        let phase = PhaseOpen {
            when: when(&begin.when, look.moment),
            id,
            parent,
            tid: thread(begin.tid, process, look.processes),
            task: begin.task,
            name: cut(begin.name),
            fields,
            hang,
        };
        look.table.opened(phase, look.found);
        // One that the table had no room for is not remembered here either.
        if look.table.open.contains_key(&id) {
            self.ids.insert(begin.id, id);
        }
    }

    fn note(&mut self, note: PhaseNote, look: &mut Look<'_>) -> bool {
        let Some(mut phase) = self.ids.get(&note.id).and_then(|id| look.table.open.get(id)).cloned() else {
            return false;
        };
        phase.task = note.task.or(phase.task);
        let (hang, fields) = meaning(std::mem::take(&mut phase.hang), note.fields);
        phase.hang = hang;
        for (key, value) in fields {
            match phase.fields.iter().position(|(known, _)| *known == key) {
                Some(at) => phase.fields[at].1 = value,
                None if phase.fields.len() < MOST_FIELDS => phase.fields.push((key, value)),
                None => {}
            }
        }
        look.table.opened(phase, look.found);
        true
    }

    fn end(&mut self, end: PhaseFinish, look: &mut Look<'_>) -> bool {
        let Some(id) = self.ids.remove(&end.id) else { return false };
        look.table.closed(id, when(&end.when, look.moment), end.outcome, look.found);
        true
    }
}

/// The process that is in a phase, if it can be told by now. A process of a nested pid namespace, whose number means
/// another one here, is known by its start time to be another one. Who it is here is not told by that: a
/// short child that no sample saw has often begun in the same tick as its parent.
fn owner(begin: &PhaseBegin, processes: &dyn Processes) -> Option<ProcessId> {
    match begin.start {
        // Like a recorder, it is known well enough by what it says itself.
        Some(start) => Some(ProcessId { pid: begin.pid, start }),
        None => processes.by_pid(begin.pid.0),
    }
}

/// The thread that is in a phase. A wrong one would be accused of what it has no part in.
fn thread(tid: Option<Tid>, process: ProcessId, processes: &dyn Processes) -> Option<Tid> {
    match tid {
        Some(Tid(0)) => None,
        Some(tid) => Some(tid),
        None => processes.only_thread(process),
    }
}

/// When a line says that it was, if that may be: in a time namespace, and in a container that is shown an uptime of
/// its own, the clocks are others. A shell writes at once what it has read from the clock.
fn when(time: &LineTime, moment: Moment) -> When {
    let told = match (time.t, time.uptime.as_deref().and_then(nanoseconds)) {
        (Some(t), _) => Some(When::exactly(moment.clock.from_monotonic(t.0))),
        (None, Some(boottime)) => {
            let t = moment.clock.from_monotonic(boottime.saturating_sub(moment.asleep));
            Some(When { t, err: UPTIME_STEP }).filter(|when| when.t.0 + A_WHILE > moment.before.0)
        }
        (None, None) => None,
    };
    let look = When { t: moment.now, err: moment.now.0.saturating_sub(moment.before.0) };
    told.filter(|when| when.t.0 < moment.now.0 + A_WHILE).unwrap_or(look)
}

/// `812.05` seconds.
fn nanoseconds(uptime: &str) -> Option<u64> {
    let (seconds, hundredths) = uptime.split_once('.')?;
    let hundredths: u64 = hundredths.parse().ok().filter(|_| hundredths.len() == 2)?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(hundredths * UPTIME_STEP)
}

fn meaning(mut hang: PhaseMeaning, fields: BTreeMap<String, String>) -> (PhaseMeaning, Vec<(String, String)>) {
    let mut others = Vec::new();
    for (key, value) in fields {
        match key.as_str() {
            "hang.wait" => hang.wait = resource(&value),
            "hang.hold" => hang.hold = resource(&value),
            "hang.serve" => hang.serve = resource(&value),
            "hang.op" => hang.op = Some(cut(value)),
            "hang.entity" => hang.entity = Some(cut(value)),
            "hang.link" => hang.link = Some(cut(value)),
            "hang.deadline_ms" => hang.deadline_ms = value.parse().ok(),
            _ => others.push((cut(key), cut(value))),
        }
    }
    (hang, others)
}

/// A resource as the program named it; a bare word is a lock's name to people, but no key. What was cut is none
/// either: two long names that begin alike would become one resource.
pub(super) fn resource(text: &str) -> Option<ResourceKey> {
    text.parse().ok().filter(|_| !text.ends_with('…'))
}

pub(super) fn cut(mut text: String) -> String {
    if text.len() > LONGEST_FIELD {
        let end = (0..=LONGEST_FIELD - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
