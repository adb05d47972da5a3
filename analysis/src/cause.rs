//! From "this cannot go on" to why: the nearest root cause behind what the user runs.
//!
//! ```text
//! command ──▶ … ──▶ ring            deadlock-cycle, self-deadlock
//!                ──▶ nobody         orphan-wait
//!                ──▶ stopped, frozen, at a prompt, outside
//!                ──▶ idle, and who started it has ended    idle-holder
//! ```

use std::collections::{BTreeMap, BTreeSet};

use hangdog_schemas::{Confidence, FindingKind};

use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::liveness::Liveness;
use crate::view::View;
use crate::wait::{Class, Wait};

/// Rings, and ends of the line, that are looked at in full, the nearest ones: a thousand daemons at one pipe are one
/// story.
const NEAREST: usize = 16;

/// A root cause and the way to it.
pub(crate) struct Cause<'g> {
    pub(crate) kind: FindingKind,
    /// From the command to the cause; empty when the command itself is in it.
    pub(crate) way: Vec<Link<'g>>,
    /// The ring, when it is one.
    pub(crate) cycle: Vec<Link<'g>>,
    /// The task at which it ends (of a ring: where the way enters it).
    pub(crate) at: usize,
    /// What that task waits for, when the cause is no ring.
    pub(crate) wait: Option<&'g Wait>,
    /// Tasks to blame.
    pub(crate) blame: Vec<usize>,
    pub(crate) confidence: Confidence,
}

