//! The wait graph of a snapshot: tasks, who could end whose wait, and how alive each is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hangdog_schemas::{Confidence, Pid};

use crate::key::Key;
use crate::liveness::{Alternative, Liveness, Node, spread};
use crate::wait::{Class, Counts, Resolver, Rest, Task, Wait};

/// A wait of one task for one resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'g> {
    pub(crate) waiter: usize,
    pub(crate) wait: &'g Wait,
    pub(crate) resolver: &'g Resolver,
    pub(crate) to: usize,
}

/// What makes one ring a better story than another; the least is told.
type CycleWeight = (bool, bool, usize, usize, std::cmp::Reverse<usize>);

/// Async tasks of a process that are looked at as what its parked threads wait for.
const STUCK: usize = 64;

/// Tasks with their waits joined to tasks.
pub(crate) struct Graph {
    pub(crate) tasks: Vec<Task>,
    index: BTreeMap<Key, usize>,
    alive: Vec<Liveness>,
    links: Vec<Vec<LinkAt>>,
    rings: Vec<BTreeSet<usize>>,
    /// Async tasks that can never go on, by process: what its parked threads wait for in the end.
    stuck: BTreeMap<Pid, Vec<usize>>,
}

/// A [`Link`] by numbers: which wait of the waiter, which resolver of the wait, which task.
#[derive(Clone, Copy, Debug)]
struct LinkAt {
    wait: usize,
    resolver: usize,
    to: usize,
}

impl Graph {
    pub(crate) fn new(tasks: Vec<Task>) -> Self {
        let index: BTreeMap<Key, usize> = tasks.iter().enumerate().map(|(i, task)| (task.key, i)).collect();
        let nodes: Vec<Node> = tasks.iter().map(|task| node(task, &index)).collect();
        let alive = spread(&nodes);
        let (links, rings, stuck) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut graph = Self { tasks, index, alive, links, rings, stuck };
        graph.stuck = graph.find_stuck_tasks();
        graph.links = (0..graph.tasks.len()).map(|task| graph.join(task)).collect();
        graph.rings = graph.find_rings();
        graph
    }

    pub(crate) fn find(&self, key: Key) -> Option<usize> {
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
    pub(crate) fn links(&self, task: usize) -> impl Iterator<Item = Link<'_>> {
        let waits = self.waits(task);
        self.links[task].iter().map(move |at| {
            let wait = &waits[at.wait];
            Link { waiter: task, wait, resolver: &wait.resolvers[at.resolver], to: at.to }
        })
    }

    fn join(&self, task: usize) -> Vec<LinkAt> {
        let mut links: Vec<LinkAt> = Vec::new();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let waits = self.waits(task);
        // What would merely wake it is told where nothing else is known of who could.
        let mut order: Vec<(usize, &Wait)> = waits.iter().enumerate().collect();
        let pid = self.tasks[task].key.pid();
        order.sort_by_key(|(_, wait)| wait.is_for_work(pid));
        for (wait, Wait { resolvers, .. }) in order {
            let told = |(_, resolver): &(usize, &Resolver)| resolver.counts == Counts::Fully;
            for (resolver, Resolver { who, .. }) in resolvers.iter().enumerate().filter(told) {
                let stuck = self.find(*who).map(|to| self.stuck_behind(task, to)).unwrap_or_default();
                links.extend(stuck.into_iter().filter(|to| seen.insert(*to)).map(|to| LinkAt { wait, resolver, to }));
            }
        }
        let own = self.tasks[task].key;
        if let Some(wait) = waits.iter().position(|wait| wait.class == Class::Event && !wait.resolvers.is_empty())
            && own.thread().is_some()
        {
            // An eventfd or a futex of its own process: somebody whom it polls would have been the one to wake it.
            let stuck = self.stuck_tasks(task, own.pid()).filter(|to| seen.insert(*to));
            let count = links.len();
            links.extend(stuck.map(|to| LinkAt { wait, resolver: 0, to }));
            if links.len() > count {
                links.retain(|link| link.to != task);
            }
        }
        let own_future = |to: usize| self.is_own_future(task, to);
        links.sort_by_key(|at| (!waits[at.wait].resolvers[at.resolver].exact, !own_future(at.to), at.to));
        links
    }

