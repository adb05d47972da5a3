//! The ends of a channel: a phase for each handle, whose user is whoever used it last.

use std::sync::Arc;

#[cfg(feature = "tokio")]
use hangdog_flight::ResourceId;
use hangdog_flight::{PhaseId, Primitive, Role};

use super::known::{Known, Name};
use super::sites;

/// What all handles of one channel have in common.
pub(crate) type Channel = Arc<Known>;

pub(crate) fn channel(name: Name) -> Channel {
    Arc::new(Known::new(Primitive::Channel, name))
}

/// One handle of a channel.
pub(crate) struct End {
    channel: Channel,
    role: Option<Role>,
    phase: Option<PhaseId>,
}

impl End {
    /// Sends: it ends the wait for an item.
    pub(crate) fn sends(channel: Channel) -> Self {
        Self::new(channel, Some(Role::ServeItem))
    }

    /// Receives from a channel that can be full.
    pub(crate) fn receives(channel: Channel) -> Self {
        Self::new(channel, Some(Role::ServeSpace))
    }

    /// Receives from a channel that nobody waits at to send.
    pub(crate) fn receives_unbounded(channel: Channel) -> Self {
        Self::new(channel, None)
    }

    fn new(channel: Channel, role: Option<Role>) -> Self {
        let phase = role.zip(channel.id()).and_then(|(role, id)| id.end(&sites::ENDS, role));
        Self { channel, role, phase }
    }

    /// A place that somebody has reserved: he can give it back.
    #[cfg(feature = "tokio")]
    pub(crate) fn place(channel: Channel) -> Self {
        let phase = channel.id().and_then(|id| id.end(&sites::PLACE, Role::ServeSpace));
        let place = Self { channel, role: None, phase };
        place.used();
        place
    }

    /// Another handle of the same kind.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.channel.clone(), self.role)
    }

    /// The calling thread or task uses it.
    #[inline]
    pub(crate) fn used(&self) {
        if let Some(phase) = self.phase {
            hangdog_flight::used(phase, super::task());
        }
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn id(&self) -> Option<ResourceId> {
        self.channel.id()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(phase) = self.phase {
            hangdog_flight::close(phase);
        }
    }
}
