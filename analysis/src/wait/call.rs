//! From a system call to what it needs. One table row per call.

use hangdog_schemas::fact::{Argument, Syscall, ThreadFact};
use hangdog_schemas::{Fd, ResourceKey};

use super::fd::{self, Direction};
use super::{Class, Limits, Rest, Wait, child, futex, ipc, lock, memory, path};
use crate::view::View;

const AT_FDCWD: i32 = -100;

/// What came of asking for one resource.
pub(crate) enum Outcome {
    /// It would return at once.
    Ready,
    /// A timer will end it.
    Timed,
    /// It waits for any of these.
    Waits(Vec<Wait>),
    /// The facts do not say.
    Opaque(String),
}

impl Outcome {
    pub(super) fn into_rest(self) -> Rest {
        match self {
            Self::Ready => Rest::Acts,
            Self::Timed => Rest::Timed(None),
            Self::Waits(waits) => Rest::Waits(waits),
            Self::Opaque(why) => Rest::Opaque(why),
        }
    }

    /// Waiting for any of several: ready if one is, unknown if one is unknown.
    pub(super) fn any(outcomes: impl IntoIterator<Item = Self>) -> Self {
        let mut waits = Vec::new();
        let mut opaque = None;
        for outcome in outcomes {
            match outcome {
                Self::Ready => return Self::Ready,
                Self::Timed => return Self::Timed,
                Self::Waits(more) => waits.extend(more),
                Self::Opaque(why) => opaque = Some(why),
            }
        }
        opaque.map_or(Self::Waits(waits), Self::Opaque)
    }
}

/// What a blocked thread waits for.
pub(super) fn rest(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, limits: Limits) -> Rest {
    let name = match syscall {
        Syscall::Running => return Rest::Acts,
        Syscall::None { .. } => return path::page_fault(view, thread).into_rest(),
        Syscall::In { name, .. } => name.as_str(),
    };
    if limits == Limits::End && has_time_limit(name, syscall) && !futex::is_go_monitor(view, thread, syscall) {
        return Rest::Timed(limit_ns(name, syscall));
    }
    outcome(view, thread, syscall, name).into_rest()
}

/// Whether a call waits for something, and no longer than it says. To sleep is to wait for nothing.
pub(super) fn is_limited_wait(syscall: &Syscall) -> bool {
    let name = syscall.name().unwrap_or_default();
    let polls_nothing = matches!(name, "poll" | "ppoll") && syscall.arg(1) == Some(0)
        || matches!(name, "select" | "pselect6") && (1..4).all(|n| syscall.arg(n) == Some(0));
    has_time_limit(name, syscall)
        && !polls_nothing
        && !matches!(name, "nanosleep" | "clock_nanosleep" | "restart_syscall")
}

/// The relative time limit of a call, in ns, when it was read.
fn limit_ns(name: &str, syscall: &Syscall) -> Option<u64> {
    const TIMER_ABSTIME: u64 = 1;
    let ms = |n: usize| syscall.int(n).and_then(|ms| u64::try_from(ms).ok()).map(|ms| ms.saturating_mul(1_000_000));
    match name {
        "nanosleep" => syscall.time(0),
        "clock_nanosleep" if syscall.arg(1) == Some(TIMER_ABSTIME) => None,
        "clock_nanosleep" | "ppoll" | "rt_sigtimedwait" => syscall.time(2),
        "poll" => ms(2),
        "epoll_wait" | "epoll_pwait" => ms(3),
        "epoll_pwait2" => syscall.time(3),
        "select" | "pselect6" => syscall.time(4),
        _ => None,
    }
}

