//! Batches of reads as futures: the steps of a snapshot read from top to bottom, and still never hold
//! the main loop up. There is no runtime: [`super::Snapshotter::poll`] polls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use hangdog_schemas::Observed;

use crate::observe::worker::{Answer, Ask, Crew};

/// Asks that one worker gets at a time: so many that a hand-over costs little, and so few that no worker is left with
/// much when the other has nothing more to do.
const BATCH: usize = 32;

/// The workers, as the steps of a snapshot see them.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) crew: Rc<RefCell<Crew>>,
    /// The moment of the poll that is going on.
    pub(super) now: Rc<Cell<Instant>>,
    /// The snapshot was cut short: nothing more is read.
    pub(super) cut: Rc<Cell<bool>>,
}

impl Reader {
    /// Has everything read that is wanted, and gives each answer as it comes, in no order: while workers read, what
    /// they have read is understood. What is not asked any more, once the snapshot is cut, gets no answer.
    pub(super) async fn each<K>(&self, wanted: impl IntoIterator<Item = (K, Ask)>, take: impl FnMut(K, Answer)) {
        self.each_by(BATCH, wanted, take).await;
    }

    /// The same with so many asks at a time.
    pub(super) async fn each_by<K>(
        &self,
        size: usize,
        wanted: impl IntoIterator<Item = (K, Ask)>,
        mut take: impl FnMut(K, Answer),
    ) {
        let mut wanted = wanted.into_iter();
        let mut batches: Vec<Option<Vec<K>>> = Vec::new();
        batches.resize_with(self.crew.borrow().size(), || None);
        std::future::poll_fn(|_| {
            for (n, batch) in batches.iter_mut().enumerate() {
                if batch.is_none() {
                    *batch = self.begin(n, size, &mut wanted);
                }
                let poll = |batch: &Option<Vec<K>>| {
                    batch.as_ref().and_then(|_| self.crew.borrow_mut().poll(n, self.now.get()))
                };
                let mut done = poll(batch);
                while let Some(answers) = done {
                    // The worker reads on while its answers are understood.
                    let keys = std::mem::replace(batch, self.begin(n, size, &mut wanted));
                    done = poll(batch);
                    for (key, answer) in keys.into_iter().flatten().zip(answers) {
                        take(key, answer);
                    }
                }
            }
            if batches.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Gives worker `n` its next batch. What its asks are for; `None` when there is nothing more to ask.
    fn begin<K>(&self, n: usize, size: usize, wanted: &mut impl Iterator<Item = (K, Ask)>) -> Option<Vec<K>> {
        if self.cut.get() {
            return None;
        }
        let (keys, asks): (Vec<K>, Vec<Ask>) = wanted.take(size).unzip();
        if keys.is_empty() {
            return None;
        }
        self.crew.borrow_mut().start(n, asks);
        Some(keys)
    }

    /// Answers in order of the asks.
    pub(super) async fn ask(&self, asks: Vec<Ask>) -> Vec<Answer> {
        let mut answers = vec![Observed::NotAsked; asks.len()];
        self.each(asks.into_iter().enumerate(), |n, answer| answers[n] = answer).await;
        answers
    }

    /// One answer.
    pub(super) async fn ask_one(&self, ask: Ask) -> Answer {
        self.ask(vec![ask]).await.pop().unwrap_or_default()
    }

    /// Asks that carry what they are for; answers in their order.
    pub(super) async fn ask_for<K>(&self, wanted: Vec<(K, Ask)>) -> Vec<(K, Answer)> {
        let (keys, asks): (Vec<K>, Vec<Ask>) = wanted.into_iter().unzip();
        keys.into_iter().zip(self.ask(asks).await).collect()
    }
}
