//! The kernel reads and calls that the main loop issues itself. Each was seen never to block, whatever a
//! program of the run does: `status`, `children`, `schedstat`, `mountinfo` and listings of `/proc`, pidfds,
//! `waitid` without waiting. Everything else belongs into a helper process.

mod helper;
mod kin;
mod marks;
mod mount_ids;
mod tree;
mod user_namespace;

pub(crate) use helper::{Helper, fork_helper};
pub(crate) use kin::Children;
pub(crate) use mount_ids::mount_ids;
pub(crate) use tree::{ancestors, descendants_of};
pub use user_namespace::user_namespace_fails;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use hangdog_schemas::record::FIRST_PID_NAMESPACE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, getpid, pidfd_open, waitid};

/// Opens a process by number; `None` when there is none.
pub(crate) fn open_process(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid as i32)?, PidfdFlags::empty()).ok()
}

/// Whether all processes of the machine can be seen: in any other pid namespace only those that are in it.
pub fn is_first_pid_namespace() -> bool {
    let first = format!("pid:[{FIRST_PID_NAMESPACE}]");
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() == first.as_str())
}

/// Why a process cannot be held and waited for by a pidfd (Linux 5.4), if so: tried on our own.
pub fn pidfd_fails() -> Option<std::io::Error> {
    let own = match pidfd_open(getpid(), PidfdFlags::empty()) {
        Ok(own) => own,
        Err(error) => return Some(error.into()),
    };
    match waitid(WaitId::PidFd(own.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        // Nobody is their own child.
        Ok(_) | Err(Errno::CHILD) => None,
        Err(error) => Some(error.into()),
    }
}

/// Whether the process behind a pidfd has ended (it may still be a zombie).
pub(crate) fn has_ended(pidfd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Waits until one of the descriptors is readable, or for `limit`.
pub(crate) fn wait_readable<'a>(fds: impl IntoIterator<Item = &'a OwnedFd>, limit: Duration) {
    let mut fds: Vec<PollFd<'_>> = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    // An interrupted wait is a short one; the caller looks again anyway.
    let _ = poll(&mut fds, Some(&timespec(limit)));
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}

/// Raises the number of files that this process may have open as far as it is allowed to: two for each process that it
/// follows. Not before the command was started, which keeps the limit that its user set.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With the limit as it is, fewer processes can be followed.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Time on a processor of one process' first thread and its siblings that still live, ns (`schedstat`).
pub(crate) fn cpu_of(pid: u32) -> u64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// Processor time of all children that were waited for, ns.
pub(crate) fn children_cpu() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return 0 };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as u64 * 1000
}

/// Whether a process still has its table of descriptors. One that exits gives it up first (`exit_files`), and may
/// then hang in closing one of them; in an exec it keeps the table.
pub(crate) fn has_files(pid: u32) -> bool {
    let status = std::fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    status.split(|byte| *byte == b'\n').any(|line| line.strip_prefix(b"FDSize:\t").is_some_and(|size| size != b"0"))
}

/// Field 22 of our own or a not yet started child's `stat`: when it began, in ticks since boot. Only for
/// processes that are known not to be in an exec, whose lock this read would wait for.
pub(crate) fn start_of_own(pid: u32) -> std::io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    own_stat_field(&stat, 22).ok_or_else(|| std::io::Error::other("/proc/PID/stat has no start time"))
}

/// A numeric field of `/proc/PID/stat`, counted from 1 as in proc(5).
pub(crate) fn own_stat_field(stat: &str, field: usize) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split_whitespace().nth(field - 3)?.parse().ok()
}
