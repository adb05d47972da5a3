//! What a task can wait for, under one name everywhere: `kind:authority`, so that what waits and
//! what serves meet.
//!
//! | key | from |
//! | --- | --- |
//! | `pipe:81234` | inode of a pipe |
//! | `fifo:/run/x` | a named pipe by path, when nobody has it open yet |
//! | `socket:81240` | inode of a socket |
//! | `tcp:127.0.0.1:40312>127.0.0.1:8080` | one direction-less connection, client first when known |
//! | `unix:/run/x.sock` | a listening unix socket by path (`@` for abstract names) |
//! | `fuse:41` | a FUSE connection; `fuse:/mnt/x` names the same by its mount point |
//! | `file-lock:8:1:1234` | a lock on device and inode |
//! | `futex:4412:0x7f…` | a private futex; a shared one is `futex:8:1:1234:64` |
//! | `tty:136:3` | a terminal by device; the master side is `pty:3` |
//! | `exit:4412` | the end of a process |
//! | `stop:4412` | a stopped, traced or frozen process going on |
//! | `signal`, `timer` | a signal, a time limit |
//! | `http:127.0.0.1:8080`, `lock:cache`, `chan:jobs`, `pool:db`, `path:/mnt/x/a`, `db:…`, … | named by the program itself (`hang.*` fields) |

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Device, FuseConnection, Inode, Pid, ProcessId};

/// A resource as `kind:authority`. Ordered and hashable: it is the key by which facts are joined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct ResourceKey {
    kind: String,
    authority: String,
}

/// Why a text is no resource key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no resource key: expected kind:authority, such as http:127.0.0.1:8080 or lock:cache")]
pub struct BadResourceKey(pub String);

impl ResourceKey {
    /// A key of any kind. `kind` is a lowercase word (letters, digits, `-`).
    pub fn new(kind: &str, authority: impl fmt::Display) -> Self {
        debug_assert!(is_kind(kind), "{kind:?} is no kind of resource");
        Self { kind: kind.to_owned(), authority: authority.to_string() }
    }

    /// A pipe by its inode.
    pub fn pipe(inode: Inode) -> Self {
        Self::new("pipe", inode)
    }

    /// A named pipe by its path.
    pub fn fifo(path: &str) -> Self {
        Self::new("fifo", path)
    }

    /// A socket by its inode.
    pub fn socket(inode: Inode) -> Self {
        Self::new("socket", inode)
    }

    /// A TCP connection by its two addresses; the same key from both ends.
    pub fn tcp(one: &str, other: &str) -> Self {
        let (a, b) = if one <= other { (one, other) } else { (other, one) };
        Self::new("tcp", format_args!("{a}>{b}"))
    }

    /// A FUSE connection.
    pub fn fuse(connection: FuseConnection) -> Self {
        Self::new("fuse", connection)
    }

    /// A lock on a file, whatever its range.
    pub fn file_lock(device: Device, inode: Inode) -> Self {
        Self::new("file-lock", format_args!("{device}:{inode}"))
    }

    /// A futex that only threads of `process` can wake.
    pub fn private_futex(process: ProcessId, address: crate::Address) -> Self {
        Self::new("futex", format_args!("{}:{address}", process.pid))
    }

    /// A terminal by its device number.
    pub fn tty(device: Device) -> Self {
        Self::new("tty", device)
    }

    /// The master side of a pseudo terminal by its index.
    pub fn pty(index: u32) -> Self {
        Self::new("pty", index)
    }

    /// The end of a process.
    pub fn exit(pid: Pid) -> Self {
        Self::new("exit", pid)
    }

    /// A process that is stopped, traced or frozen, going on.
    pub fn stop(pid: Pid) -> Self {
        Self::new("stop", pid)
    }

    /// The word before the first colon.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// All after the first colon.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn is_kind(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}:{}", self.kind, self.authority)
        }
    }
}

impl FromStr for ResourceKey {
    type Err = BadResourceKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, authority) = text.split_once(':').unwrap_or((text, ""));
        if !is_kind(kind) {
            return Err(BadResourceKey(text.to_owned()));
        }
        Ok(Self { kind: kind.to_owned(), authority: authority.to_owned() })
    }
}

impl Serialize for ResourceKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: &str, authority: &str) {
        let key: ResourceKey = text.parse().unwrap();
        assert_eq!((key.kind(), key.authority()), (kind, authority));
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn keys_are_kind_and_authority() {
        check("pipe:81234", "pipe", "81234");
        check("http:127.0.0.1:8080", "http", "127.0.0.1:8080");
        check("path:/mnt/a:b", "path", "/mnt/a:b");
        check("signal", "signal", "");
        assert!("Not a key".parse::<ResourceKey>().is_err());
        assert!(":x".parse::<ResourceKey>().is_err());
    }

    #[test]
    fn a_connection_has_one_key_from_both_ends() {
        assert_eq!(ResourceKey::tcp("a:1", "b:2"), ResourceKey::tcp("b:2", "a:1"));
    }
}
