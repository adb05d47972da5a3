//! Races that are made up: actors that do a few things at places, with pauses that vary, and an order that is wrong.
//! Found by the plan, and by seeds of chance alone, which was the plan before.

use std::collections::BTreeMap;

use hangdog_analysis::{Contended, What, Why, contended};
use hangdog_schemas::record::{ExitStatus, RunEnd, Visit};
use hangdog_schemas::sample::header;
use hangdog_schemas::{Disturbance, Hold, Pid, Place, Record, RunNs, Tid, When};
use hangdog_timeline::Timeline;

use super::*;

/// What an actor does: after a pause of `from` to `to` µs, at a place.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: u64,
    to: u64,
    what: &'static str,
    object: &'static str,
}

/// `40-90 write f`, several with `;` between.
fn steps(line: &'static str) -> Vec<Step> {
    let one = |step: &'static str| {
        let words: Vec<&str> = step.split_whitespace().collect();
        let (from, to) = words[0].split_once('-').unwrap();
        let ms = |text: &str| text.parse::<u64>().unwrap() * 1000;
        Step { from: ms(from), to: ms(to), what: words[1], object: words[2] }
    };
    line.split(';').map(one).collect()
}

/// When each step of each actor was done, µs.
type Done = Vec<Vec<u64>>;

/// A race: who does what, and what must not be.
struct Race {
    name: &'static str,
    actors: &'static [&'static str],
    fails: fn(&Done) -> bool,
}