/// Whether the call itself says when it ends. A limit that could not be read counts as one.
fn has_time_limit(name: &str, syscall: &Syscall) -> bool {
    let pointer = |n: usize| syscall.arg(n).is_some_and(|address| address != 0);
    match name {
        // Only calls with a relative limit are restarted this way (restart_syscall(2)).
        "nanosleep" | "clock_nanosleep" | "restart_syscall" => true,
        "poll" => syscall.int(2).is_some_and(|ms| ms >= 0),
        "epoll_wait" | "epoll_pwait" => syscall.int(3).is_some_and(|ms| ms >= 0),
        "ppoll" | "rt_sigtimedwait" => pointer(2),
        "epoll_pwait2" | "semtimedop" | "futex_waitv" => pointer(3),
        "select" | "pselect6" | "recvmmsg" | "mq_timedsend" | "mq_timedreceive" | "io_getevents" => pointer(4),
        "futex" => pointer(3) && futex::is_wait(syscall),
        _ => false,
    }
}

fn outcome(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str) -> Outcome {
    let readable = |n: usize| with_fd(view, thread, syscall, n, Direction::Read);
    let writable = |n: usize| with_fd(view, thread, syscall, n, Direction::Write);
    match name {
        "read" | "readv" | "pread64" | "preadv" | "preadv2" | "recvfrom" | "recvmsg" | "recvmmsg" | "accept"
        | "accept4" | "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => readable(0),
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendto" | "sendmsg" | "sendmmsg" => writable(0),
        "sendfile" | "splice" | "tee" | "copy_file_range" => transfer(view, thread, syscall, name),
        "connect" => with_fd(view, thread, syscall, 0, Direction::Connect),
        "poll" | "ppoll" => polled(view, thread, syscall),
        "select" | "pselect6" => selected(view, thread, syscall),
        "futex" => futex::wait(view, thread, syscall),
        "mq_timedreceive" => ipc::queue(view, thread, syscall, Direction::Read),
        "mq_timedsend" => ipc::queue(view, thread, syscall, Direction::Write),
        "semop" | "semtimedop" => ipc::semaphore(view, thread, syscall),
        "msgrcv" => ipc::message_queue(view, thread, syscall, Direction::Read),
        "msgsnd" => ipc::message_queue(view, thread, syscall, Direction::Write),
        "wait4" | "waitid" => child::waited_for(view, thread, syscall, name),
        "vfork" | "clone" | "clone3" => child::vforked(view, thread),
        "flock" | "fcntl" if lock::waits(syscall, name) => lock::wait(view, thread, syscall, name),
        "pause" | "rt_sigsuspend" | "rt_sigtimedwait" => child::signal(view, thread),
        "getdents64" | "getdents" | "fstat" | "fsync" | "fdatasync" | "ftruncate" | "ioctl" | "fcntl" | "flock"
        | "fchdir" | "fstatfs" | "fallocate" | "lseek" | "sync_file_range" | "fgetxattr" | "fsetxattr" | "fchmod"
        | "fchown" | "syncfs" => path::by_fd(view, thread, syscall),
        "close" | "close_range" | "exit" | "exit_group" | "dup2" | "dup3" => path::by_close(view, thread),
        _ if path::names_a_path(syscall, name) => path::by_path(view, thread, syscall, name),
        _ => memory::page_to_fill(view, thread)
            .or_else(|| memory::change(view, thread))
            .or_else(|| path::by_kernel_function(view, thread))
            .unwrap_or_else(|| Outcome::Opaque(format!("this version does not know who ends a wait in {name}"))),
    }
}

fn with_fd(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, n: usize, direction: Direction) -> Outcome {
    match descriptor(syscall, n) {
        Some(number) => fd::outcome(view, thread, number, direction, 0),
        None => Outcome::Opaque("its descriptor is no number".to_owned()),
    }
}

/// Argument `n` as a descriptor.
pub(super) fn descriptor(syscall: &Syscall, n: usize) -> Option<Fd> {
    u32::try_from(syscall.int(n)?).ok().map(Fd)
}

/// Whether a directory argument means the working directory.
pub(super) fn is_cwd(syscall: &Syscall, n: usize) -> bool {
    syscall.int(n) == Some(AT_FDCWD)
}

