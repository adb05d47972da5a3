//! [`tokio::sync::Semaphore`], traced.
//!
//! A permit that is forgotten stays held, with a field `forgotten`, until somebody adds permits: it is gone, and
//! that is what a waiter has to know. Some are kept in mind for each semaphore, so that a program which forgets
//! permits as its way of work does not fill the recorder.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use hangdog_flight::{PhaseId, Primitive, Role, Value};
use tokio::sync as plain;
use tokio::sync::{AcquireError, TryAcquireError};

use crate::sync::known::{Known, Name};
use crate::sync::waits::For;
use crate::sync::{Shared, sites};

const ACQUIRE: For = For::new(&sites::ACQUIRE, Role::Wait);
/// Forgotten permits that show.
const FORGOTTEN: usize = 4;

/// Takes the place of [`tokio::sync::Semaphore`] and says which tasks have permits and which wait for some.
pub struct Semaphore {
    known: Known,
    /// Phases of permits that were forgotten; 0 for a free place.
    forgotten: [AtomicU64; FORGOTTEN],
    inner: plain::Semaphore,
}

impl Semaphore {
    /// As [`tokio::sync::Semaphore::MAX_PERMITS`].
    pub const MAX_PERMITS: usize = plain::Semaphore::MAX_PERMITS;

    /// A semaphore that is called by the place of this call.
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self::with(Name::of_caller(), plain::Semaphore::new(permits))
    }

    /// The same, for a constant.
    #[track_caller]
    pub const fn const_new(permits: usize) -> Self {
        Self::with(Name::of_caller(), plain::Semaphore::const_new(permits))
    }

    /// A semaphore that is `pool:NAME`; later ones of the same name are `pool:NAME#2` and so on.
    pub const fn named(name: &'static str, permits: usize) -> Self {
        Self::with(Name::Given(name), plain::Semaphore::const_new(permits))
    }

    const fn with(name: Name, inner: plain::Semaphore) -> Self {
        let known = Known::new(Primitive::Semaphore, name);
        Self { known, forgotten: [const { AtomicU64::new(0) }; FORGOTTEN], inner }
    }

    /// As [`tokio::sync::Semaphore::available_permits`].
    pub fn available_permits(&self) -> usize {
        self.inner.available_permits()
    }

    /// As [`tokio::sync::Semaphore::add_permits`].
    pub fn add_permits(&self, permits: usize) {
        self.remember(permits);
        self.inner.add_permits(permits);
    }

    /// As [`tokio::sync::Semaphore::forget_permits`].
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.inner.forget_permits(permits)
    }

    /// As [`tokio::sync::Semaphore::acquire`].
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        let permit = ACQUIRE.follow(&self.known, self.inner.acquire()).await?;
        Ok(self.permit(permit))
    }

    /// As [`tokio::sync::Semaphore::acquire_many`].
    pub async fn acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        let permit = ACQUIRE.follow(&self.known, self.inner.acquire_many(permits)).await?;
        Ok(self.permit(permit))
    }

    /// As [`tokio::sync::Semaphore::try_acquire`].
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.inner.try_acquire().map(|permit| self.permit(permit))
    }

    /// As [`tokio::sync::Semaphore::try_acquire_many`].
    pub fn try_acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.inner.try_acquire_many(permits).map(|permit| self.permit(permit))
    }

    /// As [`tokio::sync::Semaphore::blocking_acquire`].
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.blocking_acquire_many(1)
    }

    /// As [`tokio::sync::Semaphore::blocking_acquire_many`].
    #[track_caller]
    pub fn blocking_acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        let waits = ACQUIRE.here(&self.known);
        let permit = self.inner.blocking_acquire_many(permits)?;
        drop(waits);
        Ok(self.permit(permit))
    }

    /// As [`tokio::sync::Semaphore::acquire_owned`].
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1).await
    }

    /// As [`tokio::sync::Semaphore::acquire_many_owned`].
    pub async fn acquire_many_owned(self: Arc<Self>, permits: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        ACQUIRE.follow(&self.known, self.inner.acquire_many(permits)).await?.forget();
        Ok(self.owned(permits))
    }

    /// As [`tokio::sync::Semaphore::try_acquire_owned`].
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`tokio::sync::Semaphore::try_acquire_many_owned`].
    pub fn try_acquire_many_owned(self: Arc<Self>, permits: u32) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.inner.try_acquire_many(permits)?.forget();
        Ok(self.owned(permits))
    }

    fn permit<'a>(&'a self, inner: plain::SemaphorePermit<'a>) -> SemaphorePermit<'a> {
        SemaphorePermit { hold: Shared::part(&self.known), inner, semaphore: self }
    }

    /// Permits that were taken and belong to nobody else.
    fn owned(self: Arc<Self>, permits: u32) -> OwnedSemaphorePermit {
        OwnedSemaphorePermit { hold: Some(Shared::part(&self.known)), permits, semaphore: self }
    }

    /// As [`tokio::sync::Semaphore::close`].
    pub fn close(&self) {
        self.inner.close();
    }

    /// As [`tokio::sync::Semaphore::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn forget(&self, hold: Shared) {
        let Some(phase) = hold.forget() else { return };
        hangdog_flight::field(phase, "forgotten", Value::Bool(true));
        let kept = |place: &AtomicU64| place.compare_exchange(0, phase.word(), Relaxed, Relaxed).is_ok();
        if !self.forgotten.iter().any(kept) {
            hangdog_flight::close(phase);
        }
    }

    /// So many of those that were forgotten are there again.
    fn remember(&self, permits: usize) {
        let forgotten = self.forgotten.iter().filter_map(|place| {
            if place.load(Relaxed) == 0 { None } else { PhaseId::from_word(place.swap(0, Relaxed)) }
        });
        forgotten.take(permits).for_each(hangdog_flight::close);
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        self.remember(FORGOTTEN);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Permits of a [`Semaphore`], given back when it is dropped.
#[must_use = "permits are given back as soon as this is dropped"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    hold: Shared,
    inner: plain::SemaphorePermit<'a>,
    semaphore: &'a Semaphore,
}