const RACES: &[Race] = &[
    Race {
        name: "two that look and then create",
        actors: &[
            "0-1 start -; 100-700 look leader; 3-4 write leader; 5-9 read x",
            "0-1 start -; 100-700 look leader; 3-4 write leader; 5-9 read y",
        ],
        fails: |done| done[0][1] < done[1][2] && done[1][1] < done[0][2],
    },
    Race {
        name: "a reader that is there before the writer",
        actors: &[
            "0-1 start -; 10-20 read config; 20-40 write port; 50-60 read log; 5-9 write log",
            "0-1 start -; 5-9 read other; 80-140 read port; 10-20 write result",
        ],
        fails: |done| done[1][2] < done[0][2],
    },
    Race {
        name: "a read and a write back with another's in between",
        actors: &[
            "0-1 start -; 20-90 read sum; 1-2 write sum; 20-90 read sum; 1-2 write sum; 20-90 read sum; 1-2 write sum",
            "0-1 start -; 200-400 read sum; 1-2 write sum; 100-200 read log",
        ],
        fails: |done| {
            let between = |write: u64| (1..4).any(|n| done[0][2 * n - 1] < write && write < done[0][2 * n]);
            between(done[1][2])
        },
    },
    Race {
        name: "an answer that comes after the last look at the clock",
        actors: &[
            "0-1 start -; 30-40 send request; 20-60 read answer; 5-9 write done",
            "0-1 start -; 20-30 read a; 60-75 poll -; 1-2 read b",
        ],
        fails: |done| done[0][3] > done[1][2] + 40_000,
    },
    Race {
        name: "an end before the other's last word",
        actors: &[
            "0-1 start -; 50-80 write a; 50-80 write b; 10-20 write last",
            "0-1 start -; 20-30 read a; 180-260 exit last",
        ],
        fails: |done| done[1][2] < done[0][3],
    },
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Plays a race once: when each step was done, and what was seen.
fn play(race: &Race, seed: Option<u64>, dice: &mut Dice) -> (Done, Timeline) {
    let actors: Vec<Vec<Step>> = race.actors.iter().map(|line| steps(line)).collect();
    let what = seed.map(Disturbance::of);
    let mut came: BTreeMap<Place, Vec<(usize, u32)>> = BTreeMap::new();
    let mut next: Vec<(u64, usize, usize)> = Vec::new();
    let pause = |step: Step, dice: &mut Dice| step.from + dice.throw() % (step.to - step.from);
    for (actor, steps) in actors.iter().enumerate() {
        next.push((pause(steps[0], dice), actor, 0));
    }
    let mut done: Done = vec![Vec::new(); actors.len()];
    let mut records = vec![Record::Run(Box::new(header()))];
    while let Some(at) = (0..next.len()).min_by_key(|n| next[*n].0) {
        let (t, actor, n) = next.swap_remove(at);
        let step = actors[actor][n];
        let place = Place::of("w", step.what, step.object);
        let those = came.entry(place).or_default();
        let who = those.iter().position(|(own, _)| *own == actor).unwrap_or_else(|| {
            those.push((actor, 0));
            those.len() - 1
        });
        those[who].1 += 1;
        let held = late(what.as_ref(), place, who, those[who].1);
        records.push(Record::Visit(Box::new(visit(step, actor, t, held))));
        done[actor].push(t + held);
        if let Some(later) = actors[actor].get(n + 1) {
            next.push((t + held + pause(*later, dice), actor, n + 1));
        }
    }
    let when = When::exactly(RunNs(2_000_000_000));
    let how = Some(ExitStatus::Code(0));
    records.push(Record::RunEnd(RunEnd { when, how, ended_by_hangdog: false, cpu_ns: 0, own_cpu_ns: 0 }));
    (done, Timeline::build(records).unwrap())
}

fn visit(step: Step, actor: usize, t: u64, held: u64) -> Visit {
    Visit {
        when: When::exactly(RunNs(t * 1000)),
        pid: Pid(10 + actor as u32),
        tid: Tid(10 + actor as u32),
        comm: "w".to_owned(),
        what: step.what.to_owned(),
        object: step.object.to_owned(),
        shared: Some(step.object.to_owned()).filter(|object| object != "-"),
        changes: matches!(step.what, "write" | "exit"),
        held_ns: held * 1000,
    }
}

/// How late somebody is, µs. Chance is as it is where calls are held: a fourth of the places, half of those who come by.
fn late(what: Option<&Disturbance>, place: Place, who: usize, nth: u32) -> u64 {
    const BY_CHANCE: [u64; 5] = [500, 2_000, 8_000, 30_000, 100_000];
    match what {
        None => 0,
        Some(Disturbance::Chance(seed)) => {
            let here = Dice(seed ^ place.number() << 40).throw();
            let choice = Dice(here ^ who as u64).throw();
            let is_late = here.is_multiple_of(4) && choice.is_multiple_of(2);
            if is_late { BY_CHANCE[(choice >> 8) as usize % BY_CHANCE.len()] } else { 0 }
        }
        Some(Disturbance::Aimed(aim)) => {
            let is_meant = |hold: &&Hold| {
                hold.place == place
                    && (hold.who == Hold::EACH || usize::from(hold.who) == who)
                    && (hold.nth == 0 || u32::from(hold.nth) == nth)
            };
            aim.holds.iter().flatten().filter(is_meant).map(|hold| hold.ns() / 1000).sum()
        }
    }
}

fn outcome(race: &Race, done: &Done) -> Outcome {
    if (race.fails)(done) { Outcome::Failed } else { Outcome::Passed }
}

/// How many runs it takes until a seed has made three runs fail and half of its own; so long is looked for.
const MOST: u32 = 400;

fn runs_until_found(race: &Race, base: u64, is_guided: bool) -> u32 {
    let mut plan = Plan::new(Perturb::Auto, base, None);
    let mut dice = Dice(base.wrapping_mul(77));
    for run in 1..=MOST {
        let seed = plan.next();
        let (done, timeline) = play(race, seed, &mut dice);
        if is_guided {
            plan.learn(&contended(&timeline));
        }
        plan.ended(seed, outcome(race, &done), Duration::from_secs(1));
        let found = plan.seeds.values().any(|tally| tally.failed >= 3 && tally.failed * 2 >= tally.of);
        if found {
            return run;
        }
    }
    MOST
}

fn middle(mut runs: Vec<u32>) -> u32 {
    runs.sort_unstable();
    runs[runs.len() / 2]
}

/// Who is late at nothing in particular.
pub(super) const NOISE: &[Noise] = &[Noise("a"), Noise("b"), Noise("c"), Noise("d"), Noise("e"), Noise("f")];

pub(super) struct Noise(&'static str);

impl Noise {
    pub(super) fn contended(&self, who: u8) -> Contended {
        let place = Place::of("w", "read", self.0);
        Contended { place, who, nth: 1, why: Why::Near, gap_ns: 0, what: What::Nameless }
    }
}

#[test]
fn alone_they_fail_seldom() {
    for race in RACES {
        let mut dice = Dice(1);
        let failed = (0..2000).filter(|_| outcome(race, &play(race, None, &mut dice).0) == Outcome::Failed).count();
        assert!(failed <= 60, "{}: {failed} of 2000", race.name);
    }
}

#[test]
fn who_looks_where_two_meet_finds_a_race_sooner_than_chance() {
    for race in RACES {
        let middle_of = |is_guided| middle((0..101).map(|n| runs_until_found(race, 1000 * n, is_guided)).collect());
        let (guided, by_chance) = (middle_of(true), middle_of(false));
        println!("{}: {guided} runs, by chance {by_chance}", race.name);
        assert!(guided < 120, "{}: {guided} runs", race.name);
        assert!(guided <= by_chance, "{}: {guided} runs, by chance {by_chance}", race.name);
    }
}
