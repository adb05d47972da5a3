//! Processes that wait for processes: ended, stopped, frozen, traced; and signals.

use hangdog_schemas::fact::{Syscall, TaskState, ThreadFact};
use hangdog_schemas::{Confidence, Pid, ResourceKey};

use super::call::Outcome;
use super::{Class, Wait};
use crate::view::View;

const WNOHANG: u64 = 1;
const P_ALL: i32 = 0;
const P_PID: i32 = 1;
const P_PGID: i32 = 2;
const P_PIDFD: i32 = 3;

/// The end of a process. A zombie has ended already.
pub(super) fn exit_of(view: &View<'_>, pid: Pid) -> Wait {
    Wait::new(Class::ChildExit, ResourceKey::exit(pid), format!("{}[{pid}]", view.comm(pid)))
        .because(format!("{}[{pid}] has not ended", view.comm(pid)), view.process_ref(pid))
        .resolved(view.all_threads(pid, "has to end", &view.process_ref(pid)))
}

/// `wait4` and `waitid`: any child that fits.
pub(super) fn waited_for(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str) -> Outcome {
    let own = thread.thread.process.pid;
    let (options, selector) =
        if name == "wait4" { (2, wait4_selector(syscall)) } else { (3, waitid_selector(syscall)) };
    if syscall.arg(options).is_some_and(|bits| bits & WNOHANG != 0) {
        return Outcome::Ready;
    }
    let Some(selector) = selector else { return Outcome::Opaque("whom it waits for is not known".to_owned()) };
    if let Selector::Pidfd(number) = selector {
        return super::fd::outcome(view, thread, number, super::fd::Direction::Poll, 0);
    }
    let children: Vec<Pid> =
        view.snapshot.children_of(own).filter(|child| selector.fits(view, own, *child)).collect();
    // A tracer waits for its tracees as for its children (ptrace(2)).
    let traced = view.snapshot.processes.values().filter(|process| process.tracer == Some(own));
    if children.is_empty() {
        if traced.count() > 0 {
            return Outcome::Opaque("it traces other processes".to_owned());
        }
        return Outcome::Opaque("none of its children is known".to_owned());
    }
    let is_zombie = |pid: &Pid| {
        view.process(*pid).map(|process| process.state).or_else(|| view.snapshot.bystanders.get(pid).map(|b| b.state))
            == Some(TaskState::Z)
    };
    if children.iter().any(is_zombie) {
        return Outcome::Ready;
    }
    Outcome::Waits(children.into_iter().map(|child| exit_of(view, child)).collect())
}

enum Selector {
    Any,
    /// A number in the caller's own pid namespace.
    Pid(u32),
    Group(Option<u32>),
    Pidfd(hangdog_schemas::Fd),
}

impl Selector {
    fn fits(&self, view: &View<'_>, caller: Pid, child: Pid) -> bool {
        match self {
            Self::Any | Self::Pidfd(_) => true,
            Self::Pid(number) => inner_number(view, caller, child) == *number,
            Self::Group(group) => {
                let of = |pid: Pid| view.process(pid).and_then(|process| process.group.seen()).copied();
                match group {
                    // Group numbers are read in the observer's namespace; of a nested one they cannot be compared.
                    Some(number) if depth_of(view, caller) == 1 => of(child).is_none_or(|pid| pid.0 == *number),
                    Some(_) => true,
                    None => of(child) == of(caller),
                }
            }
        }
    }
}

fn depth_of(view: &View<'_>, pid: Pid) -> usize {
    view.process(pid).map_or(1, |process| process.ns_pids.len().max(1))
}

/// The number by which `caller` knows `child`: its entry at the depth of the caller's namespace.
fn inner_number(view: &View<'_>, caller: Pid, child: Pid) -> u32 {
    let depth = depth_of(view, caller);
    view.process(child).and_then(|process| process.ns_pids.get(depth - 1)).copied().unwrap_or(child.0)
}

fn wait4_selector(syscall: &Syscall) -> Option<Selector> {
    Some(match syscall.int(0)? {
        -1 => Selector::Any,
        0 => Selector::Group(None),
        number if number > 0 => Selector::Pid(number.unsigned_abs()),
        number => Selector::Group(Some(number.unsigned_abs())),
    })
}

fn waitid_selector(syscall: &Syscall) -> Option<Selector> {
    let id = syscall.int(1)?.unsigned_abs();
    Some(match syscall.int(0)? {
        P_ALL => Selector::Any,
        P_PID => Selector::Pid(id),
        P_PGID => Selector::Group((id != 0).then_some(id)),
        P_PIDFD => Selector::Pidfd(hangdog_schemas::Fd(id)),
        _ => return None,
    })
}

