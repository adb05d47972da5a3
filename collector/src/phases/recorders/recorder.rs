//! One recorder, looked at: what is open in it now, against what was told of it before.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use hangdog_flight::{ClockSource, Loss, OpenPhase, Reader, Recording};
use hangdog_schemas::record::{Lost, PhaseClose, PhaseOpen, PhaseState};
use hangdog_schemas::{Big, PhaseId, ProcessId, Record, RunNs, Tid, When};

use super::ended::{Ended, Rings};
use super::owner::{Host, Unseen, Whose};
use super::{Around, Way, meaning};
use crate::observe::Tick;
use crate::phases::lines::cut;
use crate::phases::{Found, Moment, Phases, Processes, Rank};

/// Phases that say who holds a traced lock alone have this bit in their number: one for each time that it was taken.
const HOLDS: u64 = 1 << 62;
/// Of the table's room, one process gets so much: that its many phases hide nobody else's.
const OWN_ROOM: [usize; 3] = [8 << 10, 12 << 10, 14 << 10];
/// So often a recorder is looked at whether or not there is time, to know whose it is.
const FIRST_LOOKS: u8 = 16;

/// What all recorders are looked at with in one turn, and what comes of it.
pub(super) struct Turn<'a, 'b> {
    pub(super) way: Way,
    pub(super) around: &'a Around<'b>,
    pub(super) host: Host,
    /// How much history of each recorder is kept for a trigger.
    pub(super) most_ended: usize,
    pub(super) table: &'a mut Phases,
    pub(super) found: &'a mut Found,
    /// By rank and begin.
    pub(super) states: Vec<(Rank, RunNs, PhaseState)>,
    pub(super) not_looked_at: u64,
}

/// What was told of an open phase, as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    says: u64,
    who: u64,
}

#[derive(Debug)]
pub(super) struct Recorder {
    reader: Reader,
    whose: Option<Whose>,
    /// Looks after which it was not known whose it is.
    in_vain: u8,
    /// When it was looked at last.
    pub(super) looked: Option<RunNs>,
    /// Its process has gone or become another program, and all is told.
    pub(super) is_over: bool,
    /// The open phases that were told.
    told: HashMap<u64, Told>,
    /// Holders of the look before, told or not.
    holds: HashSet<u64>,
    rings: Rings,
    /// Most phases that there was no room for at once, by whether they mean something.
    refused: [u64; 2],
    lost: HashMap<Loss, u64>,
    /// What its process had run when it was looked at.
    ran: Option<u64>,
    /// Why its process is not known, when it is not.
    unseen: Unseen,
    /// Whether its process was ever seen.
    was_there: bool,
    /// Whether it ever named an operation or an entity.
    names_operations: bool,
    /// Its program let go of the file: how far the recorder was then.
    detached: Option<u64>,
    tick: Option<Tick>,
}

