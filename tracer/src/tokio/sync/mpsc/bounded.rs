//! Channels that can be full.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use hangdog_flight::Role;
use tokio::sync::mpsc as plain;

use super::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use super::permit::{OwnedPermit, Permit, PermitIterator};
use crate::sync::ends::{Channel, End, channel as known};
use crate::sync::known::Name;
use crate::sync::sites;
use crate::sync::waits::{For, PolledWait};

const SEND: For = For::new(&sites::SEND, Role::WaitSpace);
const RESERVE: For = For::new(&sites::RESERVE, Role::WaitSpace);
pub(super) const RECV: For = For::new(&sites::RECV, Role::WaitItem);

/// Takes the place of [`tokio::sync::mpsc::Sender`].
pub struct Sender<T> {
    pub(super) inner: plain::Sender<T>,
    pub(super) end: End,
}

/// Takes the place of [`tokio::sync::mpsc::WeakSender`].
pub struct WeakSender<T> {
    inner: plain::WeakSender<T>,
    channel: Channel,
}

/// Takes the place of [`tokio::sync::mpsc::Receiver`].
pub struct Receiver<T> {
    inner: plain::Receiver<T>,
    end: End,
    wait: PolledWait,
}

/// As [`tokio::sync::mpsc::channel`]; called by the place of this call.
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    with(Name::of_caller(), buffer)
}

/// The same, called `chan:NAME`.
#[track_caller]
pub fn channel_named<T>(name: &'static str, buffer: usize) -> (Sender<T>, Receiver<T>) {
    with(Name::Given(name), buffer)
}

#[track_caller]
fn with<T>(name: Name, buffer: usize) -> (Sender<T>, Receiver<T>) {
    let channel = known(name);
    let (sender, receiver) = plain::channel(buffer);
    let receiver = Receiver { inner: receiver, end: End::receives(channel.clone()), wait: PolledWait::default() };
    (Sender { inner: sender, end: End::sends(channel) }, receiver)
}

