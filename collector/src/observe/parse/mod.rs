//! Bytes of `/proc` as values. Pure, and never failing loudly: every name in here was chosen by
//! another program.
//!
//! Parsers of our own, not those of the `procfs` crates: these refuse names that are no UTF-8 or
//! hold a colon, and leave out waiters in `/proc/locks` and retransmissions in `net/tcp`. They are the
//! judge of ours in a test.

pub(crate) mod argument;
pub(crate) mod dirents;
pub(crate) mod fdinfo;
#[cfg(test)]
mod judged;
pub(crate) mod limits;
pub(crate) mod lock_file;
pub(crate) mod locks;
pub(crate) mod maps;
pub(crate) mod mountinfo;
pub(crate) mod net;
pub(crate) mod sock_diag;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod text;