    /// Whether a task is the future that a thread runs: in words both are the same.
    pub(crate) fn is_own_future(&self, thread: usize, future: usize) -> bool {
        match (self.tasks[thread].key, self.tasks[future].key) {
            (Key::Thread(pid, tid), Key::Future(of, by)) => (pid, tid) == (of, by),
            _ => false,
        }
    }

    /// A task that cannot help now; of "any thread" those that wait for something else than each other, and the
    /// async tasks of the process.
    fn stuck_behind(&self, waiter: usize, task: usize) -> Vec<usize> {
        let is_stuck = |task: &usize| self.alive[*task] != Liveness::Live && !self.is_ended(*task);
        match &self.tasks[task].rest {
            Rest::AnyOf(members) => {
                let mut tasks: Vec<usize> = self.stuck_tasks(waiter, self.tasks[task].key.pid()).collect();
                let is_task = self.tasks[waiter].key.is_async();
                let may_be_told = |member: &usize| tasks.is_empty() && !is_task || !self.is_at_rest(*member);
                let threads: Vec<usize> = members
                    .iter()
                    .filter_map(|key| self.find(*key))
                    .filter(|member| is_stuck(member) && !self.is_parked(*member))
                    .filter(may_be_told)
                    .collect();
                // Who waits for the end of a thread of his may hold what that thread wants. With others parked beside
                // it, one of those is as likely, and no single one is told.
                let joins = |member: &usize| self.waits(*member).iter().all(|wait| wait.class == Class::ThreadExit);
                let is_beside = |key: &Key| {
                    let other = self.find(*key).filter(|other| *other != waiter);
                    other.is_some_and(|other| self.alive[other] == Liveness::Dead && self.is_parked(other))
                };
                if !threads.iter().all(joins) || !members.iter().any(is_beside) {
                    tasks.extend(threads);
                }
                tasks
            }
            _ => Some(task).filter(is_stuck).into_iter().collect(),
        }
    }

    /// The async tasks of a process to which the wait of a dead task comes down. One who is among them by a mere
    /// guess (he waits for anybody too) comes down to nobody.
    fn stuck_tasks(&self, waiter: usize, pid: Pid) -> impl Iterator<Item = usize> {
        let stuck = self.stuck.get(&pid).filter(|_| self.alive[waiter] == Liveness::Dead);
        let is_guess = self.is_parked(waiter) && stuck.is_some_and(|stuck| stuck.contains(&waiter));
        stuck.into_iter().flatten().copied().filter(move |_| !is_guess)
    }

    /// Those that wait for somebody in particular; where there are none, those that say what they wait for.
    fn find_stuck_tasks(&self) -> BTreeMap<Pid, Vec<usize>> {
        let mut named: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
        let mut stuck: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
        for (task, Task { key, .. }) in self.tasks.iter().enumerate() {
            if self.alive[task] != Liveness::Dead {
                continue;
            }
            let says_its_wait = self.waits(task).iter().any(|wait| !wait.class.is_waiting_for_work());
            if key.is_async() && !self.is_parked(task) {
                stuck.entry(key.pid()).or_default().push(task);
            } else if self.is_parked(task) && says_its_wait {
                named.entry(key.pid()).or_default().push(task);
            }
        }
        for (pid, tasks) in named {
            stuck.entry(pid).or_insert(tasks);
        }
        // Each of them leads to a cause; so many are enough.
        for tasks in stuck.values_mut() {
            tasks.truncate(STUCK);
        }
        stuck
    }

    /// Whether a task waits for nothing but a wake-up by any thread of its own process.
    pub(crate) fn is_parked(&self, task: usize) -> bool {
        let waits = self.waits(task);
        !waits.is_empty()
            && waits
                .iter()
                .all(|wait| wait.resolvers.iter().all(|r| matches!(r.who, Key::Any(_))) && wait.outside.is_none())
    }