/// A parent in vfork waits until its child has executed a program or ended. The kernel shows `kernel_clone` and D.
pub(super) fn vforked(view: &View<'_>, thread: &ThreadFact) -> Outcome {
    let own = thread.thread.process.pid;
    let child = thread.children.last().copied().or_else(|| view.snapshot.children_of(own).last());
    match child {
        Some(child) => Outcome::Waits(vec![exit_of(view, child).because(
            format!("{} is in vfork until {child} executes a program or ends", view.comm(own)),
            view.thread_ref((own, thread.thread.tid)),
        )]),
        None => Outcome::Opaque("the child of its vfork is not known".to_owned()),
    }
}

/// `pause`, `sigsuspend`, `sigwait`: a signal, which anybody may send; the end of a child sends one too.
pub(super) fn signal(view: &View<'_>, thread: &ThreadFact) -> Outcome {
    let own = thread.thread.process.pid;
    let mut waits = vec![
        Wait::new(Class::Signal, ResourceKey::new("signal", ""), "a signal")
            .because(format!("{} waits for a signal", view.comm(own)), view.thread_ref((own, thread.thread.tid)))
            .open_to("somebody who sends a signal"),
    ];
    let sigchld = 1_u64 << 16;
    let caught = view
        .process(own)
        .and_then(|process| process.signals.seen())
        .is_some_and(|signals| signals.caught.0 & sigchld != 0);
    if caught {
        waits.extend(view.snapshot.children_of(own).map(|child| exit_of(view, child)));
    }
    Outcome::Waits(waits)
}

/// A process that a signal or a tracer stopped.
pub(super) fn stopped(view: &View<'_>, thread: &ThreadFact) -> Wait {
    let pid = thread.thread.process.pid;
    let key = ResourceKey::stop(pid);
    let facts = view.thread_ref((pid, thread.thread.tid));
    let tracer = view.process(pid).and_then(|process| process.tracer).filter(|tracer| tracer.0 != 0);
    if let (TaskState::Traced, Some(tracer)) = (thread.state, tracer) {
        return Wait::new(Class::Tracer, key, format!("{}[{tracer}]", view.comm(tracer)))
            .because(format!("{}[{pid}] is in state t, traced by {tracer}", view.comm(pid)), facts.clone())
            .resolved(view.all_threads(tracer, "traces it", &facts))
            .at_most(Confidence::Likely, "what the tracer waits for");
    }
    Wait::new(Class::Continue, key, format!("{}[{pid}]", view.comm(pid)))
        .because(
            format!(
                "{}[{pid}] is in state {}: stopped{}",
                view.comm(pid),
                thread.state.letter(),
                why_stopped(view, thread)
            ),
            facts,
        )
        .open_to("somebody who sends SIGCONT")
        .at_most(Confidence::Likely, "whether somebody will send SIGCONT")
}

/// What stopped it, as far as the terminal tells: a background group that reads or writes it gets SIGTTIN or SIGTTOU.
fn why_stopped(view: &View<'_>, thread: &ThreadFact) -> String {
    let Some(process) = view.process(thread.thread.process.pid) else { return String::new() };
    let in_background = match (process.terminal.seen(), process.group.seen()) {
        (Some(Some(terminal)), Some(group)) => i64::from(terminal.foreground) != i64::from(group.0),
        _ => false,
    };
    let call = thread.syscall.seen().and_then(Syscall::name);
    match (in_background, call) {
        (true, Some("read" | "readv" | "pread64")) => {
            " by SIGTTIN: it read its terminal from a background process group".to_owned()
        }
        (true, Some("write" | "writev" | "ioctl")) => {
            " by SIGTTOU: it used its terminal from a background process group".to_owned()
        }
        _ => String::new(),
    }
}

/// A process whose control group is frozen.
pub(super) fn frozen(view: &View<'_>, thread: &ThreadFact) -> Option<Wait> {
    let pid = thread.thread.process.pid;
    let process = view.process(pid)?;
    if process.frozen.seen() != Some(&true) {
        return None;
    }
    // The root of a hierarchy is never frozen.
    let is_named = |group: &&String| !group.ends_with(":/") && (group.contains("freezer") || group.starts_with(':'));
    let group = process.cgroups.seen().and_then(|groups| groups.iter().find(is_named));
    let name = group.map_or_else(|| "its control group".to_owned(), |group| format!("control group {group}"));
    Some(
        Wait::new(Class::Thaw, ResourceKey::stop(pid), name)
            .because(
                format!("the control group of {}[{pid}] is frozen, itself or with one above it", view.comm(pid)),
                view.process_ref(pid),
            )
            .open_to("somebody who thaws it")
            .at_most(Confidence::Likely, "whether somebody will thaw it"),
    )
}
