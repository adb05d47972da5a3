//! What is done to a hung run: it is ended, and what it froze and mounted is freed.
//!
//! ```text
//! thaw ──▶ SIGKILL by pidfd, until nobody is left ──▶ abort FUSE connections ──▶ SIGKILL again, reap ──▶ detach mounts ──▶ what is left
//! ```
//!
//! The order matters: a frozen task (cgroup v1) takes no signal; a server that is told of an abort before
//! its death could mount again; a waiter whose request the server has read does not die by SIGKILL before
//! the abort (seen on Linux 6.18); a mount is detached last, when nothing of the run can make it busy.
//!
//! Invariant: only what is proven to be the run's is touched. Which processes are is decided in `kernel::kin`; the
//! pidfd was opened before that was asked and had not ended after, so the number cannot have changed hands in
//! between. A FUSE
//! connection is the run's when it was not there before, and a process of the run was seen to hold its
//! server's end. A mount is the run's when its device is such a connection. Everything else is listed with
//! the command that frees it. Deeds that might block are done by a helper with a deadline.

mod apart;
mod freeze;
mod fuse;
mod kill;
mod left;
mod owned;

pub(crate) use fuse::{abort_connection, detach_mount};
pub use owned::{Before, Owned};
pub(crate) use owned::{Mount, own_mounts};

use std::collections::BTreeSet;
use std::time::Duration;

use hangdog_schemas::record::{Action, Deed};
use hangdog_schemas::{Big, Pid, ProcessId, When};

use crate::clock::RunClock;
use crate::kernel::Children;
use crate::run::OnHang;

/// How long the processes of a run get to die, before and after the abort of what they wait for.
const TIME_TO_DIE: Duration = Duration::from_secs(5);
/// How long they get before the FUSE connections are aborted: most die at once.
const TIME_BEFORE_ABORT: Duration = Duration::from_millis(300);

/// What was done, and `None`, or why not.
pub(crate) type Done = (Deed, Option<String>);

/// What was done so far, each at its own time: an end may take seconds.
#[derive(Debug)]
pub(crate) struct Deeds {
    clock: RunClock,
    done: Vec<Action>,
}

impl Deeds {
    pub(crate) fn new(clock: RunClock) -> Self {
        Self { clock, done: Vec::new() }
    }

    fn push(&mut self, (deed, failed): Done) {
        self.done.push(Action { when: When::exactly(self.clock.now()), deed, failed });
    }

    pub(crate) fn into_actions(self) -> Vec<Action> {
        self.done
    }
}

/// Looks a process of the run up by its number, for the records.
pub type Identify<'a> = &'a dyn Fn(u32) -> Option<ProcessId>;

pub(crate) fn identity(identify: Identify<'_>, pid: u32) -> ProcessId {
    identify(pid).unwrap_or(ProcessId { pid: Pid(pid), start: Big(0) })
}

/// Ends a run as `--on-hang` says. What was done is noted in order; `children` keeps how the reaped ended.
pub(crate) fn end_run(
    how: OnHang,
    owned: &Owned,
    before: &Before,
    children: &mut Children,
    identify: Identify<'_>,
    done: &mut Deeds,
) {
    let is_rescue = how != OnHang::Kill;
    if is_rescue {
        freeze::thaw(owned, children, done);
    }
    let mut killed = BTreeSet::new();
    if is_rescue && owned.has_fuse() {
        kill::all(TIME_BEFORE_ABORT, children, identify, &mut killed, done);
        fuse::abort(owned, children, done);
    }
    kill::all(TIME_TO_DIE, children, identify, &mut killed, done);
    if is_rescue {
        fuse::detach(owned, before, children, done);
    }
    left(owned, before, children, identify, done);
}

/// What a run leaves behind: its processes, its mounts and connections, with the command that frees each.
pub(crate) fn left(
    owned: &Owned,
    before: &Before,
    children: &mut Children,
    identify: Identify<'_>,
    done: &mut Deeds,
) {
    for left in left::census(owned, before, children, identify) {
        done.push(left);
    }
}
