//! [`std::sync::mpsc`], traced.

use std::fmt;
use std::time::Duration;

use hangdog_flight::Role;

use super::ends::{End, channel as known};
use super::known::Name;
use super::sites;
use super::waits::For;

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

const SEND: For = For::new(&sites::SEND, Role::WaitSpace);
const RECV: For = For::new(&sites::RECV, Role::WaitItem);

/// Takes the place of [`std::sync::mpsc::Sender`].
pub struct Sender<T> {
    inner: std::sync::mpsc::Sender<T>,
    end: End,
}

/// Takes the place of [`std::sync::mpsc::SyncSender`].
pub struct SyncSender<T> {
    inner: std::sync::mpsc::SyncSender<T>,
    end: End,
}

/// Takes the place of [`std::sync::mpsc::Receiver`].
pub struct Receiver<T> {
    inner: std::sync::mpsc::Receiver<T>,
    end: End,
}

/// As [`std::sync::mpsc::channel`]; called by the place of this call.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    channel_with(Name::of_caller())
}

/// The same, called `chan:NAME`.
pub fn channel_named<T>(name: &'static str) -> (Sender<T>, Receiver<T>) {
    channel_with(Name::Given(name))
}

fn channel_with<T>(name: Name) -> (Sender<T>, Receiver<T>) {
    let known = known(name);
    let (sender, receiver) = std::sync::mpsc::channel();
    let receiver = Receiver { inner: receiver, end: End::receives_unbounded(known.clone()) };
    (Sender { inner: sender, end: End::sends(known) }, receiver)
}

/// As [`std::sync::mpsc::sync_channel`]; called by the place of this call.
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    sync_channel_with(Name::of_caller(), bound)
}

/// The same, called `chan:NAME`.
pub fn sync_channel_named<T>(name: &'static str, bound: usize) -> (SyncSender<T>, Receiver<T>) {
    sync_channel_with(Name::Given(name), bound)
}

fn sync_channel_with<T>(name: Name, bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let known = known(name);
    let (sender, receiver) = std::sync::mpsc::sync_channel(bound);
    let receiver = Receiver { inner: receiver, end: End::receives(known.clone()) };
    (SyncSender { inner: sender, end: End::sends(known) }, receiver)
}

impl<T> Sender<T> {
    /// As [`std::sync::mpsc::Sender::send`].
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.end.used();
        self.inner.send(value)
    }
}

impl<T> SyncSender<T> {
    /// As [`std::sync::mpsc::SyncSender::send`].
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.end.used();
        match self.inner.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => {
                let _waits = SEND.here(self.end.channel());
                self.inner.send(value)
            }
        }
    }

    /// As [`std::sync::mpsc::SyncSender::try_send`].
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.end.used();
        self.inner.try_send(value)
    }
}

impl<T> Receiver<T> {
    /// As [`std::sync::mpsc::Receiver::recv`].
    pub fn recv(&self) -> Result<T, RecvError> {
        self.end.used();
        match self.inner.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => {
                let _waits = RECV.here(self.end.channel());
                self.inner.recv()
            }
        }
    }

    /// As [`std::sync::mpsc::Receiver::try_recv`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.end.used();
        self.inner.try_recv()
    }

    /// As [`std::sync::mpsc::Receiver::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.end.used();
        match self.inner.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                let _waits = RECV.here(self.end.channel());
                self.inner.recv_timeout(timeout)
            }
        }
    }

    /// As [`std::sync::mpsc::Receiver::iter`].
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// As [`std::sync::mpsc::Receiver::try_iter`].
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }
}

/// Of [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Of [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Of a receiver by value.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), end: self.end.another() }
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), end: self.end.another() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
