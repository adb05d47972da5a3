//! The wait graph of a moment as a tree to walk: who waits, below each who could end that, until a loop closes.
//!
//! ```text
//! sh[10]                      a task that waits: roots are the command and those for whom nobody waits
//! ├─ the exit of make[11]     a way in which its wait could end
//! │  make[11]                 who could bring that about, with its own waits
//! ```
//! A task that stands above already is not unfolded again: where it stands above on the same way, the loop closes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hangdog_analysis::{Waiting, waits, waits_of_phases};
use hangdog_schemas::{Actor, Big, Pid, RunNs, Tid};
use hangdog_timeline::Timeline;

use crate::state::Hop;

/// Nodes that are drawn of one graph.
const MOST: usize = 20_000;

/// Waits below waits deeper than this are not unfolded.
const DEEPEST: usize = 64;

/// The waits of a snapshot are judged as a report's are.
const PATIENCE: Duration = Duration::from_mins(5);

type Who = (Pid, Tid, Option<Big>);

/// The graphs of all snapshots, each worked out when it is first looked at.
pub(crate) struct Graphs {
    of_snapshots: Vec<OnceLock<Arc<Graph>>>,
    /// The one that was looked at last, with what phases add to its snapshot.
    last: Mutex<Option<(RunNs, Arc<Graph>)>>,
}

/// The waits of a moment.
pub(crate) struct Graph {
    pub(crate) waiting: Vec<Waiting>,
    /// The tree from the top down.
    pub(crate) nodes: Vec<Node>,
    /// Whether some were left out.
    pub(crate) left_out: bool,
    places: BTreeMap<Hop, usize>,
}

/// One task in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) hop: Hop,
    pub(crate) depth: usize,
    /// Through which way of which task one comes here; `None` for roots.
    pub(crate) via: Option<(usize, usize)>,
    /// Its place in `waiting`; `None` for one who does not wait, and for a way that ends at nobody.
    pub(crate) task: Option<usize>,
    pub(crate) at: At,
}

/// Where in the tree a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Its waits stand below it.
    Here,
    /// It stands above on the way that leads here.
    LoopCloses,
    /// It stands elsewhere above, with its waits.
    Above,
    /// It waits for nothing that is known.
    Leaf,
    /// Nobody: the way ends.
    Nobody,
}

impl Graphs {
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let of_snapshots = timeline.snapshots().iter().map(|_| OnceLock::new()).collect();
        Self { of_snapshots, last: Mutex::new(None) }
    }

    /// The waits that the newest snapshot at a time shows, and those that only phases tell of which are open then.
    pub(crate) fn at(&self, timeline: &Timeline, t: RunNs) -> Arc<Graph> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, graph)) = last.as_ref()
            && *at == t
        {
            return Arc::clone(graph);
        }
        let graph = self.work_out(timeline, t);
        *last = Some((t, Arc::clone(&graph)));
        graph
    }

    fn work_out(&self, timeline: &Timeline, t: RunNs) -> Arc<Graph> {
        let root = timeline.header().root.pid;
        let later = timeline.snapshots().partition_point(|snapshot| snapshot.begin <= t);
        let seen = later.checked_sub(1).and_then(|at| {
            let graph = || Arc::new(Graph::new(waits(timeline, &timeline.snapshots()[at], PATIENCE), root));
            Some(self.of_snapshots.get(at)?.get_or_init(graph))
        });
        let mut told = waits_of_phases(timeline, t);
        let Some(seen) = seen else { return Arc::new(Graph::new(told, root)) };
        let known: BTreeSet<Who> = seen.waiting.iter().map(|task| who(&task.who)).collect();
        told.retain(|task| !known.contains(&who(&task.who)));
        if told.is_empty() {
            return Arc::clone(seen);
        }
        Arc::new(Graph::new(seen.waiting.iter().cloned().chain(told).collect(), root))
    }
}

