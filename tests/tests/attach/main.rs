//! `attach`, `dump` and `clean` on real processes: what already runs is named as `run` names it, and stays as it is.
//!
//! | in | is |
//! | --- | --- |
//! | `target` | a program that runs already |
//! | `looks` | one look: the same cause, nothing changed |
//! | `watch` | a watch that stays |
//! | `asked` | `hangdog dump` |
//! | `left` | `hangdog clean` |

mod asked;
mod left;
mod looks;
mod target;
mod watch;

use hangdog_tests::{Needs, trial};
use libtest_mimic::{Arguments, Trial};

/// Hangs of each kind of wait that `attach` must name as `run` does.
const HANGS: &[&str] = &[
    "pipe-full-cycle",
    "pipe-own-writer",
    "flock-abba",
    "unix-cycle",
    "fifo-no-writer",
    "stopped-child",
    "traced-mutexes",
];

const HEALTHY: &[&str] =
    &["long-poll", "slow-compute", "flock-queue", "epoll-idle", "slow-consumer", "traced-lock-queue"];

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    for name in HANGS {
        trials.push(trial(format!("the same cause: {name}"), Needs::Nothing, || looks::same_cause(name)));
    }
    for name in HEALTHY {
        trials.push(trial(format!("healthy: {name}"), Needs::Nothing, || looks::healthy(name)));
    }
    trials.extend([
        trial("the target stays as it is", Needs::Nothing, looks::nothing_changes),
        trial("the target stays as it is when hangdog is killed", Needs::Nothing, looks::killed_in_the_middle),
        trial("a control group", Needs::That(looks::no_cgroup), looks::control_group),
        trial("everybody", Needs::Nothing, looks::everybody),
        trial("an ordinary user", Needs::Nothing, looks::ordinary_user),
        trial("nobody there", Needs::Nothing, looks::nobody_there),
        trial("a watch tells a hang once", Needs::Nothing, watch::tells_once),
        trial("a watch keeps no more captures than it may", Needs::Nothing, watch::keeps_few),
        trial("a watch ends with those it watches", Needs::Nothing, watch::ends_with_them),
        trial("a dump of a run that goes on", Needs::Nothing, asked::run_goes_on),
        trial("dumps that are asked for together", Needs::That(hangdog_tests::root), asked::one_wave),
        trial("a dump of a hung run", Needs::Nothing, asked::hung_run),
        trial("a dump of a watch", Needs::Nothing, asked::watch),
        trial("a dump of a process that nobody watches", Needs::Nothing, asked::nobody_watches),
        trial("clean removes what is dead and nothing else", Needs::That(left::no_namespace), left::clean),
    ]);
    libtest_mimic::run(&arguments, trials).exit();
}
