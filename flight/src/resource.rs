//! Traced locks, channels and the like: what kind, under which key, and who holds one alone.

use std::fmt;

/// The kind of a traced primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// A mutex that blocks threads.
    Mutex,
    /// A read-write lock that blocks threads.
    RwLock,
    /// A mutex of async tasks, first come, first served.
    AsyncMutex,
    /// A read-write lock of async tasks, first come, first served.
    AsyncRwLock,
    /// A counting semaphore of async tasks, first come, first served.
    Semaphore,
    /// A pool of connections or the like.
    Pool,
    /// A channel.
    Channel,
    /// A condition variable.
    Condvar,
    /// A notification of async tasks.
    Notify,
}

/// What a phase has to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It waits to have it alone, or for a permit.
    Wait,
    /// It waits to share it.
    WaitShared,
    /// It has it alone, or a permit.
    Hold,
    /// It shares it.
    HoldShared,
    /// It waits for room in a channel.
    WaitSpace,
    /// It waits for something in a channel.
    WaitItem,
    /// It makes room in a channel: a receiver.
    ServeSpace,
    /// It puts something into a channel: a sender.
    ServeItem,
}

impl Primitive {
    const ALL: [Self; 9] = [
        Self::Mutex,
        Self::RwLock,
        Self::AsyncMutex,
        Self::AsyncRwLock,
        Self::Semaphore,
        Self::Pool,
        Self::Channel,
        Self::Condvar,
        Self::Notify,
    ];

    pub(crate) fn number(self) -> u64 {
        self as u64 + 1
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }

    /// The word before the colon of its key.
    pub fn key_kind(self) -> &'static str {
        match self {
            Self::Mutex | Self::RwLock | Self::AsyncMutex | Self::AsyncRwLock => "lock",
            Self::Semaphore | Self::Pool => "pool",
            Self::Channel => "chan",
            Self::Condvar | Self::Notify => "cond",
        }
    }

    /// The word for it in a capture, for a phase in that role.
    pub fn word(self, role: Role) -> &'static str {
        let is_shared = matches!(role, Role::WaitShared | Role::HoldShared);
        match self {
            Self::Mutex => "mutex",
            Self::RwLock if is_shared => "rw-lock-read",
            Self::RwLock => "rw-lock-write",
            Self::AsyncMutex => "async-mutex",
            Self::AsyncRwLock if is_shared => "async-rw-lock-read",
            Self::AsyncRwLock => "async-rw-lock-write",
            Self::Semaphore => "semaphore",
            Self::Pool => "pool",
            Self::Channel => "channel",
            Self::Condvar => "condvar",
            Self::Notify => "notify",
        }
    }
}

impl Role {
    const ALL: [Self; 8] = [
        Self::Wait,
        Self::WaitShared,
        Self::Hold,
        Self::HoldShared,
        Self::WaitSpace,
        Self::WaitItem,
        Self::ServeSpace,
        Self::ServeItem,
    ];

    pub(crate) fn number(self) -> u64 {
        self as u64
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The end of the key: a channel has two resources.
    fn side(self) -> &'static str {
        match self {
            Self::WaitSpace | Self::ServeSpace => "/space",
            Self::WaitItem | Self::ServeItem => "/item",
            _ => "",
        }
    }
}

/// A traced lock or the like, as its owner keeps it: the recorder that knows it, and which it is there.
///
/// It stays the same word in a forked child, whose recorder does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResourceId(pub(crate) u64);

impl ResourceId {
    pub(crate) fn new(recorder: u64, index: usize) -> Self {
        Self(recorder << 32 | (index as u64 + 1))
    }

    /// As a word that is never 0.
    pub fn word(self) -> u64 {
        self.0
    }

    /// From that word; `None` from 0.
    pub fn from_word(word: u64) -> Option<Self> {
        (word as u32 != 0).then_some(Self(word))
    }

    /// Its index in the recorder of that number.
    #[inline]
    pub(crate) fn index_in(self, recorder: u64) -> Option<usize> {
        (self.0 >> 32 == recorder).then(|| self.0 as u32 as usize - 1)
    }
}

/// The key of a resource, as it stands in a capture.
pub(crate) struct Key<'a> {
    pub(crate) primitive: Primitive,
    pub(crate) name: &'a str,
    /// Which of that name, from 1.
    pub(crate) which: u32,
    pub(crate) role: Role,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.primitive.key_kind(), self.name)?;
        if self.which > 1 {
            write!(f, "#{}", self.which)?;
        }
        f.write_str(self.role.side())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(primitive: Primitive, which: u32, role: Role, key: &str, word: &str) {
        assert_eq!(Key { primitive, name: "jobs", which, role }.to_string(), key);
        assert_eq!(primitive.word(role), word);
        assert_eq!(Primitive::from_number(primitive.number()), Some(primitive));
        assert_eq!(Role::from_number(role.number()), Some(role));
    }

    #[test]
    fn keys_say_kind_name_and_side() {
        check(Primitive::Mutex, 1, Role::Hold, "lock:jobs", "mutex");
        check(Primitive::RwLock, 2, Role::WaitShared, "lock:jobs#2", "rw-lock-read");
        check(Primitive::AsyncRwLock, 1, Role::Wait, "lock:jobs", "async-rw-lock-write");
        check(Primitive::Pool, 1, Role::Wait, "pool:jobs", "pool");
        check(Primitive::Channel, 3, Role::WaitSpace, "chan:jobs#3/space", "channel");
        check(Primitive::Channel, 1, Role::ServeItem, "chan:jobs/item", "channel");
        check(Primitive::Notify, 1, Role::Wait, "cond:jobs", "notify");
    }

    #[test]
    fn an_id_means_nothing_to_another_recorder() {
        let id = ResourceId::new(3, 7);
        assert_eq!((id.index_in(3), id.index_in(4)), (Some(7), None));
        assert_eq!(ResourceId::from_word(id.word()), Some(id));
        assert_eq!(ResourceId::from_word(0), None);
    }
}
