//! The atomics of all memory that threads or processes share here: the standard library's, or those of the model
//! checker when the crate is built with `--cfg loom`.

#[cfg(loom)]
pub(crate) use crate::model::words::{AtomicU64, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, fence};