impl Recorder {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            whose: None,
            in_vain: 0,
            looked: None,
            is_over: false,
            told: HashMap::new(),
            holds: HashSet::new(),
            rings: Rings::default(),
            refused: [0; 2],
            lost: HashMap::new(),
            ran: None,
            unseen: Unseen::Awaited,
            was_there: false,
            names_operations: false,
            detached: None,
            tick: None,
        }
    }

    /// Whether it was not read yet as far as to know whose it is: only then its own thread can be told from others.
    pub(super) fn is_new(&self) -> bool {
        self.whose.is_none() && self.in_vain < FIRST_LOOKS
    }

    /// Whether nothing can have been recorded since the last look: no thread of the process has run.
    pub(super) fn is_idle(&self, processes: &dyn Processes) -> bool {
        let ran = self.whose.and_then(|whose| processes.ran(whose.process));
        ran.is_some() && ran == self.ran && self.detached.is_none()
    }

    /// Whether its process was there and is not any more.
    pub(super) fn is_gone(&self, processes: &dyn Processes) -> bool {
        self.was_there && self.whose.is_some_and(|whose| !processes.is_there(whose.process))
    }

    pub(super) fn look(&mut self, turn: &mut Turn<'_, '_>) {
        let Moment { now, .. } = turn.around.moment;
        let processes = turn.around.processes;
        let before = self.looked.replace(now);
        let Ok(recording) = self.reader.read() else {
            self.in_vain = self.in_vain.saturating_add(1);
            self.is_over = self.is_gone(processes);
            return;
        };
        let Some(whose) = self.whose.or_else(|| self.find_owner(&recording, turn)) else {
            self.in_vain = self.in_vain.saturating_add(1);
            // The sample of this turn may be older than the process, that of the next is not.
            self.unseen = Unseen::Ended;
            return;
        };
        self.whose = Some(whose);
        self.was_there |= processes.is_there(whose.process);
        self.ran = processes.ran(whose.process);
        let has_another_program = self.has_another_program(&recording, whose, processes);
        let is_gone = self.is_gone(processes) || !recording.attached && !processes.runs(whose.process);
        self.tell_tick(&recording, whose.process, turn.found);
        // After its end the phases stay as they were: they tell what the process was doing then.
        let open = if has_another_program { [].as_slice() } else { recording.open.as_slice() };
        let now_open = self.opened(open, whose, turn);
        self.ended(recording.events, whose, turn);
        let between = between(before.unwrap_or(RunNs(0)), now);
        let ended: Vec<u64> = self.told.keys().filter(|id| !now_open.contains(id)).copied().collect();
        for id in ended {
            self.told.remove(&id);
            turn.table.closed(number(whose.process, id), between, None, turn.found);
        }
        self.tell_losses(&recording.losses, recording.overwritten, whose.process, turn);
        if is_gone || has_another_program {
            self.is_over = true;
            turn.table.went(self.told.keys().map(|id| number(whose.process, *id)));
        }
    }

    fn find_owner(&self, recording: &Recording, turn: &Turn<'_, '_>) -> Option<Whose> {
        let unseen = if turn.way == Way::Last { Unseen::Ended } else { self.unseen };
        Whose::find(&recording.owner, &recording.anchor, &turn.host, turn.around.processes, unseen)
    }

    /// Whether its process lives on after an exec. A program that closed all its descriptors lets go of the file too,
    /// and records on: so it is asked twice.
    fn has_another_program(&mut self, recording: &Recording, whose: Whose, processes: &dyn Processes) -> bool {
        if recording.attached || !processes.runs(whose.process) {
            self.detached = None;
            return false;
        }
        self.detached.replace(recording.heartbeat) == Some(recording.heartbeat)
    }

    /// After an exec nothing is told: the thread is gone, and the next program may have a recorder of its own.
    fn tell_tick(&mut self, recording: &Recording, process: ProcessId, found: &mut Found) {
        let has_thread = matches!(recording.anchor.source, ClockSource::Tick | ClockSource::Tsc);
        let tick = match recording.tick_tid {
            Some(tid) => Tick::Thread(tid),
            // It was started and did not say its number yet, or could not be started.
            None if has_thread => Tick::ByName,
            None => Tick::None,
        };
        if self.tick.replace(tick) != Some(tick) {
            found.ticks.push((process, tick));
        }
    }

    /// Tells what is open and new or changed; the numbers of all that are told.
    fn opened(&mut self, open: &[OpenPhase], whose: Whose, turn: &mut Turn<'_, '_>) -> HashSet<u64> {
        let closely = turn.way != Way::Passing;
        let waited: HashSet<&str> = open.iter().filter_map(|phase| phase.hang.wait.as_deref()).collect();
        let holds_before = std::mem::take(&mut self.holds);
        let mut now_open = HashSet::with_capacity(open.len().min(OWN_ROOM[2]));
        let mut refused = [0; 2];
        for phase in open {
            if phase.id & HOLDS != 0 {
                self.holds.insert(phase.id);
                let is_waited_for = || phase.hang.hold.as_deref().is_some_and(|key| waited.contains(key));
                // A busy program has another holder at each look.
                if !(closely || holds_before.contains(&phase.id) || is_waited_for()) {
                    continue;
                }
            }
            let rank = rank(phase);
            let says = Told::of(phase);
            let known = self.told.get(&phase.id);
            if known.is_none() && !self.has_room(rank, turn.table) {
                refused[usize::from(rank != Rank::Plain)] += 1;
                continue;
            }
            now_open.insert(phase.id);
            // A task that goes from thread to thread is not told each time.
            let is_told = known.is_some_and(|told| told.says == says.says && (!closely || told.who == says.who));
            if !is_told {
                self.told.insert(phase.id, says);
                self.names_operations |= phase.hang.op.is_some() || phase.hang.entity.is_some();
                turn.table.put(open_phase(whose, phase, turn.around.moment), turn.found);
            }
            if let (Way::Closely(_), true) = (turn.way, has_state(phase)) {
                turn.states.push((
                    rank,
                    began(whose, phase, turn.around.moment).t,
                    state(whose, phase, turn.around.moment),
                ));
            }
        }
        self.tell_refused(refused, whose.process, turn);
        now_open
    }

    fn has_room(&self, rank: Rank, table: &Phases) -> bool {
        self.told.len() < OWN_ROOM[rank as usize] && table.has_room(rank)
    }

    /// What the rings say: ends, and phases that came and went. Those that name an operation or an entity are
    /// told at once: comparisons of runs and duplicate detection need every one.
    fn ended(&mut self, events: Vec<hangdog_flight::Event>, whose: Whose, turn: &mut Turn<'_, '_>) {
        let moment = turn.around.moment;
        for ended in self.rings.look(events) {
            if self.told.remove(&ended.id).is_some() {
                let when = whose.when(ended.until_ns, ended.err_ns, moment);
                let outcome = ended.outcome.map(ToOwned::to_owned);
                turn.table.closed(number(whose.process, ended.id), when, outcome, turn.found);
            } else if ended.hang.op.is_some() || ended.hang.entity.is_some() {
                self.names_operations = true;
                let (open, close) = both(whose, ended, moment);
                turn.table.came_and_went(open, close, turn.found);
            } else {
                self.rings.keep(ended, turn.most_ended);
            }
        }
    }

    /// What came and went and was not told.
    pub(super) fn lead_up(&mut self, moment: Moment) -> Vec<(PhaseOpen, PhaseClose)> {
        let Some(whose) = self.whose else { return Vec::new() };
        self.rings.tell().into_iter().map(|ended| both(whose, ended, moment)).collect()
    }

    /// Each is counted once: when more of them are there at once than ever before.
    fn tell_refused(&mut self, refused: [u64; 2], process: ProcessId, turn: &mut Turn<'_, '_>) {
        let names =
            [format!("phases of {} that name no resource", process.pid), format!("phases of {}", process.pid)];
        for ((most, now), at) in self.refused.iter_mut().zip(refused).zip(names) {
            if now > *most {
                let when = When::exactly(turn.around.moment.now);
                turn.found.records.push(Record::Lost(Lost { when, at, records: now - *most }));
                *most = now;
            }
        }
    }

    fn tell_losses(&mut self, losses: &[(Loss, u64)], overwritten: u64, process: ProcessId, turn: &mut Turn<'_, '_>) {
        let mut new = [0_u64; 2];
        for (loss, count) in losses {
            let before = self.lost.insert(*loss, *count).unwrap_or(0);
            // Without an event only history is missing; all else may hide somebody who waits or holds.
            new[usize::from(*loss != Loss::Event)] += count.saturating_sub(before);
        }
        // What led up to a trigger is short anyway, but nobody may be missing among those that are compared.
        if self.names_operations {
            new[0] = new[0].saturating_add(overwritten);
        }
        let names = [format!("phases of {} that had ended", process.pid), format!("phases of {}", process.pid)];
        for (records, at) in new.into_iter().zip(names).filter(|(records, _)| *records > 0) {
            let when = When::exactly(turn.around.moment.now);
            turn.found.records.push(Record::Lost(Lost { when, at, records }));
        }
    }
}

