//! What is the run's and what is not, where hangdog had children before it began.

use std::process::Command;

use libtest_mimic::Failed;

use crate::bench::{Bench, check_code, is_alive, kill, number};

/// What comes before the `exec` of hangdog: a server that starts a daemon of its own once the run has begun.
const BEFORE: &str = r#"
cd "$1"; shift
( until [ -e begun ]; do sleep 0.02; done; ( sleep 1000 & echo $! >foreign.new ); mv foreign.new foreign; exec sleep 1000 ) &
echo $! >server
exec "$@"
"#;

/// A hang with daemons: one that was forked twice at once, and one that is seen first and drops its environment.
const RUN: &str = r"
mkfifo pipe; exec 3<>pipe
( cat <&3 & echo $! >quick )
( ( until [ -e orphaned ]; do sleep 0.02; done; exec env -i cat <&3 ) & echo $! >slow; sleep 1 )
touch orphaned begun
until [ -e foreign ]; do sleep 0.02; done
exec cat <&3
";

pub(crate) fn what_was_there_before_is_left_alone() -> Result<(), Failed> {
    let bench = Bench::new();
    let runner = bench.runner(&["sh", "-c", RUN]);
    let mut outer = Command::new("sh");
    outer.args(["-c", BEFORE, "sh"]).arg(bench.folder.path());
    outer.arg(runner.get_program()).args(runner.get_args());
    outer.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    check_code(outer.status()?, 124);
    let [server, foreign, quick, slow] = ["server", "foreign", "quick", "slow"]
        .map(|name| number(&std::fs::read_to_string(bench.path(name)).unwrap_or_default()));
    let are_alive = [server, foreign, quick, slow].map(is_alive);
    kill(server);
    kill(foreign);
    assert_eq!(are_alive, [true, true, false, false], "{}", bench.notes());
    for pid in [server, foreign] {
        assert!(!bench.notes().contains(&pid.to_string()), "{}", bench.notes());
    }
    Ok(())
}
