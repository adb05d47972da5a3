//! The file that `HANGDOG_PHASES` names: one JSON line a change, appended by scripts.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use hangdog_schemas::phase_line::{PhaseBegin, PhaseLine};
use hangdog_schemas::record::{Lost, PhaseMeaning, PhaseOpen};
use hangdog_schemas::{Big, PhaseId, ProcessId, Record, ResourceKey, Tid, When};

use super::{Found, Moment, Phases, Processes};

/// Read in one look; the rest comes with the next.
const A_LOOK: usize = 256 << 10;
/// A longer line is no line of ours.
const LONGEST_LINE: usize = 64 << 10;
/// Fields are cut at this length.
const LONGEST_FIELD: usize = 256;
/// Numbers of recorded phases are small; these begin where they never get to.
const FIRST_NUMBER: u64 = 1 << 63;

/// Follows the file from where it was read to.
#[derive(Debug)]
pub struct Lines {
    file: File,
    offset: u64,
    part: Vec<u8>,
    is_skipping: bool,
    next_number: u64,
    /// The open phases by the id in their line.
    ids: BTreeMap<String, PhaseId>,
    bad: u64,
}

impl Lines {
    /// Follows a file that is open for reading.
    pub fn new(file: File) -> Self {
        Self {
            file,
            offset: 0,
            part: Vec::new(),
            is_skipping: false,
            next_number: FIRST_NUMBER,
            ids: BTreeMap::new(),
            bad: 0,
        }
    }

    /// Reads what was appended since the last look.
    pub fn look(&mut self, table: &mut Phases, moment: Moment, processes: &dyn Processes, found: &mut Found) {
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
                self.piece(piece, table, moment, processes, found);
            }
        }
        let bad = std::mem::take(&mut self.bad);
        if bad > 0 {
            let at = "phase lines that were not understood".to_owned();
            found.records.push(Record::Lost(Lost { when: When::exactly(moment.now), at, records: bad }));
        }
    }

    /// Puts a line together from what was read; a line may be half written yet.
    fn piece(
        &mut self,
        piece: &[u8],
        table: &mut Phases,
        moment: Moment,
        processes: &dyn Processes,
        found: &mut Found,
    ) {
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
        let was_skipped = std::mem::take(&mut self.is_skipping);
        if was_skipped {
            self.bad += 1;
        } else if !line.trim_ascii().is_empty() {
            let is_good = match serde_json::from_slice(&line) {
                Ok(PhaseLine::Begin(begin)) => {
                    self.begin(begin, table, moment, processes, found);
                    true
                }
                Ok(PhaseLine::End(end)) => self.ids.remove(&end.id).is_some_and(|id| {
                    let when = When::exactly(moment.clock.from_monotonic(end.t.0));
                    table.closed(id, when, end.outcome, found);
                    true
                }),
                Err(_) => false,
            };
            self.bad += u64::from(!is_good);
        }
    }

    fn begin(
        &mut self,
        begin: PhaseBegin,
        table: &mut Phases,
        moment: Moment,
        processes: &dyn Processes,
        found: &mut Found,
    ) {
        // A shell that came and went between two samples has no known start; what it said still counts.
        let process = processes.by_pid(begin.pid.0).unwrap_or(ProcessId { pid: begin.pid, start: Big(0) });
        let id = PhaseId { process, phase: Big(self.next_number) };
        self.next_number += 1;
        let (hang, fields) = meaning(begin.fields);
        // A parent in another process is none: ids of phases count within their process.
        let parent = begin.parent.and_then(|parent| self.ids.get(&parent));
        let parent = parent.filter(|parent| parent.process == process).map(|parent| parent.phase);
        self.ids.insert(begin.id, id);
        let phase = PhaseOpen {
            when: When::exactly(moment.clock.from_monotonic(begin.t.0)),
            id,
            parent,
            tid: Some(begin.tid.unwrap_or(Tid(process.pid.0))),
            task: None,
            name: cut(begin.name),
            fields,
            hang,
        };
        table.opened(phase, found);
    }
}

fn meaning(fields: BTreeMap<String, String>) -> (PhaseMeaning, Vec<(String, String)>) {
    let mut hang = PhaseMeaning::default();
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

/// A resource as the program named it; a bare word is a lock's name to people, but no key.
pub(super) fn resource(text: &str) -> Option<ResourceKey> {
    text.parse().ok()
}

pub(super) fn cut(mut text: String) -> String {
    if text.len() > LONGEST_FIELD {
        let end = (0..=LONGEST_FIELD - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
