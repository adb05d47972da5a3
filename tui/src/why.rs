//! "Why?": from a waiting thread to whoever could end its wait, and back, along the edges of the report.

use hangdog_schemas::{Pid, RunNs, Tid};

use crate::fold;
use crate::graph::At;
use crate::lane::LaneKind;
use crate::model::Model;
use crate::state::{Hop, Row, State, View};
use crate::text::{actor, clean};

/// Hops that are remembered.
const LONGEST_TRAIL: usize = 64;

/// The thread that a row stands for.
pub(crate) fn thread_of(model: &Model, row: Row) -> Option<(Pid, Tid)> {
    match row {
        Row::Edge(i) => model.verdict_edges().get(i).map(|edge| (edge.waiter.pid, edge.waiter.tid)),
        Row::Lane(i) => lane_thread(model, i),
        Row::Thread(thread) => Some((thread.process.pid, thread.tid)),
        Row::Process(pid) | Row::Descriptor(pid, _) | Row::HeldLock(pid, _, _) => model.waiter_of(pid),
        Row::Task(process, _) => model.waiter_of(process.pid),
        Row::Finding(i) => model.report.findings.get(i)?.edges.first().map(|edge| (edge.waiter.pid, edge.waiter.tid)),
        // In the verdict "why?" begins with the first edge.
        Row::Paragraph(_) => model.verdict_edges().first().map(|edge| (edge.waiter.pid, edge.waiter.tid)),
        Row::Hop(hop) => Some((hop.pid, hop.tid)),
        Row::Mount(_) | Row::Fuse(_) | Row::Lock(_) | Row::Socket(_) | Row::Event(_) => None,
    }
}

fn lane_thread(model: &Model, lane: usize) -> Option<(Pid, Tid)> {
    let lane = model.lanes.get(lane)?;
    if let (LaneKind::Process(id), None) = (&lane.kind, lane.shows) {
        return model.waiter_of(id.pid);
    }
    if let Some(thread) = lane.shows {
        return Some((thread.process.pid, thread.tid));
    }
    match &lane.kind {
        LaneKind::Thread(thread) => Some((thread.process.pid, thread.tid)),
        LaneKind::Process(id) | LaneKind::Task(id, _) => model.waiter_of(id.pid),
        LaneKind::Phases(_) => lane_thread(model, lane.parent?),
    }
}

/// Who waits at a lock or a socket.
fn waiter_at(model: &Model, t: RunNs, row: Row) -> Option<(Pid, Tid)> {
    let snapshot = model.snapshot(t)?;
    match row {
        Row::Lock(i) => model.waiter_of(Pid(u32::try_from(snapshot.locks.get(i)?.pid).ok()?)),
        Row::Socket(i) => {
            let mut owners = snapshot.socket_holders(snapshot.sockets.get(i)?.inode);
            owners.find_map(|fd| model.waiter_of(fd.process.pid))
        }
        _ => None,
    }
}

/// One hop on.
pub(crate) fn on(model: &Model, state: &mut State) {
    state.overlay = None;
    if let (View::Graph, Some(Row::Hop(hop))) = (state.view, state.selected()) {
        return along(model, state, hop);
    }
    let selected = state.selected();
    let Some(from) = selected.and_then(|row| thread_of(model, row).or_else(|| waiter_at(model, state.cursor, row)))
    else {
        state.note = Some("select a thread or a process that waits, then ask why".to_owned());
        return;
    };
    let Some(edge) = model.wait_of(from.0, from.1) else {
        state.note = Some(format!("the report knows of no wait of {}", number(from)));
        return;
    };
    if state.trail.last() != Some(&from) {
        state.trail = vec![from];
    }
    let Some(resolver) = &edge.resolver else {
        state.note = Some(format!(
            "{} waits for {}: nobody can end that ({})",
            actor(&edge.waiter),
            clean(&edge.resource.name),
            edge.confidence.word()
        ));
        return;
    };
    let to = (resolver.pid, resolver.tid);
    let closes = state.trail.contains(&to);
    state.note = Some(format!(
        "{} → {} ({}){}: {}",
        actor(&edge.waiter),
        actor(resolver),
        edge.confidence.word(),
        if closes { " ↺ the loop closes" } else { "" },
        clean(&edge.resource.name),
    ));
    if state.trail.len() < LONGEST_TRAIL {
        state.trail.push(to);
    } else {
        state.trail = vec![to];
    }
    select(model, state, to);
}

