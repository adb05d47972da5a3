//! [`tokio::sync::mpsc`], traced.
//!
//! A place that is reserved (`Permit`) shows as a phase that can end the wait for space, because whoever has it can
//! give it back.

mod bounded;
mod permit;
mod unbounded;

pub use bounded::{Receiver, Sender, WeakSender, channel, channel_named};
pub use permit::{OwnedPermit, Permit, PermitIterator};
pub use tokio::sync::mpsc::error;
pub use unbounded::{
    UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel, unbounded_channel_named,
};
