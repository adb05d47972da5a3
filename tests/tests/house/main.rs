//! hangdog's own house: nobody else is touched, nothing is left, whatever the command does and whenever hangdog dies.
//!
//! | in | is |
//! | --- | --- |
//! | `roaming` | commands that are hard to follow, beside others that look the same |
//! | `killed` | hangdog killed at any moment |
//! | `cleaned` | what a killed run left, and `hangdog clean` |
//! | `degrees` | fewer rights, older kernels: `hangdog doctor` tells the truth about them |
//! | `container` | the same in real containers of Docker |
//! | `rounds` | how often, and several at once |
//! | `descendants` | who is left of a run |

mod cleaned;
mod container;
mod degrees;
mod descendants;
mod killed;
mod roaming;
mod rounds;

use hangdog_tests::{Needs, trial};
use libtest_mimic::{Arguments, Trial};

fn main() {
    hangdog_tests::as_in_the_foreground();
    let arguments = Arguments::from_args();
    // What is left of any run comes to this process, and can be found.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("Linux 3.4");
    let trials = vec![
        trial("random families beside those who look the same", Needs::Nothing, roaming::families),
        trial("hangdog is killed at random moments", Needs::Nothing, killed::at_random_moments),
        trial(
            "clean: processes, connections, mounts",
            Needs::That(no_mount),
            cleaned::processes_connections_and_mounts,
        ),
        trial("what doctor claims is so, with fewer rights too", Needs::That(no_mount), degrees::claims_are_true),
        trial("a kernel that is too old is told of", Needs::Nothing, degrees::too_old_a_kernel_is_told),
        in_docker::<0>(),
        in_docker::<1>(),
        in_docker::<2>(),
        in_docker::<3>(),
        trial("clean: a mount without a server", Needs::That(no_mount), cleaned::a_mount_without_a_server),
        trial("clean: the same place used again", Needs::That(no_mount), cleaned::the_same_place_used_again),
    ];
    // One after the other: each looks at all that comes to this process.
    libtest_mimic::run(&Arguments { test_threads: Some(1), ..arguments }, trials).exit();
}

/// The claims of doctor in one of the containers.
fn in_docker<const NUMBER: usize>() -> Trial {
    let name = format!("what doctor claims is so in Docker: {}", container::CONTAINERS[NUMBER].0);
    trial(name, Needs::That(container::missing::<NUMBER>), container::claims_are_true::<NUMBER>)
}

/// Why nothing can be mounted that is known for good, if so.
pub(crate) fn no_mount() -> Option<String> {
    let fuse = || std::fs::File::open("/dev/fuse").err().map(|error| format!("needs /dev/fuse ({error})"));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    // `fuse_connection` in fdinfo, and numbers of mounts that are never given out again.
    let is_old = (numbers.next(), numbers.next()) < (Some(6), Some(16));
    hangdog_tests::root().or_else(fuse).or_else(|| is_old.then(|| "needs Linux 6.16".to_owned()))
}
