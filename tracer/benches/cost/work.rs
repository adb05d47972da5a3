//! The work that is measured: a pair of spans, a future that is polled three times.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use hangdog_flight::Reader;
use hangdog_tracer::phase;
use tracing::{debug_span, info_span};

use crate::clock::{Effort, cold, warm};
use crate::line::Measured;

/// A text of 16 bytes, of which the compiler knows nothing.
pub(crate) fn text() -> &'static str {
    black_box("sixteen bytes ok")
}

/// A span and one within it, each with a number and a text, entered and closed at once.
#[inline]
pub(crate) fn pair(number: u64, text: &str) {
    let _outer = info_span!("outer", number, text).entered();
    let _inner = info_span!("inner", number, text).entered();
}

/// The same, and they say what they mean.
#[inline]
pub(crate) fn meaning_pair(number: u64, text: &str) {
    let _outer = info_span!("outer", number, hang.serve = text).entered();
    let _inner = info_span!("inner", number, hang.serve = text).entered();
}

/// The same below what a log shows.
#[inline]
pub(crate) fn debug_pair(number: u64, text: &str) {
    let _outer = debug_span!("outer", number, text).entered();
    let _inner = debug_span!("inner", number, text).entered();
}

/// What one half of a pair costs.
pub(crate) fn each(effort: Effort, pair: impl Fn(u64, &'static str)) -> f64 {
    let text = text();
    warm(effort, |rounds| (0..rounds).for_each(|number| pair(number, text))) / 2.0
}

/// What one half of a pair costs after 4 MB of something else.
pub(crate) fn each_cold(effort: Effort, pair: impl Fn(u64, &'static str)) -> f64 {
    let text = text();
    // The first time registers call sites.
    (0..100).for_each(|number| pair(number, text));
    let mut number = 0;
    let cost = cold(effort, || {
        number += 1;
        pair(number, text);
    });
    cost / 2.0
}

/// A cost, if it was the cost of recording: not when there is no recorder, and not when phases were dropped.
pub(crate) fn recorded(cost: f64) -> Measured {
    let _seen = phase!("seen");
    let recorder = hangdog_flight::current().ok_or(hangdog_tracer::status().to_string())?;
    let file = recorder.file().map_err(|error| error.to_string())?;
    let recording =
        Reader::from_file(file).and_then(|mut reader| reader.read()).map_err(|error| error.to_string())?;
    if recording.dropped > 0 {
        return Err(format!("{} phases were not recorded: {:?}", recording.dropped, recording.losses));
    }
    let seen = recording.open.iter().any(|phase| phase.name == "seen");
    if seen { Ok(cost) } else { Err("an open phase is not to be seen".to_owned()) }
}

/// A future that yields twice: polled three times.
#[derive(Default)]
pub(crate) struct ThreePolls(u8);

impl Future for ThreePolls {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 2 {
            return Poll::Ready(());
        }
        self.0 += 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What one round of a task costs, on a runtime of one thread.
pub(crate) fn in_a_task<T>(effort: Effort, task: impl Fn(u64) -> T) -> Measured
where
    T: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let mut failed = None;
    let cost = warm(effort, |rounds| {
        let ended = runtime.block_on(async { tokio::spawn(task(rounds)).await });
        failed = failed.take().or(ended.err());
    });
    failed.map_or(Ok(cost), |error| Err(error.to_string()))
}
