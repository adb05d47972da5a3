//! Where it is worth making somebody late, by what runs have shown and by what came of it when it was tried. Pure.
//!
//! A lead is a thread at a place. Leads where two touch the same thing come before those where somebody is only beside
//! somebody; of each, those that were tried less, and those near which a run failed. Each try of a lead is later than
//! the one before: what a short lateness shows is more surely a race than what a long one does.

use std::collections::BTreeMap;

use hangdog_analysis::{Contended, What, Why};
use hangdog_schemas::{Aim, Hold, Place};

/// Leads that are kept.
const MOST: usize = 2000;
/// How much later than the gap, ns, at each try.
const MORE_SAME: [u64; 5] = [700_000, 8_000_000, 60_000_000, 25_000_000, 200_000_000];
const MORE_NEAR: [u64; 5] = [60_000_000, 8_000_000, 120_000_000, 2_000_000, 250_000_000];
/// At first nobody is later than this step: 80 ms.
const FIRST_STEP: u8 = 11;
/// One in so many aims has two holds, one is on one processor, one beside a load, one with a slow thread.
const PAIR: u32 = 6;
const MODES: u32 = 5;

/// A thread at a place.
#[derive(Clone, Debug)]
struct Lead {
    why: Why,
    what: What,
    /// The shortest gap that was seen, ns, and the sum of all.
    gap_ns: u64,
    sum_ns: u64,
    seen: u32,
    tried: u32,
}

/// Place, which thread, which visit.
type Key = (Place, u8, u8);

/// All leads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leads {
    all: BTreeMap<Key, Lead>,
    /// What came of lateness at a place, whoever was late: tries and failures.
    places: BTreeMap<Place, (u32, u32)>,
}

impl Leads {
    /// What a run has shown.
    pub(crate) fn learn(&mut self, contended: &[Contended]) {
        for Contended { place, who, nth, why, gap_ns, what } in contended {
            if self.all.len() >= MOST && !self.all.contains_key(&(*place, *who, *nth)) {
                continue;
            }
            let new = Lead { why: *why, what: *what, gap_ns: *gap_ns, sum_ns: 0, seen: 0, tried: 0 };
            let lead = self.all.entry((*place, *who, *nth)).or_insert(new);
            if *why > lead.why {
                (lead.why, lead.gap_ns, lead.sum_ns, lead.seen) = (*why, *gap_ns, 0, 0);
            }
            if *why == lead.why {
                lead.gap_ns = lead.gap_ns.min(*gap_ns);
                lead.sum_ns += gap_ns;
                lead.seen += 1;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// An aim is tried. `keys` are the leads that it was made for.
    pub(crate) fn tried(&mut self, aim: &Aim, keys: &[Key]) {
        for hold in aim.holds.iter().flatten() {
            self.places.entry(hold.place).or_default().0 += 1;
        }
        for key in keys {
            if let Some(lead) = self.all.get_mut(key) {
                lead.tried += 1;
            }
        }
    }

    /// A run failed by an aim.
    pub(crate) fn failed(&mut self, aim: &Aim) {
        for hold in aim.holds.iter().flatten() {
            self.places.entry(hold.place).or_default().1 += 1;
        }
    }

    /// The next thing to try, and for which leads; `n` counts them.
    pub(crate) fn next(&self, n: u32) -> Option<(Aim, Vec<Key>)> {
        let first = self.best(None)?;
        let second = if n % PAIR == PAIR - 1 { self.best(Some(first)) } else { None };
        let mut aim = Aim { holds: [Some(self.hold(first)), second.map(|key| self.hold(key))], ..Aim::default() };
        match n / PAIR % MODES {
            1 if n % 2 == 1 => aim.one_processor = true,
            2 if n % 2 == 1 => aim.load = true,
            3 if n % 2 == 1 => aim.slow = 1 + (n / PAIR % 7) as u8,
            _ => {}
        }
        Some((aim, [Some(first), second].into_iter().flatten().collect()))
    }

    fn best(&self, but: Option<Key>) -> Option<Key> {
        let others = self.all.iter().filter(|(key, _)| but.is_none_or(|(place, ..)| key.0 != place));
        others
            .max_by(|(a_key, a), (b_key, b)| self.worth(a_key.0, a).total_cmp(&self.worth(b_key.0, b)))
            .map(|(key, _)| *key)
    }

    /// How much a try is worth.
    fn worth(&self, place: Place, lead: &Lead) -> f64 {
        let (tries, failures) = self.places.get(&place).copied().unwrap_or_default();
        let why = match lead.why {
            // The nearer another comes, the less has to happen.
            Why::Same => 6.0 / (1.0 + lead.gap_ns as f64 / 60e6),
            Why::Near => 1.0,
        };
        let what = match lead.what {
            What::Named => 2.0,
            What::Nameless => 1.0,
        };
        // Each place has its turn, also beside one at which many come by often.
        let found = (1.0 + 3.0 * f64::from(failures)) / (1.0 + 0.5 * f64::from(tries));
        let tried = f64::from(1 + lead.tried);
        // What was there in one run and not in the others is met less often.
        let often = f64::from(lead.seen.min(4)) / 4.0;
        why * what * found * (0.3 + 0.7 * often) / (tried * tried)
    }

    fn hold(&self, key: Key) -> Hold {
        let (place, who, nth) = key;
        let Some(lead) = self.all.get(&key) else { return Hold { place, who, nth, late: 0 } };
        let turn = lead.tried as usize % MORE_SAME.len();
        let (gap, more) = match lead.why {
            Why::Same if turn == 0 => (lead.gap_ns, MORE_SAME[turn]),
            Why::Same => (lead.sum_ns / u64::from(lead.seen.max(1)), MORE_SAME[turn]),
            Why::Near => (0, MORE_NEAR[turn]),
        };
        let late = Hold::step(gap + gap / 4 + more);
        let late = if lead.tried < 2 { late.min(FIRST_STEP) } else { late };
        // A visit that is met only now and then: each of them.
        let nth = if turn == 3 { 0 } else { nth };
        Hold { place, who, nth, late }
    }
}

/// Something close to an aim by which a run failed: later, sooner, at each visit, without the second hold.
pub(crate) fn close_to(aim: &Aim, n: u32) -> Aim {
    let mut other = *aim;
    let at = usize::from(n / 4 % 2 == 1 && aim.holds[1].is_some());
    let Some(hold) = &mut other.holds[at] else { return other };
    match n % 4 {
        0 => hold.late = (hold.late + 2).min(Hold::LATEST),
        1 if aim.holds[1].is_some() => other.holds[1 - at] = None,
        1 => hold.nth = 0,
        2 => hold.late = hold.late.saturating_sub(1),
        _ => hold.late = (hold.late + 4).min(Hold::LATEST),
    }
    other
}
