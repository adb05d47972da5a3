//! [`parking_lot::RwLock`], traced.
//!
//! An upgradable reader keeps writers and other upgradable ones out, but no readers: it is said to hold the lock
//! alone, and while it waits for the readers to go, not to hold it.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::time::Duration;

use hangdog_flight::{Primitive, Role};
use parking_lot as plain;

use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{Alone, Held, Shared, sites};

const READ: For = For::new(&sites::READ, Role::WaitShared);
const WRITE: For = For::new(&sites::WRITE, Role::Wait);
const UPGRADABLE_READ: For = For::new(&sites::UPGRADABLE_READ, Role::WaitShared);
const UPGRADE: For = For::new(&sites::UPGRADE, Role::Wait);

/// Takes the place of [`parking_lot::RwLock`] and says who holds it, who shares it and who waits for it.
pub struct RwLock<T: ?Sized> {
    known: Known,
    inner: plain::RwLock<T>,
}

/// Shares a [`RwLock`] until it is dropped.
pub type RwLockReadGuard<'a, T> = Held<Shared, plain::RwLockReadGuard<'a, T>>;
/// Holds a [`RwLock`] alone until it is dropped.
pub type RwLockWriteGuard<'a, T> = Held<Alone, plain::RwLockWriteGuard<'a, T>>;
/// The same as [`RwLockReadGuard`], for a part of what the lock holds.
pub type MappedRwLockReadGuard<'a, T> = Held<Shared, plain::MappedRwLockReadGuard<'a, T>>;
/// The same as [`RwLockWriteGuard`], for a part of what the lock holds.
pub type MappedRwLockWriteGuard<'a, T> = Held<Alone, plain::MappedRwLockWriteGuard<'a, T>>;

/// Shares a [`RwLock`] with readers until it is dropped, and can become a writer.
pub struct RwLockUpgradableReadGuard<'a, T: ?Sized> {
    held: Held<Alone, plain::RwLockUpgradableReadGuard<'a, T>>,
    known: &'a Known,
}

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
        Self { known: Known::new(Primitive::RwLock, name), inner: plain::const_rwlock(value) }
    }

    /// As [`parking_lot::RwLock::into_inner`].
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`parking_lot::RwLock::read`].
    #[inline(always)]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let guard = self.inner.try_read().unwrap_or_else(|| {
            let _waits = READ.here(&self.known);
            self.inner.read()
        });
        self.shared(guard)
    }

    /// As [`parking_lot::RwLock::read_recursive`].
    pub fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
        let guard = self.inner.try_read_recursive().unwrap_or_else(|| {
            let _waits = READ.here(&self.known);
            self.inner.read_recursive()
        });
        self.shared(guard)
    }

    /// As [`parking_lot::RwLock::try_read`].
    #[inline(always)]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.inner.try_read().map(|guard| self.shared(guard))
    }

    /// As [`parking_lot::RwLock::try_read_for`].
    pub fn try_read_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let waits = READ.here(&self.known);
        let guard = self.inner.try_read_for(timeout)?;
        drop(waits);
        Some(self.shared(guard))
    }

    /// As [`parking_lot::RwLock::write`].
    #[inline(always)]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let guard = self.inner.try_write().unwrap_or_else(|| {
            let _waits = WRITE.here(&self.known);
            self.inner.write()
        });
        self.alone(guard)
    }

    /// As [`parking_lot::RwLock::try_write`].
    #[inline(always)]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.inner.try_write().map(|guard| self.alone(guard))
    }

    /// As [`parking_lot::RwLock::try_write_for`].
    pub fn try_write_for(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        let waits = WRITE.here(&self.known);
        let guard = self.inner.try_write_for(timeout)?;
        drop(waits);
        Some(self.alone(guard))
    }

    /// As [`parking_lot::RwLock::upgradable_read`].
    pub fn upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, T> {
        let guard = self.inner.try_upgradable_read().unwrap_or_else(|| {
            let _waits = UPGRADABLE_READ.here(&self.known);
            self.inner.upgradable_read()
        });
        self.upgradable(guard)
    }

    /// As [`parking_lot::RwLock::try_upgradable_read`].
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.inner.try_upgradable_read().map(|guard| self.upgradable(guard))
    }

    #[inline(always)]
    fn shared<'a>(&self, guard: plain::RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        Held { hold: Shared::of(&self.known, 0), guard }
    }

    #[inline(always)]
    fn alone<'a>(&self, guard: plain::RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        Held { hold: Alone::of(&self.known, 0), guard }
    }

    fn upgradable<'a>(&'a self, guard: plain::RwLockUpgradableReadGuard<'a, T>) -> RwLockUpgradableReadGuard<'a, T> {
        RwLockUpgradableReadGuard { held: Held { hold: Alone::of(&self.known, 0), guard }, known: &self.known }
    }

    /// As [`parking_lot::RwLock::is_locked`].
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// As [`parking_lot::RwLock::is_locked_exclusive`].
    pub fn is_locked_exclusive(&self) -> bool {
        self.inner.is_locked_exclusive()
    }

    /// As [`parking_lot::RwLock::get_mut`].
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// As [`parking_lot::RwLock::data_ptr`].
    pub fn data_ptr(&self) -> *mut T {
        self.inner.data_ptr()
    }
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// As [`parking_lot::RwLockReadGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> MappedRwLockReadGuard<'a, U> {
        guard.with_guard(|guard| plain::RwLockReadGuard::map(guard, part))
    }

    /// As [`parking_lot::RwLockReadGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedRwLockReadGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::RwLockReadGuard::try_map(guard, part))
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// As [`parking_lot::RwLockWriteGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedRwLockWriteGuard<'a, U> {
        guard.with_guard(|guard| plain::RwLockWriteGuard::map(guard, part))
    }

    /// As [`parking_lot::RwLockWriteGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::RwLockWriteGuard::try_map(guard, part))
    }

    /// As [`parking_lot::RwLockWriteGuard::downgrade`].
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let Held { hold, guard } = guard;
        Held { hold: hold.share(0), guard: plain::RwLockWriteGuard::downgrade(guard) }
    }
}

impl<'a, T: ?Sized> RwLockUpgradableReadGuard<'a, T> {
    /// As [`parking_lot::RwLockUpgradableReadGuard::upgrade`].
    pub fn upgrade(guard: Self) -> RwLockWriteGuard<'a, T> {
        let Held { mut hold, guard: inner } = guard.held;
        let inner = match plain::RwLockUpgradableReadGuard::try_upgrade(inner) {
            Ok(writer) => writer,
            Err(inner) => {
                hold.let_go();
                let waits = UPGRADE.here(guard.known);
                let writer = plain::RwLockUpgradableReadGuard::upgrade(inner);
                drop(waits);
                hold.take_again();
                writer
            }
        };
        Held { hold, guard: inner }
    }

    /// As [`parking_lot::RwLockUpgradableReadGuard::downgrade`].
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let Held { hold, guard } = guard.held;
        Held { hold: hold.share(0), guard: plain::RwLockUpgradableReadGuard::downgrade(guard) }
    }
}

impl<T: ?Sized> std::ops::Deref for RwLockUpgradableReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockUpgradableReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.held.fmt(f)
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