impl Told {
    fn of(phase: &OpenPhase) -> Self {
        let hash = |what: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            what(&mut hasher);
            hasher.finish()
        };
        let hang = &phase.hang;
        Self {
            says: hash(&|hasher| {
                (&phase.name, phase.parent, &phase.fields).hash(hasher);
                (&hang.wait, &hang.hold, &hang.serve, &hang.op, &hang.entity, &hang.link).hash(hasher);
                (hang.deadline_ms, hang.primitive).hash(hasher);
            }),
            who: hash(&|hasher| (phase.tid, phase.task).hash(hasher)),
        }
    }
}

/// How much it matters that a phase is told.
fn rank(phase: &OpenPhase) -> Rank {
    if phase.polled_now {
        Rank::Inside
    } else if phase.hang == hangdog_flight::Hang::default() {
        Rank::Plain
    } else {
        Rank::Meaning
    }
}

/// Whether it can be open without a thread inside. Who holds or serves something is not in a phase at all.
fn has_state(phase: &OpenPhase) -> bool {
    let is_traced = phase.hang.primitive.is_some() && (phase.hang.hold.is_some() || phase.hang.serve.is_some());
    let is_plain_code = phase.polled_now && phase.polls == 1 && phase.task.is_none();
    !is_traced && !is_plain_code
}