    /// Other threads that are parked like this dead one, in its process or at memory that processes share: none of
    /// them is left to wake another. None where threads are parked for want of async tasks: there the tasks are the
    /// story.
    pub(crate) fn parked_beside(&self, task: usize) -> Vec<usize> {
        let pid = self.tasks[task].key.pid();
        let is_shared = |task: usize| self.waits(task).iter().any(|wait| wait.class == Class::SharedEvent);
        let is_parked = |other: &usize| {
            self.alive[*other] == Liveness::Dead
                && self.tasks[*other].key.thread().is_some()
                && self.is_parked(*other)
        };
        let shared = is_shared(task);
        let is_beside = |other: &usize| if shared { is_shared(*other) } else { self.tasks[*other].key.pid() == pid };
        let of_process = |key: Key| key.pid() == pid && key.is_async();
        if !is_parked(&task) || self.tasks.iter().any(|other| of_process(other.key)) {
            return Vec::new();
        }
        (0..self.tasks.len()).filter(|other| *other != task && is_beside(other) && is_parked(other)).collect()
    }

    /// Whether a thread only waits for events of its own process: where a runtime waits for what its tasks want.
    fn is_at_rest(&self, task: usize) -> bool {
        let pid = self.tasks[task].key.pid();
        self.waits(task).iter().all(|wait| {
            matches!(wait.class, Class::Event | Class::UnixData)
                && wait.outside.is_none()
                && wait.resolvers.iter().all(|resolver| resolver.who.pid() == pid)
        })
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
    pub(crate) fn rings(&self) -> &[BTreeSet<usize>] {
        &self.rings
    }

    fn find_rings(&self) -> Vec<BTreeSet<usize>> {
        let next: Vec<Vec<usize>> = (0..self.tasks.len())
            .map(|task| match self.alive[task] {
                Liveness::Dead => self.links(task).map(|link| link.to).collect(),
                _ => Vec::new(),
            })
            .collect();
        closed(&next, |task| self.alive[task] == Liveness::Dead)
    }

    /// Idle tasks that wait for each other in a ring: but for the outside (a signal, a new client) it would be dead.
    /// What a task without work waits for does not count, nor do tasks that wait for nothing else.
    pub(crate) fn idle_rings(&self) -> Vec<BTreeSet<usize>> {
        let pid = |task: usize| self.tasks[task].key.pid();
        let is_firm = |task, wait: &Wait| !wait.is_for_work(pid(task)) && wait.class != Class::SharedEvent;
        let owes = |task: usize| {
            self.alive[task] == Liveness::Idle && self.waits(task).iter().any(|wait| is_firm(task, wait))
        };
        let owed = |task: usize| -> Vec<usize> {
            let links = self.links(task).filter(|link| owes(task) && is_firm(task, link.wait));
            links.map(|link| link.to).filter(|to| owes(*to)).collect()
        };
        let next: Vec<Vec<usize>> = (0..self.tasks.len()).map(owed).collect();
        closed(&next, owes)
    }

    /// The shortest closed way within a ring, named threads preferred.
    pub(crate) fn cycle(&self, ring: &BTreeSet<usize>) -> Vec<Link<'_>> {
        let mut best: Option<(CycleWeight, Vec<Link<'_>>)> = None;
        for start in ring {
            let own = self.tasks[*start].key.pid();
            for first in self.links(*start).filter(|link| ring.contains(&link.to)) {
                let Some(rest) = self.path(&[first.to], &[*start].into()) else { continue };
                let mut cycle = vec![first];
                cycle.extend(rest);
                let guesses = cycle.iter().filter(|link| !link.resolver.exact).count();
                let processes: BTreeSet<_> = cycle.iter().map(|link| self.tasks[link.waiter].key.pid()).collect();
                // A ring of guesses among the threads of one process is the least likely one.
                let is_guess = guesses > 0 && processes.len() == 1 && cycle.len() > 1;
                // That it could end its own wait says less than that another process could: ends of pipes are
                // inherited.
                let is_alone = cycle.len() == 1 && ring.iter().any(|other| self.tasks[*other].key.pid() != own);
                let weight = (is_guess, is_alone, cycle.len(), guesses, std::cmp::Reverse(processes.len()));
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

fn node(task: &Task, index: &BTreeMap<Key, usize>) -> Node {
    match &task.rest {
        Rest::Acts | Rest::Timed(_) | Rest::Opaque(_) => Node::Acts,
        Rest::Ended => Node::Waits(Vec::new()),
        Rest::AnyOf(members) => {
            let any = members.iter().filter_map(|key| index.get(key).copied()).collect();
            Node::Waits(vec![Alternative { needs: vec![any], when_live: Vec::new(), open: false }])
        }
        Rest::Waits(waits) => Node::Waits(waits.iter().map(|wait| alternative(wait, index)).collect()),
    }
}

fn alternative(wait: &Wait, index: &BTreeMap<Key, usize>) -> Alternative {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut when_live = Vec::new();
    for resolver in &wait.resolvers {
        match (resolver.counts, index.get(&resolver.who)) {
            (Counts::WhenLive, task) => when_live.extend(task),
            (_, Some(task)) => groups.entry(resolver.group).or_default().push(*task),
            // Nothing comes of a thread that has ended, and yet it is needed.
            (_, None) if matches!(resolver.who, Key::Gone(..)) => _ = groups.entry(resolver.group).or_default(),
            (_, None) => {}
        }
    }
    Alternative { needs: groups.into_values().collect(), when_live, open: wait.outside.is_some() }
}

/// Rings of such tasks that are terminal: whatever a member waits for is a member. Others only wait for such a ring.
fn closed(next: &[Vec<usize>], is_one: impl Fn(usize) -> bool) -> Vec<BTreeSet<usize>> {
    components(next)
        .into_iter()
        .filter(|ring| ring.iter().all(|task| is_one(*task)))
        .filter(|ring| ring.len() > 1 || ring.iter().all(|task| next[*task].contains(task)))
        .filter(|ring| ring.iter().all(|task| next[*task].iter().all(|to| ring.contains(to))))
        .collect()
}

/// Strongly connected components (Tarjan 1972), without recursion.
fn components(next: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
    const NEW: usize = usize::MAX;
    let mut order = vec![NEW; next.len()];
    let mut low = vec![NEW; next.len()];
    let mut on_stack = vec![false; next.len()];
    let mut stack: Vec<usize> = Vec::new();
    let mut found: Vec<BTreeSet<usize>> = Vec::new();
    let mut count = 0;
    for start in 0..next.len() {
        if order[start] != NEW {
            continue;
        }
        let mut work: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((task, child)) = work.pop() {
            if child == 0 {
                order[task] = count;
                low[task] = count;
                count += 1;
                stack.push(task);
                on_stack[task] = true;
            } else {
                low[task] = low[task].min(low[next[task][child - 1]]);
            }
            let step = (child..next[task].len()).find(|i| {
                let to = next[task][*i];
                if order[to] != NEW && on_stack[to] {
                    low[task] = low[task].min(order[to]);
                }
                order[to] == NEW
            });
            if let Some(i) = step {
                work.push((task, i + 1));
                work.push((next[task][i], 0));
                continue;
            }
            if low[task] == order[task] {
                let mut component = BTreeSet::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.insert(member);
                    if member == task {
                        break;
                    }
                }
                found.push(component);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::components;

    /// Two tasks are in one component when each reaches the other.
    fn by_reach(next: &[Vec<usize>]) -> BTreeSet<BTreeSet<usize>> {
        let reach = |from: usize| {
            let mut seen = BTreeSet::from([from]);
            let mut work = vec![from];
            while let Some(task) = work.pop() {
                work.extend(next[task].iter().copied().filter(|to| seen.insert(*to)));
            }
            seen
        };
        let all: Vec<BTreeSet<usize>> = (0..next.len()).map(reach).collect();
        (0..next.len()).map(|a| all[a].iter().copied().filter(|b| all[*b].contains(&a)).collect()).collect()
    }

    proptest! {
        #[test]
        fn components_are_those_that_reach_each_other(
            next in (1_usize..9).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(0..n, 0..4), n))
        ) {
            let found = components(&next);
            prop_assert_eq!(found.iter().map(BTreeSet::len).sum::<usize>(), next.len());
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), by_reach(&next));
        }
    }
}
