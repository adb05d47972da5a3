//! hangdog's own house: nobody else is touched, nothing is left, whatever the command does and whenever hangdog dies.
//!
//! | in | is |
//! | --- | --- |
//! | `roaming` | commands that are hard to follow, beside others that look the same |
//! | `killed` | hangdog killed at any moment |
//! | `rounds` | how often, and several at once |
//! | `descendants` | who is left of a run |

mod descendants;
mod killed;
mod roaming;
mod rounds;

use hangdog_tests::{Needs, trial};
use libtest_mimic::Arguments;

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    // What is left of any run comes to this process, and can be found.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("Linux 3.4");
    let trials = vec![
        trial("random families beside those who look the same", Needs::Nothing, roaming::families),
        trial("hangdog is killed at random moments", Needs::Nothing, killed::at_random_moments),
    ];
    // One after the other: each looks at all that comes to this process.
    libtest_mimic::run(&Arguments { test_threads: Some(1), ..arguments }, trials).exit();
}