/// All causes that `from` waits for, the best first.
pub(crate) fn causes<'g>(view: &View<'_>, graph: &'g Graph, from: &[usize]) -> Vec<Cause<'g>> {
    let from: Vec<usize> = from.iter().copied().filter(|task| graph.alive(*task) != Liveness::Live).collect();
    let reach = graph.reach(from.iter().copied());
    let mut found: Vec<(usize, Cause<'g>)> = Vec::new();
    let mut rings: Vec<(usize, &BTreeSet<usize>)> = graph
        .rings()
        .iter()
        .filter_map(|ring| Some((*ring.iter().filter_map(|task| reach.get(task)).min()?, ring)))
        .collect();
    rings.sort();
    if view.is_declared() {
        found.extend(idle_ring_causes(view, graph, &from, &reach));
    }
    // Whoever still acts in the run may be about to do what somebody outside could: open the FIFO, send SIGCONT, or a
    // signal whose handler ends a wait.
    let live_elsewhere = graph.tasks.iter().enumerate().any(|(i, task)| {
        graph.alive(i) == Liveness::Live && view.is_of_run(task.key.pid()) && !matches!(task.key, Key::Any(_))
    });
    for (distance, ring) in rings.iter().take(NEAREST) {
        let Some(mut cause) = ring_cause(graph, &from, ring) else { continue };
        if live_elsewhere && cause.way.iter().chain(&cause.cycle).any(|link| link.wait.is_heard) {
            cause.confidence = cause.confidence.and(Confidence::Possible);
        }
        found.push((*distance, cause));
    }
    let mut ends: Vec<(usize, usize)> = reach.iter().map(|(task, distance)| (*distance, *task)).collect();
    ends.sort_unstable();
    let ends = ends.into_iter().filter_map(|(distance, task)| {
        end_of_the_line(view, graph, task, from.contains(&task)).map(|end| (distance, task, end))
    });
    for (distance, task, (kind, wait, own)) in ends.take(NEAREST) {
        let Some(way) = graph.path(&from, &[task].into()) else { continue };
        let mut confidence = own.and(way_confidence(graph, &way, &[task].into()));
        let mut kind = kind;
        let holds = way.last().is_some_and(|link| {
            matches!(link.wait.class, Class::PipeData | Class::PipeRoom | Class::FileLock | Class::TerminalOutput)
        });
        if kind == FindingKind::IdleHolder && !holds {
            // A client of a daemon that has nothing to do: the daemon owes it something, or is not the one who does.
            kind = FindingKind::ExternalWait;
            confidence = Confidence::Possible;
        }
        let is_heard = wait.is_heard || way.iter().any(|link| link.wait.is_heard);
        if (wait.outside.is_some() || is_heard) && live_elsewhere {
            confidence = confidence.and(Confidence::Possible);
        }
        let nobody = matches!(kind, FindingKind::OrphanWait | FindingKind::LostWakeup);
        let blame = if nobody { Vec::new() } else { vec![task] };
        found.push((distance, Cause { kind, way, cycle: Vec::new(), at: task, wait: Some(wait), blame, confidence }));
    }
    if found.iter().all(|(_, cause)| cause.confidence < Confidence::Likely) {
        // All threads of a process are parked for good, and what its tasks say does not tell enough.
        let parked =
            reach.iter().filter_map(|(task, distance)| Some((*distance, parked_cause(graph, &from, *task)?)));
        found.extend(parked.take(1));
    }
    let doubt = graph.confidence(reach.keys().copied());
    for (_, cause) in &mut found {
        cause.way.retain(|link| !graph.is_own_future(link.waiter, link.to));
        if doubt < Confidence::Certain {
            // Another alternative of somebody on the way is less sure than the way itself.
            cause.confidence = cause.confidence.and(Confidence::Likely);
        }
        if from.iter().any(|task| graph.alive(*task) == Liveness::Idle) {
            cause.confidence = cause.confidence.and(Confidence::Likely);
        }
        if !view.snapshot.complete {
            cause.confidence = cause.confidence.and(Confidence::Possible);
        }
    }
    found.sort_by_key(|(distance, cause)| {
        (std::cmp::Reverse(cause.confidence), rank(cause.kind), *distance, cause.at)
    });
    found.into_iter().map(|(_, cause)| cause).collect()
}

fn rank(kind: FindingKind) -> u8 {
    match kind {
        FindingKind::DeadlockCycle | FindingKind::SelfDeadlock | FindingKind::PoolExhausted => 0,
        FindingKind::StoppedHolder | FindingKind::Frozen => 1,
        FindingKind::OrphanWait | FindingKind::LostWakeup => 2,
        FindingKind::TerminalPrompt => 3,
        FindingKind::IdleHolder => 4,
        _ => 5,
    }
}

/// Rings that are dead but for the outside: no more than possible, and told when somebody has said that it hangs.
fn idle_ring_causes<'g>(
    view: &View<'_>,
    graph: &'g Graph,
    from: &[usize],
    reach: &BTreeMap<usize, usize>,
) -> Vec<(usize, Cause<'g>)> {
    let of_run = |task: &usize| view.is_of_run(graph.tasks[*task].key.pid());
    let rings = graph.idle_rings().into_iter().filter(|ring| ring.iter().all(of_run));
    let near = rings.filter_map(|ring| Some((*ring.iter().filter_map(|task| reach.get(task)).min()?, ring)));
    let causes = near.take(NEAREST).filter_map(|(distance, ring)| {
        let mut cause = ring_cause(graph, from, &ring)?;
        cause.confidence = Confidence::Possible;
        Some((distance, cause))
    });
    causes.collect()
}

fn ring_cause<'g>(graph: &'g Graph, from: &[usize], ring: &BTreeSet<usize>) -> Option<Cause<'g>> {
    let cycle = graph.cycle(ring);
    let members: BTreeSet<usize> = cycle.iter().map(|link| link.waiter).collect();
    let way = graph.path(from, &members)?;
    let at = way.last().map(|link| link.to).or_else(|| from.iter().copied().find(|task| members.contains(task)))?;
    let start = cycle.iter().position(|link| link.waiter == at)?;
    let cycle: Vec<Link<'g>> = cycle[start..].iter().chain(&cycle[..start]).copied().collect();
    let pool = cycle.first().map(|link| link.wait).filter(|wait| wait.class == Class::Pool);
    let is_one_pool = pool.is_some_and(|pool| cycle.iter().all(|link| link.wait.key == pool.key));
    let kind = match cycle.len() {
        _ if is_one_pool => FindingKind::PoolExhausted,
        1 => FindingKind::SelfDeadlock,
        _ => FindingKind::DeadlockCycle,
    };
    let confidence = way_confidence(graph, &way, ring);
    let blame = match pool.filter(|_| is_one_pool) {
        Some(pool) => holders(graph, ring, pool),
        None => cycle.iter().map(|link| link.waiter).collect(),
    };
    Some(Cause { kind, way, cycle, at, wait: None, blame, confidence })
}