/// One hop on in the wait graph: down the tree, or up to where the loop began.
fn along(model: &Model, state: &mut State, from: Hop) {
    let graph = model.graphs.at(&model.timeline, state.cursor);
    let Some(next) = graph.next(from) else {
        state.note = Some("its wait, if it has any, is not known: the way ends here".to_owned());
        return;
    };
    let way = graph.way(next);
    let here = (from.pid, from.tid);
    if state.trail.last() != Some(&here) {
        state.trail = vec![here];
    }
    if next.at == At::Nobody {
        let waits = way.map(|way| clean(&way.edge.resource.name).into_owned()).unwrap_or_default();
        state.note = Some(format!("waits for {waits}: the way ends here"));
    } else {
        let closes = if next.at == At::LoopCloses { " ↺ the loop closes" } else { "" };
        let words = |way: &hangdog_analysis::Way| {
            let resolver = way.edge.resolver.as_ref().map(actor).unwrap_or_default();
            let sure = way.edge.confidence.word();
            format!("{} → {resolver} ({sure}){closes}: {}", actor(&way.edge.waiter), clean(&way.edge.resource.name))
        };
        state.note = way.map(words);
        if from.time == next.hop.time || (next.hop.pid, next.hop.tid) != here {
            state.trail.push((next.hop.pid, next.hop.tid));
            state.trail.truncate(LONGEST_TRAIL);
        }
    }
    state.list_mut().row = Some(Row::Hop(next.hop));
}

/// One hop back.
pub(crate) fn back(model: &Model, state: &mut State) {
    state.trail.pop();
    match state.trail.last().copied() {
        Some(to) => select(model, state, to),
        None => state.note = Some("this is where the trail begins; w follows the waits".to_owned()),
    }
}

/// Selects a thread where the view shows threads, else in the tasks.
pub(crate) fn select(model: &Model, state: &mut State, (pid, tid): (Pid, Tid)) {
    let thread = model.thread(pid, tid);
    let row = match state.view {
        View::Verdict => {
            let edges = model.verdict_edges();
            edges.iter().position(|edge| (edge.waiter.pid, edge.waiter.tid) == (pid, tid)).map(Row::Edge)
        }
        View::TimeLine | View::Compare => thread.and_then(|thread| model.lane_of(thread)).map(|lane| {
            fold::reveal(model, state, lane);
            Row::Lane(lane)
        }),
        View::Graph => model.graphs.at(&model.timeline, state.cursor).find(pid, tid).map(|node| Row::Hop(node.hop)),
        View::Processes => Some(Row::Process(pid)),
        _ => {
            let seen = || model.snapshot(state.cursor)?.threads.get(&(pid, tid)).map(|fact| fact.thread);
            let thread = thread.or_else(seen);
            if thread.is_some() && state.view != View::Tasks {
                state.history.push(state.view);
                state.view = View::Tasks;
            }
            thread.map(Row::Thread)
        }
    };
    if let Some(row) = row {
        // A filter that hides the target would make the hop a leap into nothing.
        state.list_mut().row = Some(row);
        crate::rows::refresh(model, state);
        if state.rows.find(row, 0).is_none() {
            state.filter.clear();
            crate::update::refold(model, state);
        }
    } else {
        let where_to = state.note.take().unwrap_or_default();
        state.note = Some(format!("{where_to}; {} was not sampled", number((pid, tid))));
    }
}

fn number((pid, tid): (Pid, Tid)) -> String {
    if pid.0 == tid.0 { format!("{pid}") } else { format!("{pid}/{tid}") }
}

/// The trail as a line: `4390 → 4391 → 4414 ↺ 4391`.
pub(crate) fn trail(state: &State) -> Option<String> {
    let (last, before) = state.trail.split_last()?;
    if before.is_empty() {
        return None;
    }
    let mut line: Vec<String> = before.iter().map(|hop| number(*hop)).collect();
    let closes = before.contains(last);
    line.push(number(*last));
    Some(line.join(" → ") + if closes { " ↺" } else { "" })
}
