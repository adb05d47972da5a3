//! A small fixed part of the soak: healthy trees of commands, one for each way to wait that has looked like a hang or
//! might. All of it is `cargo run -p hangdog-tests --bin soak`.

use std::time::Duration;

use hangdog_tests::soak::{Keep, Recipe, Tree, Trial, recipes};
use hangdog_tests::{Programs, programs};
use libtest_mimic::{Arguments, Completion};

const NAMES: &[&str] = &[
    "orphan-of-an-orphan-holds-the-output",
    "fifos-in-a-ring-with-one-who-sleeps",
    "slow-consumer",
    "stopped-and-continued",
    "idle-children-ended-later",
    "many-waiters",
    "flock-kept-by-two-for-a-while",
    "flocks-in-a-chain",
    "posix-locks-crossed-in-time",
    "c-threads",
    "c-shared-between-processes",
    "two-who-wait-for-each-other-and-an-alarm",
    "pipes-in-a-ring-and-an-alarm",
    "ring-broken-by-a-signal-from-the-run",
    "ring-broken-by-a-signal-of-a-shell",
    "terminal-with-a-patient-typist",
    "multiprocessing-primitives",
    "write-end-in-flight",
    "late-accept",
    "full-buffers-and-a-slow-reader",
    "both-sides-poll-and-a-third-speaks",
    "reply-of-a-tcp-server",
    "lock-held-outside",
    "make-waits-for-a-token",
];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let mut arguments = Arguments::from_args();
    // They sleep most of the time.
    arguments.test_threads.get_or_insert(NAMES.len());
    let all = recipes();
    let trials = NAMES.iter().zip(0..).map(|(name, seed)| {
        let recipe = all.iter().find(|recipe| recipe.name == *name).expect("a recipe of this name").clone();
        libtest_mimic::Trial::ignorable_test(*name, move || Ok(check(programs!(), recipe, seed)))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn check(programs: Programs, recipe: Recipe, seed: u64) -> Completion {
    if let Some(missing) = recipe.missing() {
        return Completion::ignored_with(format!("SKIPPED: needs {missing}"));
    }
    let cache = tempfile::tempdir().expect("a temporary directory");
    let (tree, limit) = (Tree::new(seed, &[recipe]), Duration::from_mins(1));
    let came = Trial { programs, tree, cache: cache.path().to_owned(), limit }.run(Keep::Nothing);
    assert!(came.faults.is_empty(), "{}: {:#?}\n{}", came.name, came.faults, came.said);
    Completion::Completed
}
