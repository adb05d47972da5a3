//! Rounds of a test, several at once. `ROUNDS` says how many (40 when it does not), `SEED` repeats a single one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rounds when nobody says how many.
const FEW: u64 = 40;
/// Rounds at once.
const AT_ONCE: usize = 8;

/// Each round gets its number, from which all its chance comes.
///
/// # Panics
/// When a round does; the message names the seeds that failed.
pub(crate) fn each(round: impl Fn(u64) + Sync) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("SEED") {
        return round(seed);
    }
    let rounds = number("ROUNDS").unwrap_or(FEW);
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= rounds {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| round(seed))).is_err() {
                        failed.lock().expect("no panic inside").push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic inside");
    assert!(failed.is_empty(), "these of {rounds} rounds failed; repeat one with SEED=N: {failed:?}");
}
