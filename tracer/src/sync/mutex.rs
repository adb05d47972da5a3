//! [`std::sync::Mutex`], traced.
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

use hangdog_flight::{Primitive, Role};

use super::held::{Alone, Held};
use super::known::{Known, Name};
use super::sites;
use super::waits::For;

const LOCK: For = For::new(&sites::LOCK, Role::Wait);

/// Takes the place of [`std::sync::Mutex`] and says who holds it and who waits for it.
///
/// ```
/// use hangdog_tracer::sync::Mutex;
///
/// static CACHE: Mutex<Vec<u32>> = Mutex::named("cache", Vec::new());
///
/// CACHE.lock().unwrap().push(7);
/// ```
pub struct Mutex<T: ?Sized> {
    known: Known,
    inner: std::sync::Mutex<T>,
}

/// Holds a [`Mutex`] until it is dropped.
pub type MutexGuard<'a, T> = Held<Alone, std::sync::MutexGuard<'a, T>>;

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
        Self { known: Known::new(Primitive::Mutex, name), inner: std::sync::Mutex::new(value) }
    }

    /// As [`std::sync::Mutex::into_inner`].
    pub fn into_inner(self) -> LockResult<T> {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`std::sync::Mutex::lock`].
    #[inline(always)]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Ok(self.held(guard)),
            Err(refused) => self.lock_slowly(refused),
        }
    }

    #[cold]
    fn lock_slowly<'a>(
        &'a self,
        refused: TryLockError<std::sync::MutexGuard<'a, T>>,
    ) -> LockResult<MutexGuard<'a, T>> {
        let locked = match refused {
            TryLockError::Poisoned(guard) => Err(guard),
            TryLockError::WouldBlock => {
                let _waits = LOCK.here(&self.known);
                self.inner.lock()
            }
        };
        map(locked, |guard| self.held(guard))
    }

    /// As [`std::sync::Mutex::try_lock`].
    #[inline(always)]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        try_map(self.inner.try_lock(), |guard| self.held(guard))
    }

    #[inline(always)]
    fn held<'a>(&self, guard: std::sync::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        Held { hold: Alone::of(&self.known, 0), guard }
    }

    /// As [`std::sync::Mutex::is_poisoned`].
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// As [`std::sync::Mutex::clear_poison`].
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// As [`std::sync::Mutex::get_mut`].
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

/// The guard inside a result of locking.
#[inline(always)]
pub(crate) fn map<A, B>(locked: LockResult<A>, map: impl FnOnce(A) -> B) -> LockResult<B> {
    match locked {
        Ok(guard) => Ok(map(guard)),
        Err(poisoned) => Err(PoisonError::new(map(poisoned.into_inner()))),
    }
}

/// The same of an attempt.
#[inline(always)]
pub(crate) fn try_map<A, B>(locked: TryLockResult<A>, map: impl FnOnce(A) -> B) -> TryLockResult<B> {
    match locked {
        Ok(guard) => Ok(map(guard)),
        Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        Err(TryLockError::Poisoned(poisoned)) => {
            Err(TryLockError::Poisoned(PoisonError::new(map(poisoned.into_inner()))))
        }
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
