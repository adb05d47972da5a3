//! Waits for a program's own memory: pages that user space fills (userfaultfd), and the locks of its memory map.
//!
//! ```text
//! page fault ── keeps its area ──▶ whoever changes that area ── keeps the map ──▶ whoever reads /proc/PID/cmdline
//! ```
//!
//! Seen on kernel 6.18: `munmap` sleeps in `__vma_start_write` while a fault in the area goes on, with the map's lock
//! held for writing; a reader of `cmdline` sleeps in `__access_remote_vm`. No fact names the holders: they are those
//! threads that are in such a call.

use hangdog_schemas::fact::{FdFact, Syscall, TaskState, ThreadFact};
use hangdog_schemas::{Confidence, Pid, ResourceKey};

use super::call::Outcome;
use super::{Class, Resolver, Wait};
use crate::view::View;

const USERFAULTFD: &str = "anon_inode:[userfaultfd]";

fn sleeps_in(thread: &ThreadFact, functions: &[&str]) -> bool {
    let is_one = |name: &str| functions.contains(&name);
    thread.wchan.seen().is_some_and(|wchan| is_one(wchan))
        || thread.stack.seen().and_then(|stack| stack.first()).is_some_and(|top| is_one(top))
}

/// A page that whoever has the userfaultfd is to fill.
pub(super) fn page_to_fill(view: &View<'_>, thread: &ThreadFact) -> Option<Outcome> {
    if !sleeps_in(thread, &["handle_userfault"]) {
        return None;
    }
    let key = (thread.thread.process.pid, thread.thread.tid);
    let mut wait =
        Wait::new(Class::Page, ResourceKey::new("userfaultfd", key.0), "a page of its memory (userfaultfd)")
            .because(format!("{} sleeps in handle_userfault", view.name(key)), view.thread_ref(key))
            .at_most(Confidence::Likely, "to which userfaultfd the page belongs");
    let all = || view.snapshot.fds.values().flat_map(|fds| fds.values()).filter(|fd| fd.target == USERFAULTFD);
    let mut told: Vec<Pid> = Vec::new();
    for fd in all() {
        let holder = fd.process.pid;
        if told.contains(&holder) {
            continue;
        }
        told.push(holder);
        let facts = view.fd_ref(holder, fd.fd);
        wait = wait
            .because(format!("{}[{holder}] has a userfaultfd as fd {}", view.comm(holder), fd.fd), facts.clone())
            .resolved(view.all_threads(holder, &format!("has the userfaultfd as fd {}", fd.fd), &facts));
    }
    Some(Outcome::Waits(vec![super::fd::hidden_holders(view, wait)]))
}

/// A change of the memory map waits for the page faults in that area.
pub(super) fn change(view: &View<'_>, thread: &ThreadFact) -> Option<Outcome> {
    if !sleeps_in(thread, &["__vma_start_write", "__vma_enter_locked"]) {
        return None;
    }
    let (pid, own) = (thread.thread.process.pid, (thread.thread.process.pid, thread.thread.tid));
    let is_in_fault = |other: &&ThreadFact| {
        matches!(other.syscall.seen(), Some(Syscall::None { .. }))
            && matches!(other.state, TaskState::D | TaskState::S)
            && other.thread.tid != thread.thread.tid
    };
    let text = format!("{} changes an area of memory in which a page fault goes on", view.name(own));
    let wait = held(view, pid, "an area of the memory map", &text, own)
        .at_most(Confidence::Likely, "which of the page faults is in that area");
    Some(resolve(view, wait, view.snapshot.threads_of(pid).filter(is_in_fault), "is in a page fault there"))
}

/// A read of another program's memory through `/proc` waits for whoever changes its memory map.
pub(super) fn of_another(view: &View<'_>, thread: &ThreadFact, fact: &FdFact) -> Option<Outcome> {
    if !sleeps_in(thread, &["__access_remote_vm", "rwsem_down_read_slowpath", "mmap_read_lock_killable", "m_start"]) {
        return None;
    }
    let pid: Pid = Pid(fact.target.strip_prefix("/proc/")?.split('/').next()?.parse().ok()?);
    view.process(pid)?;
    let own = (thread.thread.process.pid, thread.thread.tid);
    let changes = |other: &&ThreadFact| {
        let name = other.syscall.seen().and_then(Syscall::name).unwrap_or_default();
        other.state == TaskState::D && matches!(name, "munmap" | "mmap" | "mprotect" | "mremap" | "brk" | "madvise")
    };
    let text = format!("{} reads {}, which needs the lock of that memory map", view.name(own), fact.target);
    let wait = held(view, pid, "the lock of the memory map", &text, own)
        .at_most(Confidence::Likely, "who has the lock of the memory map: those that change it");
    Some(resolve(view, wait, view.snapshot.threads_of(pid).filter(changes), "changes that memory map"))
}

fn held(view: &View<'_>, of: Pid, what: &str, text: &str, waiter: (Pid, hangdog_schemas::Tid)) -> Wait {
    let name = format!("{what} of {}[{of}]", view.comm(of));
    Wait::new(Class::MemoryLock, ResourceKey::new("mm", of), name).because(text, view.thread_ref(waiter))
}

fn resolve<'a>(view: &View<'_>, wait: Wait, holders: impl Iterator<Item = &'a ThreadFact>, how: &str) -> Outcome {
    let resolvers = holders.map(|holder| {
        let key = (holder.thread.process.pid, holder.thread.tid);
        Resolver::new(key, how, view.thread_ref(key))
    });
    let wait = wait.resolved(resolvers.collect());
    if wait.resolvers.is_empty() {
        return Outcome::Opaque(format!("who holds {} is not visible", wait.name));
    }
    Outcome::Waits(vec![wait])
}
