//! The recorder files of the run: one a process, in the run's directory; and the memfds of those that reach none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::BorrowedFd;

use hangdog_flight::{EventKind, Hang, OpenPhase, Owner, Reader, Recording};
use hangdog_schemas::record::{Lost, PhaseMeaning, PhaseOpen};
use hangdog_schemas::{Big, PhaseId, ProcessId, Record, Tid, When};
use rustix::fs::{Mode, OFlags, openat};

use super::lines::{cut, resource};
use super::{Found, Moment, Phases, Processes};
use crate::run::names;

/// Recorder files that are followed; a run of many short processes leaves one of each.
const MOST_FILES: usize = 512;

/// Follows the recorder files of a directory.
#[derive(Debug, Default)]
pub struct Recorders {
    files: BTreeMap<OsString, Recorder>,
    memfds: Vec<Recorder>,
    refused: BTreeSet<OsString>,
}

#[derive(Debug)]
struct Recorder {
    reader: Reader,
    heartbeat: Option<u64>,
    owner: Option<ProcessId>,
    open: BTreeSet<PhaseId>,
    dropped: u64,
    /// Its program has become another one by an exec: what is open in the file is open no more.
    is_over: bool,
}

impl Recorders {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads every file that changed. The directory and its files are on tmpfs: nothing here waits.
    pub fn look(
        &mut self,
        directory: BorrowedFd<'_>,
        own_pid_namespace: u64,
        table: &mut Phases,
        moment: Moment,
        processes: &dyn Processes,
        found: &mut Found,
    ) {
        for name in names(directory) {
            if !self.files.contains_key(&name) && !self.refused.contains(&name) {
                self.open(directory, name, moment, found);
            }
        }
        for recorder in self.files.values_mut().chain(&mut self.memfds) {
            recorder.look(own_pid_namespace, table, moment, processes, found);
        }
        table.losses(moment.now, found);
    }

    fn open(&mut self, directory: BorrowedFd<'_>, name: OsString, moment: Moment, found: &mut Found) {
        if self.files.len() >= MOST_FILES {
            let at = format!("recorders ({MOST_FILES} are followed)");
            found.records.push(Record::Lost(Lost { when: When::exactly(moment.now), at, records: 1 }));
            self.refused.insert(name);
            return;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let Ok(file) = openat(directory, &name, flags, Mode::empty()) else { return };
        // A file that is still being made is opened again at the next look.
        let Ok(reader) = Reader::from_file(file.into()) else { return };
        self.files.insert(name, Recorder::new(reader));
    }

    /// Follows a memfd too; what is no recorder is left alone.
    pub fn add(&mut self, memfd: File) {
        self.memfds.extend(Reader::from_file(memfd).map(Recorder::new));
    }
}

impl Recorder {
    fn new(reader: Reader) -> Self {
        Self { reader, heartbeat: None, owner: None, open: BTreeSet::new(), dropped: 0, is_over: false }
    }

    fn look(
        &mut self,
        own_pid_namespace: u64,
        table: &mut Phases,
        moment: Moment,
        processes: &dyn Processes,
        found: &mut Found,
    ) {
        let Ok(recording) = self.reader.read() else { return };
        let owner = &recording.owner;
        let Some(process) = self.owner.or_else(|| find(owner, own_pid_namespace, processes)) else { return };
        self.owner = Some(process);
        let ends_now = !self.is_over && !recording.attached && processes.runs(process);
        if !ends_now
            && self.heartbeat == Some(recording.heartbeat)
            && recording.events.is_empty()
            && self.dropped == recording.dropped
        {
            return;
        }
        self.heartbeat = Some(recording.heartbeat);
        self.is_over |= ends_now;
        // After its end the phases stay as they were: they tell what the process was doing then.
        let open = if self.is_over { [].as_slice() } else { recording.open.as_slice() };
        let is_ours = owner.pid_namespace == own_pid_namespace;
        let now_open: BTreeSet<PhaseId> = open.iter().map(|phase| number(process, phase.id)).collect();
        for phase in open {
            table.opened(open_phase(process, phase, is_ours, moment), found);
        }
        self.closed(process, &recording, &now_open, table, moment, found);
        self.open = now_open;
        let dropped = recording.dropped.saturating_sub(self.dropped);
        if dropped > 0 {
            self.dropped = recording.dropped;
            let at = format!("phases of {}", process.pid);
            found.records.push(Record::Lost(Lost { when: When::exactly(moment.now), at, records: dropped }));
        }
    }

