//! The wait graph of a snapshot: tasks, who could end whose wait, and how alive each is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hangdog_schemas::Confidence;

use crate::liveness::{Alternative, Liveness, Node, spread};
use crate::wait::{Class, Resolver, Rest, Task, ThreadKey, Wait};

/// A wait of one task for one resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'g> {
    pub(crate) waiter: usize,
    pub(crate) wait: &'g Wait,
    pub(crate) resolver: &'g Resolver,
    pub(crate) to: usize,
}

/// What makes one ring a better story than another; the least is told.
type CycleWeight = (bool, usize, usize, std::cmp::Reverse<usize>);

/// Tasks with their waits joined to tasks.
pub(crate) struct Graph {
    pub(crate) tasks: Vec<Task>,
    index: BTreeMap<ThreadKey, usize>,
    alive: Vec<Liveness>,
}

impl Graph {
    pub(crate) fn new(tasks: Vec<Task>) -> Self {
        let index: BTreeMap<ThreadKey, usize> = tasks.iter().enumerate().map(|(i, task)| (task.key, i)).collect();
        let nodes: Vec<Node> = tasks.iter().map(|task| node(task, &index)).collect();
        let alive = spread(&nodes);
        Self { tasks, index, alive }
    }

    pub(crate) fn find(&self, key: ThreadKey) -> Option<usize> {
        self.index.get(&key).copied()
    }

    pub(crate) fn alive(&self, task: usize) -> Liveness {
        self.alive[task]
    }

    pub(crate) fn waits(&self, task: usize) -> &[Wait] {
        match &self.tasks[task].rest {
            Rest::Waits(waits) => waits,
            _ => &[],
        }
    }

    pub(crate) fn is_ended(&self, task: usize) -> bool {
        matches!(self.tasks[task].rest, Rest::Ended)
    }

