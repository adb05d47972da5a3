//! Which calls are held, and where in their arguments the words are.

use super::places::{About, PLACES};
use crate::observe::syscalls::number_of;

/// A path among the arguments: which one is the descriptor of its directory, if any, and which one the path.
pub(super) type PathAt = (Option<u8>, u8);

/// What an argument's bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    None,
    /// `open(2)`, in this argument.
    Open(u8),
    /// The first word of a `struct open_how`, at the address in this argument.
    OpenHow(u8),
    /// As if opened with `O_WRONLY | O_CREAT | O_TRUNC`.
    Creat,
    /// `AT_REMOVEDIR`.
    Unlink(u8),
    /// `umount2(2)`.
    Umount(u8),
    /// `mount(2)`.
    Mount(u8),
}

/// What a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Paths(&'static [PathAt], Flags),
    /// Descriptor, address and length in the first three arguments.
    Address,
    /// A descriptor alone.
    Socket,
    /// Descriptor, buffer and length in the first three arguments.
    Message,
    /// Nothing: it is only a place at which its caller can be made late.
    Place(About),
}

const PATH: Names = Names::Paths(&[(None, 0)], Flags::None);
const AT: Names = Names::Paths(&[(Some(0), 1)], Flags::None);

/// The calls, by name. Those that an architecture does not have are left out there.
const CALLS: &[(&str, Names)] = &[
    ("open", Names::Paths(&[(None, 0)], Flags::Open(1))),
    ("openat", Names::Paths(&[(Some(0), 1)], Flags::Open(2))),
    ("openat2", Names::Paths(&[(Some(0), 1)], Flags::OpenHow(2))),
    ("creat", Names::Paths(&[(None, 0)], Flags::Creat)),
    ("stat", PATH),
    ("lstat", PATH),
    ("access", PATH),
    ("newfstatat", AT),
    ("statx", AT),
    ("faccessat", AT),
    ("faccessat2", AT),
    ("unlink", PATH),
    ("rmdir", PATH),
    ("unlinkat", Names::Paths(&[(Some(0), 1)], Flags::Unlink(2))),
    ("mkdir", PATH),
    ("mkdirat", AT),
    ("rename", Names::Paths(&[(None, 0), (None, 1)], Flags::None)),
    ("renameat", Names::Paths(&[(Some(0), 1), (Some(2), 3)], Flags::None)),
    ("renameat2", Names::Paths(&[(Some(0), 1), (Some(2), 3)], Flags::None)),
    ("link", Names::Paths(&[(None, 0), (None, 1)], Flags::None)),
    ("linkat", Names::Paths(&[(Some(0), 1), (Some(2), 3)], Flags::None)),
    ("symlink", Names::Paths(&[(None, 1)], Flags::None)),
    ("symlinkat", Names::Paths(&[(Some(1), 2)], Flags::None)),
    ("truncate", PATH),
    ("chdir", PATH),
    ("mount", Names::Paths(&[(None, 0), (None, 1)], Flags::Mount(3))),
    ("umount2", Names::Paths(&[(None, 0)], Flags::Umount(1))),
    ("connect", Names::Address),
    ("bind", Names::Address),
    ("listen", Names::Socket),
    ("sendto", Names::Message),
];

/// A call that is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) names: Names,
}

/// Which calls are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those that name something.
    Named,
    /// Those without names as well, at which a thread can be made late.
    Places,
}

/// All that this architecture has.
pub(super) fn held(extent: Extent) -> Vec<Held> {
    let places = PLACES.iter().map(|(name, about)| (*name, Names::Place(*about)));
    let all = CALLS.iter().copied().chain(places.filter(|_| extent == Extent::Places));
    all.filter_map(|(name, names)| Some(Held { number: number_of(name)?, name, names })).collect()
}

/// The numbers of those that name something.
pub(crate) fn numbers() -> Vec<u32> {
    held(Extent::Named).iter().map(|held| held.number).collect()
}

/// The argument in which this call says, by `AT_EMPTY_PATH`, that it means a descriptor and names nothing.
pub(super) fn empty_path(name: &str) -> Option<u8> {
    match name {
        "newfstatat" => Some(3),
        "statx" => Some(2),
        _ => None,
    }
}

const OPEN: &[(u64, &str)] = &[
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_EXCL as u64, "O_EXCL"),
    (libc::O_TRUNC as u64, "O_TRUNC"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
    (libc::O_PATH as u64, "O_PATH"),
];
const MOUNT: &[(u64, &str)] = &[
    (libc::MS_RDONLY, "MS_RDONLY"),
    (libc::MS_REMOUNT, "MS_REMOUNT"),
    (libc::MS_BIND, "MS_BIND"),
    (libc::MS_MOVE, "MS_MOVE"),
    (libc::MS_PRIVATE, "MS_PRIVATE"),
];
const UMOUNT: &[(u64, &str)] = &[(libc::MNT_FORCE as u64, "MNT_FORCE"), (libc::MNT_DETACH as u64, "MNT_DETACH")];

fn set(bits: u64, names: &[(u64, &str)]) -> Vec<String> {
    names.iter().filter(|(bit, _)| bits & bit == *bit).map(|(_, name)| (*name).to_owned()).collect()
}

/// Flags of `open` in words.
pub(super) fn open_words(bits: u64) -> Vec<String> {
    let access = match bits & libc::O_ACCMODE as u64 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    [vec![access.to_owned()], set(bits, OPEN)].concat()
}

/// Flags that stand in an argument, in words; `how` is the first word of an `open_how`.
pub(super) fn flag_words(flags: Flags, args: &[u64; 6], how: Option<u64>) -> Vec<String> {
    let arg = |n: u8| args.get(usize::from(n)).copied().unwrap_or(0);
    match flags {
        Flags::None => Vec::new(),
        Flags::Open(n) => open_words(arg(n)),
        Flags::OpenHow(_) => how.map(open_words).unwrap_or_default(),
        Flags::Creat => open_words((libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC) as u64),
        Flags::Unlink(n) => set(arg(n), &[(libc::AT_REMOVEDIR as u64, "AT_REMOVEDIR")]),
        Flags::Umount(n) => set(arg(n), UMOUNT),
        Flags::Mount(n) => set(arg(n), MOUNT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_words() {
        let flags = (libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC) as u64;
        assert_eq!(open_words(flags), ["O_RDWR", "O_CREAT", "O_EXCL"]);
        assert_eq!(flag_words(Flags::Creat, &[0; 6], None), ["O_WRONLY", "O_CREAT", "O_TRUNC"]);
        assert_eq!(flag_words(Flags::Umount(1), &[0, 2, 0, 0, 0, 0], None), ["MNT_DETACH"]);
        assert!(flag_words(Flags::Unlink(2), &[0; 6], None).is_empty());
    }

    #[test]
    fn each_call_is_known_here_by_its_number() {
        // openat, unlinkat, umount2 and connect are on every architecture.
        let held = held(Extent::Places);
        for name in ["openat", "unlinkat", "umount2", "connect"] {
            assert!(held.iter().any(|held| held.name == name), "{name}");
        }
    }
}
