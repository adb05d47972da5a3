//! `/proc/PID/fdinfo/N`, line by line.

use hangdog_schemas::fact::{Access, EpollTarget, FdDetail, FdLock};
use hangdog_schemas::{Address, Big, Fd, FuseConnection, Inode, Pid};

use super::locks;
use super::text::{hex, lines, number, words};

/// What an fdinfo file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FdInfo {
    pub(crate) position: Option<u64>,
    pub(crate) flags: Option<u32>,
    pub(crate) mount: Option<u32>,
    pub(crate) inode: Option<Inode>,
    pub(crate) detail: FdDetail,
    pub(crate) locks: Vec<FdLock>,
}

/// For what a file was opened, by its flags.
pub(crate) fn access(flags: u32) -> Access {
    if flags & libc::O_PATH as u32 != 0 {
        return Access::Path;
    }
    match flags & 3 {
        0 => Access::Read,
        1 => Access::Write,
        _ => Access::ReadWrite,
    }
}

/// All that is known; lines that are unknown say nothing. `target` is the link's text: the same
/// word means different things in different files.
pub(crate) fn fdinfo(target: &str, bytes: &[u8]) -> FdInfo {
    let mut info = FdInfo { detail: empty_detail(target), ..FdInfo::default() };
    for line in lines(bytes) {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            // `inotify wd:1 ino:…` has its colon later, so only lines without any come here.
            continue;
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        match name {
            b"pos" => info.position = number(value),
            b"flags" => info.flags = octal(value),
            b"mnt_id" => info.mount = number(value),
            b"ino" => info.inode = number(value).map(Big),
            b"lock" => info.locks.extend(locks::fd_lock(value)),
            _ => detail(&mut info.detail, name, value, line),
        }
    }
    info
}

fn empty_detail(target: &str) -> FdDetail {
    match target {
        "anon_inode:[eventpoll]" => FdDetail::Epoll(Vec::new()),
        "anon_inode:[eventfd]" => FdDetail::Eventfd { count: Big(0), id: None },
        "anon_inode:[timerfd]" => FdDetail::Timerfd { value_ns: 0, interval_ns: 0 },
        "anon_inode:[signalfd]" => FdDetail::Signalfd { mask: Address(0) },
        "anon_inode:[pidfd]" => FdDetail::Pidfd { pid: None },
        "anon_inode:inotify" => FdDetail::Inotify { watches: 0 },
        "anon_inode:[io_uring]" => FdDetail::IoUring { to_submit: 0, completed: 0 },
        "anon_inode:[userfaultfd]" => FdDetail::Userfaultfd { pending: 0, waiting: 0 },
        "/dev/fuse" => FdDetail::FuseServer { connection: None },
        _ => FdDetail::Plain,
    }
}

fn detail(detail: &mut FdDetail, name: &[u8], value: &[u8], line: &[u8]) {
    match (detail, name) {
        (FdDetail::Epoll(targets), b"tfd") => targets.extend(epoll_target(line)),
        (FdDetail::Eventfd { count, .. }, b"eventfd-count") => *count = Big(hex(value).unwrap_or(0)),
        (FdDetail::Eventfd { id, .. }, b"eventfd-id") => *id = number(value),
        (FdDetail::Timerfd { value_ns, .. }, b"it_value") => *value_ns = interval(value).unwrap_or(0),
        (FdDetail::Timerfd { interval_ns, .. }, b"it_interval") => *interval_ns = interval(value).unwrap_or(0),
        (FdDetail::Signalfd { mask }, b"sigmask") => *mask = Address(hex(value).unwrap_or(0)),
        // -1 when the process ended, 0 when it is in no namespace that the reader sees.
        (FdDetail::Pidfd { pid }, b"Pid") => *pid = number::<i32>(value).filter(|&p| p > 0).map(|p| Pid(p as u32)),
        (FdDetail::Inotify { watches }, b"inotify wd") => *watches += 1,
        // Both rings have a head, which is taken from, and a tail, which is added to; the numbers wrap around.
        (FdDetail::IoUring { to_submit, .. }, b"SqTail") => *to_submit = number(value).unwrap_or(0),
        (FdDetail::IoUring { to_submit, .. }, b"CachedSqHead") => {
            *to_submit = to_submit.wrapping_sub(number(value).unwrap_or(0));
        }
        (FdDetail::IoUring { completed, .. }, b"CqHead") => {
            *completed = 0_u32.wrapping_sub(number(value).unwrap_or(0));
        }
        (FdDetail::IoUring { completed, .. }, b"CqTail") => {
            *completed = completed.wrapping_add(number(value).unwrap_or(0));
        }
        (FdDetail::Userfaultfd { pending, .. }, b"pending") => *pending = number(value).unwrap_or(0),
        (FdDetail::Userfaultfd { waiting, .. }, b"total") => *waiting = number(value).unwrap_or(0),
        (FdDetail::FuseServer { connection }, b"fuse_connection") => *connection = number(value).map(FuseConnection),
        (plain @ FdDetail::Plain, b"scm_fds") => {
            if let Some(in_flight) = number(value).filter(|count| *count > 0) {
                *plain = FdDetail::UnixSocket { in_flight };
            }
        }
        // A pidfd is a link to `anon_inode:[pidfd]`, a master to `/dev/ptmx` or `/dev/pts/ptmx`.
        (plain @ FdDetail::Plain, b"tty-index") => {
            if let Some(index) = number(value) {
                *plain = FdDetail::PtyMaster { index };
            }
        }
        _ => {}
    }
}