    /// Waits of a task on tasks that cannot help it now: everything that is not live. Named threads first.
    pub(crate) fn links(&self, task: usize) -> Vec<Link<'_>> {
        let mut links: Vec<Link<'_>> = Vec::new();
        for wait in self.waits(task) {
            for resolver in &wait.resolvers {
                let Some(to) = self.find(resolver.thread) else { continue };
                if self.alive[to] != Liveness::Live && !self.is_ended(to) && !links.iter().any(|link| link.to == to) {
                    links.push(Link { waiter: task, wait, resolver, to });
                }
            }
        }
        links.sort_by_key(|link| (!link.resolver.exact, link.to));
        links
    }

    /// Tasks that some tasks wait for, directly or not, themselves included; with the distance.
    pub(crate) fn reach(&self, from: impl IntoIterator<Item = usize>) -> BTreeMap<usize, usize> {
        let mut distance: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue: VecDeque<usize> = VecDeque::new();
        for task in from {
            if distance.insert(task, 0).is_none() {
                queue.push_back(task);
            }
        }
        while let Some(task) = queue.pop_front() {
            let next = distance[&task] + 1;
            for link in self.links(task) {
                distance.entry(link.to).or_insert_with(|| {
                    queue.push_back(link.to);
                    next
                });
            }
        }
        distance
    }

    /// The shortest way along waits from any of `from` to any of `to`; empty when `from` is there already.
    pub(crate) fn path(&self, from: &[usize], to: &BTreeSet<usize>) -> Option<Vec<Link<'_>>> {
        if from.iter().any(|task| to.contains(task)) {
            return Some(Vec::new());
        }
        let mut came: BTreeMap<usize, Link<'_>> = BTreeMap::new();
        let mut queue: VecDeque<usize> = from.iter().copied().collect();
        let mut seen: BTreeSet<usize> = from.iter().copied().collect();
        while let Some(task) = queue.pop_front() {
            for link in self.links(task) {
                if !seen.insert(link.to) {
                    continue;
                }
                came.insert(link.to, link);
                if to.contains(&link.to) {
                    let mut way = vec![link];
                    while let Some(before) = came.get(&way[way.len() - 1].waiter) {
                        way.push(*before);
                    }
                    way.reverse();
                    return Some(way);
                }
                queue.push_back(link.to);
            }
        }
        None
    }

    /// Dead tasks that wait for each other in a ring and for nobody else: the roots of the dead set. Tasks that
    /// wait for themselves count.
    pub(crate) fn rings(&self) -> Vec<BTreeSet<usize>> {
        let dead: Vec<usize> = (0..self.tasks.len())
            .filter(|task| self.alive[*task] == Liveness::Dead && !self.waits(*task).is_empty())
            .collect();
        let reach: BTreeMap<usize, BTreeSet<usize>> = dead
            .iter()
            .map(|task| {
                let next: Vec<usize> = self.links(*task).iter().map(|link| link.to).collect();
                (*task, self.reach(next).into_keys().collect())
            })
            .collect();
        let mut rings: Vec<BTreeSet<usize>> = Vec::new();
        for task in &dead {
            let own = &reach[task];
            if !own.contains(task) || rings.iter().any(|ring| ring.contains(task)) {
                continue;
            }
            let ring: BTreeSet<usize> = own
                .iter()
                .copied()
                .filter(|other| reach.get(other).is_some_and(|back| back.contains(task)))
                .collect();
            // Terminal: whatever it reaches reaches it back. Others only wait for such a ring.
            if own.iter().all(|other| ring.contains(other)) {
                rings.push(ring);
            }
        }
        rings
    }

    /// The shortest closed way within a ring, named threads preferred.
    pub(crate) fn cycle(&self, ring: &BTreeSet<usize>) -> Vec<Link<'_>> {
        let mut best: Option<(CycleWeight, Vec<Link<'_>>)> = None;
        for start in ring {
            for first in self.links(*start).into_iter().filter(|link| ring.contains(&link.to)) {
                let Some(rest) = self.path(&[first.to], &[*start].into()) else { continue };
                let mut cycle = vec![first];
                cycle.extend(rest);
                let guesses = cycle.iter().filter(|link| !link.resolver.exact).count();
                let processes: BTreeSet<_> = cycle.iter().map(|link| self.tasks[link.waiter].key.0).collect();
                // A ring of guesses among the threads of one process is the least likely one.
                let is_guess = guesses > 0 && processes.len() == 1 && cycle.len() > 1;
                let weight = (is_guess, cycle.len(), guesses, std::cmp::Reverse(processes.len()));
                if best.as_ref().is_none_or(|(least, _)| weight < *least) {
                    best = Some((weight, cycle));
                }
            }
        }
        best.map(|(_, cycle)| cycle).unwrap_or_default()
    }

    /// As sure as the least sure wait of these tasks; a wait that was seen once only is at most possible.
    pub(crate) fn confidence(&self, tasks: impl IntoIterator<Item = usize>) -> Confidence {
        tasks.into_iter().fold(Confidence::Certain, |sure, task| {
            let waits =
                self.waits(task).iter().filter(|wait| wait.class != Class::Signal || self.waits(task).len() == 1);
            let least = waits.map(|wait| wait.confidence).min().unwrap_or(Confidence::Certain);
            let twice = if self.tasks[task].seen_twice { Confidence::Certain } else { Confidence::Possible };
            sure.and(least).and(twice)
        })
    }
}

fn node(task: &Task, index: &BTreeMap<ThreadKey, usize>) -> Node {
    match &task.rest {
        Rest::Acts | Rest::Timed(_) | Rest::Opaque(_) => Node::Acts,
        Rest::Ended => Node::Waits(Vec::new()),
        Rest::Waits(waits) => Node::Waits(
            waits
                .iter()
                .map(|wait| Alternative { needs: needs(wait, index), open: wait.outside.is_some() })
                .collect(),
        ),
    }
}

fn needs(wait: &Wait, index: &BTreeMap<ThreadKey, usize>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for resolver in &wait.resolvers {
        if let Some(task) = index.get(&resolver.thread) {
            groups.entry(resolver.group).or_default().push(*task);
        }
    }
    groups.into_values().collect()
}
