//! Who can ever go on: live, idle or dead (DESIGN §7), on a plain graph of numbers.
//!
//! ```text
//! acts ──▶ live      outside ──▶ idle      neither: as alive as whoever could end the wait
//! ```
//!
//! A task is as alive as the best of its alternatives (poll waits for *any* of its fds); an alternative is as
//! alive as the worst of what it needs (a writer waits for *all* readers to unlock), and each need as the best of
//! those who can fill it (any thread of the holder). The answer is the *least* such assignment: what nothing makes alive is dead, so a ring that waits for itself is dead.
//! Each step only ever raises a task, hence the order of steps does not matter.
//!
//! Not here: what a resource is, names, confidence.

/// How alive a task is. Ordered: what is more alive can end the waits of what is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Liveness {
    /// Nobody, inside or outside, can ever wake it.
    Dead,
    /// Only the outside could wake it: a new client, a person, a remote host, a signal.
    Idle,
    /// It runs, or waits for a timer, or for something that a live task can end.
    Live,
}

/// One thing that would end a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternative {
    /// All of these have to be filled, each by any of its tasks (by index). Without any, nobody inside can help.
    pub(crate) needs: Vec<Vec<usize>>,
    /// Tasks that could bring it about as well, and count only when they are live: a thread in a pool that is idle
    /// for want of work owes nothing, one that acts may be the one that answers.
    pub(crate) when_live: Vec<usize>,
    /// Whether somebody who is not in the graph could bring it about too.
    pub(crate) open: bool,
}

impl Alternative {
    fn tasks(&self) -> impl Iterator<Item = &usize> {
        self.needs.iter().flatten().chain(&self.when_live)
    }
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// It runs, or a timer will wake it.
    Acts,
    /// It waits for any of these.
    Waits(Vec<Alternative>),
}

/// The liveness of every task.
pub(crate) fn spread(nodes: &[Node]) -> Vec<Liveness> {
    let mut alive: Vec<Liveness> =
        nodes.iter().map(|node| if *node == Node::Acts { Liveness::Live } else { Liveness::Dead }).collect();
    let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (waiter, node) in nodes.iter().enumerate() {
        if let Node::Waits(alternatives) = node {
            for resolver in alternatives.iter().flat_map(Alternative::tasks) {
                waiters[*resolver].push(waiter);
            }
        }
    }
    let mut work: Vec<usize> = (0..nodes.len()).collect();
    while let Some(task) = work.pop() {
        let now = judge(&nodes[task], &alive);
        if now > alive[task] {
            alive[task] = now;
        }
        // A task that acts was never raised, and still has to be told on.
        if now == alive[task] && now > Liveness::Dead {
            work.extend(waiters[task].iter().filter(|waiter| judge(&nodes[**waiter], &alive) > alive[**waiter]));
        }
    }
    alive
}

fn judge(node: &Node, alive: &[Liveness]) -> Liveness {
    let Node::Waits(alternatives) = node else { return Liveness::Live };
    alternatives.iter().map(|alternative| judge_alternative(alternative, alive)).max().unwrap_or(Liveness::Dead)
}

fn judge_alternative(alternative: &Alternative, alive: &[Liveness]) -> Liveness {
    let filled = |need: &Vec<usize>| need.iter().map(|resolver| alive[*resolver]).max().unwrap_or(Liveness::Dead);
    let inside = alternative.needs.iter().map(filled).min();
    let when_live =
        alternative.when_live.iter().map(|task| alive[*task]).filter(|alive| *alive == Liveness::Live).max();
    let outside = if alternative.open { Liveness::Idle } else { Liveness::Dead };
    inside.unwrap_or(Liveness::Dead).max(when_live.unwrap_or(Liveness::Dead)).max(outside)
}

#[cfg(test)]
mod tests;