/// A thread that any thread of its process could wake, and all of them are parked like it.
fn parked_cause<'g>(graph: &'g Graph, from: &[usize], task: usize) -> Option<Cause<'g>> {
    let is_last = graph.links(task).all(|link| graph.tasks[link.to].key.is_async());
    let wait = graph.waits(task).first()?;
    let is_parked = graph.is_parked(task) && !graph.tasks[task].key.is_async();
    if graph.alive(task) != Liveness::Dead || !is_last || !is_parked {
        return None;
    }
    let way = graph.path(from, &[task].into())?;
    let confidence = way_confidence(graph, &way, &[task].into());
    let kind = FindingKind::OrphanWait;
    Some(Cause { kind, way, cycle: Vec::new(), at: task, wait: Some(wait), blame: Vec::new(), confidence })
}

/// Those of a ring who hold a part of a pool.
fn holders(graph: &Graph, ring: &BTreeSet<usize>, pool: &Wait) -> Vec<usize> {
    let held = ring.iter().flat_map(|task| graph.links(*task)).filter(|link| link.wait.key == pool.key);
    let holders: BTreeSet<usize> = held.filter(|link| link.resolver.holds).map(|link| link.to).collect();
    holders.into_iter().take(NEAREST).collect()
}

fn way_confidence(graph: &Graph, way: &[Link<'_>], end: &BTreeSet<usize>) -> Confidence {
    let along = way.iter().fold(Confidence::Certain, |sure, link| {
        let twice = graph.tasks[link.waiter].seen_twice;
        sure.and(link.wait.confidence).and(if twice { Confidence::Certain } else { Confidence::Possible })
    });
    along.and(graph.confidence(end.iter().copied()))
}

/// What ends the chain at a task, if anything does: nobody, or somebody who cannot help.
fn end_of_the_line<'g>(
    view: &View<'_>,
    graph: &'g Graph,
    task: usize,
    is_command: bool,
) -> Option<(FindingKind, &'g Wait, Confidence)> {
    let waits = graph.waits(task);
    let first = waits.first()?;
    if graph.alive(task) == Liveness::Dead {
        // Parked with all of its process, and none of them waits for anything else.
        let nobody = |wait: &Wait| wait.resolvers.iter().all(|resolver| graph.find(resolver.who).is_none());
        let ended = waits.iter().all(nobody) || graph.is_parked(task) && graph.links(task).next().is_none();
        let wait = waits.iter().find(|wait| !wait.class.is_waiting_for_work()).unwrap_or(first);
        let kind = if wait.came_before { FindingKind::LostWakeup } else { FindingKind::OrphanWait };
        return ended.then_some((kind, wait, Confidence::Certain));
    }
    let open = waits.iter().find(|wait| wait.outside.is_some())?;
    let pid = graph.tasks[task].key.pid();
    Some(match open.class {
        Class::Continue | Class::Tracer => (FindingKind::StoppedHolder, open, Confidence::Certain),
        Class::Thaw => (FindingKind::Frozen, open, Confidence::Certain),
        Class::TerminalInput => (FindingKind::TerminalPrompt, open, Confidence::Likely),
        Class::FifoPeer => (FindingKind::OrphanWait, open, Confidence::Likely),
        class if class.is_waiting_for_work() => {
            if is_command && !view.is_declared() {
                return None; // A server without clients is no hang, unless somebody says so.
            }
            let has_no_work = waits.iter().all(|wait| wait.is_for_work(pid));
            if has_no_work && view.is_of_run(pid) && view.is_orphan(pid) {
                (FindingKind::IdleHolder, open, Confidence::Likely)
            } else if has_no_work || !view.is_of_run(pid) {
                (FindingKind::ExternalWait, open, Confidence::Possible)
            } else {
                return None; // It waits for its clients, and so it is no cause.
            }
        }
        _ => (FindingKind::ExternalWait, open, Confidence::Possible),
    })
}
