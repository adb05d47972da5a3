//! Series of runs that fail by some rule, and races that are made up: which seeds the plan gives, and how soon it finds.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Runs that fail by `fails(seed)`, as `.` left alone and passed, `x` left alone and failed, `o` disturbed and
/// passed, `!` disturbed and failed.
#[track_caller]
fn check(perturb: Perturb, fails: fn(u32, Option<u64>) -> bool, expected: &str) {
    let mut plan = Plan::new(perturb, 100, None);
    let mut line = String::new();
    for n in 0..expected.len() as u32 {
        let seed = plan.next();
        let outcome = if fails(n, seed) { Outcome::Failed } else { Outcome::Passed };
        plan.ended(seed, outcome, SECOND);
        line.push(match (seed, outcome) {
            (None, Outcome::Passed) => '.',
            (None, Outcome::Failed) => 'x',
            (Some(_), Outcome::Passed) => 'o',
            (Some(_), Outcome::Failed) => '!',
        });
    }
    assert_eq!(line, expected);
}

#[test]
fn what_fails_by_itself_is_left_alone() {
    check(Perturb::Auto, |n, _| n % 3 == 0, "x..x..x..x..");
    check(Perturb::Auto, |_, _| false, "......ooooo.ooooo.");
    check(Perturb::Never, |_, _| false, "........");
    check(Perturb::Always, |n, _| n == 2, "oo!o");
}

#[test]
fn a_seed_that_fails_is_tried_again() {
    let mut plan = Plan::new(Perturb::Always, 0, None);
    plan.ended(Some(77), Outcome::Failed, SECOND);
    let seeds: Vec<Option<u64>> = (0..12).map(|_| plan.next()).collect();
    assert_eq!(seeds.iter().filter(|seed| **seed == Some(77)).count(), 6, "{seeds:?}");
}

#[test]
fn one_seed_for_all_when_it_is_named() {
    let mut plan = Plan::new(Perturb::Auto, 0, Some(9));
    assert!((0..20).all(|_| plan.next() == Some(9)));
    assert!(plan.is_confirmed());
}

#[test]
fn how_often_the_best_seed_fails_is_learnt_in_the_end() {
    let mut plan = Plan::new(Perturb::Always, 0, None);
    assert!(plan.is_confirmed(), "there is nothing to confirm");
    plan.ended(Some(7), Outcome::Failed, SECOND);
    plan.ended(Some(8), Outcome::Passed, SECOND);
    let mut runs = 0;
    while !plan.is_confirmed() {
        let seed = plan.confirm();
        assert_eq!(seed, Some(7));
        plan.ended(seed, Outcome::Failed, SECOND);
        runs += 1;
    }
    assert_eq!((runs, plan.seeds[&7].of), (CONFIRMED - 1, CONFIRMED));
}

#[test]
fn where_all_places_are_too_many_only_names_are_seen() {
    let mut plan = Plan::new(Perturb::Always, 0, None);
    let seed = plan.next();
    assert!(Disturbance::of(seed.unwrap()).sees_all());
    plan.ended(None, Outcome::Passed, SECOND);
    plan.ended(seed, Outcome::Passed, SECOND * 9);
    plan.learn(&races::NOISE.iter().map(|lead| lead.contended(0)).collect::<Vec<_>>());
    let seeds: Vec<u64> = (0..5).filter_map(|_| plan.next()).collect();
    assert!(seeds.iter().all(|seed| !Disturbance::of(*seed).sees_all()), "{seeds:?}");
}

mod races;
