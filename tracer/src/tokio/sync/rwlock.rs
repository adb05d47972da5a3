//! [`tokio::sync::RwLock`], traced.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::sync::Arc;

use hangdog_flight::{Primitive, Role};
use tokio::sync as plain;
use tokio::sync::TryLockError;

use super::owned::Owned;
use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{Alone, Held, Shared, sites, task};

const READ: For = For::new(&sites::READ, Role::WaitShared);
const WRITE: For = For::new(&sites::WRITE, Role::Wait);

/// Takes the place of [`tokio::sync::RwLock`] and says which tasks hold it, share it and wait for it.
pub struct RwLock<T: ?Sized> {
    known: Known,
    inner: plain::RwLock<T>,
}

/// Shares a [`RwLock`] until it is dropped.
pub type RwLockReadGuard<'a, T> = Held<Shared, plain::RwLockReadGuard<'a, T>>;
/// Holds a [`RwLock`] alone until it is dropped.
pub type RwLockWriteGuard<'a, T> = Held<Alone, plain::RwLockWriteGuard<'a, T>>;
/// The same, for a part of what the lock holds.
pub type RwLockMappedWriteGuard<'a, T> = Held<Alone, plain::RwLockMappedWriteGuard<'a, T>>;
/// Shares a [`RwLock`] until it is dropped, and keeps it alive.
pub type OwnedRwLockReadGuard<T> = Held<Shared, Owned<plain::RwLockReadGuard<'static, T>, RwLock<T>>>;
/// Holds a [`RwLock`] alone until it is dropped, and keeps it alive.
pub type OwnedRwLockWriteGuard<T> = Held<Alone, Owned<plain::RwLockWriteGuard<'static, T>, RwLock<T>>>;

impl<T> RwLock<T> {
    /// A lock that is called by the place of this call.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::with(Name::of_caller(), plain::RwLock::new(value))
    }

    /// The same, for a constant.
    #[track_caller]
    pub const fn const_new(value: T) -> Self {
        Self::with(Name::of_caller(), plain::RwLock::const_new(value))
    }

    /// As [`tokio::sync::RwLock::with_max_readers`].
    #[track_caller]
    pub fn with_max_readers(value: T, readers: u32) -> Self {
        Self::with(Name::of_caller(), plain::RwLock::with_max_readers(value, readers))
    }

    /// A lock that is `lock:NAME`; later ones of the same name are `lock:NAME#2` and so on.
    pub const fn named(name: &'static str, value: T) -> Self {
        Self::with(Name::Given(name), plain::RwLock::const_new(value))
    }

    const fn with(name: Name, inner: plain::RwLock<T>) -> Self {
        Self { known: Known::new(Primitive::AsyncRwLock, name), inner }
    }

    /// As [`tokio::sync::RwLock::into_inner`].
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`tokio::sync::RwLock::read`].
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        let guard = READ.follow(&self.known, self.inner.read()).await;
        self.shared(guard)
    }

    /// As [`tokio::sync::RwLock::blocking_read`].
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        let waits = READ.here(&self.known);
        let guard = self.inner.blocking_read();
        drop(waits);
        self.shared(guard)
    }

    /// As [`tokio::sync::RwLock::try_read`].
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.inner.try_read().map(|guard| self.shared(guard))
    }

    /// As [`tokio::sync::RwLock::write`].
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        let guard = WRITE.follow(&self.known, self.inner.write()).await;
        self.alone(guard)
    }

    /// As [`tokio::sync::RwLock::blocking_write`].
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        let waits = WRITE.here(&self.known);
        let guard = self.inner.blocking_write();
        drop(waits);
        self.alone(guard)
    }

    /// As [`tokio::sync::RwLock::try_write`].
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.inner.try_write().map(|guard| self.alone(guard))
    }

    #[inline(always)]
    fn shared<'a>(&self, guard: plain::RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        Held { hold: Shared::of(&self.known, task()), guard }
    }

    #[inline(always)]
    fn alone<'a>(&self, guard: plain::RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        Held { hold: Alone::of(&self.known, task()), guard }
    }

    /// As [`tokio::sync::RwLock::get_mut`].
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: ?Sized + 'static> RwLock<T> {
    /// As [`tokio::sync::RwLock::read_owned`].
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        let guard = READ.follow(&self.known, self.inner.read()).await;
        Held { hold: Shared::of(&self.known, task()), guard: Owned::reader(guard, &self) }
    }

    /// As [`tokio::sync::RwLock::try_read_owned`].
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        let guard = self.inner.try_read()?;
        Ok(Held { hold: Shared::of(&self.known, task()), guard: Owned::reader(guard, &self) })
    }

    /// As [`tokio::sync::RwLock::write_owned`].
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        let guard = WRITE.follow(&self.known, self.inner.write()).await;
        Held { hold: Alone::of(&self.known, task()), guard: Owned::writer(guard, &self) }
    }

    /// As [`tokio::sync::RwLock::try_write_owned`].
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        let guard = self.inner.try_write()?;
        Ok(Held { hold: Alone::of(&self.known, task()), guard: Owned::writer(guard, &self) })
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// As [`tokio::sync::RwLockReadGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        guard.with_guard(|guard| plain::RwLockReadGuard::map(guard, part))
    }

    /// As [`tokio::sync::RwLockReadGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::RwLockReadGuard::try_map(guard, part))
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// As [`tokio::sync::RwLockWriteGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> RwLockMappedWriteGuard<'a, U> {
        guard.with_guard(|guard| plain::RwLockWriteGuard::map(guard, part))
    }

    /// As [`tokio::sync::RwLockWriteGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::RwLockWriteGuard::try_map(guard, part))
    }

    /// As [`tokio::sync::RwLockWriteGuard::downgrade`].
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let Held { hold, guard } = self;
        Held { hold: hold.share(task()), guard: guard.downgrade() }
    }
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// As [`tokio::sync::OwnedRwLockReadGuard::rwlock`].
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        guard.guard.lock()
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// As [`tokio::sync::OwnedRwLockWriteGuard::rwlock`].
    pub fn rwlock(guard: &Self) -> &Arc<RwLock<T>> {
        guard.guard.lock()
    }

    /// As [`tokio::sync::OwnedRwLockWriteGuard::downgrade`].
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T>
    where
        T: 'static,
    {
        let Held { hold, guard } = self;
        Held { hold: hold.share(task()), guard: guard.downgrade() }
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
