//! The protocols of the recorder in all their orders, on a model of weak memory (loom). It is the code itself that
//! runs: a recorder is made as always, and while a model runs, each word of its memory that is touched stands for an
//! atomic of the model checker (`words`).
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p hangdog-flight --release --lib model
//! ```
//!
//! What is not modelled: the clock, the kernel, the files; that a reader is another process. A copy by `pread` takes
//! its words in any order and each as old as the rules allow, which is more than any kernel does.

pub(crate) mod local;
pub(crate) mod words;

#[cfg(test)]
mod more;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod rings;
#[cfg(test)]
mod slots;

#[cfg(test)]
mod run {
    use crate::{Options, Place, Recorder, Site, SiteNumber, Size};

    pub(super) static NUMBER: SiteNumber = SiteNumber::new();
    pub(super) static SITE: Site = Site::new("modelled", &["first", "second"], &NUMBER);

    /// Two threads, a chunk for each and one more.
    pub(super) const SIZE: Size = Size { slots: 192, names: 64, text: 4096, threads: 3, events: 4, resources: 64 };

    pub(super) fn recorder() -> &'static Recorder {
        Recorder::start(&Place::Memfd, Options { size: Some(SIZE), ..Options::default() }).unwrap()
    }

    /// Runs `work` in all orders in which threads are taken off the processor at most so many times against their will.
    pub(super) fn check(recorder: &'static Recorder, preemptions: usize, work: impl Fn() + Send + Sync + 'static) {
        let books = recorder.books();
        let before = books.copy();
        let work = std::sync::Arc::new(work);
        loop {
            let (before, work) = (before.clone(), std::sync::Arc::clone(&work));
            let mut builder = loom::model::Builder::new();
            builder.preemption_bound = Some(preemptions);
            builder.max_branches = 100_000;
            let attempt = std::panic::AssertUnwindSafe(|| {
                builder.check(move || {
                    books.restore(&before);
                    super::words::begin();
                    work();
                    super::words::end();
                });
            });
            let result = std::panic::catch_unwind(attempt);
            let may_be_that = super::words::expect_more();
            match result {
                Ok(()) => return,
                Err(_) if may_be_that => {}
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    }
}
