//! Threads and async tasks at the cursor: state, where they wait, for how long, in which phase.

use std::collections::BTreeSet;

use hangdog_schemas::{RunNs, ThreadId};
use ratatui::style::Style;

use super::table::{Cell, Column, Table};
use crate::call;
use crate::model::Model;
use crate::state::Row;
use crate::text::{clean, lasting};
use crate::theme::{DIM, HANG, PLAIN, state};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::new(" ", 3),
        Column::number("pid", 7).from(100),
        Column::number("tid", 7),
        Column::new("name", 15),
        Column::number("for", 8),
        Column::stretching("in", 18, 3),
        Column::new("wchan", 20).from(140),
        Column::stretching("phase", 16, 2).from(100),
    ],
    rows,
    cells,
    empty: |_, _| "No thread of the run lived at this time.",
};

/// Sampled threads that live at the cursor, those that only the snapshot saw, and tasks by their open phases.
fn rows(model: &Model, t: RunNs) -> Vec<Row> {
    let timeline = &model.timeline;
    let lives = |thread: ThreadId| {
        timeline.thread_at(thread, t).is_some()
            && timeline.process(thread.process).is_none_or(|process| process.end.is_none_or(|end| end.t > t))
    };
    let mut threads: BTreeSet<ThreadId> = timeline.threads().map(|(id, _)| id).filter(|id| lives(*id)).collect();
    if let Some(snapshot) = model.snapshot(t) {
        let unsampled = snapshot.threads.values().map(|fact| fact.thread);
        threads.extend(unsampled.filter(|id| timeline.thread_states(*id).is_empty()));
    }
    let tasks = model.tasks().filter(|(_, lane)| model.innermost_phase(*lane, t).is_some());
    threads.into_iter().map(Row::Thread).chain(tasks.map(|((process, task), _)| Row::Task(process, task))).collect()
}

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    match row {
        Row::Thread(thread) => of_thread(model, t, thread),
        Row::Task(process, task) => {
            let phase = innermost(model, t, model.task_lane(process, task));
            vec![
                Cell::styled("~", DIM),
                Cell::new(process.pid.to_string()),
                Cell::new("task"),
                Cell::new(task.to_string()),
                Cell::new(phase.as_ref().map(|(_, since)| lasting(t.0 - since.0)).unwrap_or_default())
                    .sorted_by(phase.as_ref().map(|(_, since)| t.0 - since.0)),
                Cell::styled("async task", DIM),
                Cell::new(""),
                Cell::new(phase.map(|(path, _)| path).unwrap_or_default()),
            ]
        }
        _ => Vec::new(),
    }
}

fn of_thread(model: &Model, t: RunNs, thread: ThreadId) -> Vec<Cell> {
    let (pid, tid) = (thread.process.pid, thread.tid);
    let snapshot = model.snapshot(t);
    let fact = snapshot.and_then(|snapshot| snapshot.threads.get(&(pid, tid))).filter(|fact| fact.thread == thread);
    let sampled = model.timeline.thread_at(thread, t);
    let now = sampled.map(|at| at.state).or(fact.map(|fact| fact.state));
    let named = model.is_in_verdict(pid, tid);
    let letter = now.map_or('?', hangdog_schemas::fact::TaskState::letter);
    let style: Style = if named { HANG } else { now.map_or(PLAIN, state) };
    let phase = innermost(model, t, model.lane_of(thread));
    let call = match (snapshot, fact) {
        (Some(snapshot), Some(fact)) => call::words(snapshot, fact),
        _ => String::new(),
    };
    vec![
        Cell::styled(if named { format!("◆ {letter}") } else { format!("  {letter}") }, style),
        Cell::new(pid.to_string()),
        Cell::new(tid.to_string()),
        Cell::new(name(model, t, thread)),
        Cell::new(sampled.map(|at| lasting(t.0 - at.since.0)).unwrap_or_default())
            .sorted_by(sampled.map(|at| t.0 - at.since.0)),
        Cell::new(call),
        Cell::styled(fact.and_then(call::wchan).unwrap_or_default(), DIM),
        Cell::new(phase.map(|(path, _)| path).unwrap_or_default()),
    ]
}

/// Name of a thread, harmless; of its process when it has none of its own.
pub(super) fn name(model: &Model, t: RunNs, thread: ThreadId) -> String {
    let fact = model.snapshot(t).and_then(|snapshot| snapshot.threads.get(&(thread.process.pid, thread.tid)));
    let own = fact.map(|fact| fact.comm.as_str()).filter(|comm| !comm.is_empty());
    match own {
        Some(own) => clean(own).into_owned(),
        None => match model.lane_of(thread).map(|lane| model.lanes[lane].label.as_str()) {
            Some(label) => label.rsplit_once(' ').map_or(label, |(name, _)| name).to_owned(),
            None => model.comm(thread.process.pid, t),
        },
    }
}

/// The phase path of the thread or task of a lane, outermost first, and since when its innermost phase is open.
pub(super) fn innermost(model: &Model, t: RunNs, lane: Option<usize>) -> Option<(String, RunNs)> {
    let phase = model.innermost_phase(lane?, t)?;
    let path = model.timeline.phase_path(phase);
    let names: Vec<_> = path.iter().filter(|phase| phase.is_open_at(t)).map(|phase| clean(&phase.name)).collect();
    Some((names.join(" › "), phase.open.t))
}