/// `tfd:        5 events:       19 data:                5  pos:0 ino:1c3 sdev:8`
fn epoll_target(line: &[u8]) -> Option<EpollTarget> {
    let (mut fd, mut events, mut inode) = (None, 0, Big(0));
    let mut key: &[u8] = b"";
    // A key and its value are parted by a colon and perhaps blanks: `tfd:    5`, `pos:0`.
    for word in words(line) {
        let (name, value) = match word.iter().position(|&b| b == b':') {
            Some(at) => (&word[..at], &word[at + 1..]),
            None => (key, word),
        };
        key = name;
        match name {
            _ if value.is_empty() => {}
            b"tfd" => fd = number(value).map(Fd),
            b"events" => events = hex(value)? as u32,
            b"ino" => inode = Big(hex(value)?),
            _ => {}
        }
    }
    Some(EpollTarget { fd: fd?, events, inode })
}

/// `(12, 345)`: seconds and nanoseconds.
fn interval(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (seconds, nanos) = text.split_once(',')?;
    let seconds: u64 = seconds.trim().parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos.trim().parse().ok()?)
}

fn octal(value: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(value).ok()?.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use hangdog_schemas::Device;
    use hangdog_schemas::fact::{LockClass, LockMode};

    use super::*;

    #[track_caller]
    fn check(target: &str, file: &str, expected: &FdDetail) {
        assert_eq!(&fdinfo(target, file.as_bytes()).detail, expected);
    }

    #[test]
    fn position_flags_mount_and_inode() {
        let info = fdinfo("/dev/fuse", b"pos:\t0\nflags:\t02100002\nmnt_id:\t62\nino:\t90\nfuse_connection:\t41\n");
        assert_eq!((info.position, info.flags), (Some(0), Some(0o2_100_002)));
        assert_eq!((info.mount, info.inode), (Some(62), Some(Big(90))));
        assert_eq!(info.flags.map(access), Some(Access::ReadWrite));
        assert_eq!(info.detail, FdDetail::FuseServer { connection: Some(FuseConnection(41)) });
    }

    #[test]
    fn kinds_of_files() {
        check(
            "anon_inode:[eventpoll]",
            "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:                5  pos:0 ino:1c3 sdev:8\n\
             tfd:       17 events: 80000001 data: ffffffffffffffff  pos:0 ino:a sdev:e\n",
            &FdDetail::Epoll(vec![
                EpollTarget { fd: Fd(5), events: 0x19, inode: Big(0x1c3) },
                EpollTarget { fd: Fd(17), events: 0x8000_0001, inode: Big(10) },
            ]),
        );
        check(
            "anon_inode:[eventfd]",
            "eventfd-count:               1f\neventfd-id: 12\neventfd-semaphore: 0\n",
            &FdDetail::Eventfd { count: Big(31), id: Some(12) },
        );
        check(
            "anon_inode:[timerfd]",
            "clockid: 1\nticks: 0\nsettime flags: 01\nit_value: (3, 500)\nit_interval: (0, 0)\n",
            &FdDetail::Timerfd { value_ns: 3_000_000_500, interval_ns: 0 },
        );
        check(
            "anon_inode:[signalfd]",
            "sigmask:\t0000000000010002\n",
            &FdDetail::Signalfd { mask: Address(0x10002) },
        );
        check("anon_inode:[pidfd]", "Pid:\t4412\nNSpid:\t4412\n", &FdDetail::Pidfd { pid: Some(Pid(4412)) });
        check("anon_inode:[pidfd]", "Pid:\t-1\n", &FdDetail::Pidfd { pid: None });
        check(
            "anon_inode:inotify",
            "inotify wd:2 ino:9 sdev:8\ninotify wd:1 ino:8 sdev:8\n",
            &FdDetail::Inotify { watches: 2 },
        );
        // Linux 6.18; the submission queue has been taken but for two, one completion is there.
        check(
            "anon_inode:[io_uring]",
            "pos:\t0\nflags:\t02000002\nSqMask:\t0x7\nSqHead:\t5\nSqTail:\t7\nCachedSqHead:\t5\nCqMask:\t0xf\nCqHead:\t4\nCqTail:\t5\n\
             CachedCqTail:\t5\nSQEs:\t2\n",
            &FdDetail::IoUring { to_submit: 2, completed: 1 },
        );
        check(
            "anon_inode:[userfaultfd]",
            "flags:\t02000002\npending:\t1\ntotal:\t3\nAPI:\taa:0:ffff\n",
            &FdDetail::Userfaultfd { pending: 1, waiting: 3 },
        );
        check("/dev/ptmx", "flags:\t02\ntty-index:\t3\n", &FdDetail::PtyMaster { index: 3 });
        check("/dev/fuse", "flags:\t02\n", &FdDetail::FuseServer { connection: None });
        check("pipe:[12]", "flags:\t01\n", &FdDetail::Plain);
        check("", "flags:\t02\nscm_fds: 2\n", &FdDetail::UnixSocket { in_flight: 2 });
        check("", "flags:\t02\nscm_fds: 0\n", &FdDetail::Plain);
    }

    #[test]
    fn a_lock_line_is_who_really_holds_it() {
        let info = fdinfo("/x", b"flags:\t0100002\nlock:\t1: FLOCK  ADVISORY  WRITE 2208 fd:01:1234 0 EOF\n");
        assert_eq!(
            info.locks,
            [FdLock {
                class: LockClass::Flock,
                mode: LockMode::Write,
                pid: 2208,
                device: Device { major: 0xfd, minor: 1 },
                inode: Big(1234),
                start: Big(0),
                end: None,
            }]
        );
    }
}
