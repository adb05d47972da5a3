//! Traced locks and channels of the standard library: the names of [`std::sync`], with the same methods, and a word
//! for whoever looks from outside about who waits and who holds.
//!
//! ```text
//!   use std::sync::{Mutex, mpsc};   ──▶   use hangdog_tracer::sync::{Mutex, mpsc};
//! ```
//!
//! A lock that is free is taken by its plain `try_lock`, and three words are written about who has it. Only who has
//! to wait opens a phase: `lock`, `read`, `write`, `wait`, `send`, `recv`.
//!
//! | what | is written | its key |
//! | --- | --- | --- |
//! | held alone | `holds NAME`: thread or task, phase, since when | `lock:NAME` |
//! | shared | `holds NAME`, a phase for each guard | `lock:NAME` |
//! | an end of a channel | `sends to NAME`, `receives from NAME`: a phase for each handle, of the thread or task that used it last | `chan:NAME/item`, `chan:NAME/space` |
//! | a wait | a phase of the thread, or of the task, which shows how often it was polled and whether it is now | the same keys, `cond:NAME`, `pool:NAME` |
//!
//! Things are called as the program says (`Mutex::named("cache", …)`), else by the place that made them
//! (`src/cache.rs:12`). A second one of the same name is `NAME#2`.
//!
//! | module | is |
//! | --- | --- |
//! | `mutex`, `rwlock`, `condvar`, [`mpsc`] | those of the standard library |
//! | `pool` | [`Pool`], of whatever crate |
//! | `known` | name and number of a lock or the like |
//! | `held` | guards that say what they hold |
//! | `waits` | phases of those who wait |
//! | `ends` | ends of channels |
//! | `order` | which lock was taken while which was held |
//! | `sites` | the phases' call sites |

mod condvar;
pub(crate) mod ends;
mod held;
pub(crate) mod known;
pub mod mpsc;
mod mutex;
mod order;
mod pool;
mod rwlock;
pub(crate) mod sites;
pub(crate) mod waits;

pub use condvar::Condvar;
#[cfg(feature = "parking_lot")]
pub(crate) use condvar::notified_nobody;
#[cfg(feature = "tokio")]
pub(crate) use condvar::{OneMore, Waiting};
pub use held::{Alone, Held, Shared};
pub use mutex::{Mutex, MutexGuard};
pub use pool::{Acquire, Pool, Pooled};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult, WaitTimeoutResult};

/// The task that the calling thread polls; 0 for none.
#[expect(clippy::inline_always, reason = "one call on the way of a lock is enough")]
#[inline(always)]
pub(crate) fn task() -> u64 {
    #[cfg(feature = "tokio")]
    let task = crate::tokio::task_of_thread();
    #[cfg(not(feature = "tokio"))]
    let task = 0;
    task
}
