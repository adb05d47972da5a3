//! [`tokio::sync::Notify`], traced.

use std::fmt;
use std::pin::Pin;

use hangdog_flight::{Primitive, Role};
use tokio::sync as plain;

use crate::sync::known::{Known, Name};
use crate::sync::waits::{For, Waits};
use crate::sync::{notified, sites};

const WAIT: For = For::new(&sites::WAIT, Role::Wait);

/// Takes the place of [`tokio::sync::Notify`] and says which tasks wait for it. Notifications are noted in the
/// history.
pub struct Notify {
    known: Known,
    inner: plain::Notify,
}

/// A future of [`Notify::notified`].
pub type Notified<'a> = Waits<'a, plain::futures::Notified<'a>>;

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
        Self { known: Known::new(Primitive::Notify, name), inner }
    }

    /// As [`tokio::sync::Notify::notified`].
    pub fn notified(&self) -> Notified<'_> {
        WAIT.follow(&self.known, self.inner.notified())
    }

    /// As [`tokio::sync::Notify::notify_one`].
    pub fn notify_one(&self) {
        notified(&self.known);
        self.inner.notify_one();
    }

    /// As [`tokio::sync::Notify::notify_last`].
    pub fn notify_last(&self) {
        notified(&self.known);
        self.inner.notify_last();
    }

    /// As [`tokio::sync::Notify::notify_waiters`].
    pub fn notify_waiters(&self) {
        notified(&self.known);
        self.inner.notify_waiters();
    }
}

impl Notified<'_> {
    /// As [`tokio::sync::futures::Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.inner().enable()
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
