//! Signals and timers that a wait does not name.
//!
//! A handler may write into the process's own pipe, set its own eventfd, post its own semaphore: that is how event
//! loops hear of signals (libuv, asyncio, tokio). So a wait that the process itself could end is also a wait for a
//! signal, where it catches one; and where it catches SIGCHLD, for the end of its children. A wait for somebody
//! else is not: there a handler is only doubt, more where an alarm may be set (`alarm` and `setitimer` leave no trace
//! in `/proc`) and where somebody of the run goes on and may send the signal.

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
const SIGALRM: u64 = bit(14);

/// Who catches all of these (USR1, USR2, ALRM, XCPU, VTALRM, PROF, IO) catches whatever can be caught, as the runtime
/// of Go does: that says nothing about an alarm.
const ALL: u64 = bit(10) | bit(12) | SIGALRM | bit(24) | bit(26) | bit(27) | bit(29);

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

/// What a handler or a timer that cannot be seen may do.
#[derive(Clone, Copy, Debug)]
enum Doubt {
    None,
    Timer,
    Handler,
    Alarm,
}

fn doubted(wait: Wait, doubt: Doubt) -> Wait {
    // What a shell or a runtime catches to end in good order wakes no wait for a child.
    let firm =
        matches!(wait.class, Class::ChildExit | Class::FuseReply | Class::Mutex | Class::Lock | Class::LockTurn);
    match doubt {
        _ if firm => wait,
        Doubt::None => wait,
        Doubt::Timer => wait.at_most(Confidence::Likely, "whether the process has a timer"),
        Doubt::Handler => wait.at_most(Confidence::Likely, "whether a signal handler ends the wait").heard(),
        Doubt::Alarm => wait.at_most(Confidence::Possible, "whether an alarm is set, whose handler ends the wait"),
    }
}

/// What a wait is with the signals that its process catches.
pub(super) fn wake(view: &View<'_>, thread: &ThreadFact, rest: Rest, limits: Limits) -> Rest {
    let Rest::Waits(waits) = rest else { return rest };
    let pid = thread.thread.process.pid;
    let Some(process) = view.process(pid) else { return Rest::Waits(waits) };
    if process.timers.seen().is_some_and(|timers| *timers > 0) {
        return Rest::Timed(None);
    }
    // What could not be read may be anything; what nobody asked for is nothing (an older capture).
    let unread = if process.signals.is_not_asked() { 0 } else { !ALL | SIGALRM };
    let caught = process.signals.seen().map_or(unread, |signals| signals.caught.0);
    let hears_others = caught & !HARMLESS != 0;
    let may_have_an_alarm = caught & SIGALRM != 0 && caught & ALL != ALL;
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
    let may_have_a_timer = process.timers.seen().is_none() && !process.timers.is_not_asked();
    let doubt = if hears_others && may_have_an_alarm {
        Doubt::Alarm
    } else if hears_others {
        Doubt::Handler
    } else if may_have_a_timer {
        Doubt::Timer
    } else {
        Doubt::None
    };
    let mut waits: Vec<Wait> = waits.into_iter().map(|wait| doubted(wait, doubt)).collect();
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
