//! Traced locks of [`parking_lot`] (feature `parking_lot`), with the same methods. What they write is told in
//! [`sync`](crate::sync).

mod condvar;
mod mutex;
mod rwlock;

pub use ::parking_lot::WaitTimeoutResult;
pub use condvar::Condvar;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
pub use rwlock::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
    RwLockWriteGuard,
};
