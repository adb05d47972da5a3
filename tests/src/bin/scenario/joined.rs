//! A hang of threads that another one waits for by `pthread_join`.

use std::sync::{Barrier, Mutex};
use std::thread;

use crate::{Outcome, role};

/// Two threads take two locks in different order, and the first thread joins one of them. It waits for both, and is in
/// neither's way.
pub(crate) fn mutexes_abba(_: &[String]) -> Outcome {
    role::take("joiner")?;
    let (orders, stock, both) = (Mutex::new(()), Mutex::new(()), Barrier::new(2));
    // Threads of a scope are waited for at a futex of their own; these are joined.
    let shared: &'static _ = Box::leak(Box::new((orders, stock, both)));
    let take = |first: &'static Mutex<()>, then: &'static Mutex<()>| {
        thread::spawn(move || {
            let _first = first.lock();
            shared.2.wait();
            drop(then.lock());
        })
    };
    let threads = [take(&shared.0, &shared.1), take(&shared.1, &shared.0)];
    threads.into_iter().try_for_each(thread::JoinHandle::join).map_err(|_| "a thread panicked")?;
    Ok(())
}
