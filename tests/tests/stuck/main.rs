//! Whatever a program is stuck in, the look at it ends, names it, and changes nothing.
//!
//! | in | is |
//! | --- | --- |
//! | [`situations`] | each way to be stuck, and what must be seen of it |
//! | [`staged`] | one of them, built under hangdog, with an end whatever comes |
//! | [`watched`] | what the test itself sees meanwhile: states, requests, readers |
//! | [`looked`] | what the capture says afterwards |
//! | [`tools`] | what other tools do beside the same: a table, printed on demand |
//! | [`own_reads`] | which files hangdog's main process opens while all this goes on |

mod looked;
mod own_reads;
mod situations;
mod staged;
mod tools;
mod watched;

use hangdog_tests::{Needs, root, trial};
use libtest_mimic::{Arguments, Trial};

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = situations::ALL
        .iter()
        .map(|situation| trial(situation.name, Needs::That(situation.needs), move || staged::check(situation)))
        .collect();
    for name in own_reads::SITUATIONS {
        let what = format!("own reads: {name}");
        trials.push(trial(what, Needs::That(own_reads::missing), move || own_reads::check(name)));
    }
    trials.push(trial("tools", Needs::That(root), tools::table).with_ignored_flag(true));
    libtest_mimic::run(&arguments, trials).exit();
}
