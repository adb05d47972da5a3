//! Guards that keep their lock alive: the guard by reference, and the `Arc` in which the lock lies.
#![expect(unsafe_code, reason = "tokio's own owned guards want an Arc of its lock, and ours lies in an Arc of more")]

use std::fmt;
use std::mem::transmute;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// A guard and the lock that it is of.
pub struct Owned<Guard, Lock: ?Sized> {
    /// Refers into `lock`, and is dropped before it.
    guard: Guard,
    lock: Arc<Lock>,
}

impl<T: ?Sized + 'static, Lock: ?Sized> Owned<MutexGuard<'static, T>, Lock> {
    /// `guard` is of a lock within `lock`.
    pub(super) fn mutex(guard: MutexGuard<'_, T>, lock: &Arc<Lock>) -> Self {
        // SAFETY: only the lifetime changes. The mutex lies in the Arc that is kept beside the guard: it neither moves
        // nor ends before that does, nobody gets the guard out, and it is dropped first.
        let guard = unsafe { transmute::<MutexGuard<'_, T>, MutexGuard<'static, T>>(guard) };
        Self { guard, lock: lock.clone() }
    }
}

impl<T: ?Sized + 'static, Lock: ?Sized> Owned<RwLockReadGuard<'static, T>, Lock> {
    /// `guard` is of a lock within `lock`.
    pub(super) fn reader(guard: RwLockReadGuard<'_, T>, lock: &Arc<Lock>) -> Self {
        // SAFETY: as for a mutex.
        let guard = unsafe { transmute::<RwLockReadGuard<'_, T>, RwLockReadGuard<'static, T>>(guard) };
        Self { guard, lock: lock.clone() }
    }
}

impl<T: ?Sized + 'static, Lock: ?Sized> Owned<RwLockWriteGuard<'static, T>, Lock> {
    /// `guard` is of a lock within `lock`.
    pub(super) fn writer(guard: RwLockWriteGuard<'_, T>, lock: &Arc<Lock>) -> Self {
        // SAFETY: as for a mutex.
        let guard = unsafe { transmute::<RwLockWriteGuard<'_, T>, RwLockWriteGuard<'static, T>>(guard) };
        Self { guard, lock: lock.clone() }
    }

    /// The same lock, shared.
    pub(super) fn downgrade(self) -> Owned<RwLockReadGuard<'static, T>, Lock> {
        Owned { guard: self.guard.downgrade(), lock: self.lock }
    }
}

impl<Guard, Lock: ?Sized> Owned<Guard, Lock> {
    /// The lock that it is of.
    pub(super) fn lock(&self) -> &Arc<Lock> {
        &self.lock
    }
}

impl<Guard: Deref, Lock: ?Sized> Deref for Owned<Guard, Lock> {
    type Target = Guard::Target;

    fn deref(&self) -> &Guard::Target {
        &self.guard
    }
}

impl<Guard: DerefMut, Lock: ?Sized> DerefMut for Owned<Guard, Lock> {
    fn deref_mut(&mut self) -> &mut Guard::Target {
        &mut self.guard
    }
}

impl<Guard: fmt::Debug, Lock: ?Sized> fmt::Debug for Owned<Guard, Lock> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}

impl<Guard: fmt::Display, Lock: ?Sized> fmt::Display for Owned<Guard, Lock> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}
