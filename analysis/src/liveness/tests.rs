//! Cases as lines of text, and a second implementation that tries every order as the judge.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// `A acts; B waits A; C waits A|B; D waits A&B; E waits out; F waits nobody; G waits B+A; H waits A/B&C`: `+A` counts
/// when live; of `A/B` any will do; `gone` is needed and will never come.
fn parse(text: &str) -> (Vec<String>, Vec<Node>) {
    let names: Vec<String> =
        text.split(';').map(|part| part.split_whitespace().next().expect("a name").to_owned()).collect();
    let index: BTreeMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let nodes = text
        .split(';')
        .map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words[1..] {
                ["acts"] => Node::Acts,
                ["waits", "nobody"] => Node::Waits(vec![]),
                ["waits", on] => Node::Waits(
                    on.split('|')
                        .map(|term| Alternative {
                            needs: term
                                .split('+')
                                .next()
                                .into_iter()
                                .flat_map(|needs| needs.split('&'))
                                .filter(|n| *n != "out")
                                .map(|any| any.split('/').filter(|n| *n != "gone").map(|n| index[n]).collect())
                                .collect(),
                            when_live: term.split('+').skip(1).map(|n| index[n]).collect(),
                            open: term == "out",
                        })
                        .collect(),
                ),
                _ => panic!("cannot read {part:?}"),
            }
        })
        .collect();
    (names, nodes)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let (names, nodes) = parse(text);
    let told: Vec<String> = names
        .iter()
        .zip(spread(&nodes))
        .map(|(name, alive)| format!("{name} {}", format!("{alive:?}").to_lowercase()))
        .collect();
    assert_eq!(told.join(", "), expected, "{text}");
}

#[test]
fn a_ring_is_dead_and_so_is_who_waits_for_it() {
    check("A waits B; B waits A; C waits A", "A dead, B dead, C dead");
    check("A waits A", "A dead");
}

#[test]
fn a_timer_anywhere_behind_a_wait_makes_it_live() {
    check("A waits B; B waits C; C acts", "A live, B live, C live");
}

#[test]
fn poll_lives_by_any_of_its_fds() {
    check("A waits B|C; B waits A; C acts", "A live, B live, C live");
    check("A waits B|C; B waits A; C waits A", "A dead, B dead, C dead");
}

#[test]
fn a_wait_for_all_dies_with_one() {
    check("A waits B&C; B acts; C waits nobody", "A dead, B live, C dead");
    check("A waits B&C; B acts; C waits out", "A idle, B live, C idle");
}

#[test]
fn the_outside_makes_idle_not_live() {
    check("A waits out; B waits A; C waits B|C", "A idle, B idle, C idle");
}

#[test]
fn an_idle_thread_of_a_pool_makes_nothing_live_and_one_that_acts_does() {
    check("A waits B+C; B waits A; C waits out", "A dead, B dead, C idle");
    check("A waits B+C; B waits A; C acts", "A live, B live, C live");
}

#[test]
fn a_lock_is_free_when_each_of_its_holders_has_let_go_in_one_way_or_another() {
    check("A waits B/C&D; B waits A; C acts; D acts", "A live, B live, C live, D live");
    check("A waits B/C&D; B waits A; C waits A; D acts", "A dead, B dead, C dead, D live");
    check("A waits B&gone; B acts", "A dead, B live");
    check("A waits gone|B; B acts", "A live, B live");
}

#[test]
fn no_resolver_is_dead() {
    check("A waits nobody; B waits A", "A dead, B dead");
}

/// Tries every order: a task goes on when its own rule says so, given those that went on before it. `live` are the
/// tasks that are known to be live when idleness is judged.
fn judge_by_orders(nodes: &[Node], live: Option<&[bool]>) -> Vec<bool> {
    fn can_go(node: &Node, gone: &[bool], live: Option<&[bool]>) -> bool {
        let Node::Waits(alternatives) = node else { return true };
        alternatives.iter().any(|alternative| {
            let by_outside = alternative.open && live.is_some();
            let by_inside = !alternative.needs.is_empty()
                && alternative.needs.iter().all(|need| need.iter().any(|resolver| gone[*resolver]));
            let by_live = alternative.when_live.iter().any(|task| live.map_or(gone[*task], |live| live[*task]));
            by_outside || by_inside || by_live
        })
    }
    fn go(nodes: &[Node], gone: &mut Vec<bool>, live: Option<&[bool]>, ever: &mut [bool], seen: &mut Vec<Vec<bool>>) {
        if seen.contains(gone) {
            return;
        }
        seen.push(gone.clone());
        for task in 0..nodes.len() {
            if !gone[task] && can_go(&nodes[task], gone, live) {
                ever[task] = true;
                gone[task] = true;
                go(nodes, gone, live, ever, seen);
                gone[task] = false;
            }
        }
    }
    let mut ever = vec![false; nodes.len()];
    go(nodes, &mut vec![false; nodes.len()], live, &mut ever, &mut Vec::new());
    ever
}

fn node(count: usize) -> impl Strategy<Value = Node> {
    let need = prop::collection::vec(0..count, 0..3);
    let when_live = prop::collection::vec(0..count, 0..2);
    let alternative = (prop::collection::vec(need, 0..3), when_live, prop::bool::weighted(0.15))
        .prop_map(|(needs, when_live, open)| Alternative { needs, when_live, open });
    prop_oneof![
        1 => Just(Node::Acts),
        5 => prop::collection::vec(alternative, 0..3).prop_map(Node::Waits),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2_000), ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_trying_every_order(nodes in (1_usize..7).prop_flat_map(|n| prop::collection::vec(node(n), n))) {
        let alive = spread(&nodes);
        let live = judge_by_orders(&nodes, None);
        let at_least_idle = judge_by_orders(&nodes, Some(&live));
        for task in 0..nodes.len() {
            prop_assert_eq!(alive[task] == Liveness::Live, live[task], "task {} of {:?}", task, nodes);
            prop_assert_eq!(alive[task] >= Liveness::Idle, at_least_idle[task], "task {} of {:?}", task, nodes);
        }
    }

    #[test]
    fn whoever_is_seen_to_act_makes_nobody_less_alive(
        (nodes, one) in (1_usize..9).prop_flat_map(|n| (prop::collection::vec(node(n), n), 0..n))
    ) {
        let before = spread(&nodes);
        let mut more = nodes.clone();
        more[one] = Node::Acts;
        let after = spread(&more);
        for task in 0..nodes.len() {
            prop_assert!(after[task] >= before[task], "task {} of {:?}", task, nodes);
        }
    }
}
