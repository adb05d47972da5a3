//! A future in a phase: entered with each poll, ended with the future.

use std::pin::Pin;
use std::task::{Context, Poll};

use hangdog_flight::{Before, Outcome};
use pin_project_lite::pin_project;

use crate::Phase;

pin_project! {
    /// A future in a phase; see [`InPhaseExt::in_phase`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InPhase<F> {
        #[pin]
        future: F,
        phase: Phase,
    }

    impl<F> PinnedDrop for InPhase<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().phase.presume(Outcome::Cancelled);
        }
    }
}

/// Puts a future into a phase.
pub trait InPhaseExt: Future + Sized {
    /// The phase is open from now until the future is done or dropped (then it was `cancelled`), and shows
    /// whether it is being polled.
    ///
    /// ```
    /// use hangdog_tracer::{InPhaseExt, open_phase};
    ///
    /// async fn reply() -> u16 { 200 }
    ///
    /// async fn ask() -> u16 {
    ///     reply().in_phase(open_phase!("POST /new", hang.wait = "http:127.0.0.1:8080")).await
    /// }
    /// ```
    fn in_phase(self, phase: Phase) -> InPhase<Self> {
        InPhase { future: self, phase }
    }
}

impl<F: Future> InPhaseExt for F {}

impl<F: Future> Future for InPhase<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let inside = Inside { phase: this.phase, before: this.phase.resume() };
        let polled = this.future.poll(context);
        inside.leave();
        if polled.is_ready() {
            *this.phase = Phase::default();
        }
        polled
    }
}

/// A poll. One that is not left went out by a panic.
struct Inside<'a> {
    phase: &'a Phase,
    before: Before,
}

impl Inside<'_> {
    #[inline]
    fn leave(self) {
        hangdog_flight::suspend(self.before);
        std::mem::forget(self);
    }
}

impl Drop for Inside<'_> {
    #[cold]
    fn drop(&mut self) {
        self.phase.presume(Outcome::Panicked);
        hangdog_flight::suspend(self.before);
    }
}
