//! Who waits for whom at one moment, all of it, also where nothing is wrong: for those who walk the waits by hand.
//!
//! ```text
//! snapshot ──▶ graph ──▶ waits()             every task that waits, each of its waits, who could end it
//! phases ──────────────▶ waits_of_phases()   where no snapshot was taken: what open phases say of themselves
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use hangdog_schemas::{Actor, Confidence, Edge, Evidence, FactRef, Resource, ResourceKey, RunNs};
use hangdog_timeline::{Lane, Phase, Snapshot, Timeline};

use crate::graph::{Graph, Link};
use crate::key::Key;
use crate::liveness::Liveness;
use crate::view::View;
use crate::wait::{self, Counts, Wait};
use crate::words;

/// Resolvers of one wait that are listed; a pipe can have a thousand writers.
const LISTED: usize = 8;

/// A task that waits, and for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Who.
    pub who: Actor,
    /// Whether anybody could wake it.
    pub prospect: Prospect,
    /// What it waits for: any of these ends the wait.
    pub waits: Vec<Way>,
}

/// What is to be hoped for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// Nobody, inside or outside, can ever wake it.
    Dead,
    /// Only the outside could wake it.
    Idle,
    /// Something that acts can end its wait.
    Live,
    /// Not known: phases alone do not tell.
    Unknown,
}

/// One way in which a wait could end.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Who could end it is its `resolver`.
    pub edge: Edge,
    /// Who could end it where the edge names nobody.
    pub otherwise: Otherwise,
}

/// Who could end a wait that has no resolver of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Nobody.
    Nobody,
    /// Any thread of the same process.
    AnyThread,
    /// Somebody who is not in the snapshot, in words.
    Outside(&'static str),
    /// So many more like those that are listed.
    More(usize),
    /// Nobody says so.
    Unknown,
}

/// All waits of a snapshot, in the order of processes and threads.
pub fn waits(timeline: &Timeline, snapshot: &Snapshot, patience: Duration) -> Vec<Waiting> {
    let before = timeline.snapshots().iter().rev().find(|earlier| earlier.begin < snapshot.begin && earlier.complete);
    let view = View::new(timeline, snapshot, before, patience);
    let graph = Graph::new(wait::tasks(&view, wait::Limits::End));
    let real = |task: &usize| !matches!(graph.tasks[*task].key, Key::Any(_) | Key::Hidden(_) | Key::Gone(..));
    let waiting = (0..graph.tasks.len()).filter(real).filter(|task| !graph.waits(*task).is_empty());
    waiting
        .map(|task| Waiting {
            who: view.actor(graph.tasks[task].key),
            prospect: match graph.alive(task) {
                Liveness::Dead => Prospect::Dead,
                Liveness::Idle => Prospect::Idle,
                Liveness::Live => Prospect::Live,
            },
            waits: graph.waits(task).iter().flat_map(|wait| ways(&view, &graph, task, wait)).collect(),
        })
        .collect()
}

fn ways(view: &View<'_>, graph: &Graph, task: usize, wait: &Wait) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut more = 0;
    let mut any_thread = false;
    for resolver in wait.resolvers.iter().filter(|resolver| resolver.counts == Counts::Fully) {
        let Some(to) = graph.find(resolver.who) else { continue };
        if matches!(resolver.who, Key::Any(_)) {
            any_thread = true;
        } else if ways.len() < LISTED {
            let link = Link { waiter: task, wait, resolver, to };
            let edge = words::edge(view, graph, task, wait, Some(&link));
            ways.push(Way { edge, otherwise: Otherwise::Nobody });
        } else {
            more += 1;
        }
    }
    let otherwise = match (more, any_thread, wait.outside) {
        (0, true, _) => Some(Otherwise::AnyThread),
        (0, false, Some(whom)) => Some(Otherwise::Outside(whom)),
        (0, false, None) => ways.is_empty().then_some(Otherwise::Nobody),
        (more, ..) => Some(Otherwise::More(more)),
    };
    let edge = || words::edge(view, graph, task, wait, None);
    ways.extend(otherwise.map(|otherwise| Way { edge: edge(), otherwise }));
    ways
}

/// What phases that are open at a time say they wait for, and which other open phases say they hold or serve that.
pub fn waits_of_phases(timeline: &Timeline, t: RunNs) -> Vec<Waiting> {
    let open: Vec<&Phase> = timeline.open_phases_at(t).collect();
    let mut by_resource: BTreeMap<&ResourceKey, Vec<&Phase>> = BTreeMap::new();
    for phase in &open {
        for key in phase.hang.hold.iter().chain(&phase.hang.serve) {
            by_resource.entry(key).or_default().push(phase);
        }
    }
    let waiting = open.iter().filter_map(|phase| Some((*phase, phase.hang.wait.as_ref()?)));
    waiting
        .map(|(phase, key)| {
            let others = by_resource.get(key).map_or(&[][..], Vec::as_slice);
            let others = others.iter().filter(|other| other.id != phase.id);
            let mut waits: Vec<Way> = others
                .clone()
                .take(LISTED)
                .map(|other| Way { edge: said(timeline, t, phase, key, Some(other)), otherwise: Otherwise::Nobody })
                .collect();
            let rest = others.count() - waits.len();
            if rest > 0 || waits.is_empty() {
                let otherwise = if rest > 0 { Otherwise::More(rest) } else { Otherwise::Unknown };
                waits.push(Way { edge: said(timeline, t, phase, key, None), otherwise });
            }
            Waiting { who: actor(timeline, t, phase), prospect: Prospect::Unknown, waits }
        })
        .collect()
}

fn said(timeline: &Timeline, t: RunNs, phase: &Phase, key: &ResourceKey, by: Option<&Phase>) -> Edge {
    let says = |phase: &Phase, what: &str| Evidence {
        text: format!("the phase {} says that it {what} {key}", phase.name),
        facts: vec![FactRef::phase(phase.id)],
    };
    let mut evidence = vec![says(phase, "waits for")];
    if let Some(by) = by {
        evidence.push(says(by, if by.hang.hold.as_ref() == Some(key) { "holds" } else { "serves" }));
    }
    Edge {
        waiter: actor(timeline, t, phase),
        resource: Resource { kind: key.kind().to_owned(), name: key.to_string(), call: None },
        resolver: by.map(|by| actor(timeline, t, by)),
        confidence: Confidence::Possible,
        evidence,
    }
}

fn actor(timeline: &Timeline, t: RunNs, phase: &Phase) -> Actor {
    let process = phase.id.process;
    let tid = match phase.lane() {
        Lane::Thread(thread) => thread.tid,
        Lane::Process(_) | Lane::Task(..) => phase.tid.unwrap_or(hangdog_schemas::Tid(process.pid.0)),
    };
    let names: Vec<&str> = timeline.phase_path(phase).iter().map(|phase| phase.name.as_str()).collect();
    let comm = timeline.process(process).map_or("?", |process| process.comm_at(t)).to_owned();
    Actor { pid: process.pid, tid, task: phase.task, comm, phase: Some(names.join(" > ")) }
}
