//! The threads of a runtime: those that poll tasks, and those that run blocking work for them.
//!
//! A worker that hangs holds up every task behind it, a thread of the blocking pool only its own work; and all have
//! one name. Inside a task tokio can be asked which of the two a thread is, and is, once a thread. An idle
//! worker has no task yet, but it parks, which no thread of the pool ever does.

use std::cell::Cell;

use hangdog_flight::ThreadRole;
use tokio::runtime::Builder;

thread_local! {
    static KNOWN: Cell<Known> = const { Cell::new(Known::Nothing) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    /// A runtime started it.
    OfRuntime,
    /// The recorder was told what it is.
    Told,
}

/// Has the recorder told of every thread of the runtime whether it polls tasks or runs blocking work.
///
/// ```
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// let runtime = hangdog_tracer::tokio::name_threads(&mut builder).enable_all().build().unwrap();
/// # drop(runtime);
/// ```
///
/// A builder has one function for each occasion, and this takes those for the start of a thread and its parking. A
/// program that has its own calls [`thread_starts`] and [`thread_parks`] in them instead.
///
/// Without it the workers are known once each has polled a task with a phase, and threads of the blocking pool are not
/// told from others. Tokio has names of tasks only in builds with `--cfg tokio_unstable`; there they are fields of
/// its own spans of level `TRACE` (`runtime.spawn`), which [`with_max_level`] lets through.
///
/// [`with_max_level`]: crate::HangdogLayer::with_max_level
pub fn name_threads(builder: &mut Builder) -> &mut Builder {
    builder.on_thread_start(thread_starts).on_thread_park(thread_parks)
}

/// The calling thread was started by a runtime: for [`Builder::on_thread_start`].
pub fn thread_starts() {
    KNOWN.set(Known::OfRuntime);
}

/// The calling thread has no task to poll: for [`Builder::on_thread_park`].
pub fn thread_parks() {
    if KNOWN.get() != Known::Told {
        tell(ThreadRole::Worker);
    }
}

/// The calling thread is in a task: the moment at which tokio knows what it is. A call, so that a thread that is in
/// none does not look.
#[inline(never)]
pub(super) fn in_task() {
    if KNOWN.get() != Known::Told {
        ask();
    }
}

#[cold]
fn ask() {
    match (tokio::runtime::worker_index(), KNOWN.get()) {
        (Some(_), _) => tell(ThreadRole::Worker),
        (None, Known::OfRuntime) => tell(ThreadRole::Blocking),
        // The thread of a `block_on`, or of a runtime that says nothing of its threads.
        (None, _) => {}
    }
}

#[cold]
fn tell(role: ThreadRole) {
    KNOWN.set(Known::Told);
    hangdog_flight::set_role(role);
}