fn state(whose: Whose, phase: &OpenPhase, moment: Moment) -> PhaseState {
    let left = phase.left_monotonic_ns.filter(|_| !phase.polled_now);
    PhaseState {
        when: When::exactly(moment.now),
        id: number(whose.process, phase.id),
        polled_now: phase.polled_now,
        polls: phase.polls,
        left: left.map(|ns| whose.when(ns, 0, moment).t),
    }
}

fn began(whose: Whose, phase: &OpenPhase, moment: Moment) -> When {
    whose.when(phase.start_monotonic_ns, phase.err_ns, moment)
}

fn number(process: ProcessId, phase: u64) -> PhaseId {
    PhaseId { process, phase: Big(phase) }
}

fn open_phase(whose: Whose, phase: &OpenPhase, moment: Moment) -> PhaseOpen {
    PhaseOpen {
        when: began(whose, phase, moment),
        id: number(whose.process, phase.id),
        parent: phase.parent.map(Big),
        tid: tid(whose, phase.tid),
        task: phase.task.map(Big),
        name: cut(phase.name.clone()),
        fields: phase.fields.iter().map(|(key, value)| (key.clone(), cut(value.clone()))).collect(),
        hang: meaning::of(&phase.hang),
    }
}

/// A thread number of a nested pid namespace means another thread here, but for the first.
fn tid(whose: Whose, tid: u32) -> Option<Tid> {
    match whose.inner_pid {
        _ if tid == 0 => None,
        None => Some(Tid(tid)),
        Some(pid) => (tid == pid).then_some(Tid(whose.process.pid.0)),
    }
}

fn both(whose: Whose, ended: Ended, moment: Moment) -> (PhaseOpen, PhaseClose) {
    let id = number(whose.process, ended.id);
    let open = PhaseOpen {
        when: whose.when(ended.began_ns, ended.err_ns, moment),
        id,
        parent: ended.parent.map(Big),
        tid: tid(whose, ended.tid),
        task: None,
        name: ended.name,
        fields: ended.fields,
        hang: ended.hang,
    };
    let when = whose.when(ended.until_ns, ended.err_ns, moment);
    (open, PhaseClose { when, id, outcome: ended.outcome.map(ToOwned::to_owned) })
}

/// Some time between two looks.
fn between(before: RunNs, now: RunNs) -> When {
    let half = now.0.abs_diff(before.0).div_ceil(2);
    When { t: before.plus(now.0.saturating_sub(before.0) / 2), err: half }
}
