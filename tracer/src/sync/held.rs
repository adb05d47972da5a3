//! Guards that say what they hold: the guard of the plain lock, and what ends with it.
//!
//! ```text
//!   Held { hold, guard }      dropped in this order: the record says "free" before the lock is,
//!           │      │          so whoever takes it next says so after that
//!           │      └ of std, parking_lot, tokio
//!           └ Alone: the lock's holder word     Shared: a phase, one for each who shares
//! ```

use std::fmt;
use std::ops::{Deref, DerefMut};

use hangdog_flight::{PhaseId, ResourceId, Role};

use super::known::Known;
use super::{order, sites};

/// The guard of a traced lock: what it derefs to is what the guard of the plain lock does.
#[must_use = "the lock is free again as soon as its guard is dropped"]
pub struct Held<Hold, Guard> {
    pub(crate) hold: Hold,
    pub(crate) guard: Guard,
}

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
    /// The word of the lock's number; 0 when nobody records it.
    word: u64,
}

impl Alone {
    #[inline(always)]
    pub(crate) fn of(known: &Known) -> Self {
        let word = known.taken();
        order::taken(word);
        Self { word }
    }

    /// Free for a while: a condition variable waits without the lock.
    #[inline(always)]
    pub(crate) fn let_go(&mut self) {
        order::let_go(self.word);
        if let Some(id) = ResourceId::from_word(self.word) {
            id.let_go();
        }
    }

    /// Shared from now on.
    pub(crate) fn share(self) -> Shared {
        Shared::of_lock(ResourceId::from_word(self.word))
    }

    /// The opposite of [`Alone::let_go`].
    pub(crate) fn take_again(&mut self) {
        if ResourceId::from_word(self.word).is_some_and(|id| id.taken(super::task())) {
            order::taken(self.word);
        }
    }
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
    /// The word of the lock's number; 0 for what has no order.
    word: u64,
}

impl Shared {
    /// Of a lock.
    #[inline]
    pub(crate) fn of(known: &Known) -> Self {
        Self::of_lock(known.id())
    }

    #[inline]
    fn of_lock(id: Option<ResourceId>) -> Self {
        let word = id.map_or(0, ResourceId::word);
        order::taken(word);
        Self { phase: id.and_then(|id| id.begin(&sites::HOLDS, Role::HoldShared, super::task())), word }
    }

    /// Of something that has no order.
    #[inline]
    pub(crate) fn part(known: &Known) -> Self {
        let phase = known.id().and_then(|id| id.begin(&sites::HOLDS, Role::Hold, super::task()));
        Self { phase, word: 0 }
    }

    /// Held for ever, as far as this guard goes: its phase.
    #[cfg(feature = "tokio")]
    pub(crate) fn forget(mut self) -> Option<PhaseId> {
        self.phase.take()
    }
}

impl Drop for Shared {
    #[inline]
    fn drop(&mut self) {
        if self.word != 0 {
            order::let_go(self.word);
        }
        if let Some(phase) = self.phase {
            hangdog_flight::close(phase);
        }
    }
}
