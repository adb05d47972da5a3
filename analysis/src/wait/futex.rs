//! Futexes. The word in memory names the owner for glibc's mutexes and joins; of others only the threads
//! of the process are known as those who could wake it (KERNEL.md §9, STACKS.md §8).

use hangdog_schemas::fact::{Argument, Gap, Syscall, ThreadFact};
use hangdog_schemas::record::ExitStatus;
use hangdog_schemas::{Address, Confidence, Observed, Pid, ResourceKey, Tid};

use super::call::Outcome;
use super::{Class, Resolver, Wait, ipc};
use crate::key::Key;
use crate::runtime;
use crate::view::View;

const PRIVATE: u64 = 0x80;
const CLOCK_REALTIME: u64 = 0x100;
const FUTEX_WAIT: u64 = 0;
const FUTEX_LOCK_PI: u64 = 6;
const FUTEX_WAIT_BITSET: u64 = 9;
const FUTEX_WAIT_REQUEUE_PI: u64 = 11;
const FUTEX_LOCK_PI2: u64 = 13;
const TID_MASK: u32 = 0x3fff_ffff;

fn operation(syscall: &Syscall) -> u64 {
    syscall.arg(1).unwrap_or(u64::MAX) & 0xffff_ffff & !(PRIVATE | CLOCK_REALTIME)
}

/// Whether the call waits (others use the fourth argument for something else than a time limit).
pub(super) fn is_wait(syscall: &Syscall) -> bool {
    matches!(
        operation(syscall),
        FUTEX_WAIT | FUTEX_WAIT_BITSET | FUTEX_LOCK_PI | FUTEX_LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI
    )
}

/// Waits at a futex without an owner: what a parked thread of a pool looks like.
pub(super) fn is_parked(syscall: &Syscall) -> bool {
    syscall.name() == Some("futex")
        && is_wait(syscall)
        && !matches!(operation(syscall), FUTEX_LOCK_PI | FUTEX_LOCK_PI2)
}

