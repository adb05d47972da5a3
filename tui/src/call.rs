//! A thread's wait in words: the system call with what its arguments mean, else the kernel function.

use hangdog_schemas::fact::{Argument, Syscall, ThreadFact};
use hangdog_schemas::{Fd, Observed};
use hangdog_timeline::Snapshot;

use crate::text::{clean, lasting};

/// System calls whose first argument is a descriptor (man 2 of each).
const ON_A_DESCRIPTOR: &[&str] = &[
    "read",
    "write",
    "close",
    "pread64",
    "pwrite64",
    "readv",
    "writev",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "accept",
    "accept4",
    "connect",
    "fcntl",
    "flock",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "fstat",
    "getdents",
    "getdents64",
    "ioctl",
    "lseek",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "io_uring_enter",
    "fchdir",
    "syncfs",
];

/// What a thread of a snapshot is in: `openat("/mnt/x")`, `read(5 = pipe:[81234])`, `futex(0x7f…)`, or its wchan.
pub(crate) fn words(snapshot: &Snapshot, thread: &ThreadFact) -> String {
    match &thread.syscall {
        Observed::Seen(Syscall::Running) => "on a processor".to_owned(),
        Observed::Seen(Syscall::In { name, .. }) => {
            let call = thread.syscall.seen();
            let argument = call.map(|call| argument(snapshot, thread, call)).unwrap_or_default();
            format!("{}({argument})", clean(name))
        }
        Observed::Seen(Syscall::None { .. }) => {
            wchan(thread).map_or("not in a system call".to_owned(), |wchan| format!("not in a system call: {wchan}"))
        }
        _ => wchan(thread).unwrap_or_default(),
    }
}

/// The kernel function, when there is one.
pub(crate) fn wchan(thread: &ThreadFact) -> Option<String> {
    let name = thread.wchan.seen()?;
    (!name.is_empty() && name != "0").then(|| clean(name).into_owned())
}

fn argument(snapshot: &Snapshot, thread: &ThreadFact, call: &Syscall) -> String {
    let Syscall::In { name, args, memory, .. } = call else { return String::new() };
    let path = memory.iter().find_map(|(_, value)| match value.seen() {
        Some(Argument::Path(path)) => Some(format!("\"{}\"", clean(path))),
        Some(Argument::SocketAddress(address)) => Some(clean(address).into_owned()),
        _ => None,
    });
    let time = memory.iter().find_map(|(_, value)| match value.seen() {
        Some(Argument::Time { ns }) => Some(lasting(*ns)),
        _ => None,
    });
    let descriptor = ON_A_DESCRIPTOR.contains(&name.as_str()).then(|| {
        let fd = args[0].0 as u32;
        let target = snapshot.fd(thread.thread.process.pid, Fd(fd)).map(|fact| clean(&fact.target).into_owned());
        target.map_or(fd.to_string(), |target| format!("{fd} = {target}"))
    });
    let rest = match name.as_str() {
        "futex" | "futex_waitv" => Some(args[0].to_string()),
        "wait4" | "waitid" | "kill" | "tgkill" => Some((args[usize::from(name == "waitid")].0 as i32).to_string()),
        "poll" | "ppoll" | "select" | "pselect6" => Some(polled(memory)),
        _ => None,
    };
    [descriptor, path, rest, time].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn polled(memory: &[(u8, Observed<Argument>)]) -> String {
    let list: Vec<String> = memory
        .iter()
        .find_map(|(_, value)| match value.seen() {
            Some(Argument::PollFds(fds)) => Some(fds.iter().map(|fd| fd.fd.to_string()).collect()),
            Some(Argument::FdSet(fds)) => Some(fds.iter().map(ToString::to_string).collect()),
            _ => None,
        })
        .unwrap_or_default();
    if list.len() > 6 { format!("{} fds", list.len()) } else { format!("fds {}", list.join(" ")) }
}
