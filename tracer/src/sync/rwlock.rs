//! [`std::sync::RwLock`], traced.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::sync::{LockResult, TryLockError, TryLockResult};

use hangdog_flight::{Primitive, Role};

use super::held::{Alone, Held, Shared};
use super::known::{Known, Name};
use super::mutex::{map, try_map};
use super::sites;
use super::waits::For;

const READ: For = For::new(&sites::READ, Role::WaitShared);
const WRITE: For = For::new(&sites::WRITE, Role::Wait);

/// Takes the place of [`std::sync::RwLock`] and says who holds it, who shares it and who waits for it.
pub struct RwLock<T: ?Sized> {
    known: Known,
    inner: std::sync::RwLock<T>,
}

/// Shares a [`RwLock`] until it is dropped.
pub type RwLockReadGuard<'a, T> = Held<Shared, std::sync::RwLockReadGuard<'a, T>>;
/// Holds a [`RwLock`] alone until it is dropped.
pub type RwLockWriteGuard<'a, T> = Held<Alone, std::sync::RwLockWriteGuard<'a, T>>;

impl<T> RwLock<T> {
    /// A lock that is called by the place of this call.
    #[track_caller]
    pub const fn new(value: T) -> Self {
        Self::with(Name::of_caller(), value)
    }

    /// A lock that is `lock:NAME`; later ones of the same name are `lock:NAME#2` and so on.
    pub const fn named(name: &'static str, value: T) -> Self {
        Self::with(Name::Given(name), value)
    }

    const fn with(name: Name, value: T) -> Self {
        Self { known: Known::new(Primitive::RwLock, name), inner: std::sync::RwLock::new(value) }
    }

    /// As [`std::sync::RwLock::into_inner`].
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`std::sync::RwLock::read`].
    #[inline(always)]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        match self.inner.try_read() {
            Ok(guard) => Ok(self.shared(guard)),
            Err(refused) => self.read_slowly(refused),
        }
    }

    #[cold]
    fn read_slowly<'a>(
        &'a self,
        refused: TryLockError<std::sync::RwLockReadGuard<'a, T>>,
    ) -> LockResult<RwLockReadGuard<'a, T>> {
        let locked = match refused {
            TryLockError::Poisoned(guard) => Err(guard),
            TryLockError::WouldBlock => {
                let _waits = READ.here(&self.known);
                self.inner.read()
            }
        };
        map(locked, |guard| self.shared(guard))
    }

    /// As [`std::sync::RwLock::try_read`].
    #[inline(always)]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        try_map(self.inner.try_read(), |guard| self.shared(guard))
    }

    /// As [`std::sync::RwLock::write`].
    #[inline(always)]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        match self.inner.try_write() {
            Ok(guard) => Ok(self.alone(guard)),
            Err(refused) => self.write_slowly(refused),
        }
    }

    #[cold]
    fn write_slowly<'a>(
        &'a self,
        refused: TryLockError<std::sync::RwLockWriteGuard<'a, T>>,
    ) -> LockResult<RwLockWriteGuard<'a, T>> {
        let locked = match refused {
            TryLockError::Poisoned(guard) => Err(guard),
            TryLockError::WouldBlock => {
                let _waits = WRITE.here(&self.known);
                self.inner.write()
            }
        };
        map(locked, |guard| self.alone(guard))
    }

    /// As [`std::sync::RwLock::try_write`].
    #[inline(always)]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        try_map(self.inner.try_write(), |guard| self.alone(guard))
    }

    #[inline(always)]
    fn shared<'a>(&self, guard: std::sync::RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        Held { hold: Shared::of(&self.known, 0), guard }
    }

    #[inline(always)]
    fn alone<'a>(&self, guard: std::sync::RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        Held { hold: Alone::of(&self.known, 0), guard }
    }

    /// As [`std::sync::RwLock::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// As [`std::sync::RwLock::clear_poison`].
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// As [`std::sync::RwLock::get_mut`].
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
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
