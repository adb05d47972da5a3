//! Where the records of a snapshot go, and how they leave it in pieces.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use hangdog_schemas::Record;

/// So many records make a piece.
const PIECE: usize = 1024;

/// The records that were not taken yet.
#[derive(Clone, Default)]
pub(super) struct Out(Rc<RefCell<Vec<Record>>>);

impl Out {
    pub(super) fn add(&self, record: Record) {
        self.0.borrow_mut().push(record);
    }

    /// Takes what is there.
    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.0.borrow_mut())
    }

    /// Goes on at once while there is no whole piece; then when it was taken.
    pub(super) async fn is_taken(&self) {
        std::future::poll_fn(|_| if self.0.borrow().len() < PIECE { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
