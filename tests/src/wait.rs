//! Waiting for a condition, with an end.

use std::time::{Duration, Instant};

/// Longer than anything here takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Looks again and again until there is something.
///
/// # Panics
/// When it does not come; `what` says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
