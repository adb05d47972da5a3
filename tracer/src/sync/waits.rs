//! Phases of those who wait: opened only when there is something to wait for.

use std::pin::Pin;
use std::task::{Context, Poll};

use hangdog_flight::{Before, Here, Outcome, PhaseId, ResourceId, Role, Site};
use pin_project_lite::pin_project;

use super::known::Known;

/// What is waited for, and how that is called.
#[derive(Clone, Copy)]
pub(crate) struct For {
    pub(crate) site: &'static Site,
    pub(crate) role: Role,
}

impl For {
    pub(crate) const fn new(site: &'static Site, role: Role) -> Self {
        Self { site, role }
    }

    /// The calling thread waits until the guard is dropped.
    #[cold]
    pub(crate) fn here(self, known: &Known) -> Option<Here> {
        let id = known.id()?;
        let mut opening = hangdog_flight::begin_here(self.site)?;
        opening.resource(self.role, id);
        Some(opening.enter())
    }

    /// The phase of a task that is not polled, after the poll that found nothing.
    #[cold]
    pub(crate) fn of_task(self, id: ResourceId) -> Option<PhaseId> {
        let phase = id.begin(self.site, self.role, super::task())?;
        // The poll that was.
        hangdog_flight::suspend(hangdog_flight::resume(phase, super::task));
        Some(phase)
    }

    /// Follows a future that waits for it.
    #[cfg(feature = "tokio")]
    pub(crate) fn follow<F>(self, known: &Known, future: F) -> Waits<'_, F> {
        Waits { future, wait: Wait { known, wants: self, phase: None } }
    }
}

pin_project! {
    /// A future that waits for something traced. As long as it is not ready it shows as an open phase; it is
    /// polled as if nobody looked.
    #[must_use = "futures do nothing unless polled"]
    pub struct Waits<'a, F> {
        #[pin]
        future: F,
        wait: Wait<'a>,
    }
}

#[cfg(feature = "tokio")]
impl<F> Waits<'_, F> {
    pub(crate) fn inner(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().future
    }
}

impl<F: Future> Future for Waits<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(phase) = this.wait.phase {
            return this.wait.poll_in(phase, |context| this.future.poll(context), context);
        }
        let polled = this.future.poll(context);
        if polled.is_pending() {
            this.wait.begin();
        }
        polled
    }
}

/// The open phase of a wait; one that is dropped was given up.
struct Wait<'a> {
    known: &'a Known,
    wants: For,
    phase: Option<PhaseId>,
}

impl Wait<'_> {
    #[cold]
    fn begin(&mut self) {
        self.phase = self.known.id().and_then(|id| self.wants.of_task(id));
    }

    #[cold]
    fn poll_in<T>(
        &mut self,
        phase: PhaseId,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
        context: &mut Context<'_>,
    ) -> Poll<T> {
        let polled = {
            let _inside = Inside::of(phase);
            poll(context)
        };
        if polled.is_ready() {
            self.phase = None;
            hangdog_flight::close(phase);
        }
        polled
    }
}

impl Drop for Wait<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(phase) = self.phase {
            give_up(phase);
        }
    }
}

/// Ends the phase of a wait whose future was dropped.
#[cold]
pub(crate) fn give_up(phase: PhaseId) {
    hangdog_flight::presume(phase, Outcome::Cancelled);
    hangdog_flight::close(phase);
}

/// A poll; also one that a panic ends.
struct Inside(Before);

impl Inside {
    fn of(phase: PhaseId) -> Self {
        Self(hangdog_flight::resume(phase, super::task))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        hangdog_flight::suspend(self.0);
    }
}

/// A wait that is polled by hand: `poll_recv` and futures that a handle itself is.
#[derive(Debug, Default)]
pub(crate) struct PolledWait {
    phase: Option<PhaseId>,
}

impl PolledWait {
    pub(crate) fn poll<T>(
        &mut self,
        wants: For,
        id: impl FnOnce() -> Option<ResourceId>,
        poll: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        let polled = {
            let _inside = self.phase.map(Inside::of);
            poll()
        };
        match (polled.is_ready(), self.phase) {
            (true, Some(phase)) => {
                hangdog_flight::close(phase);
                self.phase = None;
            }
            (false, None) => self.phase = id().and_then(|id| wants.of_task(id)),
            _ => {}
        }
        polled
    }
}

impl Drop for PolledWait {
    fn drop(&mut self) {
        if let Some(phase) = self.phase {
            give_up(phase);
        }
    }
}