impl Graph {
    pub(crate) fn new(waiting: Vec<Waiting>, root: Pid) -> Self {
        let mut index: BTreeMap<Who, usize> = BTreeMap::new();
        for (n, task) in waiting.iter().enumerate() {
            index.entry(who(&task.who)).or_insert(n);
        }
        let resolvers =
            |task: &Waiting| task.waits.iter().filter_map(|way| way.edge.resolver.as_ref()).map(who).collect();
        let waited_for: BTreeSet<Who> = waiting.iter().flat_map(|task| -> Vec<Who> { resolvers(task) }).collect();
        let mut order: Vec<usize> = (0..waiting.len()).collect();
        // The command first, then those who wait for somebody, then those who wait for nobody in particular.
        order.sort_by_key(|n| {
            let task = &waiting[*n];
            let is_root = task.who.pid == root && task.who.tid.0 == root.0;
            let is_top = !waited_for.contains(&who(&task.who));
            let leads = task.waits.iter().any(|way| way.edge.resolver.is_some());
            (!is_root, !(is_top && leads), !leads, *n)
        });
        let mut tree = Tree {
            waiting: &waiting,
            index: &index,
            nodes: Vec::new(),
            shown: BTreeSet::new(),
            times: BTreeMap::new(),
        };
        for task in order {
            if !tree.shown.contains(&task) && tree.nodes.len() < MOST {
                tree.unfold(task, None, 0, &mut Vec::new());
            }
        }
        let left_out = tree.nodes.len() >= MOST;
        let nodes = tree.nodes;
        let places = nodes.iter().enumerate().map(|(n, node)| (node.hop, n)).collect();
        Self { waiting, nodes, left_out, places }
    }

    /// The node of a task that shows its waits, else any of it.
    pub(crate) fn find(&self, pid: Pid, tid: Tid) -> Option<&Node> {
        let is = |node: &&Node| (node.hop.pid, node.hop.tid) == (pid, tid);
        self.nodes.iter().find(|node| is(node) && node.at == At::Here).or_else(|| self.nodes.iter().find(is))
    }

    pub(crate) fn node(&self, hop: Hop) -> Option<&Node> {
        self.places.get(&hop).map(|at| &self.nodes[*at])
    }

    /// The way through which one comes to a node.
    pub(crate) fn way(&self, node: &Node) -> Option<&hangdog_analysis::Way> {
        let (task, way) = node.via?;
        self.waiting.get(task)?.waits.get(way)
    }

    /// Where "why?" leads from a node: to who could end its first wait; from the end of a loop, to where it stands
    /// above.
    pub(crate) fn next(&self, hop: Hop) -> Option<&Node> {
        let at = *self.places.get(&hop)?;
        match self.nodes[at].at {
            At::Here => self.nodes.get(at + 1).filter(|next| next.depth == self.nodes[at].depth + 1),
            At::LoopCloses | At::Above => {
                let same = |node: &&Node| {
                    node.at == At::Here && (node.hop.pid, node.hop.tid, node.hop.task) == (hop.pid, hop.tid, hop.task)
                };
                self.nodes.iter().find(same)
            }
            At::Leaf | At::Nobody => None,
        }
    }
}

pub(crate) fn who(actor: &Actor) -> Who {
    (actor.pid, actor.tid, actor.task)
}

/// A tree that is being drawn.
struct Tree<'a> {
    waiting: &'a [Waiting],
    index: &'a BTreeMap<Who, usize>,
    nodes: Vec<Node>,
    /// Tasks whose waits are drawn.
    shown: BTreeSet<usize>,
    /// How often each was drawn.
    times: BTreeMap<Who, u32>,
}

impl Tree<'_> {
    fn push(&mut self, (pid, tid, task): Who, depth: usize, via: Option<(usize, usize)>, node: (Option<usize>, At)) {
        let time = self.times.entry((pid, tid, task)).or_default();
        let hop = Hop { pid, tid, task, time: *time };
        *time += 1;
        self.nodes.push(Node { hop, depth, via, task: node.0, at: node.1 });
    }

    /// A task and its waits, depth first; `way` are the tasks on the way to it.
    fn unfold(&mut self, task: usize, via: Option<(usize, usize)>, depth: usize, way: &mut Vec<usize>) {
        self.shown.insert(task);
        self.push(who(&self.waiting[task].who), depth, via, (Some(task), At::Here));
        way.push(task);
        for (n, next) in self.waiting[task].waits.iter().enumerate() {
            if self.nodes.len() >= MOST {
                break;
            }
            let via = Some((task, n));
            let Some(resolver) = &next.edge.resolver else {
                // Named after the one who waits: nobody has no name.
                let (pid, tid, own) = who(&self.waiting[task].who);
                self.push((pid, tid, own), depth + 1, via, (None, At::Nobody));
                continue;
            };
            let to = who(resolver);
            match self.index.get(&to).copied() {
                Some(to_task) if way.contains(&to_task) => {
                    self.push(to, depth + 1, via, (Some(to_task), At::LoopCloses));
                }
                Some(to_task) if self.shown.contains(&to_task) || depth >= DEEPEST => {
                    self.push(to, depth + 1, via, (Some(to_task), At::Above));
                }
                Some(to_task) => self.unfold(to_task, via, depth + 1, way),
                None => self.push(to, depth + 1, via, (None, At::Leaf)),
            }
        }
        way.pop();
    }
}
