//! [`tokio::sync::broadcast`], traced. Nobody waits to send.

use std::fmt;

use hangdog_flight::Role;
use tokio::sync::broadcast as plain;

use crate::sync::ends::{Channel, End, channel as known};
use crate::sync::known::Name;
use crate::sync::sites;
use crate::sync::waits::For;

pub use tokio::sync::broadcast::error;

const RECV: For = For::new(&sites::RECV, Role::WaitItem);

/// Takes the place of [`tokio::sync::broadcast::Sender`].
pub struct Sender<T> {
    inner: plain::Sender<T>,
    end: End,
}

/// Takes the place of [`tokio::sync::broadcast::WeakSender`].
pub struct WeakSender<T> {
    inner: plain::WeakSender<T>,
    channel: Channel,
}

/// Takes the place of [`tokio::sync::broadcast::Receiver`].
pub struct Receiver<T> {
    inner: plain::Receiver<T>,
    channel: Channel,
}

/// As [`tokio::sync::broadcast::channel`]; called by the place of this call.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    with(Name::of_caller(), capacity)
}

/// The same, called `chan:NAME`.
pub fn channel_named<T: Clone>(name: &'static str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    with(Name::Given(name), capacity)
}

fn with<T: Clone>(name: Name, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = known(name);
    let (sender, receiver) = plain::channel(capacity);
    (Sender { inner: sender, end: End::sends(channel.clone()) }, Receiver { inner: receiver, channel })
}

impl<T> Sender<T> {
    /// As [`tokio::sync::broadcast::Sender::send`].
    pub fn send(&self, value: T) -> Result<usize, error::SendError<T>> {
        self.end.used();
        self.inner.send(value)
    }

    /// As [`tokio::sync::broadcast::Sender::subscribe`].
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { inner: self.inner.subscribe(), channel: self.end.channel().clone() }
    }

    /// As [`tokio::sync::broadcast::Sender::downgrade`].
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { inner: self.inner.downgrade(), channel: self.end.channel().clone() }
    }

    /// As [`tokio::sync::broadcast::Sender::len`].
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// As [`tokio::sync::broadcast::Sender::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`tokio::sync::broadcast::Sender::receiver_count`].
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// As [`tokio::sync::broadcast::Sender::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// As [`tokio::sync::broadcast::Sender::closed`]; not traced.
    pub async fn closed(&self) {
        self.end.used();
        self.inner.closed().await;
    }
}

impl<T> WeakSender<T> {
    /// As [`tokio::sync::broadcast::WeakSender::upgrade`].
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.inner.upgrade().map(|inner| Sender { inner, end: End::sends(self.channel.clone()) })
    }
}

impl<T> Receiver<T> {
    /// As [`tokio::sync::broadcast::Receiver::len`].
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// As [`tokio::sync::broadcast::Receiver::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`tokio::sync::broadcast::Receiver::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// As [`tokio::sync::broadcast::Receiver::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

impl<T: Clone> Receiver<T> {
    /// As [`tokio::sync::broadcast::Receiver::resubscribe`].
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        Self { inner: self.inner.resubscribe(), channel: self.channel.clone() }
    }

    /// As [`tokio::sync::broadcast::Receiver::recv`].
    pub async fn recv(&mut self) -> Result<T, error::RecvError> {
        RECV.follow(&self.channel, self.inner.recv()).await
    }

    /// As [`tokio::sync::broadcast::Receiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
        self.inner.try_recv()
    }

    /// As [`tokio::sync::broadcast::Receiver::blocking_recv`].
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, error::RecvError> {
        let _waits = RECV.here(&self.channel);
        self.inner.blocking_recv()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), end: self.end.another() }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), channel: self.channel.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
