//! Signals and timers that a wait does not name.
//!
//! A handler may write into the process's own pipe, set its own eventfd, post its own semaphore: that is how event
//! loops hear of signals (libuv, asyncio, tokio). So a wait that the process itself could end is also a wait for a
//! signal, where it catches one; and where it catches SIGCHLD, for the end of its children. A wait for somebody
//! else is not: there a handler is only doubt.

use hangdog_schemas::fact::ThreadFact;
use hangdog_schemas::{Confidence, ResourceKey};

use super::{Class, Limits, Rest, Wait, child};
use crate::view::View;

/// Bit of a signal in the masks of `/proc/PID/status`.
const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

const SIGINT: u64 = bit(2);
const SIGCHLD: u64 = bit(17);

/// Handlers that end nothing: faults (ILL, TRAP, ABRT, BUS, FPE, SEGV, PIPE, SYS), the terminal (CONT, TSTP, TTIN,
/// TTOU, WINCH), glibc's own (32, 33), and SIGINT, which CPython always catches.
const HARMLESS: u64 = bit(4)
    | bit(5)
    | bit(6)
    | bit(7)
    | bit(8)
    | bit(11)
    | bit(13)
    | bit(31)
    | bit(18)
    | bit(20)
    | bit(21)
    | bit(22)
    | bit(28)
    | bit(32)
    | bit(33)
    | SIGINT
    | SIGCHLD;

/// What a wait is with the signals that its process catches.
pub(super) fn wake(view: &View<'_>, thread: &ThreadFact, rest: Rest, limits: Limits) -> Rest {
    let Rest::Waits(waits) = rest else { return rest };
    let pid = thread.thread.process.pid;
    let Some(process) = view.process(pid) else { return Rest::Waits(waits) };
    if process.timers.seen().is_some_and(|timers| *timers > 0) {
        return Rest::Timed(None);
    }
    let caught = process.signals.seen().map_or(0, |signals| signals.caught.0);
    let hears_others = caught & !HARMLESS != 0;
    let by_handler = |wait: &Wait| {
        let interruptible = !matches!(
            wait.class,
            Class::ChildExit
                | Class::ThreadExit
                | Class::Mutex
                | Class::Lock
                | Class::LockTurn
                | Class::FuseReply
                | Class::Continue
                | Class::Thaw
                | Class::Tracer
        );
        interruptible && wait.resolvers.iter().any(|resolver| resolver.who.pid() == pid)
    };
    let is_own = waits.iter().any(by_handler);
    let mut waits: Vec<Wait> = waits
        .into_iter()
        .map(|wait| {
            // What a shell or a runtime catches to end in good order wakes no wait for a child.
            let firm = matches!(
                wait.class,
                Class::ChildExit | Class::FuseReply | Class::Mutex | Class::Lock | Class::LockTurn
            );
            let doubtful = hears_others && !firm;
            if doubtful { wait.at_most(Confidence::Likely, "whether a signal handler ends the wait") } else { wait }
        })
        .collect();
    let is_open = limits == Limits::End;
    if is_own && hears_others && is_open && waits.iter().all(|wait| wait.class != Class::Signal) {
        waits.push(
            Wait::new(Class::Signal, ResourceKey::new("signal", ""), "a signal")
                .because(
                    format!("{} catches signals ({caught:#x}), and a handler could end its own wait", view.comm(pid)),
                    view.process_ref(pid),
                )
                .open_to("somebody who sends a signal"),
        );
    }
    if is_own && caught & SIGCHLD != 0 {
        waits.extend(view.snapshot.children_of(pid).map(|child| child::exit_of(view, child)));
    }
    Rest::Waits(waits)
}
