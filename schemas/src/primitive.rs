//! What a traced lock or channel is, as far as it decides who ends a wait at it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a traced primitive, on the phases that wait at it, hold it or serve it.
///
/// Such phases are written by the primitive itself: all who hold it (`hang.hold`) or serve it (`hang.serve`) in
/// that process are on record, which no phase written by hand can promise.
///
/// | primitive | key | a wait ends when |
/// | --- | --- | --- |
/// | `mutex`, `rw-lock-*` | `lock:NAME` | all who hold it have let go |
/// | `async-mutex`, `async-rw-lock-*` | `lock:NAME` | the same; while nobody holds it, it is reserved for the one that has waited longest |
/// | `semaphore`, `pool` | `pool:NAME` | any who hold of it give back; while there is some left, it is the longest waiter's |
/// | `channel` | `chan:NAME/space`, `chan:NAME/item` | any who serve it receive or send, or all of them have gone |
/// | `condvar`, `notify` | `cond:NAME` | anybody in the process notifies; nobody is known beforehand |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Primitive {
    /// A mutex that blocks threads.
    Mutex,
    /// The shared side of a read-write lock that blocks threads.
    RwLockRead,
    /// The exclusive side.
    RwLockWrite,
    /// A mutex that async tasks wait at in the order they came.
    AsyncMutex,
    /// The shared side of a read-write lock of async tasks.
    AsyncRwLockRead,
    /// The exclusive side.
    AsyncRwLockWrite,
    /// A counting semaphore of async tasks.
    Semaphore,
    /// A pool of connections or the like.
    Pool,
    /// One direction of a channel.
    Channel,
    /// A condition variable.
    Condvar,
    /// A notification of async tasks.
    Notify,
    /// One that this version does not know.
    #[serde(other)]
    Unknown,
}