    /// Closes what is not open any more, with the time that the ring says, if it still has it; and notes
    /// the phases that came and went in between, when they name an operation or an entity.
    fn closed(
        &self,
        process: ProcessId,
        recording: &Recording,
        now_open: &BTreeSet<PhaseId>,
        table: &mut Phases,
        moment: Moment,
        found: &mut Found,
    ) {
        let mut unsaid: BTreeSet<PhaseId> = self.open.difference(now_open).copied().collect();
        let mut short: HashMap<u64, PhaseMeaning> = HashMap::new();
        for event in &recording.events {
            let Some(phase) = event.phase else { continue };
            match &event.kind {
                EventKind::Note { key, text } if key == "hang.op" => {
                    short.entry(phase).or_default().op = Some(text.clone());
                }
                EventKind::Note { key, text } if key == "hang.entity" => {
                    short.entry(phase).or_default().entity = Some(text.clone());
                }
                EventKind::Close { name, start_monotonic_ns, outcome } => {
                    let id = number(process, phase);
                    let when = When { t: moment.clock.from_monotonic(event.monotonic_ns), err: event.err_ns };
                    if let Some(hang) = short.remove(&phase).filter(|_| !self.open.contains(&id)) {
                        let opened = When { t: moment.clock.from_monotonic(*start_monotonic_ns), err: event.err_ns };
                        let (name, tid) = (name.clone(), Some(Tid(event.tid)));
                        let phase = PhaseOpen {
                            when: opened,
                            id,
                            parent: None,
                            tid,
                            task: None,
                            name,
                            fields: Vec::new(),
                            hang,
                        };
                        table.opened(phase, found);
                    }
                    unsaid.remove(&id);
                    table.closed(id, when, outcome.map(|outcome| outcome.as_str().to_owned()), found);
                }
                _ => {}
            }
        }
        let err = moment.now.0.saturating_sub(moment.before.0);
        for id in unsaid {
            table.closed(id, When { t: moment.now, err }, None, found);
        }
    }
}

/// The owner as the observer knows it. In a nested pid namespace it knows itself under another number.
fn find(owner: &Owner, own_pid_namespace: u64, processes: &dyn Processes) -> Option<ProcessId> {
    if owner.pid_namespace == own_pid_namespace {
        let known = processes.by_pid(owner.pid).filter(|process| process.start.0 == owner.start_ticks);
        // It may have ended before the first sample saw it, and is known well enough by what it says itself.
        Some(known.unwrap_or(ProcessId { pid: hangdog_schemas::Pid(owner.pid), start: Big(owner.start_ticks) }))
    } else {
        processes.by_start(owner.start_ticks)
    }
}

fn number(process: ProcessId, phase: u64) -> PhaseId {
    PhaseId { process, phase: Big(phase) }
}

fn open_phase(process: ProcessId, phase: &OpenPhase, is_ours: bool, moment: Moment) -> PhaseOpen {
    PhaseOpen {
        when: When { t: moment.clock.from_monotonic(phase.start_monotonic_ns), err: phase.err_ns },
        id: number(process, phase.id),
        parent: phase.parent.map(Big),
        // A thread number of a nested pid namespace means another thread here.
        tid: is_ours.then_some(Tid(phase.tid)),
        task: phase.task.map(Big),
        name: cut(phase.name.clone()),
        fields: phase.fields.iter().map(|(key, value)| (key.clone(), cut(value.clone()))).collect(),
        hang: meaning(&phase.hang),
    }
}

fn meaning(hang: &Hang) -> PhaseMeaning {
    let key = |text: &Option<String>| text.as_deref().and_then(resource);
    PhaseMeaning {
        wait: key(&hang.wait),
        hold: key(&hang.hold),
        serve: key(&hang.serve),
        op: hang.op.clone(),
        entity: hang.entity.clone(),
        link: hang.link.clone(),
        deadline_ms: hang.deadline_ms,
        primitive: None,
    }
}
