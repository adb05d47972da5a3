//! Places in a channel that somebody has reserved.

use std::fmt;

use tokio::sync::mpsc as plain;

use super::Sender;
use crate::sync::ends::End;

/// Takes the place of [`tokio::sync::mpsc::Permit`].
pub struct Permit<'a, T> {
    pub(super) inner: plain::Permit<'a, T>,
    pub(super) _place: End,
}

/// Takes the place of [`tokio::sync::mpsc::PermitIterator`].
pub struct PermitIterator<'a, T> {
    pub(super) inner: plain::PermitIterator<'a, T>,
    pub(super) places: End,
}

/// Takes the place of [`tokio::sync::mpsc::OwnedPermit`].
pub struct OwnedPermit<T> {
    pub(super) inner: plain::OwnedPermit<T>,
    pub(super) _place: End,
    pub(super) end: End,
}

impl<T> Permit<'_, T> {
    /// As [`tokio::sync::mpsc::Permit::send`].
    pub fn send(self, value: T) {
        self.inner.send(value);
    }
}

impl<T> OwnedPermit<T> {
    /// As [`tokio::sync::mpsc::OwnedPermit::send`].
    pub fn send(self, value: T) -> Sender<T> {
        self.end.used();
        Sender { inner: self.inner.send(value), end: self.end }
    }

    /// As [`tokio::sync::mpsc::OwnedPermit::release`].
    pub fn release(self) -> Sender<T> {
        Sender { inner: self.inner.release(), end: self.end }
    }

    /// As [`tokio::sync::mpsc::OwnedPermit::same_channel`].
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// As [`tokio::sync::mpsc::OwnedPermit::same_channel_as_sender`].
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.inner.same_channel_as_sender(&sender.inner)
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        let inner = self.inner.next()?;
        Some(Permit { inner, _place: End::place(self.places.channel().clone()) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> std::iter::FusedIterator for PermitIterator<'_, T> {}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
