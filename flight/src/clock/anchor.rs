//! The clocks of a process read together, so that times of one can be told in another.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::read::ns;
use super::{ClockSource, tsc};
use crate::layout::{anchor, gap, header};
use crate::sync::{AtomicU64, fence};

/// The clocks of a process read together, and what its times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// `CLOCK_MONOTONIC`, ns.
    pub monotonic_ns: u64,
    /// `CLOCK_BOOTTIME`, ns.
    pub boottime_ns: u64,
    /// `CLOCK_REALTIME`, ns since 1970. The same in every time namespace, so two anchors can be compared by it.
    pub realtime_ns: u64,
    /// What the recording's times come from.
    pub source: ClockSource,
    /// Resolution of that source: a recorded time is at most this many ns too early, gaps of the tick aside.
    pub resolution_ns: u64,
}

/// What a reader needs to tell times.
#[derive(Clone, Debug)]
pub(crate) struct Anchors {
    pub(crate) first: Anchor,
    /// Two pairs of time stamp counter and `CLOCK_MONOTONIC`, apart.
    tsc: Option<[(u64, u64); 2]>,
    /// Gaps of the tick.
    gaps: Vec<(u64, u64)>,
}

/// How much `CLOCK_MONOTONIC` may have been slewed against the counter, apart from what both anchors show: 61 ppm.
const DRIFT_SHIFT: u32 = 14;
/// How often to look when something came between two clocks.
const LOOKS: usize = 8;
/// A look at all clocks that takes no longer was not disturbed, ns.
const UNDISTURBED: u64 = 1_000;

/// A look at all clocks.
struct Look([u64; anchor::WORDS]);

impl Look {
    /// The best of some: an interrupt between two clocks would put them apart for good.
    fn take(source: ClockSource) -> Self {
        let mut best = Self::once(source);
        for _ in 1..LOOKS {
            if best.0[anchor::WITHIN] <= UNDISTURBED {
                break;
            }
            let next = Self::once(source);
            if next.0[anchor::WITHIN] < best.0[anchor::WITHIN] {
                best = next;
            }
        }
        best
    }

    fn once(source: ClockSource) -> Self {
        let mut words = [0; anchor::WORDS];
        words[anchor::MONOTONIC] = ns(libc::CLOCK_MONOTONIC);
        words[anchor::TSC] = if source == ClockSource::Tsc { tsc::now() } else { 0 };
        words[anchor::BOOTTIME] = ns(libc::CLOCK_BOOTTIME);
        words[anchor::REALTIME] = ns(libc::CLOCK_REALTIME);
        words[anchor::WITHIN] = ns(libc::CLOCK_MONOTONIC).saturating_sub(words[anchor::MONOTONIC]);
        Self(words)
    }

    fn write(&self, to: &[AtomicU64], number: u64) {
        to[anchor::NUMBER].store(0, Relaxed);
        // Readers must not see what follows under the old number.
        fence(Release);
        for (to, word) in to.iter().zip(&self.0[..anchor::NUMBER]) {
            to.store(*word, Relaxed);
        }
        to[anchor::NUMBER].store(number, Release);
    }
}

/// Writes the anchor of the start.
pub(crate) fn write_first(head: &[AtomicU64], source: ClockSource) {
    Look::take(source).write(&head[header::FIRST_ANCHOR..][..anchor::WORDS], 1);
}

/// Writes a later anchor. One thread does so at a time.
pub(crate) fn write_later(head: &[AtomicU64], source: ClockSource) {
    let copies = head[header::LATER_ANCHORS..][..2 * anchor::WORDS].chunks_exact(anchor::WORDS);
    let numbers = copies.clone().map(|copy| copy[anchor::NUMBER].load(Relaxed));
    let newest = numbers.max().unwrap_or(0);
    if let Some((copy, _)) = copies.zip(0_u64..).find(|(_, at)| *at == newest.wrapping_add(1) & 1) {
        Look::take(source).write(copy, newest.wrapping_add(1).max(1));
    }
}

