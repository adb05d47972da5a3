//! Batches of reads as futures: the steps of a snapshot read from top to bottom, and still never hold
//! the main loop up. There is no runtime: [`super::Snapshotter::poll`] polls.

use std::cell::{Cell, RefCell};
use std::iter::Peekable;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use hangdog_schemas::Observed;

use crate::observe::worker::{Answer, Ask, Crew};

/// Asks that one worker gets at a time: so many that a hand-over costs little, and so few that no worker is left with
/// much when the other has nothing more to do.
const BATCH: usize = 32;

/// What is to be read: who has what of it.
struct Work<K, I: Iterator<Item = (K, Ask)>> {
    wanted: Peekable<I>,
    /// Of workers that wait in the kernel.
    handed_on: Vec<(K, Ask)>,
    /// What the asks of each worker are for, while it reads.
    batches: Vec<Option<Vec<K>>>,
}

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
        let mut work = Work { wanted: wanted.into_iter().peekable(), handed_on: Vec::new(), batches: Vec::new() };
        work.batches.resize_with(self.crew.borrow().size(), || None);
        std::future::poll_fn(|_| {
            let mut n = 0;
            while n < work.batches.len() {
                if work.batches[n].is_none() {
                    work.batches[n] = self.begin(n, size, &mut work);
                }
                let mut done = self.poll(n, &work);
                while let Some(answers) = done {
                    let keys = work.batches[n].take();
                    // The worker reads on while its answers are understood.
                    work.batches[n] = self.begin(n, size, &mut work);
                    done = self.poll(n, &work);
                    for (key, answer) in keys.into_iter().flatten().zip(answers) {
                        take(key, answer);
                    }
                }
                self.hand_on(n, &mut work);
                n += 1;
                // All that could read wait in the kernel.
                let is_all = n == work.batches.len() && work.batches.iter().all(Option::is_some);
                if is_all && self.has_turn(n, &mut work) && self.crew.borrow_mut().grow() {
                    work.batches.push(None);
                }
            }
            if work.batches.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn poll<K, I: Iterator<Item = (K, Ask)>>(&self, n: usize, work: &Work<K, I>) -> Option<Vec<Answer>> {
        work.batches[n].as_ref().and_then(|_| self.crew.borrow_mut().poll(n, self.now.get()))
    }

    /// Gives worker `n` its next batch. What its asks are for; `None` when there is nothing more to ask, or enough that
    /// read.
    fn begin<K, I: Iterator<Item = (K, Ask)>>(&self, n: usize, size: usize, work: &mut Work<K, I>) -> Option<Vec<K>> {
        if !self.has_turn(n, work) {
            return None;
        }
        let from = work.handed_on.len().saturating_sub(size);
        let mut next = work.handed_on.split_off(from);
        next.extend(work.wanted.by_ref().take(size - next.len()));
        let (keys, asks): (Vec<K>, Vec<Ask>) = next.into_iter().unzip();
        self.crew.borrow_mut().start(n, asks);
        Some(keys)
    }

    /// Whether there is something to ask, and worker `n` may.
    fn has_turn<K, I: Iterator<Item = (K, Ask)>>(&self, n: usize, work: &mut Work<K, I>) -> bool {
        let is_work = !self.cut.get() && (!work.handed_on.is_empty() || work.wanted.peek().is_some());
        let others = work.batches.iter().enumerate().filter(|(other, batch)| *other != n && batch.is_some());
        is_work && self.crew.borrow_mut().has_turn(others.map(|(other, _)| other), self.now.get())
    }

    /// What a worker that waits in the kernel has not begun is for others.
    fn hand_on<K, I: Iterator<Item = (K, Ask)>>(&self, n: usize, work: &mut Work<K, I>) {
        if let Some(keys) = &mut work.batches[n] {
            let asks = self.crew.borrow_mut().hand_on(n, self.now.get());
            let keys = keys.split_off(keys.len() - asks.len());
            work.handed_on.extend(keys.into_iter().zip(asks));
        }
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};
    use std::time::Duration;

    use hangdog_schemas::Pid;

    use super::*;
    use crate::observe::worker::{Hazard, Room, What};

    /// Polls until all is read.
    fn finish(reader: &Reader, reading: impl Future<Output = ()>) {
        let mut reading = std::pin::pin!(reading);
        let limit = Instant::now() + Duration::from_secs(30);
        while reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            assert!(Instant::now() < limit);
            let rings = reader.crew.borrow().rings();
            reader.crew.borrow().doze(rings, Duration::from_millis(1));
            reader.now.set(Instant::now());
        }
    }

    #[test]
    fn reads_that_are_stuck_in_one_batch_are_waited_for_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let stuck = |pid: u32| Ask {
            pid: Some(Pid(pid)),
            hazard: Hazard::None,
            path: fifo.to_str().unwrap().to_owned(),
            what: What::File,
        };
        let crew = Rc::new(RefCell::new(Crew::spawn(Room::Small).unwrap()));
        let reader = Reader { crew, now: Rc::new(Cell::new(Instant::now())), cut: Rc::new(Cell::new(false)) };
        let before = reader.crew.borrow().size();
        // Three of a batch get stuck, each of another process, and every other one does not.
        let asks = (0..BATCH * 4)
            .map(|n| (n, if n < 6 && n % 2 == 0 { stuck(n as u32 + 1) } else { Ask::table("/proc/self/comm") }));
        let mut answers = vec![Observed::NotAsked; BATCH * 4];
        finish(
            &reader,
            reader.each(asks, |n, answer| {
                assert_eq!(answers[n], Observed::NotAsked, "{n} is answered once");
                answers[n] = answer;
            }),
        );
        for (n, answer) in answers.iter().enumerate() {
            let is_stuck = matches!(answer, Observed::TimedOut(_));
            assert_eq!(
                (is_stuck, answer.seen().is_some()),
                (n < 6 && n % 2 == 0, n >= 6 || n % 2 == 1),
                "{n}: {answer:?}"
            );
        }
        assert_eq!(reader.crew.borrow_mut().take_stalls().len(), 3);
        assert!(reader.crew.borrow().size() > before, "somebody read in their place");
        reader.crew.borrow_mut().shrink();
        assert_eq!(reader.crew.borrow().size(), before);
    }
}
