//! [`tokio::sync::oneshot`], traced.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hangdog_flight::Role;
use tokio::sync::oneshot as plain;

use crate::sync::ends::{Channel, End, channel as known};
use crate::sync::known::Name;
use crate::sync::sites;
use crate::sync::waits::{For, PolledWait};

pub use tokio::sync::oneshot::error;

const RECV: For = For::new(&sites::RECV, Role::WaitItem);

/// Takes the place of [`tokio::sync::oneshot::Sender`].
pub struct Sender<T> {
    inner: plain::Sender<T>,
    end: End,
}

/// Takes the place of [`tokio::sync::oneshot::Receiver`].
pub struct Receiver<T> {
    inner: plain::Receiver<T>,
    channel: Channel,
    wait: PolledWait,
}

/// As [`tokio::sync::oneshot::channel`]; called by the place of this call.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    with(Name::of_caller())
}

/// The same, called `chan:NAME`.
pub fn channel_named<T>(name: &'static str) -> (Sender<T>, Receiver<T>) {
    with(Name::Given(name))
}

fn with<T>(name: Name) -> (Sender<T>, Receiver<T>) {
    let channel = known(name);
    let (sender, receiver) = plain::channel();
    let end = End::sends(channel.clone());
    (Sender { inner: sender, end }, Receiver { inner: receiver, channel, wait: PolledWait::default() })
}

impl<T> Sender<T> {
    /// As [`tokio::sync::oneshot::Sender::send`].
    pub fn send(self, value: T) -> Result<(), T> {
        self.end.used();
        self.inner.send(value)
    }

    /// As [`tokio::sync::oneshot::Sender::closed`]; not traced.
    pub async fn closed(&mut self) {
        self.end.used();
        self.inner.closed().await;
    }

    /// As [`tokio::sync::oneshot::Sender::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`tokio::sync::oneshot::Sender::poll_closed`]; not traced.
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_closed(context)
    }
}

impl<T> Receiver<T> {
    /// As [`tokio::sync::oneshot::Receiver::close`].
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// As [`tokio::sync::oneshot::Receiver::is_terminated`].
    pub fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }

    /// As [`tokio::sync::oneshot::Receiver::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// As [`tokio::sync::oneshot::Receiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
        self.inner.try_recv()
    }

    /// As [`tokio::sync::oneshot::Receiver::blocking_recv`].
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, error::RecvError> {
        let _waits = RECV.here(&self.channel);
        self.inner.blocking_recv()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, error::RecvError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, channel, wait } = self.get_mut();
        wait.poll(RECV, || channel.id(), || Pin::new(inner).poll(context))
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
