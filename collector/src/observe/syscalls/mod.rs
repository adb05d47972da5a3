//! System calls by number: name, which arguments are descriptors, and what its pointers point at.
//!
//! The numbers are those of the Linux headers, as in `syscalls/ARCH.txt`; only the architecture that
//! hangdog itself runs on can be observed. A 32-bit program on a 64-bit kernel has other numbers: it
//! shows wrong names here, as it does in every tool that reads `/proc/PID/syscall`.

use std::collections::HashMap;
use std::sync::LazyLock;

use hangdog_schemas::Address;
use hangdog_schemas::fact::Syscall;

use super::parse::text::{hex, number, words};

#[cfg(target_arch = "x86_64")]
const TABLE: &str = include_str!("x86_64.txt");
#[cfg(target_arch = "aarch64")]
const TABLE: &str = include_str!("aarch64.txt");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const TABLE: &str = "";

static NAMES: LazyLock<HashMap<u32, &'static str>> = LazyLock::new(|| table(TABLE));

fn table(text: &'static str) -> HashMap<u32, &'static str> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(n, name)| Some((n.parse().ok()?, name)))
        .collect()
}

/// The name of a system call.
pub(crate) fn name(number: u32) -> String {
    NAMES.get(&number).map_or_else(|| format!("syscall_{number}"), |name| (*name).to_owned())
}

/// The number of a system call.
pub(crate) fn number_of(name: &str) -> Option<u32> {
    NAMES.iter().find(|(_, own)| **own == name).map(|(number, _)| *number)
}

/// `/proc/PID/task/TID/syscall`. `None` when it is nothing of the kind.
pub(crate) fn syscall(bytes: &[u8]) -> Option<Syscall> {
    let words: Vec<&[u8]> = words(bytes).collect();
    let word = |n: usize| words.get(n).copied().and_then(hex).map(Address);
    match words.first()? {
        first if *first == b"running" => Some(Syscall::Running),
        first if first.starts_with(b"-") => Some(Syscall::None { sp: word(1)?, pc: word(2)? }),
        first => {
            let number = number(first)?;
            let args = [word(1)?, word(2)?, word(3)?, word(4)?, word(5)?, word(6)?];
            Some(Syscall::In { number, name: name(number), args, sp: word(7)?, pc: word(8)?, memory: Vec::new() })
        }
    }
}

/// What a pointer argument points at, and how much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointee {
    Path,
    /// So many entries of 8 bytes.
    PollFds(u64),
    /// So many bits.
    FdSet(u64),
    Timespec,
    Timeval,
    /// A futex and what follows it: the owner of a glibc mutex stands at +8.
    Words,
    /// So many operations of `semop`.
    SemaphoreOperations(u64),
    Flock,
    /// So many bytes.
    SocketAddress(u64),
    SignalSet,
}

impl Pointee {
    /// Bytes to read. Limits are far above what occurs: 256 descriptors, a path of 4096 bytes.
    pub(crate) fn size(self) -> u32 {
        match self {
            Self::Path => 4096,
            Self::PollFds(n) => n.min(256) as u32 * 8,
            Self::FdSet(bits) => (bits.min(4096) as u32).div_ceil(64) * 8,
            Self::Timespec | Self::Timeval => 16,
            Self::Words => 24,
            Self::SemaphoreOperations(n) => n.min(64) as u32 * 6,
            Self::Flock => 32,
            Self::SocketAddress(len) => len.min(128) as u32,
            Self::SignalSet => 8,
        }
    }
}

/// `FUTEX_WAIT`, `LOCK_PI`, `WAIT_BITSET`, `WAIT_REQUEUE_PI`, `LOCK_PI2`: those with a time limit.
const FUTEX_WAITS: [u64; 5] = [0, 6, 9, 11, 13];

/// Which arguments of a call point at something worth reading. Null pointers are left out.
pub(crate) fn pointees(call: &Syscall) -> Vec<(u8, Pointee)> {
    let Some(name) = call.name() else { return Vec::new() };
    let arg = |n: usize| call.arg(n).unwrap_or(0);
    let mut out = pointers(name, &arg);
    out.retain(|&(n, pointee)| arg(usize::from(n)) != 0 && pointee.size() > 0);
    out
}

