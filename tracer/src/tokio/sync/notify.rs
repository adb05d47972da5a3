//! [`tokio::sync::Notify`], traced.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hangdog_flight::{Primitive, Role};
use pin_project_lite::pin_project;
use tokio::sync as plain;

use crate::sync::known::{Known, Name};
use crate::sync::waits::{For, Waits};
use crate::sync::{OneMore, Waiting, sites};

const WAIT: For = For::new(&sites::WAIT, Role::Wait);

/// Takes the place of [`tokio::sync::Notify`] and says which tasks wait for it. A `notify_waiters` that finds
/// nobody is noted in the history.
pub struct Notify {
    known: Known,
    waiting: Waiting,
    inner: plain::Notify,
}

pin_project! {
    /// A future of [`Notify::notified`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Notified<'a> {
        #[pin]
        inner: Waits<'a, plain::futures::Notified<'a>>,
        counted: OneMore<'a>,
    }
}

impl Notify {
    /// One that is called by the place of this call.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(Name::of_caller(), plain::Notify::new())
    }

    /// The same, for a constant.
    #[track_caller]
    pub const fn const_new() -> Self {
        Self::with(Name::of_caller(), plain::Notify::const_new())
    }

    /// One that is `cond:NAME`; later ones of the same name are `cond:NAME#2` and so on.
    pub const fn named(name: &'static str) -> Self {
        Self::with(Name::Given(name), plain::Notify::const_new())
    }

    const fn with(name: Name, inner: plain::Notify) -> Self {
        Self { known: Known::new(Primitive::Notify, name), waiting: Waiting::nobody(), inner }
    }

    /// As [`tokio::sync::Notify::notified`].
    pub fn notified(&self) -> Notified<'_> {
        let inner = WAIT.follow(&self.known, self.inner.notified());
        Notified { inner, counted: self.waiting.one_more() }
    }

    /// As [`tokio::sync::Notify::notify_one`].
    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// As [`tokio::sync::Notify::notify_last`].
    pub fn notify_last(&self) {
        self.inner.notify_last();
    }

    /// As [`tokio::sync::Notify::notify_waiters`].
    pub fn notify_waiters(&self) {
        // What was made before gets it, also when it was never polled. The others keep what nobody waits for.
        self.waiting.notified(&self.known);
        self.inner.notify_waiters();
    }
}

impl Notified<'_> {
    /// As [`tokio::sync::futures::Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().inner.inner().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(context)
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
