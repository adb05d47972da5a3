//! Traced locks, channels and pools, read from outside while they are held and waited for.

mod channels;
mod drop_in;
mod locks;
mod seen;
