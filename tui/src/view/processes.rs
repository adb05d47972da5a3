//! The process tree at the cursor.

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::fact::Belonging;
use hangdog_schemas::{Pid, RunNs, ThreadId};

use super::table::{Cell, Column, Table};
use crate::model::Model;
use crate::state::Row;
use crate::text::clean;
use crate::theme::{DIM, HANG, PLAIN, state};

pub(super) const TABLE: Table = Table {
    columns: &[
        Column::new(" ", 3),
        Column::number("pid", 7),
        Column::number("threads", 7).from(70),
        Column::stretching("name", 20, 1),
        Column::stretching("command", 20, 3),
        Column::stretching("directory", 16, 1).cut(super::table::Cut::Front).from(140),
    ],
    rows,
    cells,
    empty: |_, _| "No process of the run lived at this time.",
};

/// The processes of the moment with their parents: those of the run, then those outside that the snapshot kept.
fn family(model: &Model, t: RunNs) -> BTreeMap<Pid, Pid> {
    let mut parents: BTreeMap<Pid, Pid> = BTreeMap::new();
    if let Some(snapshot) = model.snapshot(t) {
        let outside = snapshot.processes.values().filter(|fact| {
            model.timeline.process(fact.process).is_none_or(|process| process.end.is_none_or(|end| end.t > t))
        });
        parents.extend(outside.map(|fact| (fact.process.pid, fact.parent)));
    }
    for process in model.timeline.processes_at(t) {
        parents.entry(process.id.pid).or_insert(process.parent);
    }
    parents
}

fn rows(model: &Model, t: RunNs) -> Vec<Row> {
    let parents = family(model, t);
    let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (pid, parent) in &parents {
        if parent != pid && parents.contains_key(parent) {
            children.entry(*parent).or_default().push(*pid);
        } else {
            roots.push(*pid);
        }
    }
    let root = model.timeline.header().root.pid;
    roots.sort_by_key(|pid| (*pid != root, *pid));
    let mut work: Vec<Pid> = roots.into_iter().rev().collect();
    let mut placed = BTreeSet::new();
    let mut rows = Vec::new();
    while let Some(pid) = work.pop() {
        if placed.insert(pid) {
            rows.push(Row::Process(pid));
            work.extend(children.remove(&pid).into_iter().flatten().rev());
        }
    }
    rows
}

/// Steps from a process up to the root of its tree; a ring of parents, as a cut capture may show, ends it.
fn depth(model: &Model, t: RunNs, pid: Pid) -> usize {
    let parent_of = |pid: Pid| {
        let fact = model.snapshot(t).and_then(|snapshot| snapshot.processes.get(&pid)).map(|fact| fact.parent);
        fact.or_else(|| process(model, t, pid).map(|process| process.parent))
    };
    let mut depth = 0;
    let mut at = pid;
    while let Some(parent) = parent_of(at).filter(|parent| parent_of(*parent).is_some()) {
        depth += 1;
        at = parent;
        if depth > 24 {
            break;
        }
    }
    depth
}

fn process(model: &Model, t: RunNs, pid: Pid) -> Option<&hangdog_timeline::Process> {
    let thread = model.thread(pid, hangdog_schemas::Tid(pid.0));
    let known = thread.and_then(|thread| model.timeline.process(thread.process));
    known.or_else(|| model.timeline.processes_at(t).find(|process| process.id.pid == pid))
}

fn cells(model: &Model, t: RunNs, row: Row) -> Vec<Cell> {
    let Row::Process(pid) = row else { return Vec::new() };
    let fact = model.snapshot(t).and_then(|snapshot| snapshot.processes.get(&pid));
    let life = process(model, t, pid);
    let id = life.map(|life| life.id).or(fact.map(|fact| fact.process));
    let sampled = id.and_then(|id| model.timeline.thread_at(ThreadId::main_of(id), t)).map(|at| at.state);
    let now = sampled.or(fact.map(|fact| fact.state));
    let letter = now.map_or('?', hangdog_schemas::fact::TaskState::letter);
    let named = model.process_is_in_verdict(pid);
    let live = model.threads_of(pid).filter(|thread| model.timeline.thread_at(*thread, t).is_some()).count();
    let threads = if live > 0 { live } else { fact.map_or(0, |fact| fact.threads as usize) };
    let comm = life.map(|life| life.comm_at(t)).or(fact.map(|fact| fact.comm.as_str())).unwrap_or("?");
    let outside = fact.is_some_and(|fact| fact.belongs == Belonging::Outside);
    let command = match fact.map(|fact| &fact.cmdline) {
        Some(observed) => match observed.seen() {
            Some(arguments) => Cell::new(clean(&arguments.join(" ")).into_owned()),
            None => Cell::styled(observed.why_not().unwrap_or_default(), DIM),
        },
        None => Cell::new(""),
    };
    vec![
        Cell::styled(
            if named { format!("◆ {letter}") } else { format!("  {letter}") },
            if named { HANG } else { now.map_or(PLAIN, state) },
        ),
        Cell::new(pid.to_string()),
        Cell::new(threads.to_string()),
        Cell::new(format!(
            "{}{}{}",
            "  ".repeat(depth(model, t, pid)),
            clean(comm),
            if outside { " (outside)" } else { "" }
        )),
        command,
        Cell::new(fact.and_then(|fact| fact.cwd.seen()).map(|cwd| clean(cwd).into_owned()).unwrap_or_default()),
    ]
}
