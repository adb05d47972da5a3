//! [`tokio::sync::Mutex`], traced.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::sync::Arc;

use hangdog_flight::{Primitive, Role};
use tokio::sync as plain;
use tokio::sync::TryLockError;

use super::owned::Owned;
use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{Alone, Held, sites, task};

const LOCK: For = For::new(&sites::LOCK, Role::Wait);

/// Takes the place of [`tokio::sync::Mutex`] and says which task holds it and which wait for it.
pub struct Mutex<T: ?Sized> {
    known: Known,
    inner: plain::Mutex<T>,
}

/// Holds a [`Mutex`] until it is dropped.
pub type MutexGuard<'a, T> = Held<Alone, plain::MutexGuard<'a, T>>;
/// The same, for a part of what the mutex holds.
pub type MappedMutexGuard<'a, T> = Held<Alone, plain::MappedMutexGuard<'a, T>>;
/// Holds a [`Mutex`] until it is dropped, and keeps it alive.
pub type OwnedMutexGuard<T> = Held<Alone, Owned<plain::MutexGuard<'static, T>, Mutex<T>>>;

impl<T> Mutex<T> {
    /// A mutex that is called by the place of this call.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::with(Name::of_caller(), plain::Mutex::new(value))
    }

    /// The same, for a constant.
    #[track_caller]
    pub const fn const_new(value: T) -> Self {
        Self::with(Name::of_caller(), plain::Mutex::const_new(value))
    }

    /// A mutex that is `lock:NAME`; later ones of the same name are `lock:NAME#2` and so on.
    pub const fn named(name: &'static str, value: T) -> Self {
        Self::with(Name::Given(name), plain::Mutex::const_new(value))
    }

    const fn with(name: Name, inner: plain::Mutex<T>) -> Self {
        Self { known: Known::new(Primitive::AsyncMutex, name), inner }
    }

    /// As [`tokio::sync::Mutex::into_inner`].
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`tokio::sync::Mutex::lock`].
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        self.held(LOCK.follow(&self.known, self.inner.lock()).await)
    }

    /// As [`tokio::sync::Mutex::blocking_lock`].
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        let waits = LOCK.here(&self.known);
        let guard = self.inner.blocking_lock();
        drop(waits);
        self.held(guard)
    }

    /// As [`tokio::sync::Mutex::try_lock`].
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        self.inner.try_lock().map(|guard| self.held(guard))
    }

    #[inline(always)]
    fn held<'a>(&self, guard: plain::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        Held { hold: Alone::of(&self.known, task()), guard }
    }

    /// As [`tokio::sync::Mutex::get_mut`].
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: ?Sized + 'static> Mutex<T> {
    /// As [`tokio::sync::Mutex::lock_owned`].
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        let guard = LOCK.follow(&self.known, self.inner.lock()).await;
        self.held_owned(guard)
    }

    /// As [`tokio::sync::Mutex::blocking_lock_owned`].
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        let waits = LOCK.here(&self.known);
        let guard = self.inner.blocking_lock();
        drop(waits);
        self.held_owned(guard)
    }

    /// As [`tokio::sync::Mutex::try_lock_owned`].
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        self.inner.try_lock().map(|guard| self.held_owned(guard))
    }

    fn held_owned(self: &Arc<Self>, guard: plain::MutexGuard<'_, T>) -> OwnedMutexGuard<T> {
        Held { hold: Alone::of(&self.known, task()), guard: Owned::mutex(guard, self) }
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// As [`tokio::sync::MutexGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        guard.with_guard(|guard| plain::MutexGuard::map(guard, part))
    }

    /// As [`tokio::sync::MutexGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::MutexGuard::try_map(guard, part))
    }
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// As [`tokio::sync::MappedMutexGuard::map`].
    pub fn map<U>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        guard.with_guard(|guard| plain::MappedMutexGuard::map(guard, part))
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// As [`tokio::sync::OwnedMutexGuard::mutex`].
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T>> {
        guard.guard.lock()
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