/// Whether it is the monitor thread of a Go program (`sysmon` of runtime/proc.go) while there is nothing to monitor:
/// then it sleeps for half the time after which a collection is due in any case, or less if a timer is due sooner.
/// Nothing comes of its waking up.
pub(super) fn is_go_monitor(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> bool {
    const HALF_A_FORCED_COLLECTION: u64 = 60_000_000_000;
    let plain_private_wait = syscall.arg(1).is_some_and(|op| op & 0xffff_ffff == FUTEX_WAIT | PRIVATE);
    syscall.name() == Some("futex")
        && plain_private_wait
        && syscall.arg(2).is_some_and(|value| value as u32 == 0)
        && syscall.time(3) == Some(HALF_A_FORCED_COLLECTION)
        && view.snapshot.threads_of(thread.thread.process.pid).any(runtime::is_in_go_heap)
}

pub(super) fn wait(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Outcome {
    if !is_wait(syscall) {
        return Outcome::Opaque("it is in a futex call that does not wait".to_owned());
    }
    let process = thread.thread.process;
    let address = Address(syscall.arg(0).unwrap_or_default());
    let is_private = syscall.arg(1).is_some_and(|op| op & PRIVATE != 0);
    let facts = view.thread_ref((process.pid, thread.thread.tid));
    let key = ResourceKey::private_futex(process, address);
    if let Some((class, owner)) = owner(view, thread, syscall) {
        let (name, how) = match class {
            Class::ThreadExit => (format!("thread {owner}"), "has to end".to_owned()),
            _ => (format!("the mutex at {address}"), format!("holds the mutex at {address}")),
        };
        let is_told = is_read(syscall);
        let said = if is_told { "the futex word" } else { "the value that it expects of the futex word" };
        let text = format!("{said} at {address} names thread {owner}");
        let mut wait = Wait::new(class, key, name).because(text, facts.clone());
        if !is_told {
            wait = wait.at_most(Confidence::Likely, "the futex word itself: its memory could not be read");
        }
        let owner = Resolver::new((process.pid, owner), how, facts).exact();
        return Outcome::Waits(vec![wait.resolved(vec![owner])]);
    }
    if let Some(memory) = shared_memory(syscall).filter(|_| !is_private) {
        return Outcome::Waits(vec![shared_mutex(view, thread, syscall).unwrap_or_else(|| {
            let wait = Wait::new(Class::SharedEvent, key, format!("a wake-up at {address} in {}", of(memory)))
                .because(format!("{} waits at a futex in {}", view.comm(process.pid), of(memory)), facts)
                .resolved(ipc::anybody_of_the_run(view))
                .at_most(Confidence::Likely, "who has that memory mapped, and who of them would wake it");
            if is_closed(memory) && ipc::is_all_of_it(view) {
                wait
            } else {
                wait.open_to("another process that maps that memory")
            }
        })]);
    }
    if !is_private && !is_read(syscall) {
        return Outcome::Opaque(
            "it waits at a futex, and whether other processes share it could not be read".to_owned(),
        );
    }
    // Only threads of this process can wake it.
    let text =
        format!("{} waits at a private futex: only threads of its own process can wake it", view.comm(process.pid));
    // In a process of one thread that is the waiter itself.
    let alone = view.hidden_threads(process.pid).is_none() && view.snapshot.threads_of(process.pid).count() == 1;
    let any = if alone {
        Resolver::new((process.pid, thread.thread.tid), "could wake it", facts.clone()).exact()
    } else {
        Resolver::new(Key::Any(process.pid), "could wake it", facts.clone())
    };
    let mut wait = Wait::new(Class::Event, key, format!("a wake-up at {address}")).because(text, facts);
    if let Some(parent) = forked_from(view, process.pid).filter(|_| alone) {
        wait = wait.because(format!("{}{}", COPIED, view.name(Key::main_of(parent))), view.process_ref(parent));
    }
    Outcome::Waits(vec![
        wait.resolved(vec![any]).at_most(Confidence::Likely, "who holds what it waits for: the futex names no owner"),
    ])
}

/// What is mapped where memory without a name is shared.
const UNNAMED: &str = "/dev/zero (deleted)";

/// How evidence begins that a process may have inherited a lock which nobody can give back.
pub(crate) const COPIED: &str = "it has one thread, and runs the program of its parent since it was forked by ";

/// The parent of a process that runs the same program with the same arguments, so most likely since a fork.
fn forked_from(view: &View<'_>, pid: Pid) -> Option<Pid> {
    let process = view.process(pid)?;
    let parent = view.process(process.parent)?;
    let same = |one: Option<&String>, other: Option<&String>| one.is_none() || other.is_none() || one == other;
    let arguments = process.cmdline.seen().filter(|arguments| !arguments.is_empty())?;
    let is_copy = Some(arguments) == parent.cmdline.seen() && same(process.exe.seen(), parent.exe.seen());
    is_copy.then_some(process.parent)
}

/// Memory without a name goes to whoever is forked, a file that was removed to those who had it before. What is a name
/// elsewhere, or goes from process to process as a descriptor, can be mapped by anybody.
fn is_closed(memory: &str) -> bool {
    const PRIVATE_SYSTEM_V: &str = "/SYSV00000000";
    let has_another_name =
        memory.starts_with("/memfd:") || memory.starts_with("/SYSV") && !memory.starts_with(PRIVATE_SYSTEM_V);
    memory == UNNAMED || memory.ends_with(" (deleted)") && !has_another_name
}

fn of(memory: &str) -> &str {
    if memory == UNNAMED { "memory shared by fork" } else { memory }
}

/// What is mapped at the futex, when other processes may share it.
fn shared_memory(syscall: &Syscall) -> Option<&str> {
    match syscall.memory(0)?.seen()? {
        Argument::Words { shared, .. } => shared.as_deref(),
        _ => None,
    }
}

/// Whether it is known where the futex lies.
fn is_read(syscall: &Syscall) -> bool {
    matches!(syscall.memory(0).and_then(|memory| memory.seen()), Some(Argument::Words { .. }))
}

/// A mutex in memory that processes share, of glibc's shape: held by a thread of the run, or by one that has ended.
fn shared_mutex(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Option<Wait> {
    /// What glibc adds to the kind of a mutex that is shared, and of one that outlives its holder.
    const SHARED: u32 = 0x80;
    let Argument::Words { values: words, .. } = syscall.memory(0)?.seen()? else { return None };
    let [2, _, owner, _, kind, ..] = words[..] else { return None };
    if syscall.arg(2)? as u32 != 2 || kind & SHARED == 0 || kind & !SHARED > 3 || owner == 0 {
        return None;
    }
    let process = thread.thread.process;
    // The owner is a number of its own pid namespace.
    if view.process(process.pid)?.ns_pids.len() > 1 {
        return None;
    }
    let address = Address(syscall.arg(0)?);
    let facts = view.thread_ref((process.pid, thread.thread.tid));
    let mutex = Wait::new(
        Class::Mutex,
        ResourceKey::private_futex(process, address),
        format!("the process-shared mutex at {address} in {}", shared_memory(syscall).map_or("shared memory", of)),
    );
    let text = format!("the mutex at {address} is locked, and names thread {owner} as its holder");
    let mutex = mutex
        .because(text, facts.clone())
        .at_most(Confidence::Likely, "whether another process that maps the mutex would unlock it");
    let holder = view.snapshot.threads.values().find(|holder| holder.thread.tid.0 == owner);
    if let Some(holder) = holder {
        let how = format!("holds the mutex at {address}");
        let resolver = Resolver::new((holder.thread.process.pid, holder.thread.tid), how, facts.clone()).exact();
        return Some(mutex.resolved(vec![resolver]));
    }
    let is_gone = |gap: &Gap| gap.pid == Some(Pid(owner)) && gap.what == "thread" && gap.why == Observed::Vanished;
    if !view.snapshot.gaps.iter().any(is_gone) {
        return None;
    }
    let holder = view.timeline.processes().filter(|dead| dead.id.pid.0 == owner && dead.end.is_some());
    let dead = holder.max_by_key(|dead| dead.start.t);
    let how = match dead.and_then(|dead| dead.how) {
        Some(ExitStatus::Signal(signal)) => format!("was killed by signal {signal}"),
        _ => "ended".to_owned(),
    };
    // One that came and went between two samples has no name.
    let name =
        dead.map_or(format!("thread {owner}"), |dead| format!("{}[{owner}]", dead.comm_at(view.snapshot.begin)));
    let text = format!("{name} held it when it {how}, and a mutex that is not robust stays locked");
    Some(mutex.because(text, facts))
}

/// The owner that the lock word names, when it is of a shape that has one and the thread exists.
fn owner(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Option<(Class, Tid)> {
    let value = syscall.arg(2).unwrap_or_default() as u32;
    let exists = |tid: u32| view.thread((thread.thread.process.pid, Tid(tid))).map(|_| Tid(tid));
    let private = syscall.arg(1).is_some_and(|op| op & PRIVATE != 0);
    if !is_read(syscall) && !private && operation(syscall) == FUTEX_WAIT_BITSET && thread.thread.tid.0 != value {
        // Whoever changes its memory map keeps others from reading the word. The kernel let it sleep because the word
        // was the expected value, and what ends with a thread of its own by that number is a join of it.
        return exists(value).map(|tid| (Class::ThreadExit, tid));
    }
    let Argument::Words { values: words, .. } = syscall.memory(0)?.seen()? else { return None };
    let word = *words.first()?;
    match operation(syscall) {
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => exists(word & TID_MASK).map(|tid| (Class::Mutex, tid)),
        // pthread_join: a shared wait for the thread's own tid word to become 0.
        FUTEX_WAIT_BITSET if !private && value == word && word != 0 => {
            exists(word).map(|tid| (Class::ThreadExit, tid))
        }
        // A glibc mutex: 2 = locked with waiters, owner two words on, kind 0 to 3 (16 bytes from the word).
        FUTEX_WAIT | FUTEX_WAIT_BITSET if value == 2 && word == 2 && words.get(4).is_some_and(|kind| *kind <= 3) => {
            exists(*words.get(2)?).map(|tid| (Class::Mutex, tid))
        }
        _ => None,
    }
}
