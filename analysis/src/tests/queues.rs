//! Random tasks at random traced primitives, and a second implementation of their rules as the judge: it plays every
//! order in which tasks could go on, with locks that are given back and queues that move.

use std::fmt::Write as _;
use std::time::Duration;

use hangdog_timeline::Timeline;
use proptest::prelude::*;

use crate::graph::Graph;
use crate::key::Key;
use crate::liveness::Liveness;
use crate::view::View;
use crate::wait;

use super::scene::records;

const MUTEX: usize = 0;
const RW_LOCK: usize = 1;
const SEMAPHORE: usize = 2;
const CHANNEL: usize = 3;

/// A task in a runtime whose threads are all parked for good.
#[derive(Clone, Debug)]
struct Player {
    /// It was polled between the looks.
    moved: bool,
    /// Any of these ends its wait; a reader's is `shared`.
    waits: Vec<(usize, bool)>,
    holds: Vec<(usize, bool)>,
    serves: bool,
}

fn player() -> impl Strategy<Value = Player> {
    let wait = (0..4_usize, any::<bool>());
    let hold = (0..3_usize, any::<bool>());
    let moved = prop::bool::weighted(0.15);
    (moved, prop::collection::vec(wait, 0..3), prop::collection::vec(hold, 0..2), prop::bool::weighted(0.3)).prop_map(
        |(moved, mut waits, holds, serves)| {
            waits.dedup_by_key(|(at, _)| *at);
            Player { moved, waits, holds, serves }
        },
    )
}

fn primitive(at: usize, shared: bool) -> (&'static str, &'static str) {
    match (at, shared) {
        (MUTEX, _) => ("lock:m", "async-mutex"),
        (RW_LOCK, true) => ("lock:rw", "async-read"),
        (RW_LOCK, false) => ("lock:rw", "async-write"),
        (SEMAPHORE, _) => ("pool:s", "semaphore"),
        _ => ("chan:c/item", "channel"),
    }
}

/// Task `n` began its waits at `300 + 10 n` ms: the order of the queues.
fn scene(players: &[Player]) -> String {
    let mut scene = "proc 10 svc <5 futex(0x100,0x89,0)\n task 10.12 w futex(0x200,0x89,0)\n".to_owned();
    let mut number = 0;
    for (n, player) in players.iter().enumerate() {
        let (task, at) = (n + 1, 300 + 10 * n);
        let stands = if player.moved { "moved" } else { "left" };
        number += 1;
        let root = number;
        writeln!(scene, "phase 10.99/{task} {root} 0 task; {stands}").unwrap();
        for (resource, shared) in &player.waits {
            number += 1;
            let (key, primitive) = primitive(*resource, *shared);
            writeln!(scene, "phase 10.99/{task} {number} {root} wait; wait={key} as={primitive} at={at} {stands}")
                .unwrap();
        }
        for (resource, shared) in &player.holds {
            number += 1;
            let (key, primitive) = primitive(*resource, *shared);
            writeln!(scene, "phase 10.99/{task} {number} {root} holds; hold={key} as={primitive}").unwrap();
        }
        if player.serves {
            number += 1;
            writeln!(scene, "phase 10.99/{task} {number} {root} sends; serve=chan:c/item as=channel").unwrap();
        }
    }
    scene
}

fn dead_by_the_graph(players: &[Player]) -> Vec<bool> {
    let timeline = Timeline::build(records(&scene(players))).expect("a header comes first");
    let snapshots = timeline.snapshots();
    let view = View::new(&timeline, &snapshots[1], Some(&snapshots[0]), Duration::from_mins(5));
    let graph = Graph::new(wait::tasks(&view, wait::Limits::End));
    (1..=players.len() as u64)
        .map(|task| graph.find(Key::Task(hangdog_schemas::Pid(10), task)).expect("every task has a phase"))
        .map(|task| graph.alive(task) == Liveness::Dead)
        .collect()
}

/// Whether readers and writers stand in each other's way.
fn hinders(at: usize, one_shares: bool, other_shares: bool) -> bool {
    at != RW_LOCK || !(one_shares && other_shares)
}

fn can_end(players: &[Player], gone: &[bool], own: usize, at: usize, shared: bool) -> bool {
    let there = |n: &usize| !gone[*n];
    let holders: Vec<usize> = (0..players.len())
        .filter(|n| players[*n].holds.iter().any(|(what, shares)| *what == at && hinders(at, shared, *shares)))
        .collect();
    let before = |n: &usize| {
        *n < own && players[*n].waits.iter().any(|(what, shares)| *what == at && hinders(at, shared, *shares))
    };
    match at {
        // All who held it have let go; while nobody did, it was for the one that came first.
        MUTEX | RW_LOCK if !holders.is_empty() => !holders.iter().any(there),
        MUTEX | RW_LOCK => (0..own).find(before).is_some_and(|first| gone[first]),
        SEMAPHORE => holders.iter().any(|n| gone[*n]) || (0..own).filter(before).any(|n| gone[n]),
        CHANNEL => (0..players.len()).any(|n| players[n].serves && gone[n]),
        _ => unreachable!("four primitives"),
    }
}

/// Plays every order: whoever can go on may do so, and lets go of all that it has.
fn dead_by_playing(players: &[Player]) -> Vec<bool> {
    fn play(players: &[Player], gone: &mut Vec<bool>, ever: &mut [bool], seen: &mut Vec<Vec<bool>>) {
        if seen.contains(gone) {
            return;
        }
        seen.push(gone.clone());
        for own in 0..players.len() {
            let player = &players[own];
            let goes_on =
                player.moved || player.waits.iter().any(|(at, shared)| can_end(players, gone, own, *at, *shared));
            if !gone[own] && goes_on {
                ever[own] = true;
                gone[own] = true;
                play(players, gone, ever, seen);
                gone[own] = false;
            }
        }
    }
    let mut ever = vec![false; players.len()];
    play(players, &mut vec![false; players.len()], &mut ever, &mut Vec::new());
    ever.into_iter().map(|ever| !ever).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whom_no_order_lets_go_on_is_dead_and_nobody_else(players in prop::collection::vec(player(), 1..6)) {
        prop_assert_eq!(dead_by_the_graph(&players), dead_by_playing(&players), "{}", scene(&players));
    }
}
