//! [`parking_lot::Mutex`], traced.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::time::{Duration, Instant};

use hangdog_flight::{Primitive, Role};
use parking_lot as plain;

use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{Alone, Held, sites};

const LOCK: For = For::new(&sites::LOCK, Role::Wait);

/// Takes the place of [`parking_lot::Mutex`] and says who holds it and who waits for it.
pub struct Mutex<T: ?Sized> {
    known: Known,
    inner: plain::Mutex<T>,
}

/// Holds a [`Mutex`] until it is dropped.
pub type MutexGuard<'a, T> = Held<Alone, plain::MutexGuard<'a, T>>;
/// The same, for a part of what the mutex holds.
pub type MappedMutexGuard<'a, T> = Held<Alone, plain::MappedMutexGuard<'a, T>>;

impl<T> Mutex<T> {
    /// A mutex that is called by the place of this call.
    #[track_caller]
    pub const fn new(value: T) -> Self {
        Self::with(Name::of_caller(), value)
    }

    /// A mutex that is `lock:NAME`; later ones of the same name are `lock:NAME#2` and so on.
    pub const fn named(name: &'static str, value: T) -> Self {
        Self::with(Name::Given(name), value)
    }

    const fn with(name: Name, value: T) -> Self {
        Self { known: Known::new(Primitive::Mutex, name), inner: plain::const_mutex(value) }
    }

    /// As [`parking_lot::Mutex::into_inner`].
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`parking_lot::Mutex::lock`].
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match self.inner.try_lock() {
            Some(guard) => self.held(guard),
            None => self.lock_slowly(),
        }
    }

    #[cold]
    fn lock_slowly(&self) -> MutexGuard<'_, T> {
        let waits = LOCK.here(&self.known);
        let guard = self.inner.lock();
        drop(waits);
        self.held(guard)
    }

    /// As [`parking_lot::Mutex::try_lock`].
    #[inline(always)]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock().map(|guard| self.held(guard))
    }

    /// As [`parking_lot::Mutex::try_lock_for`].
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        let waits = LOCK.here(&self.known);
        let guard = self.inner.try_lock_for(timeout)?;
        drop(waits);
        Some(self.held(guard))
    }

    /// As [`parking_lot::Mutex::try_lock_until`].
    pub fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        let waits = LOCK.here(&self.known);
        let guard = self.inner.try_lock_until(deadline)?;
        drop(waits);
        Some(self.held(guard))
    }

    #[inline(always)]
    fn held<'a>(&self, guard: plain::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        Held { hold: Alone::of(&self.known, 0), guard }
    }

    /// As [`parking_lot::Mutex::is_locked`].
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// As [`parking_lot::Mutex::get_mut`].
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// As [`parking_lot::Mutex::data_ptr`].
    pub fn data_ptr(&self) -> *mut T {
        self.inner.data_ptr()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// As [`parking_lot::MutexGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        guard.with_guard(|guard| plain::MutexGuard::map(guard, part))
    }

    /// As [`parking_lot::MutexGuard::try_map`].
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        guard.try_with_guard(|guard| plain::MutexGuard::try_map(guard, part))
    }

    /// As [`parking_lot::MutexGuard::unlocked`].
    pub fn unlocked<R>(guard: &mut Self, work: impl FnOnce() -> R) -> R {
        guard.hold.let_go();
        let result = plain::MutexGuard::unlocked(&mut guard.guard, work);
        guard.hold.take_again();
        result
    }

    /// As [`parking_lot::MutexGuard::bump`].
    pub fn bump(guard: &mut Self) {
        guard.hold.let_go();
        plain::MutexGuard::bump(&mut guard.guard);
        guard.hold.take_again();
    }

    /// As [`parking_lot::MutexGuard::unlock_fair`].
    pub fn unlock_fair(guard: Self) {
        let Held { hold, guard } = guard;
        drop(hold);
        plain::MutexGuard::unlock_fair(guard);
    }
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// As [`parking_lot::MappedMutexGuard::map`].
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U> {
        guard.with_guard(|guard| plain::MappedMutexGuard::map(guard, part))
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
