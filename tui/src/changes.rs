//! When a thing is another than it was: the next and the last change of what a row stands for.

use hangdog_schemas::{ProcessId, RunNs};
use hangdog_timeline::Snapshot;

use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::{Row, Way};
use crate::why;

/// The nearest change of a thing after or before a time.
pub(crate) fn beside(model: &Model, row: Row, t: RunNs, way: Way) -> Option<RunNs> {
    let mut nearest = Nearest { t, way, found: None };
    match row {
        Row::Lane(lane) => of_lane(model, lane, &mut nearest),
        Row::Thread(thread) => match model.lane_of(thread) {
            Some(lane) => of_lane(model, lane, &mut nearest),
            None => model.timeline.thread_states(thread).iter().for_each(|at| nearest.offer(at.since)),
        },
        Row::Task(process, task) => {
            if let Some(lane) = model.task_lane(process, task) {
                of_lane(model, lane, &mut nearest);
            }
        }
        Row::Process(pid) => {
            let lives = model.timeline.processes().filter(|process| process.id.pid == pid);
            lives.for_each(|process| of_process(model, process.id, &mut nearest));
        }
        Row::Edge(_) | Row::Hop(_) | Row::Paragraph(_) | Row::Finding(_) => {
            if let Some(thread) = why::thread_of(model, row).and_then(|(pid, tid)| model.thread(pid, tid)) {
                return beside(model, Row::Thread(thread), t, way);
            }
        }
        Row::Event(_) => {}
        // What only snapshots see: the next one that sees it otherwise.
        Row::Descriptor(..) | Row::Mount(_) | Row::Fuse(_) | Row::Lock(_) | Row::HeldLock(..) | Row::Socket(_) => {
            return of_fact(model, row, t, way);
        }
    }
    nearest.found
}

/// Keeps the nearest of the times that it is offered.
struct Nearest {
    t: RunNs,
    way: Way,
    found: Option<RunNs>,
}

impl Nearest {
    fn offer(&mut self, at: RunNs) {
        let better = match self.way {
            Way::On => at > self.t && self.found.is_none_or(|found| at < found),
            Way::Back => at < self.t && self.found.is_none_or(|found| at > found),
        };
        if better {
            self.found = Some(at);
        }
    }
}

fn of_lane(model: &Model, lane: usize, nearest: &mut Nearest) {
    let Some(own) = model.lanes.get(lane) else { return };
    if let LaneKind::Process(id) = own.kind {
        of_process(model, id, nearest);
    }
    if let Some(thread) = own.shows {
        let states = model.timeline.thread_states(thread);
        let after = states.partition_point(|at| at.since <= nearest.t);
        let before = states.partition_point(|at| at.since < nearest.t);
        let around = [states.get(after), before.checked_sub(1).map(|at| &states[at])];
        around.into_iter().flatten().for_each(|at| nearest.offer(at.since));
        model.timeline.thread_gone(thread).into_iter().for_each(|gone| nearest.offer(gone));
    }
    let phases = model.timeline.phases();
    let rows = std::iter::once(own).chain(&model.lanes[lane + 1..own.end]);
    let own_rows = rows.filter(|other| other.parent == Some(lane) || std::ptr::eq(*other, own));
    for row in own_rows {
        let LaneKind::Phases(row) = &row.kind else { continue };
        let begun = row.partition_point(|place| phases[*place as usize].open.t <= nearest.t);
        // Of a row the phases next to the moment; of an overlapping one those are not all, and still changes.
        for place in &row.places[begun.saturating_sub(2)..(begun + 1).min(row.len())] {
            let phase = &phases[*place as usize];
            nearest.offer(phase.open.t);
            phase.close.into_iter().for_each(|close| nearest.offer(close.t));
        }
    }
}

fn of_process(model: &Model, id: ProcessId, nearest: &mut Nearest) {
    let Some(process) = model.timeline.process(id) else { return };
    nearest.offer(process.start.t);
    process.comms.iter().for_each(|(t, _)| nearest.offer(*t));
    process.end.into_iter().for_each(|end| nearest.offer(end.t));
}

fn of_fact(model: &Model, row: Row, t: RunNs, way: Way) -> Option<RunNs> {
    let now = fact(model.snapshot(t)?, row, None);
    let key = now.as_ref().map(|(key, _)| key.clone());
    let others: Vec<&Snapshot> = match way {
        Way::On => model.timeline.snapshots().iter().filter(|snapshot| snapshot.begin > t).collect(),
        Way::Back => model.timeline.snapshots().iter().rev().filter(|snapshot| snapshot.begin < t).collect(),
    };
    let is_other = |snapshot: &&&Snapshot| fact(snapshot, row, key.as_deref()) != now;
    others.iter().find(is_other).map(|snapshot| snapshot.begin)
}

/// What a snapshot says of a thing, as a key that names it and a text that tells when it changes. Places in the
/// tables of another snapshot mean another thing: there it is looked up by its key.
fn fact(snapshot: &Snapshot, row: Row, key: Option<&str>) -> Option<(String, String)> {
    fn by<T>(
        all: &[T],
        at: usize,
        key: Option<&str>,
        of: impl Fn(&T) -> (String, String),
    ) -> Option<(String, String)> {
        match key {
            None => all.get(at).map(of),
            Some(key) => all.iter().map(of).find(|(other, _)| other == key),
        }
    }
    match row {
        Row::Descriptor(pid, fd) | Row::HeldLock(pid, fd, _) => {
            let fact = snapshot.fd(pid, fd)?;
            Some((format!("{pid}/{fd}"), format!("{} {:?} {:?}", fact.target, fact.detail, fact.locks)))
        }
        Row::Mount(at) => by(&snapshot.mounts, at, key, |mount| {
            (format!("{}/{}", mount.namespace, mount.mount), format!("{} {}", mount.mount_point, mount.source))
        }),
        Row::Fuse(connection) => {
            let waiting = snapshot.fuse.get(&connection).map(|fact| format!("{:?}", fact.waiting))?;
            Some((connection.to_string(), waiting))
        }
        Row::Lock(at) => by(&snapshot.locks, at, key, |lock| {
            let key = format!("{}:{} {} {} {}", lock.device, lock.inode, lock.pid, lock.start, lock.waits);
            (key, format!("{:?} {:?}", lock.mode, lock.end))
        }),
        Row::Socket(at) => by(&snapshot.sockets, at, key, |socket| {
            let said = (socket.state, socket.receive_queue, socket.send_queue, &socket.pending);
            (socket.inode.to_string(), format!("{said:?}"))
        }),
        _ => None,
    }
}
