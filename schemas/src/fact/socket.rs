//! Sockets, from `/proc/PID/net/*` and netlink `sock_diag` of their own network namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Inode, SnapshotId};

/// Address family and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SocketFamily {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// Unix, stream.
    UnixStream,
    /// Unix, datagram.
    UnixDatagram,
    /// Unix, sequenced packets.
    UnixSeqpacket,
}

impl SocketFamily {
    /// Whether it is a unix socket.
    pub fn is_unix(self) -> bool {
        matches!(self, Self::UnixStream | Self::UnixDatagram | Self::UnixSeqpacket)
    }
}

/// State of a socket. Unix sockets use `Established`, `Listen`, `SynSent` (connecting), `Close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of tcp(7)")]
pub enum SocketState {
    Established,
    SynSent,
    SynRecv,
    FinWait1,
    FinWait2,
    TimeWait,
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    #[serde(other)]
    Unknown,
}

/// A socket in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SocketFact {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its network namespace.
    pub netns: Inode,
    /// Its inode; 0 for a connection that nobody has accepted yet.
    pub inode: Inode,
    /// Family.
    pub family: SocketFamily,
    /// State.
    pub state: SocketState,
    /// Own address (`127.0.0.1:8080`, `[::1]:8080`), or the path of a unix socket (`@` for abstract), or empty.
    pub local: String,
    /// The other end's address; empty for unix sockets and listeners.
    pub remote: String,
    /// Bytes that came and were not read; of a listener, connections waiting to be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_queue: Option<u32>,
    /// Bytes sent and not acknowledged; of a listener, the most connections that may wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_queue: Option<u32>,
    /// Unix: inode of the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Inode>,
    /// Unix listeners: inodes of connections waiting to be accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Inode>,
    /// TCP: retransmissions of what is not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retransmits: Option<u32>,
}
