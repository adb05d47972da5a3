//! [`std::sync::Condvar`], traced.
//!
//! The plain one takes the mutex again before it returns, so a thread that was notified and now waits for the mutex
//! still shows as waiting for the condition.

use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{LockResult, WaitTimeoutResult};
use std::time::Duration;

use hangdog_flight::{Primitive, ResourceId, Role};

use super::held::Held;
use super::known::{Known, Name};
use super::mutex::MutexGuard;
use super::sites;
use super::waits::For;

const WAIT: For = For::new(&sites::WAIT, Role::Wait);

/// Takes the place of [`std::sync::Condvar`], for guards of [`Mutex`](super::Mutex), and says who waits for it.
/// A notification that nobody waits for is noted in the history.
pub struct Condvar {
    known: Known,
    waiting: Waiting,
    inner: std::sync::Condvar,
}

impl Condvar {
    /// A condition variable that is called by the place of this call.
    #[track_caller]
    pub const fn new() -> Self {
        Self::with(Name::of_caller())
    }

    /// A condition variable that is `cond:NAME`; later ones of the same name are `cond:NAME#2` and so on.
    pub const fn named(name: &'static str) -> Self {
        Self::with(Name::Given(name))
    }

    const fn with(name: Name) -> Self {
        Self {
            known: Known::new(Primitive::Condvar, name),
            waiting: Waiting::nobody(),
            inner: std::sync::Condvar::new(),
        }
    }

    /// As [`std::sync::Condvar::wait`].
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let Held { mut hold, guard } = guard;
        hold.let_go();
        let waits = (WAIT.here(&self.known), self.waiting.one_more());
        let woken = self.inner.wait(guard);
        drop(waits);
        hold.take_again();
        super::mutex::map(woken, |guard| Held { hold, guard })
    }

    /// As [`std::sync::Condvar::wait_while`].
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`std::sync::Condvar::wait_timeout`].
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let Held { mut hold, guard } = guard;
        hold.let_go();
        let waits = (WAIT.here(&self.known), self.waiting.one_more());
        let woken = self.inner.wait_timeout(guard, timeout);
        drop(waits);
        hold.take_again();
        super::mutex::map(woken, |(guard, timed_out)| (Held { hold, guard }, timed_out))
    }

    /// As [`std::sync::Condvar::wait_timeout_while`].
    pub fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let Held { mut hold, guard } = guard;
        hold.let_go();
        let waits = (WAIT.here(&self.known), self.waiting.one_more());
        let woken = self.inner.wait_timeout_while(guard, timeout, |value| {
            hold.take_again();
            let goes_on = condition(value);
            hold.let_go();
            goes_on
        });
        drop(waits);
        hold.take_again();
        super::mutex::map(woken, |(guard, timed_out)| (Held { hold, guard }, timed_out))
    }

    /// As [`std::sync::Condvar::notify_one`].
    pub fn notify_one(&self) {
        self.waiting.notified(&self.known);
        self.inner.notify_one();
    }

    /// As [`std::sync::Condvar::notify_all`].
    pub fn notify_all(&self) {
        self.waiting.notified(&self.known);
        self.inner.notify_all();
    }
}

/// How many wait for a notification.
pub(crate) struct Waiting(AtomicUsize);

/// One of them, until it is dropped.
pub(crate) struct OneMore<'a>(&'a AtomicUsize);

impl Waiting {
    pub(crate) const fn nobody() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn one_more(&self) -> OneMore<'_> {
        self.0.fetch_add(1, Relaxed);
        OneMore(&self.0)
    }

    /// Notes a notification that is lost.
    pub(crate) fn notified(&self, known: &Known) {
        if self.0.load(Relaxed) == 0 {
            notified_nobody(known);
        }
    }
}

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Notes that somebody would have been woken: of no phase, so that it is one of its own in the capture.
pub(crate) fn notified_nobody(known: &Known) {
    if let Some(key) = known.id().and_then(|id: ResourceId| id.key(Role::Wait)) {
        hangdog_flight::note(None, "hang.serve", key.as_str());
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