impl Anchors {
    /// From two copies of the header page, one after the other. Any words give some answer.
    pub(crate) fn read(head: &[u64], later_head: &[u64]) -> Self {
        let source = ClockSource::from_number(head[header::CLOCK_SOURCE]);
        let first = &head[header::FIRST_ANCHOR..][..anchor::WORDS];
        // One of the two may be written at this moment: then the copies differ.
        let copies = |head| {
            <[u64]>::chunks_exact(
                &<[u64]>::split_at(head, header::LATER_ANCHORS).1[..2 * anchor::WORDS],
                anchor::WORDS,
            )
        };
        let later = copies(head)
            .zip(copies(later_head))
            .filter(|(one, two)| one == two && one[anchor::NUMBER] != 0)
            .map(|(copy, _)| copy)
            .max_by_key(|copy| copy[anchor::NUMBER]);
        let pair = |words: &[u64]| (words[anchor::TSC], words[anchor::MONOTONIC]);
        let tsc = later.map(|later| [pair(first), pair(later)]);
        let tsc = tsc.filter(|[one, two]| source == ClockSource::Tsc && one.0 < two.0 && one.1 < two.1);
        let gaps = later_head[header::GAPS..][..gap::COUNT * gap::WORDS].chunks_exact(gap::WORDS);
        let gaps = gaps.map(|words| (words[0], words[1])).filter(|(from, to)| from < to).collect();
        let first = Anchor {
            monotonic_ns: first[anchor::MONOTONIC],
            boottime_ns: first[anchor::BOOTTIME],
            realtime_ns: first[anchor::REALTIME],
            source,
            resolution_ns: head[header::CLOCK_RESOLUTION],
        };
        Self { first, tsc, gaps }
    }

    /// A recorded time in ns of the owner's `CLOCK_MONOTONIC`, and how many ns later it may have been.
    pub(crate) fn tell(&self, ticks: u64) -> (u64, u64) {
        match (self.first.source, self.tsc) {
            (ClockSource::Tsc, Some([one, two])) => {
                let ns = between(one, two, ticks);
                let apart = ns.abs_diff(one.1).min(ns.abs_diff(two.1));
                (ns, self.first.resolution_ns.saturating_add(apart >> DRIFT_SHIFT))
            }
            // Recorded within the first moments, before the rate of the counter was known.
            (ClockSource::Tsc, None) => (self.first.monotonic_ns, super::tick::FIRST_ANCHOR_AFTER_NS),
            _ => {
                let gap = self.gaps.iter().find(|(from, _)| *from == ticks).map_or(0, |(from, to)| to - from);
                (ticks, gap.max(self.first.resolution_ns))
            }
        }
    }
}

/// The line through two points, at `ticks`.
fn between(one: (u64, u64), two: (u64, u64), ticks: u64) -> u64 {
    let run = i128::from(two.0) - i128::from(one.0);
    let rise = i128::from(two.1) - i128::from(one.1);
    let ns = i128::from(one.1) + (i128::from(ticks) - i128::from(one.0)) * rise / run.max(1);
    u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: ClockSource, ticks: u64, expected: (u64, u64)) {
        let mut head = vec![0; header::WORDS];
        head[header::CLOCK_SOURCE] = source.number();
        head[header::CLOCK_RESOLUTION] = 20;
        head[header::FIRST_ANCHOR + anchor::MONOTONIC] = 1_000;
        head[header::FIRST_ANCHOR + anchor::TSC] = 5_000;
        for (copy, (number, ns, tsc)) in [(7, 2_000, 7_000), (8, 3_000, 9_000)].into_iter().enumerate() {
            let at = header::LATER_ANCHORS + copy * anchor::WORDS;
            head[at + anchor::NUMBER] = number;
            head[at + anchor::MONOTONIC] = ns;
            head[at + anchor::TSC] = tsc;
        }
        head[header::GAPS + 2] = 700;
        head[header::GAPS + 3] = 990;
        assert_eq!(Anchors::read(&head, &head).tell(ticks), expected);
    }

    #[test]
    fn times_are_told_by_the_first_and_the_newest_anchor() {
        check(ClockSource::Tsc, 5_000, (1_000, 20));
        check(ClockSource::Tsc, 7_500, (2_250, 20));
        check(ClockSource::Tsc, 10_000, (3_500, 20));
        check(ClockSource::Tsc, 0, (0, 20));
        check(ClockSource::Tick, 600, (600, 20));
        check(ClockSource::Tick, 700, (700, 290));
    }

    #[test]
    fn garbage_gives_some_time() {
        let head = vec![u64::MAX; header::WORDS];
        let mut tsc = head.clone();
        tsc[header::CLOCK_SOURCE] = ClockSource::Tsc.number();
        for head in [head, tsc] {
            let _any = Anchors::read(&head, &head).tell(u64::MAX);
        }
    }
}
