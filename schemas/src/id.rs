//! Who is who. Numbers of the kernel are reused, so none of them is an identity by itself:
//! a process is (boot id, pid namespace, pid, start time). Boot id and the observer's pid namespace
//! stand once in the capture's [header](crate::RunHeader); [`ProcessId`] carries the rest.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A process number in the observer's pid namespace.
    Pid
);
number!(
    /// A thread number in the observer's pid namespace.
    Tid
);
number!(
    /// A file descriptor number.
    Fd
);
number!(
    /// Minor device number of a FUSE mount = directory under `/sys/fs/fuse/connections`.
    FuseConnection
);
number!(
    /// Number of a snapshot within its capture, from 1.
    SnapshotId
);

/// A 64-bit number that JSON readers must not round: a string in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "String")]
pub struct Big(pub u64);

impl fmt::Display for Big {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Big {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("not a decimal 64-bit number"))
    }
}

/// An address or register, as `"0x7ffd…"` in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "String")]
pub struct Address(pub u64);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        u64::from_str_radix(digits, 16).map(Self).map_err(|_| serde::de::Error::custom("not a hexadecimal address"))
    }
}

/// An inode number (of a pipe, socket, file or namespace).
pub type Inode = Big;

/// A device number, `"8:1"` in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Device {
    /// Major number; 0 for file systems without a block device.
    pub major: u32,
    /// Minor number; of a FUSE mount, its connection.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Device {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once(':').ok_or("a device is MAJOR:MINOR")?;
        Ok(Self {
            major: major.parse().map_err(|_| "the major number is no number")?,
            minor: minor.parse().map_err(|_| "the minor number is no number")?,
        })
    }
}

impl Serialize for Device {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A process within the header's boot and pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ProcessId {
    /// Its number.
    pub pid: Pid,
    /// When it began, in clock ticks since boot (`/proc/PID/stat`, field 22). Tells a process from
    /// a later one with the same number.
    pub start: Big,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start)
    }
}

/// A thread of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ThreadId {
    /// Its process.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Its own number; equal to the pid for the first thread.
    pub tid: Tid,
}

impl ThreadId {
    /// The thread in which a process begins.
    pub fn main_of(process: ProcessId) -> Self {
        Self { process, tid: Tid(process.pid.0) }
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tid.0 == self.process.pid.0 {
            write!(f, "{}", self.process.pid)
        } else {
            write!(f, "{}/{}", self.process.pid, self.tid)
        }
    }
}

/// A phase of one process: number of the phase in its recorder (a string in a capture).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PhaseId {
    /// The process that recorded it.
    #[serde(flatten)]
    pub process: ProcessId,
    /// Its number there, never used twice.
    pub phase: Big,
}

/// Points at a fact of the capture, e.g. `snapshot:2/fd:4412:17`, `snapshot:2/fuse:41`, `phase:4412:9`.
///
/// Every claim of a report carries some of these, so that a reader can go and look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FactRef(pub String);

impl FactRef {
    /// A process of a snapshot.
    pub fn process(snapshot: SnapshotId, process: ProcessId) -> Self {
        Self(format!("snapshot:{snapshot}/process:{}", process.pid))
    }

    /// A thread of a snapshot.
    pub fn thread(snapshot: SnapshotId, thread: ThreadId) -> Self {
        Self(format!("snapshot:{snapshot}/thread:{}:{}", thread.process.pid, thread.tid))
    }

    /// A file descriptor of a snapshot.
    pub fn fd(snapshot: SnapshotId, process: ProcessId, fd: Fd) -> Self {
        Self(format!("snapshot:{snapshot}/fd:{}:{fd}", process.pid))
    }

    /// A mount of a snapshot.
    pub fn mount(snapshot: SnapshotId, namespace: Inode, mount: u32) -> Self {
        Self(format!("snapshot:{snapshot}/mount:{namespace}:{mount}"))
    }

    /// A FUSE connection of a snapshot.
    pub fn fuse(snapshot: SnapshotId, connection: FuseConnection) -> Self {
        Self(format!("snapshot:{snapshot}/fuse:{connection}"))
    }

    /// A socket of a snapshot.
    pub fn socket(snapshot: SnapshotId, inode: Inode) -> Self {
        Self(format!("snapshot:{snapshot}/socket:{inode}"))
    }

    /// A file of a snapshot that may be a lock.
    pub fn lock_file(snapshot: SnapshotId, inode: Inode) -> Self {
        Self(format!("snapshot:{snapshot}/lock_file:{inode}"))
    }

    /// A line of `/proc/locks` in a snapshot.
    pub fn lock(snapshot: SnapshotId, number: u32) -> Self {
        Self(format!("snapshot:{snapshot}/lock:{number}"))
    }

    /// An open or closed phase.
    pub fn phase(phase: PhaseId) -> Self {
        Self(format!("phase:{}:{}", phase.process.pid, phase.phase))
    }
}

impl fmt::Display for FactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