impl<T> Sender<T> {
    /// As [`tokio::sync::mpsc::Sender::send`].
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.end.used();
        SEND.follow(self.end.channel(), self.inner.send(value)).await
    }

    /// As [`tokio::sync::mpsc::Sender::try_send`].
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.end.used();
        self.inner.try_send(value)
    }

    /// As [`tokio::sync::mpsc::Sender::send_timeout`].
    pub async fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.end.used();
        SEND.follow(self.end.channel(), self.inner.send_timeout(value, timeout)).await
    }

    /// As [`tokio::sync::mpsc::Sender::blocking_send`].
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        self.end.used();
        let _waits = SEND.here(self.end.channel());
        self.inner.blocking_send(value)
    }

    /// As [`tokio::sync::mpsc::Sender::closed`]; not traced.
    pub async fn closed(&self) {
        self.end.used();
        self.inner.closed().await;
    }

    /// As [`tokio::sync::mpsc::Sender::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::mpsc::Sender::reserve`].
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        self.end.used();
        let inner = RESERVE.follow(self.end.channel(), self.inner.reserve()).await?;
        Ok(Permit { inner, _place: End::place(self.end.channel().clone()) })
    }

    /// As [`tokio::sync::mpsc::Sender::reserve_many`].
    pub async fn reserve_many(&self, count: usize) -> Result<PermitIterator<'_, T>, SendError<()>> {
        self.end.used();
        let inner = RESERVE.follow(self.end.channel(), self.inner.reserve_many(count)).await?;
        Ok(PermitIterator { inner, places: End::place(self.end.channel().clone()) })
    }

    /// As [`tokio::sync::mpsc::Sender::reserve_owned`].
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        self.end.used();
        let inner = RESERVE.follow(self.end.channel(), self.inner.reserve_owned()).await?;
        let place = End::place(self.end.channel().clone());
        Ok(OwnedPermit { inner, _place: place, end: self.end })
    }

    /// As [`tokio::sync::mpsc::Sender::try_reserve`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.end.used();
        let inner = self.inner.try_reserve()?;
        Ok(Permit { inner, _place: End::place(self.end.channel().clone()) })
    }

    /// As [`tokio::sync::mpsc::Sender::try_reserve_many`].
    pub fn try_reserve_many(&self, count: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.end.used();
        let inner = self.inner.try_reserve_many(count)?;
        Ok(PermitIterator { inner, places: End::place(self.end.channel().clone()) })
    }

    /// As [`tokio::sync::mpsc::Sender::try_reserve_owned`].
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        self.end.used();
        let Self { inner, end } = self;
        match inner.try_reserve_owned() {
            Ok(inner) => Ok(OwnedPermit { inner, _place: End::place(end.channel().clone()), end }),
            Err(TrySendError::Full(inner)) => Err(TrySendError::Full(Self { inner, end })),
            Err(TrySendError::Closed(inner)) => Err(TrySendError::Closed(Self { inner, end })),
        }
    }

    /// As [`tokio::sync::mpsc::Sender::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// As [`tokio::sync::mpsc::Sender::capacity`].
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// As [`tokio::sync::mpsc::Sender::max_capacity`].
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// As [`tokio::sync::mpsc::Sender::downgrade`].
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { inner: self.inner.downgrade(), channel: self.end.channel().clone() }
    }

    /// As [`tokio::sync::mpsc::Sender::strong_count`].
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// As [`tokio::sync::mpsc::Sender::weak_count`].
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> WeakSender<T> {
    /// As [`tokio::sync::mpsc::WeakSender::upgrade`].
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.inner.upgrade().map(|inner| Sender { inner, end: End::sends(self.channel.clone()) })
    }

    /// As [`tokio::sync::mpsc::WeakSender::strong_count`].
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// As [`tokio::sync::mpsc::WeakSender::weak_count`].
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> Receiver<T> {
    /// As [`tokio::sync::mpsc::Receiver::recv`].
    pub async fn recv(&mut self) -> Option<T> {
        self.end.used();
        RECV.follow(self.end.channel(), self.inner.recv()).await
    }

    /// As [`tokio::sync::mpsc::Receiver::recv_many`].
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        self.end.used();
        RECV.follow(self.end.channel(), self.inner.recv_many(buffer, limit)).await
    }

    /// As [`tokio::sync::mpsc::Receiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.end.used();
        self.inner.try_recv()
    }

    /// As [`tokio::sync::mpsc::Receiver::blocking_recv`].
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        self.end.used();
        let _waits = RECV.here(self.end.channel());
        self.inner.blocking_recv()
    }

    /// As [`tokio::sync::mpsc::Receiver::blocking_recv_many`].
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        self.end.used();
        let _waits = RECV.here(self.end.channel());
        self.inner.blocking_recv_many(buffer, limit)
    }

    /// As [`tokio::sync::mpsc::Receiver::poll_recv`].
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Self { inner, end, wait } = self;
        end.used();
        wait.poll(RECV, || end.id(), || inner.poll_recv(context))
    }

    /// As [`tokio::sync::mpsc::Receiver::poll_recv_many`].
    pub fn poll_recv_many(&mut self, context: &mut Context<'_>, buffer: &mut Vec<T>, limit: usize) -> Poll<usize> {
        let Self { inner, end, wait } = self;
        end.used();
        wait.poll(RECV, || end.id(), || inner.poll_recv_many(context, buffer, limit))
    }

    /// As [`tokio::sync::mpsc::Receiver::close`].
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// As [`tokio::sync::mpsc::Receiver::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::mpsc::Receiver::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`tokio::sync::mpsc::Receiver::len`].
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// As [`tokio::sync::mpsc::Receiver::capacity`].
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// As [`tokio::sync::mpsc::Receiver::max_capacity`].
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// As [`tokio::sync::mpsc::Receiver::sender_strong_count`].
    pub fn sender_strong_count(&self) -> usize {
        self.inner.sender_strong_count()
    }

    /// As [`tokio::sync::mpsc::Receiver::sender_weak_count`].
    pub fn sender_weak_count(&self) -> usize {
        self.inner.sender_weak_count()
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
