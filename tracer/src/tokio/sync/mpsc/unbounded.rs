//! Channels that are never full.

use std::fmt;
use std::task::{Context, Poll};

use tokio::sync::mpsc as plain;

use super::bounded::RECV;
use super::error::{SendError, TryRecvError};
use crate::sync::ends::{Channel, End, channel as known};
use crate::sync::known::Name;
use crate::sync::waits::PolledWait;

/// Takes the place of [`tokio::sync::mpsc::UnboundedSender`].
pub struct UnboundedSender<T> {
    inner: plain::UnboundedSender<T>,
    end: End,
}

/// Takes the place of [`tokio::sync::mpsc::WeakUnboundedSender`].
pub struct WeakUnboundedSender<T> {
    inner: plain::WeakUnboundedSender<T>,
    channel: Channel,
}

/// Takes the place of [`tokio::sync::mpsc::UnboundedReceiver`].
pub struct UnboundedReceiver<T> {
    inner: plain::UnboundedReceiver<T>,
    end: End,
    wait: PolledWait,
}

/// As [`tokio::sync::mpsc::unbounded_channel`]; called by the place of this call.
#[track_caller]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    with(Name::of_caller())
}

/// The same, called `chan:NAME`.
pub fn unbounded_channel_named<T>(name: &'static str) -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    with(Name::Given(name))
}

fn with<T>(name: Name) -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let channel = known(name);
    let (sender, receiver) = plain::unbounded_channel();
    let receiver = UnboundedReceiver {
        inner: receiver,
        end: End::receives_unbounded(channel.clone()),
        wait: PolledWait::default(),
    };
    (UnboundedSender { inner: sender, end: End::sends(channel) }, receiver)
}

impl<T> UnboundedSender<T> {
    /// As [`tokio::sync::mpsc::UnboundedSender::send`].
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.end.used();
        self.inner.send(value)
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::closed`]; not traced.
    pub async fn closed(&self) {
        self.end.used();
        self.inner.closed().await;
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::downgrade`].
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { inner: self.inner.downgrade(), channel: self.end.channel().clone() }
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::strong_count`].
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// As [`tokio::sync::mpsc::UnboundedSender::weak_count`].
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> WeakUnboundedSender<T> {
    /// As [`tokio::sync::mpsc::WeakUnboundedSender::upgrade`].
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.inner.upgrade().map(|inner| UnboundedSender { inner, end: End::sends(self.channel.clone()) })
    }

    /// As [`tokio::sync::mpsc::WeakUnboundedSender::strong_count`].
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// As [`tokio::sync::mpsc::WeakUnboundedSender::weak_count`].
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> UnboundedReceiver<T> {
    /// As [`tokio::sync::mpsc::UnboundedReceiver::recv`].
    pub async fn recv(&mut self) -> Option<T> {
        self.end.used();
        RECV.follow(self.end.channel(), self.inner.recv()).await
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::recv_many`].
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        self.end.used();
        RECV.follow(self.end.channel(), self.inner.recv_many(buffer, limit)).await
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.end.used();
        self.inner.try_recv()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::blocking_recv`].
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        self.end.used();
        let _waits = RECV.here(self.end.channel());
        self.inner.blocking_recv()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::blocking_recv_many`].
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        self.end.used();
        let _waits = RECV.here(self.end.channel());
        self.inner.blocking_recv_many(buffer, limit)
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::poll_recv`].
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { inner, end, wait } = self;
        end.used();
        wait.poll(RECV, || end.id(), || inner.poll_recv(context))
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::poll_recv_many`].
    pub fn poll_recv_many(&mut self, context: &mut Context<'_>, buffer: &mut Vec<T>, limit: usize) -> Poll<usize> {
        let Self { inner, end, wait } = self;
        end.used();
        wait.poll(RECV, || end.id(), || inner.poll_recv_many(context, buffer, limit))
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::close`].
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::len`].
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::sender_strong_count`].
    pub fn sender_strong_count(&self) -> usize {
        self.inner.sender_strong_count()
    }

    /// As [`tokio::sync::mpsc::UnboundedReceiver::sender_weak_count`].
    pub fn sender_weak_count(&self) -> usize {
        self.inner.sender_weak_count()
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), end: self.end.another() }
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), channel: self.channel.clone() }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for UnboundedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
