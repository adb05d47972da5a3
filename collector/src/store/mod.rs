//! What runs keep outside of themselves, and whose it is.
//!
//! | to know | look in |
//! | --- | --- |
//! | who somebody is, and whether they still live | `owner` |
//! | who may change the store | `lock` |
//! | which runs have a directory, and asking one of them for a look | `runs` |
//! | which directories are of `flake`, and who is in them | `houses` |
//! | how a tree is removed without leaving its file system | `remove` |
//! | who serves what, and whose environment names which run | `scan` |
//! | what a dead run left outside of its directory | `remains` |
//! | what dead runs left, and removing it | `clean` |
//!
//! Invariants: nothing is removed whose owner is not proven dead; no removal crosses a mount point; a failure to
//! remove is told.

mod clean;
mod houses;
mod lock;
mod owner;
mod remains;
mod remove;
mod runs;
mod scan;

pub use clean::{Kind, Leftover, Standing, apply, leftovers};
pub use houses::{claim_house, leave_house};
pub(crate) use lock::LOCK_NAME;
pub use lock::{Lock, LockError};
pub use owner::{Life, Owner};
pub(crate) use remains::{NotedMount, has_remains};
pub use remove::remove_directory;
pub(crate) use remove::remove_tree;
pub(crate) use runs::Claim;
pub use runs::{Asked, Run, ask, runs};
