//! [`parking_lot::Condvar`], traced.

use std::fmt;
use std::time::{Duration, Instant};

use hangdog_flight::{Primitive, Role};
use parking_lot as plain;
use parking_lot::WaitTimeoutResult;

use super::MutexGuard;
use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{notified_nobody, sites};

const WAIT: For = For::new(&sites::WAIT, Role::Wait);

/// Takes the place of [`parking_lot::Condvar`], for guards of [`Mutex`](super::Mutex), and says who waits for it.
/// A notification that nobody waits for is noted in the history.
pub struct Condvar {
    known: Known,
    inner: plain::Condvar,
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
        Self { known: Known::new(Primitive::Condvar, name), inner: plain::Condvar::new() }
    }

    fn waiting<'a, T: ?Sized, R>(
        &self,
        guard: &mut MutexGuard<'a, T>,
        wait: impl FnOnce(&plain::Condvar, &mut plain::MutexGuard<'a, T>) -> R,
    ) -> R {
        guard.hold.let_go();
        let waits = WAIT.here(&self.known);
        let result = wait(&self.inner, &mut guard.guard);
        drop(waits);
        guard.hold.take_again();
        result
    }

    /// As [`parking_lot::Condvar::wait`].
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.waiting(guard, plain::Condvar::wait);
    }

    /// As [`parking_lot::Condvar::wait_while`].
    pub fn wait_while<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// As [`parking_lot::Condvar::wait_for`].
    pub fn wait_for<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> WaitTimeoutResult {
        self.waiting(guard, |condvar, guard| condvar.wait_for(guard, timeout))
    }

    /// As [`parking_lot::Condvar::wait_until`].
    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> WaitTimeoutResult {
        self.waiting(guard, |condvar, guard| condvar.wait_until(guard, deadline))
    }

    /// As [`parking_lot::Condvar::notify_one`].
    pub fn notify_one(&self) -> bool {
        let has_woken = self.inner.notify_one();
        if !has_woken {
            notified_nobody(&self.known);
        }
        has_woken
    }

    /// As [`parking_lot::Condvar::notify_all`].
    pub fn notify_all(&self) -> usize {
        let woken = self.inner.notify_all();
        if woken == 0 {
            notified_nobody(&self.known);
        }
        woken
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
