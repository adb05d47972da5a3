//! The worker's side of the arena: where a read puts its result, and how it says how far it came.
#![expect(unsafe_code, reason = "the control block is in the same mapping as the arena")]

use std::ops::Range;
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use super::parts::{self, Kind};
use super::shared::Control;

/// The end of the arena where a read puts its result, and the place to say "still alive".
pub(super) struct Room<'a> {
    pub(super) free: &'a mut [u8],
    pub(super) len: usize,
    pub(super) cut: bool,
    pub(super) control: *const Control,
}

impl Room<'_> {
    pub(super) fn rest(&mut self) -> &mut [u8] {
        &mut self.free[self.len..]
    }

    fn control(&self) -> &Control {
        // SAFETY: points at the control block of the mapping, which outlives the batch.
        unsafe { &*self.control }
    }

    /// `n` more bytes are there.
    pub(super) fn add(&mut self, n: usize) {
        self.len += n;
        self.tick();
    }

    pub(super) fn tick(&self) {
        self.control().progress.fetch_add(1, Ordering::Release);
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self.free.get_mut(self.len..self.len + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.cut = true,
        }
    }

    /// Says which of several reads comes now.
    pub(super) fn begin(&self, kind: Kind, number: u32) {
        self.control().part(kind.number(), number, self.len);
    }

    /// Adds what a read gives as a part of its own. Where its bytes are, when there are any.
    pub(super) fn part(
        &mut self,
        kind: Kind,
        number: u32,
        read: impl FnOnce(&mut Self) -> Result<(), Errno>,
    ) -> Option<Range<usize>> {
        self.begin(kind, number);
        let head = self.len;
        if self.rest().len() < parts::HEAD * 2 {
            self.cut = true;
            return None;
        }
        self.len += parts::HEAD;
        let from = self.len;
        let outcome = read(self);
        // Half of it would be taken for all of it; and there must be room to say that more comes.
        if self.cut || self.rest().len() < parts::HEAD {
            self.cut = true;
            self.len = head;
            return None;
        }
        let errno = outcome.err().map_or(0, |errno| errno.raw_os_error() as u32);
        let bytes = parts::head(kind, number, errno, self.len - from);
        self.free[head..from].copy_from_slice(&bytes);
        (errno == 0).then_some(from..self.len)
    }

    /// Adds a part without bytes, for which [`part`](Self::part) leaves room.
    pub(super) fn mark(&mut self, kind: Kind, number: u32) {
        self.push(&parts::head(kind, number, 0, 0));
    }

    /// Bytes of the last part.
    pub(super) fn last(&self, range: Range<usize>) -> &[u8] {
        self.free.get(range).unwrap_or_default()
    }
}
