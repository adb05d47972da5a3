//! Which of many intervals hold a moment, without looking at all of them.
//!
//! Intervals are ordered by their begin; over them lies a tree with the latest end below each node:
//!
//! ```text
//!             9                 latest end of all four
//!         5       9
//!       5   3   4   9           ends, in the order of the begins
//! ```
//!
//! Those that hold `t` have begun (a prefix of the order) and end later (descend where the latest end is later).
//! With `k` answers among `n` intervals that takes `O((k + 1) log n)` steps; the tree takes 20 bytes an interval.

use hangdog_schemas::RunNs;

/// Intervals `begin..end`, known by their number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intervals {
    /// Numbers of the intervals, by begin.
    order: Vec<u32>,
    begins: Vec<RunNs>,
    /// A complete binary tree in heap order: the children of `i` are `2i` and `2i + 1`, leaves come last.
    latest: Vec<RunNs>,
    leaves: usize,
}

impl Intervals {
    /// Indexes intervals; the `n`th one has the number `n`. `RunNs(u64::MAX)` is an end that never came.
    pub(crate) fn new(intervals: &[(RunNs, RunNs)]) -> Self {
        let count = u32::try_from(intervals.len()).expect("memory ends before 2^32 intervals");
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by_key(|n| intervals[*n as usize].0);
        let begins = order.iter().map(|n| intervals[*n as usize].0).collect();
        let leaves = order.len().next_power_of_two();
        let mut latest = vec![RunNs(0); 2 * leaves];
        for (leaf, n) in order.iter().enumerate() {
            latest[leaves + leaf] = intervals[*n as usize].1;
        }
        for node in (1..leaves).rev() {
            latest[node] = latest[2 * node].max(latest[2 * node + 1]);
        }
        Self { order, begins, latest, leaves }
    }

    /// Those with `begin <= t < end`, by begin.
    pub(crate) fn at(&self, t: RunNs) -> impl Iterator<Item = usize> {
        let begun = self.begins.partition_point(|begin| *begin <= t);
        self.ending_after(begun, t)
    }

    /// Those that share a moment with `from..=to`, by begin. One without length counts where it stands.
    pub(crate) fn between(&self, from: RunNs, to: RunNs) -> impl Iterator<Item = usize> {
        let before = self.begins.partition_point(|begin| *begin < from);
        let begun = self.begins.partition_point(|begin| *begin <= to).max(before);
        self.ending_after(before, from).chain(self.order[before..begun].iter().map(|n| *n as usize))
    }

    /// Of the first `prefix` intervals those that end after `t`.
    fn ending_after(&self, prefix: usize, t: RunNs) -> impl Iterator<Item = usize> {
        // An end that never came is later than any time that can be asked for.
        let t = t.min(RunNs(u64::MAX - 1));
        // Nodes to look at: number, first leaf, number of leaves. At most one waits on each level.
        let mut waiting = vec![(1, 0, self.leaves)];
        std::iter::from_fn(move || {
            while let Some((node, first, leaves)) = waiting.pop() {
                if first >= prefix || self.latest[node] <= t {
                    continue;
                }
                if leaves == 1 {
                    return Some(self.order[first] as usize);
                }
                let half = leaves / 2;
                waiting.push((2 * node + 1, first + half, half));
                waiting.push((2 * node, first, half));
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_are_those_of_a_plain_search(
            intervals in prop::collection::vec((0..50_u64, 0..20_u64), 0..60),
            t in 0..60_u64,
            length in 0..20_u64,
        ) {
            let intervals: Vec<(RunNs, RunNs)> =
                intervals.iter().map(|(begin, length)| (RunNs(*begin), RunNs(begin + length))).collect();
            let index = Intervals::new(&intervals);
            let sorted = |mut found: Vec<usize>| { found.sort_unstable(); found };

            let plain = |holds: &dyn Fn(RunNs, RunNs) -> bool| -> Vec<usize> {
                (0..intervals.len()).filter(|n| holds(intervals[*n].0, intervals[*n].1)).collect()
            };
            let (from, to) = (RunNs(t), RunNs(t + length));
            let at = plain(&|begin, end| begin <= from && from < end);
            prop_assert_eq!(sorted(index.at(from).collect()), at);
            let between = plain(&|begin, end| begin <= to && (end > from || begin >= from));
            prop_assert_eq!(sorted(index.between(from, to).collect()), between);
        }
    }
}
