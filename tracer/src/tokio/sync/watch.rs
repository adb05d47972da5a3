//! [`tokio::sync::watch`], traced. What is borrowed (`Ref`) is not.

use std::fmt;

use hangdog_flight::Role;
use tokio::sync::watch as plain;

use crate::sync::ends::{Channel, End, channel as known};
use crate::sync::known::Name;
use crate::sync::sites;
use crate::sync::waits::For;

pub use tokio::sync::watch::{Ref, error};

const CHANGED: For = For::new(&sites::CHANGED, Role::WaitItem);

/// Takes the place of [`tokio::sync::watch::Sender`].
pub struct Sender<T> {
    inner: plain::Sender<T>,
    end: End,
}

/// Takes the place of [`tokio::sync::watch::Receiver`].
pub struct Receiver<T> {
    inner: plain::Receiver<T>,
    channel: Channel,
}

/// As [`tokio::sync::watch::channel`]; called by the place of this call.
#[track_caller]
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    with(Name::of_caller(), init)
}

/// The same, called `chan:NAME`.
pub fn channel_named<T>(name: &'static str, init: T) -> (Sender<T>, Receiver<T>) {
    with(Name::Given(name), init)
}

fn with<T>(name: Name, init: T) -> (Sender<T>, Receiver<T>) {
    let channel = known(name);
    let (sender, receiver) = plain::channel(init);
    (Sender { inner: sender, end: End::sends(channel.clone()) }, Receiver { inner: receiver, channel })
}

impl<T> Sender<T> {
    /// As [`tokio::sync::watch::Sender::new`].
    #[track_caller]
    pub fn new(init: T) -> Self {
        with(Name::of_caller(), init).0
    }

    /// As [`tokio::sync::watch::Sender::send`].
    pub fn send(&self, value: T) -> Result<(), error::SendError<T>> {
        self.end.used();
        self.inner.send(value)
    }

    /// As [`tokio::sync::watch::Sender::send_modify`].
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.end.used();
        self.inner.send_modify(modify);
    }

    /// As [`tokio::sync::watch::Sender::send_if_modified`].
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        self.end.used();
        self.inner.send_if_modified(modify)
    }

    /// As [`tokio::sync::watch::Sender::send_replace`].
    pub fn send_replace(&self, value: T) -> T {
        self.end.used();
        self.inner.send_replace(value)
    }

    /// As [`tokio::sync::watch::Sender::borrow`].
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// As [`tokio::sync::watch::Sender::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::watch::Sender::closed`]; not traced.
    pub async fn closed(&self) {
        self.end.used();
        self.inner.closed().await;
    }

    /// As [`tokio::sync::watch::Sender::subscribe`].
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { inner: self.inner.subscribe(), channel: self.end.channel().clone() }
    }

    /// As [`tokio::sync::watch::Sender::receiver_count`].
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// As [`tokio::sync::watch::Sender::sender_count`].
    pub fn sender_count(&self) -> usize {
        self.inner.sender_count()
    }

    /// As [`tokio::sync::watch::Sender::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> Receiver<T> {
    /// As [`tokio::sync::watch::Receiver::borrow`].
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// As [`tokio::sync::watch::Receiver::borrow_and_update`].
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.inner.borrow_and_update()
    }

    /// As [`tokio::sync::watch::Receiver::has_changed`].
    pub fn has_changed(&self) -> Result<bool, error::RecvError> {
        self.inner.has_changed()
    }

    /// As [`tokio::sync::watch::Receiver::mark_changed`].
    pub fn mark_changed(&mut self) {
        self.inner.mark_changed();
    }

    /// As [`tokio::sync::watch::Receiver::mark_unchanged`].
    pub fn mark_unchanged(&mut self) {
        self.inner.mark_unchanged();
    }

    /// As [`tokio::sync::watch::Receiver::changed`].
    pub async fn changed(&mut self) -> Result<(), error::RecvError> {
        CHANGED.follow(&self.channel, self.inner.changed()).await
    }

    /// As [`tokio::sync::watch::Receiver::wait_for`].
    pub async fn wait_for(&mut self, condition: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, error::RecvError> {
        CHANGED.follow(&self.channel, self.inner.wait_for(condition)).await
    }

    /// As [`tokio::sync::watch::Receiver::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), end: self.end.another() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), channel: self.channel.clone() }
    }
}

impl<T: Default> Default for Sender<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