/// Two descriptors, and the kernel's function says at which of them it waits.
fn transfer(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall, name: &str) -> Outcome {
    let (source, sink) = match name {
        "sendfile" => (1, 0),
        "splice" | "copy_file_range" => (0, 2),
        _ => (0, 1),
    };
    let wchan = thread.wchan.seen().map_or("", String::as_str);
    if wchan.contains("read") || wchan.contains("recv") || wchan.contains("ipipe") {
        with_fd(view, thread, syscall, source, Direction::Read)
    } else if wchan.contains("writ") || wchan.contains("send") || wchan.contains("opipe") {
        with_fd(view, thread, syscall, sink, Direction::Write)
    } else {
        Outcome::Opaque(format!("{name} waits at one of two descriptors, and the kernel does not say at which"))
    }
}

fn polled(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Outcome {
    const POLLOUT: i16 = 4;
    const POLLIN: i16 = 1;
    if syscall.arg(1) == Some(0) {
        return Outcome::Waits(vec![no_events("poll without a descriptor")]);
    }
    let Some(Argument::PollFds(list)) = syscall.memory(0).and_then(|memory| memory.seen()) else {
        return Outcome::Opaque("the descriptors that it polls could not be read".to_owned());
    };
    Outcome::any(list.iter().filter(|entry| entry.fd >= 0).flat_map(|entry| {
        let number = Fd(entry.fd.unsigned_abs());
        let read = (entry.events & POLLIN != 0 || entry.events & POLLOUT == 0)
            .then(|| fd::outcome(view, thread, number, Direction::Poll, 0));
        let write = (entry.events & POLLOUT != 0).then(|| fd::outcome(view, thread, number, Direction::PollWrite, 0));
        [read, write].into_iter().flatten()
    }))
}

fn selected(view: &View<'_>, thread: &ThreadFact, syscall: &Syscall) -> Outcome {
    let mut outcomes = Vec::new();
    for (n, direction) in [(1, Direction::Poll), (2, Direction::PollWrite), (3, Direction::Poll)] {
        if syscall.arg(usize::from(n)) == Some(0) {
            continue;
        }
        let Some(Argument::FdSet(set)) = syscall.memory(n).and_then(|memory| memory.seen()) else {
            return Outcome::Opaque("the descriptors that it selects could not be read".to_owned());
        };
        outcomes.extend(set.iter().map(|number| fd::outcome(view, thread, Fd(*number), direction, 0)));
    }
    if outcomes.is_empty() {
        return Outcome::Waits(vec![no_events("select without a descriptor")]);
    }
    Outcome::any(outcomes)
}

/// A poll of nothing: only a signal ends it.
pub(super) fn no_events(name: &str) -> Wait {
    Wait::new(Class::Signal, ResourceKey::new("signal", ""), name).open_to("somebody who sends a signal")
}

/// The system call in words: `openat("/mnt/x")`, `read(3)`, `wait4(4412)`.
pub(super) fn in_words(view: &View<'_>, thread: &ThreadFact) -> Option<String> {
    let syscall = thread.syscall.seen()?;
    let Syscall::In { name, .. } = syscall else {
        return matches!(syscall, Syscall::None { .. }).then(|| "a page fault".to_owned());
    };
    if let Some(path) = path::full_path(view, thread, syscall, name) {
        return Some(format!("{name}(\"{path}\")"));
    }
    let takes_fd = matches!(
        name.as_str(),
        "read"
            | "write"
            | "recvfrom"
            | "recvmsg"
            | "sendto"
            | "sendmsg"
            | "getdents64"
            | "flock"
            | "fcntl"
            | "close"
            | "fsync"
            | "accept"
            | "accept4"
            | "connect"
            | "ioctl"
            | "readv"
            | "writev"
            | "pread64"
            | "pwrite64"
            | "epoll_wait"
            | "epoll_pwait"
            | "epoll_pwait2"
            | "fstatfs"
            | "fstat"
    );
    match (takes_fd, descriptor(syscall, 0)) {
        (true, Some(number)) => {
            let target = view
                .snapshot
                .fd(thread.thread.process.pid, number)
                .filter(|fact| fact.target.starts_with('/'))
                .map(|fact| format!(" {}", fact.target))
                .unwrap_or_default();
            Some(format!("{name}(fd {number}{target})"))
        }
        _ => Some(name.clone()),
    }
}