impl<'a> SemaphorePermit<'a> {
    /// As [`tokio::sync::SemaphorePermit::forget`].
    pub fn forget(self) {
        self.inner.forget();
        self.semaphore.forget(self.hold);
    }

    /// As [`tokio::sync::SemaphorePermit::merge`].
    #[track_caller]
    pub fn merge(&mut self, other: Self) {
        self.inner.merge(other.inner);
    }

    /// As [`tokio::sync::SemaphorePermit::split`].
    pub fn split(&mut self, permits: usize) -> Option<Self> {
        let inner = self.inner.split(permits)?;
        Some(self.semaphore.permit(inner))
    }

    /// As [`tokio::sync::SemaphorePermit::semaphore`].
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }

    /// As [`tokio::sync::SemaphorePermit::num_permits`].
    pub fn num_permits(&self) -> usize {
        self.inner.num_permits()
    }
}

/// Permits of a [`Semaphore`] that they keep alive, given back when it is dropped.
#[must_use = "permits are given back as soon as this is dropped"]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    hold: Option<Shared>,
    permits: u32,
    semaphore: Arc<Semaphore>,
}

impl OwnedSemaphorePermit {
    /// As [`tokio::sync::OwnedSemaphorePermit::forget`].
    pub fn forget(mut self) {
        self.permits = 0;
        if let Some(hold) = self.hold.take() {
            self.semaphore.forget(hold);
        }
    }

    /// As [`tokio::sync::OwnedSemaphorePermit::merge`].
    ///
    /// # Panics
    ///
    /// When `other` is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(Arc::ptr_eq(&self.semaphore, &other.semaphore), "merging permits from different semaphore instances");
        self.permits += std::mem::take(&mut other.permits);
    }

    /// As [`tokio::sync::OwnedSemaphorePermit::split`].
    pub fn split(&mut self, permits: usize) -> Option<Self> {
        let permits = u32::try_from(permits).ok().filter(|permits| *permits <= self.permits)?;
        self.permits -= permits;
        Some(self.semaphore.clone().owned(permits))
    }

    /// As [`tokio::sync::OwnedSemaphorePermit::semaphore`].
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// As [`tokio::sync::OwnedSemaphorePermit::num_permits`].
    pub fn num_permits(&self) -> usize {
        self.permits as usize
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.hold = None;
        self.semaphore.inner.add_permits(self.permits as usize);
    }
}