fn pointers(name: &str, arg: &dyn Fn(usize) -> u64) -> Vec<(u8, Pointee)> {
    use Pointee::{
        FdSet, Flock, Path, PollFds, SemaphoreOperations, SignalSet, SocketAddress, Timespec, Timeval, Words,
    };
    match name {
        "open" | "creat" | "stat" | "lstat" | "access" | "chdir" | "mkdir" | "rmdir" | "unlink" | "readlink"
        | "chmod" | "chown" | "lchown" | "truncate" | "statfs" | "utime" | "utimes" | "mknod" | "execve"
        | "chroot" | "umount2" | "swapon" | "swapoff" | "acct" | "getxattr" | "lgetxattr" | "setxattr"
        | "lsetxattr" | "listxattr" | "llistxattr" | "removexattr" | "lremovexattr" => vec![(0, Path)],
        "openat" | "openat2" | "newfstatat" | "statx" | "faccessat" | "faccessat2" | "mkdirat" | "unlinkat"
        | "readlinkat" | "fchmodat" | "fchmodat2" | "fchownat" | "utimensat" | "futimesat" | "mknodat"
        | "execveat" | "inotify_add_watch" | "name_to_handle_at" | "open_tree" => vec![(1, Path)],
        "rename" | "link" | "symlink" | "pivot_root" | "mount" => vec![(0, Path), (1, Path)],
        "renameat" | "renameat2" | "linkat" | "move_mount" => vec![(1, Path), (3, Path)],
        "symlinkat" => vec![(0, Path), (2, Path)],
        "fanotify_mark" => vec![(4, Path)],
        "poll" => vec![(0, PollFds(arg(1)))],
        "ppoll" => vec![(0, PollFds(arg(1))), (2, Timespec), (3, SignalSet)],
        "select" => vec![(1, FdSet(arg(0))), (2, FdSet(arg(0))), (3, FdSet(arg(0))), (4, Timeval)],
        "pselect6" => vec![(1, FdSet(arg(0))), (2, FdSet(arg(0))), (3, FdSet(arg(0))), (4, Timespec)],
        "epoll_pwait" => vec![(4, SignalSet)],
        "epoll_pwait2" => vec![(3, Timespec), (4, SignalSet)],
        "futex" if FUTEX_WAITS.contains(&(arg(1) & 0x7f)) => vec![(0, Words), (3, Timespec)],
        "futex" => vec![(0, Words)],
        "futex_wait" => vec![(0, Words), (4, Timespec)],
        "nanosleep" => vec![(0, Timespec)],
        "clock_nanosleep" => vec![(2, Timespec)],
        // The lock commands of fcntl(2): F_SETLK, F_SETLKW and their open-file twins.
        "fcntl" if [6, 7, 37, 38].contains(&arg(1)) => vec![(2, Flock)],
        "connect" | "bind" => vec![(1, SocketAddress(arg(2)))],
        "sendto" => vec![(4, SocketAddress(arg(5)))],
        "rt_sigsuspend" => vec![(0, SignalSet)],
        "rt_sigtimedwait" => vec![(0, SignalSet), (2, Timespec)],
        "semop" => vec![(1, SemaphoreOperations(arg(2)))],
        "semtimedop" => vec![(1, SemaphoreOperations(arg(2))), (3, Timespec)],
        "futex_waitv" => vec![(3, Timespec)],
        "mq_timedsend" | "mq_timedreceive" | "recvmmsg" | "io_getevents" => vec![(4, Timespec)],
        _ => Vec::new(),
    }
}

