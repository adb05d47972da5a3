//! Batches of reads as futures: the steps of a snapshot read from top to bottom, and still never hold
//! the main loop up. There is no runtime: [`super::Snapshotter::poll`] polls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use hangdog_schemas::Observed;

use crate::observe::worker::{Answer, Ask, Worker};

/// The worker, as the steps of a snapshot see it.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) worker: Rc<RefCell<Worker>>,
    /// The moment of the poll that is going on.
    pub(super) now: Rc<Cell<Instant>>,
    /// The snapshot was cut short: nothing more is read.
    pub(super) cut: Rc<Cell<bool>>,
}

impl Reader {
    /// Answers in order of the asks.
    pub(super) async fn ask(&self, asks: Vec<Ask>) -> Vec<Answer> {
        if asks.is_empty() || self.cut.get() {
            return vec![Observed::NotAsked; asks.len()];
        }
        self.worker.borrow_mut().start(asks);
        std::future::poll_fn(|_| match self.worker.borrow_mut().poll(self.now.get()) {
            Some(answers) => Poll::Ready(answers),
            None => Poll::Pending,
        })
        .await
    }

    /// One answer.
    pub(super) async fn ask_one(&self, ask: Ask) -> Answer {
        self.ask(vec![ask]).await.pop().unwrap_or_default()
    }

    /// Asks that carry what they are for.
    pub(super) async fn ask_for<K>(&self, wanted: Vec<(K, Ask)>) -> Vec<(K, Answer)> {
        let (keys, asks): (Vec<K>, Vec<Ask>) = wanted.into_iter().unzip();
        keys.into_iter().zip(self.ask(asks).await).collect()
    }
}
