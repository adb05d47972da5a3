//! Futexes. The word in memory names the owner for glibc's mutexes and joins; of others only the threads
//! of the process are known as those who could wake it (KERNEL.md §9, STACKS.md §8).

use hangdog_schemas::fact::{Argument, Syscall, ThreadFact};
use hangdog_schemas::{Address, Confidence, ResourceKey, Tid};

use super::call::Outcome;
use super::{Class, Resolver, Wait};
use crate::key::Key;
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
        let text = format!("the futex word at {address} names thread {owner}");
        let wait = Wait::new(class, key, name).because(text, facts.clone());
        let owner = Resolver::new((process.pid, owner), how, facts).exact();
        return Outcome::Waits(vec![wait.resolved(vec![owner])]);
    }
    if !is_private {
        return Outcome::Opaque(
            "it waits at a futex that other processes may share; its owner is not recorded".to_owned(),
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
    Outcome::Waits(vec![
        Wait::new(Class::Event, key, format!("a wake-up at {address}"))
            .because(text, facts)
            .resolved(vec![any])
            .at_most(Confidence::Likely, "who holds what it waits for: the futex names no owner"),
    ])
}

/// The owner that the lock word names, when it is of a shape that has one and the thread exists.
fn owner(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Option<(Class, Tid)> {
    let Argument::Words(words) = syscall.memory(0)?.seen()? else { return None };
    let word = *words.first()?;
    let value = syscall.arg(2).unwrap_or_default() as u32;
    let exists = |tid: u32| view.thread((thread.thread.process.pid, Tid(tid))).map(|_| Tid(tid));
    let private = syscall.arg(1).is_some_and(|op| op & PRIVATE != 0);
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