/// Arguments that are descriptors which the call works on. Sets and epoll targets not counted.
pub(crate) fn descriptors(call: &Syscall) -> Vec<u32> {
    let places: &[usize] = match call.name().unwrap_or_default() {
        "read" | "write" | "readv" | "writev" | "pread64" | "pwrite64" | "preadv" | "pwritev" | "preadv2"
        | "pwritev2" | "close" | "fsync" | "fdatasync" | "syncfs" | "ioctl" | "fcntl" | "flock" | "getdents"
        | "getdents64" | "fstat" | "fstatfs" | "ftruncate" | "fallocate" | "lseek" | "fchdir" | "fchmod"
        | "fchown" | "recvfrom" | "sendto" | "recvmsg" | "sendmsg" | "recvmmsg" | "sendmmsg" | "accept"
        | "accept4" | "connect" | "shutdown" | "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "fgetxattr"
        | "fsetxattr" | "fadvise64" | "readahead" | "sync_file_range" | "vmsplice" | "openat" | "openat2"
        | "newfstatat" | "statx" | "faccessat" | "faccessat2" | "mkdirat" | "unlinkat" | "readlinkat"
        | "execveat" | "mq_timedsend" | "mq_timedreceive" | "io_uring_enter" => &[0],
        "sendfile" | "tee" => &[0, 1],
        "splice" | "copy_file_range" => &[0, 2],
        "mmap" => &[4],
        // P_PIDFD.
        "waitid" if call.arg(0) == Some(3) => &[1],
        _ => &[],
    };
    let fds = places.iter().filter_map(|&n| call.int(n));
    fds.filter(|&fd| fd >= 0).map(|fd| fd as u32).collect()
}

/// The argument that holds the descriptor to which a relative path argument belongs.
pub(crate) fn directory_of(name: &str, path: u8) -> Option<usize> {
    // Calls that end in `at` have the descriptor before the path, those without use the cwd.
    let has_one =
        name.ends_with("at") || matches!(name, "openat2" | "statx" | "faccessat2" | "renameat2" | "execveat");
    (has_one && path > 0).then(|| usize::from(path) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(table_text: &'static str, pairs: &[(&str, u32)]) {
        let table = table(table_text);
        for (name, number) in pairs {
            assert_eq!(table.get(number), Some(name));
        }
    }

    #[test]
    fn numbers_of_both_architectures() {
        numbers(include_str!("x86_64.txt"), &[("read", 0), ("futex", 202), ("openat", 257), ("epoll_pwait2", 441)]);
        numbers(include_str!("aarch64.txt"), &[("openat", 56), ("read", 63), ("futex", 98), ("ppoll", 73)]);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn lines_as_the_kernel_writes_them() {
        assert_eq!(syscall(b"running\n"), Some(Syscall::Running));
        assert_eq!(
            syscall(b"-1 0x7ffe1 0x55d0\n"),
            Some(Syscall::None { sp: Address(0x7ffe1), pc: Address(0x55d0) })
        );
        let open = syscall(b"257 0xffffff9c 0x7f10 0x90800 0x0 0x0 0x0 0x7ffd 0x7f3e\n").unwrap();
        assert_eq!((open.name(), open.int(0)), (Some("openat"), Some(-100)));
        assert_eq!(pointees(&open), [(1, Pointee::Path)]);
        assert_eq!(descriptors(&open), Vec::<u32>::new());
        assert_eq!(syscall(b"999 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0").unwrap().name(), Some("syscall_999"));
        assert_eq!(syscall(b"257 0x0"), None);
        assert_eq!(syscall(b""), None);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_pointers_point_at() {
        let check = |line: &str, expected: &[(u8, Pointee)]| {
            assert_eq!(pointees(&syscall(line.as_bytes()).unwrap()), expected, "{line}");
        };
        check("271 0x7f10 0x3 0x7f20 0x0 0x8 0x0 0x1 0x1", &[(0, Pointee::PollFds(3)), (2, Pointee::Timespec)]);
        check("202 0x7f10 0x189 0x0 0x0 0x0 0xffffffff 0x1 0x1", &[(0, Pointee::Words)]);
        check("202 0x7f10 0x81 0x1 0x7 0x0 0x0 0x1 0x1", &[(0, Pointee::Words)]);
        check("72 0x5 0x7 0x7f10 0x0 0x0 0x0 0x1 0x1", &[(2, Pointee::Flock)]);
        check("72 0x5 0x3 0x800 0x0 0x0 0x0 0x1 0x1", &[]);
        check("42 0x5 0x7f10 0x10 0x0 0x0 0x0 0x1 0x1", &[(1, Pointee::SocketAddress(16))]);
    }
}
