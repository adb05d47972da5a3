//! Time lines in words. `2 A` is a trigger that comes in at 2 and has its turn at once; `5 B@3` came in at 3 and has
//! its turn at 5. A name in capitals wants a full snapshot, another one a light one; one with `!` has a deadline. `4
//! well`, `4 short` and `4 failed` end the snapshot that is going on. A unit is a tenth of a second.

use super::*;

const UNIT: u64 = 100_000_000;

fn at(unit: &str) -> RunNs {
    RunNs(unit.parse::<u64>().expect("a number") * UNIT)
}

/// What becomes of each trigger, in order: `begins`, `covered`, `held`, or the time before which it has no turn.
#[track_caller]
fn check(line: &str, expected: &str) {
    let mut gate = Gate::default();
    let mut told = Vec::new();
    for event in line.split("; ") {
        let (time, what) = event.split_once(' ').expect("a time and what happens then");
        let now = at(time);
        match what {
            "well" => gate.complete(now, Outcome::Well),
            "short" => gate.complete(now, Outcome::Short),
            "failed" => gate.complete(now, Outcome::Failed),
            trigger => {
                let (name, entered) = trigger.split_once('@').map_or((trigger, now), |(name, time)| (name, at(time)));
                let is_full = name.starts_with(char::is_uppercase);
                let extent = if is_full { SnapshotExtent::Full } else { SnapshotExtent::Light };
                let hurry = if name.ends_with('!') { Hurry::Deadline } else { Hurry::No };
                let pass = gate.pass(now, entered, extent, hurry);
                if pass == Pass::Begins {
                    gate.begin(extent);
                }
                told.push(match pass {
                    Pass::Begins => format!("{name} begins"),
                    Pass::Covered => format!("{name} covered"),
                    Pass::Held => format!("{name} held"),
                    Pass::NotBefore(until) => format!("{name} not before {}", until.0 / UNIT),
                });
            }
        }
    }
    assert_eq!(told.join(", "), expected, "{line}");
}

#[test]
fn the_first_caller_begins() {
    check("1 a", "a begins");
    check("1 A", "A begins");
}

#[test]
fn those_of_one_wave_share_a_snapshot() {
    // While it is taken, everybody else goes away; asked again when it is over, they are covered.
    check("1 A; 2 B; 3 C; 4 well; 4 B@2; 4 C@3", "A begins, B held, C held, B covered, C covered");
    // One that was held up on its way and sees nobody at work.
    check("1 A; 4 well; 5 B@3", "A begins, B covered");
    check("1 A; 4 well; 900 B@3", "A begins, B covered");
    // It even came in before the snapshot began.
    check("2 A; 4 well; 5 B@1", "A begins, B covered");
}

#[test]
fn a_later_event_is_one_of_its_own() {
    check("1 A; 4 well; 5 B", "A begins, B begins");
    // At the very moment of completion: nothing shows that the snapshot has seen it.
    check("1 A; 4 well; 4 B", "A begins, B begins");
    check("1 A; 4 well; 5 B; 6 C@3; 8 well; 9 D@6", "A begins, B begins, C covered, D covered");
    // The same trigger again, after its snapshot: a different loss.
    check("1 A; 4 well; 20 A; 24 well; 40 A", "A begins, A begins, A begins");
}

#[test]
fn a_failure_covers_nobody_and_is_tried_again_after_a_while() {
    check("1 A; 4 failed; 5 A@1; 9 A@1", "A begins, A not before 9, A begins");
    // A straggler after a failed sibling: within the backoff all hold back, after it one of them tries.
    check("1 A; 4 failed; 5 B@3; 10 B@3; 11 A@1", "A begins, B not before 9, B begins, A held");
    check("1 A; 4 failed; 10 B@3; 12 well; 12 A@1", "A begins, B begins, A covered");
    // New events too: what has just failed is not hammered.
    check("1 A; 4 failed; 6 B", "A begins, B not before 9");
    // The backoff doubles, up to eight seconds, and a success ends it.
    check("1 A; 4 failed; 9 A@1; 10 failed; 11 A@1", "A begins, A begins, A not before 20");
    check("1 A; 4 failed; 9 A@1; 10 well; 11 B; 12 failed; 13 B@11", "A begins, A begins, B begins, B not before 17");
    let failures =
        "0 A; 0 failed; 5 A; 5 failed; 15 A; 15 failed; 35 A; 35 failed; 75 A; 75 failed; 155 A; 155 failed";
    check(&format!("{failures}; 156 A"), &format!("{}A not before 235", "A begins, ".repeat(6)));
}

#[test]
fn who_has_a_deadline_does_not_wait_for_a_backoff() {
    check("1 A; 4 failed; 5 B!; 6 C; 7 well; 7 C@6; 8 A@1", "A begins, B! begins, C held, C covered, A covered");
    check("1 A; 2 b!; 4 failed; 4 b!@2; 5 C@3", "A begins, b! held, b! begins, C held");
}

#[test]
fn a_failure_after_a_success_takes_nothing_back() {
    check("1 A; 4 well; 5 B; 6 failed; 7 C@3; 7 D@5", "A begins, B begins, C covered, D not before 11");
}

#[test]
fn a_peer_that_holds_is_left_to_it() {
    check("1 A; 2 B; 500 B@2", "A begins, B held, B held");
    check("1 A; 2 B; 3 failed; 4 B@2; 8 B@2", "A begins, B held, B not before 8, B begins");
}

#[test]
fn what_was_cut_short_covers_nobody_and_holds_nobody_back() {
    check("1 a; 2 B; 3 short; 3 B@2", "a begins, B held, B begins");
    check("1 A; 2 A; 3 short; 3 A@2", "A begins, A held, A begins");
}

#[test]
fn a_full_one_covers_a_light_one_and_not_the_other_way_round() {
    check("1 a; 2 B; 3 well; 3 B@2; 4 c; 9 well; 9 c@4", "a begins, B held, B begins, c held, c covered");
    check("1 A; 4 well; 5 b@3; 6 c; 7 well; 8 D@6", "A begins, b covered, c begins, D begins");
}
