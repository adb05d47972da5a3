//! Guards that say what they hold: the guard of the plain lock, and what ends with it.
//!
//! ```text
//!   Held { hold, guard }      dropped in this order: the record says "free" before the lock is,
//!           │      │          so whoever takes it next says so after that
//!           │      └ of std, parking_lot, tokio
//!           └ Alone: the lock's holder word     Shared: a phase, one for each who shares
//! ```
#![expect(clippy::inline_always, reason = "a guard that is not made in place is copied through memory")]

use std::fmt;
use std::ops::{Deref, DerefMut};

use hangdog_flight::{PhaseId, ResourceId, Role, Taken};

use super::known::Known;
use super::{order, sites};

/// The guard of a traced lock: what it derefs to is what the guard of the plain lock does.
#[must_use = "the lock is free again as soon as its guard is dropped"]
pub struct Held<Hold, Guard> {
    pub(crate) hold: Hold,
    pub(crate) guard: Guard,
}

#[cfg(any(feature = "parking_lot", feature = "tokio"))]
impl<Hold, Guard> Held<Hold, Guard> {
    /// The same hold with another guard of the same lock.
    pub(crate) fn with_guard<Other>(self, map: impl FnOnce(Guard) -> Other) -> Held<Hold, Other> {
        Held { guard: map(self.guard), hold: self.hold }
    }

    /// The same, which may be refused.
    pub(crate) fn try_with_guard<Other>(
        self,
        map: impl FnOnce(Guard) -> Result<Other, Guard>,
    ) -> Result<Held<Hold, Other>, Self> {
        match map(self.guard) {
            Ok(guard) => Ok(Held { hold: self.hold, guard }),
            Err(guard) => Err(Self { hold: self.hold, guard }),
        }
    }
}

impl<Hold, Guard: Deref> Deref for Held<Hold, Guard> {
    type Target = Guard::Target;

    #[inline]
    fn deref(&self) -> &Guard::Target {
        &self.guard
    }
}

impl<Hold, Guard: DerefMut> DerefMut for Held<Hold, Guard> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Guard::Target {
        &mut self.guard
    }
}

impl<Hold, Guard: fmt::Debug> fmt::Debug for Held<Hold, Guard> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}

impl<Hold, Guard: fmt::Display> fmt::Display for Held<Hold, Guard> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.guard.fmt(f)
    }
}

/// Says that a lock is held by one alone, until it is dropped.
#[derive(Debug)]
pub struct Alone {
    /// `None` when nobody records it.
    taken: Option<Taken>,
}

impl Alone {
    /// By the calling thread, or by a task that it polls (0 for none).
    #[inline(always)]
    pub(crate) fn of(known: &Known, task: u64) -> Self {
        let taken = known.taken(task);
        order::taken(taken);
        Self { taken }
    }

    /// Free for a while: a condition variable waits without the lock.
    #[inline(always)]
    pub(crate) fn let_go(&mut self) {
        if let Some(taken) = self.taken {
            let_go::<()>(taken);
        }
    }

    /// The opposite of [`Alone::let_go`].
    pub(crate) fn take_again(&mut self) {
        let again = self.taken.and_then(Taken::id).and_then(|id| id.taken(0));
        order::taken(again);
    }

    /// Shared from now on, by the calling thread or by a task that it polls (0 for none).
    #[cfg(any(feature = "parking_lot", feature = "tokio"))]
    pub(crate) fn share(self, task: u64) -> Shared {
        Shared::of_lock(self.taken.and_then(Taken::id), task)
    }
}

/// A call, so that dropping a guard stays small and is inlined: otherwise guards are copied through memory, and the
/// flag in those of the standard library, stored as a byte and loaded as a word, costs 5 ns each time.
///
/// And of a type, so that it is compiled with the program: in a library a look at a thread-local is a call, for which
/// registers are saved.
#[expect(clippy::extra_unused_type_parameters, reason = "a third of its instructions")]
#[inline(never)]
fn let_go<Here>(taken: Taken) {
    order::let_go(taken);
    taken.let_go();
}

impl Drop for Alone {
    #[inline(always)]
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Says that somebody shares a lock or has a part of it, until it is dropped.
#[derive(Debug, Default)]
pub struct Shared {
    phase: Option<PhaseId>,
    /// `None` for what has no order.
    lock: Option<ResourceId>,
}

impl Shared {
    /// Of a lock, by the calling thread or by a task that it polls (0 for none).
    #[inline]
    pub(crate) fn of(known: &Known, task: u64) -> Self {
        Self::of_lock(known.id(), task)
    }

    #[inline]
    fn of_lock(id: Option<ResourceId>, task: u64) -> Self {
        let phase = id.and_then(|id| id.begin(&sites::HOLDS, Role::HoldShared, task));
        order::shared(id.filter(|_| phase.is_some()));
        Self { phase, lock: id }
    }

    /// Of something that has no order.
    #[inline]
    pub(crate) fn part(known: &Known) -> Self {
        let phase = known.id().and_then(|id| id.begin(&sites::HOLDS, Role::Hold, super::task()));
        Self { phase, lock: None }
    }

    /// Held for ever, as far as this guard goes: its phase.
    #[cfg(feature = "tokio")]
    pub(crate) fn forget(mut self) -> Option<PhaseId> {
        self.phase.take()
    }
}

/// A call, for the same reason.
#[inline(never)]
fn close(phase: PhaseId, lock: Option<ResourceId>) {
    if let Some(lock) = lock {
        order::let_go_shared(lock);
    }
    hangdog_flight::close(phase);
}

impl Drop for Shared {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(phase) = self.phase {
            close(phase, self.lock);
        }
    }
}
