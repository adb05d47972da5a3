//! SIGKILL to all of a run, until nobody is left: forks race with the killing, and orphans come to us.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hangdog_schemas::record::Deed;
use rustix::process::{Signal, pidfd_send_signal};

use super::{Deeds, Identify, identity};
use crate::kernel::{Children, has_ended, open_process, wait_readable};

/// How long one round waits for the killed to end, before it looks for new ones.
const ROUND: Duration = Duration::from_millis(20);

/// Kills and reaps until nobody is left or the time is over. Each process is noted once in `killed`.
pub(super) fn all(
    limit: Duration,
    children: &mut Children,
    identify: Identify<'_>,
    killed: &mut BTreeSet<u32>,
    done: &mut Deeds,
) {
    let begun = Instant::now();
    loop {
        let alive = proven(children);
        for (pid, pidfd) in &alive {
            let outcome = pidfd_send_signal(pidfd, Signal::KILL);
            if killed.insert(*pid) {
                done.push((Deed::Kill(identity(identify, *pid)), outcome.err().map(|error| error.to_string())));
            }
        }
        wait_readable(alive.iter().map(|(_, pidfd)| pidfd), ROUND);
        for (pid, _) in children.reap() {
            done.push((Deed::Reap(identity(identify, pid)), None));
        }
        if alive.is_empty() && children.of_run().is_empty() && !children.is_undecided() {
            return;
        }
        if begun.elapsed() >= limit {
            return;
        }
        if alive.is_empty() {
            // Only zombies are left whose parents are about to hand them over, or some of whom it is not known yet whose
            // they are.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The processes of the run that are alive, each behind a pidfd that surely is that process: it was opened,
/// then the process was seen to be of the run, and it had not ended after that.
fn proven(children: &mut Children) -> Vec<(u32, OwnedFd)> {
    let opened: Vec<(u32, OwnedFd)> =
        children.of_run().into_iter().filter_map(|pid| Some((pid, open_process(pid)?))).collect();
    let seen = children.of_run();
    opened.into_iter().filter(|(pid, pidfd)| seen.contains(pid) && !has_ended(pidfd)).collect()
}
