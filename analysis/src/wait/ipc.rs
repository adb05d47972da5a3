//! What processes share by a number or a name. Semaphores and message queues of System V have no owner; the kernel
//! tells who changed one last, or sent and received last, and any process that knows the number may do so. Queues of
//! POSIX have descriptors, and a name until it is removed.

use std::fmt;

use hangdog_schemas::fact::{Access, Argument, FdFact, SemaphoreFact, Syscall, ThreadFact};
use hangdog_schemas::{Confidence, Inode, Pid, ResourceKey, Watched};

use super::call::{Outcome, descriptor};
use super::fd::Direction;
use super::{Class, Resolver, Wait};
use crate::key::Key;
use crate::view::View;

/// What the kernel adds to a name that is no more.
const REMOVED: &str = " (deleted)";

pub(super) fn semaphore(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Outcome {
    let unknown = || Outcome::Opaque("what the semaphore is that it waits for could not be read".to_owned());
    let Some(set) = syscall.arg(0).and_then(|set| u32::try_from(set).ok()) else { return unknown() };
    let operations = syscall.memory(1).and_then(|memory| memory.seen());
    let Some(Argument::SemaphoreOperations(operations)) = operations else { return unknown() };
    let namespace = view.ipc_namespace(thread.thread.process.pid);
    let fact = |number: u16| {
        let mut facts = view.snapshot.semaphores.iter().filter(|fact| (fact.set, fact.number) == (set, number));
        facts.find(|fact| is_there(fact.namespace, namespace))
    };
    // All of them are done at once: it waits for the first that cannot be.
    let blocking = operations.iter().find_map(|operation| {
        let fact = fact(operation.number)?;
        let wants = u32::from(operation.add.unsigned_abs());
        let cannot = if operation.add == 0 { fact.value != 0 } else { operation.add < 0 && fact.value < wants };
        cannot.then_some(fact)
    });
    match blocking {
        Some(fact) => Outcome::Waits(vec![wait(view, thread, fact)]),
        None if operations.iter().all(|operation| fact(operation.number).is_some()) => Outcome::Ready,
        None => unknown(),
    }
}

/// Whether a fact is of the namespace in which somebody waits. Older captures name none.
fn is_there(of_fact: Option<Inode>, of_waiter: Option<Inode>) -> bool {
    of_fact.is_none_or(|namespace| of_waiter == Some(namespace))
}

/// Each namespace numbers its own.
fn in_namespace(namespace: Option<Inode>, number: fmt::Arguments<'_>) -> String {
    namespace.map_or_else(|| number.to_string(), |namespace| format!("{namespace}:{number}"))
}

fn wait(view: &View<'_>, thread: &ThreadFact, fact: &SemaphoreFact) -> Wait {
    let process = thread.thread.process;
    let facts = view.thread_ref((process.pid, thread.thread.tid));
    let name = format!("semaphore {} of set {}", fact.number, fact.set);
    let key = ResourceKey::new("sem", in_namespace(fact.namespace, format_args!("{}/{}", fact.set, fact.number)));
    let mut wait = Wait::new(Class::Semaphore, key, &name)
        .because(format!("{name} is {}, and {} wait for it to grow", fact.value, fact.waiting), facts.clone())
        .at_most(Confidence::Likely, "who would change the semaphore next: it has no owner");
    if fact.last.0 == 0 {
        wait = wait.because("no process has changed it yet".to_owned(), facts);
    } else {
        wait = by_the_last(view, wait, thread, fact.last, ["changed it last", " and did not give it back"]);
    }
    let wait = wait.resolved(anybody_of_the_run(view));
    if fact.made_by_run && is_all_of_it(view) {
        wait
    } else {
        wait.open_to("another process that knows the semaphore")
    }
}

/// Whoever did it last is the likeliest to do it again.
fn by_the_last(view: &View<'_>, wait: Wait, thread: &ThreadFact, last: Pid, [did, not]: [&str; 2]) -> Wait {
    let process = thread.thread.process;
    let facts = view.thread_ref((process.pid, thread.thread.tid));
    if view.process(last).is_some() || view.snapshot.bystanders.contains_key(&last) {
        let wait = wait.because(format!("{}[{last}] {did}", view.comm(last)), facts.clone());
        return if last == process.pid { wait } else { wait.resolved(view.all_threads(last, did, &facts)) };
    }
    let named = view.timeline.processes().filter(|gone| gone.id.pid == last).max_by_key(|gone| gone.start.t);
    let name = named.map_or("process", |gone| gone.comm_at(view.snapshot.begin));
    wait.because(format!("{name}[{last}], which {did}, has ended{not}"), facts)
}

/// A message in a queue of System V, or room for one.
pub(super) fn message_queue(
    view: &View<'_>,
    thread: &ThreadFact,
    syscall: &Syscall,
    direction: Direction,
) -> Outcome {
    let Some(queue) = syscall.arg(0).and_then(|queue| u32::try_from(queue).ok()) else {
        return Outcome::Opaque("the message queue that it waits for could not be read".to_owned());
    };
    let wanted = if direction == Direction::Read { "a message in" } else { "room in" };
    let who = (thread.thread.process.pid, thread.thread.tid);
    let facts = view.thread_ref(who);
    let namespace = view.ipc_namespace(thread.thread.process.pid);
    let key = ResourceKey::new("msg", in_namespace(namespace, format_args!("{queue}")));
    let mut wait = Wait::new(Class::SharedEvent, key, format!("{wanted} message queue {queue}"))
        .at_most(Confidence::Likely, "who would use the message queue next: it has no owner");
    let mut facts_of_it = view.snapshot.message_queues.iter().filter(|fact| fact.queue == queue);
    let fact = facts_of_it.find(|fact| is_there(fact.namespace, namespace));
    if let Some(fact) = fact {
        let (messages, bytes) = (fact.messages, fact.bytes);
        wait = wait.because(format!("message queue {queue} holds {messages} messages of {bytes} bytes"), facts);
        let (last, did) = match direction {
            Direction::Read => (fact.last_sender, "sent to it last"),
            _ => (fact.last_receiver, "received from it last"),
        };
        if last.0 != 0 {
            wait = by_the_last(view, wait, thread, last, [did, ""]);
        }
    } else {
        // The kernel shows those of the observer's own IPC namespace.
        wait = wait.because(format!("{} waits for {wanted} message queue {queue}", view.name(who)), facts);
    }
    let wait = wait.resolved(anybody_of_the_run(view));
    if fact.is_some_and(|fact| fact.made_by_run) && is_all_of_it(view) {
        Outcome::Waits(vec![wait])
    } else {
        Outcome::Waits(vec![wait.open_to("another process that knows the message queue")])
    }
}

/// A message in a queue of POSIX, or room for one.
pub(super) fn queue(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, direction: Direction) -> Outcome {
    let pid = thread.thread.process.pid;
    let Some(fact) = descriptor(syscall, 0).and_then(|number| view.snapshot.fd(pid, number)) else {
        return Outcome::Opaque("the queue that it waits for could not be read".to_owned());
    };
    let (wanted, other) = match direction {
        Direction::Read => ("a message in", Access::Read),
        _ => ("room in", Access::Write),
    };
    let name = format!("{wanted} the queue {}", fact.target.trim_end_matches(REMOVED));
    let facts = view.fd_ref(pid, fact.fd);
    let mut wait = Wait::new(Class::SharedEvent, ResourceKey::new("mq", &fact.target), name)
        .because(format!("fd {} of {pid} is the queue {}", fact.fd, fact.target), facts)
        .at_most(Confidence::Likely, "who of those that have the queue would use it");
    let same = |holder: &&FdFact| {
        (&holder.target, holder.mount, holder.inode) == (&fact.target, fact.mount, fact.inode)
            && holder.access != Some(other)
    };
    for holder in view.snapshot.fds.values().flat_map(|fds| fds.values()).filter(same) {
        let facts = view.fd_ref(holder.process.pid, holder.fd);
        let how = format!("has the queue as fd {}", holder.fd);
        wait = wait.resolved(view.all_threads(holder.process.pid, &how, &facts));
    }
    if wait.resolvers.is_empty() {
        return Outcome::Opaque(format!("who else has the queue {} is not visible", fact.target));
    }
    if !fact.target.ends_with(REMOVED) || !is_all_of_it(view) {
        wait = wait.resolved(anybody_of_the_run(view)).open_to("another process that opens the queue");
    }
    Outcome::Waits(vec![wait])
}

/// Whether all who can have been given something by their parents are in the run: of processes that ran already,
/// those that are looked at may be a part.
pub(super) fn is_all_of_it(view: &View<'_>) -> bool {
    view.watched() == Watched::Command
}

/// Every process of the run, as one who may end the wait and is never told as such.
pub(super) fn anybody_of_the_run(view: &View<'_>) -> Vec<Resolver> {
    let pids = view.snapshot.processes.keys().filter(|pid| view.is_of_run(**pid));
    pids.map(|pid| Resolver::new(Key::Any(*pid), "may end it", Vec::new()).untold()).collect()
}
