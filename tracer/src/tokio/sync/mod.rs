//! Traced locks and channels of [`tokio::sync`], with the same methods. What they write is told in
//! [`sync`](crate::sync).
//!
//! Each waits by the future of tokio itself, which is polled as if nobody looked: order, fairness, budget and what
//! becomes of a future that is dropped are tokio's. A phase opens when a poll finds nothing, and ends with the
//! future.
//!
//! Not here: parts of owned guards (`OwnedMutexGuard::map` and its like), `Notify::notified_owned`, barriers and
//! cells.

pub mod broadcast;
pub mod mpsc;
mod mutex;
mod notify;
pub mod oneshot;
mod owned;
mod rwlock;
mod semaphore;
pub mod watch;

pub use ::tokio::sync::{AcquireError, TryAcquireError, TryLockError};
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use owned::Owned;
pub use rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
pub use semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
