//! What the kernel was built with and shows.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;

use hangdog_collector::ktrace::{Missing, available};
use hangdog_collector::observe::files::fanotify_fails;
use hangdog_collector::observe::worker::mapping_query_fails;
use hangdog_collector::pidfd_fails;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::{Check, State};

/// `major.minor` of a kernel release such as `6.18.44-amd64`.
fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn running() -> (String, (u32, u32)) {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let version = version_of(&release).unwrap_or((0, 0));
    (release, version)
}

/// What hangdog needs of a kernel's age, tried: distributions bring parts of later kernels, and a filter of system calls
/// may take some away.
pub(super) fn release() -> Check {
    let (release, _) = running();
    if let Some(why) = pidfd_fails() {
        return Check::short(
            "kernel",
            State::Missing,
            format!("{release}: no waiting on a pidfd ({why})"),
            "hangdog cannot tell a process from a later one with its number, and starts no command",
            "run a kernel from 5.9 on, or allow `pidfd_open` and `waitid` in the container's seccomp profile",
        );
    }
    if let Err(why) = openat2(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::empty()) {
        return Check::short(
            "kernel",
            State::Missing,
            format!("{release}: no openat2 ({why})"),
            "what a run keeps in memory is not removed, and lock files and the directories of a run are not looked at",
            "run a kernel from 5.9 on, or allow `openat2` and `close_range` in the container's seccomp profile",
        );
    }
    if let Some(why) = mapping_query_fails() {
        return Check::short(
            "kernel",
            State::Limited,
            format!("{release}: no query of a single mapping ({why})"),
            "a mapping is looked up in /proc/PID/maps, which may have to be given up where memory is locked",
            "run a kernel from 6.11 on",
        );
    }
    Check::ok("kernel", release)
}

/// Files under `/proc/PID` that depend on how the kernel was built, tried on our own process.
pub(super) fn proc_files() -> [Check; 4] {
    [
        file(
            "system-calls",
            "/proc/self/syscall",
            "a blocked thread's system call and arguments are not seen: waits are guessed from wait channels",
            "use a kernel with CONFIG_HAVE_ARCH_TRACEHOOK and without a lock-down of /proc/PID/syscall",
        ),
        file(
            "wait-channels",
            "/proc/self/wchan",
            "where in the kernel a thread sleeps is not seen: FUSE waits outside of a path or fd are not recognised",
            "use a kernel with CONFIG_KALLSYMS",
        ),
        file(
            "kernel-stacks",
            "/proc/self/stack",
            "what a wait channel hides (who is behind a directory lock or in an exit) stays unknown",
            "run hangdog as root with CAP_SYS_ADMIN (containers: `--cap-add SYS_ADMIN`); the kernel needs CONFIG_STACKTRACE",
        ),
        file(
            "children",
            "/proc/thread-self/children",
            "children are found by scanning all of /proc, which is slower and can miss one that lives shortly",
            "use a kernel with CONFIG_PROC_CHILDREN",
        ),
    ]
}

fn file(name: &'static str, path: &str, cost: &'static str, advice: &'static str) -> Check {
    match fs::read(path) {
        Ok(_) => Check::ok(name, format!("{path} can be read")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Check::short(name, State::Limited, format!("{path}: permission denied"), cost, advice)
        }
        Err(error) => Check::short(name, State::Missing, format!("{path}: {error}"), cost, advice),
    }
}

pub(super) fn fuse_device() -> Check {
    let (name, cost) =
        ("fuse-device", "no FUSE mount can be made here, so `hangdog demo` shows pipes and file locks instead");
    match OpenOptions::new().read(true).write(true).custom_flags(libc_nonblock()).open("/dev/fuse") {
        Ok(_) => Check::ok(name, "/dev/fuse can be opened"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::short(
            name,
            State::Limited,
            "/dev/fuse: permission denied",
            cost,
            "give this user access to /dev/fuse (mode 0666 is usual)",
        ),
        Err(error) => Check::short(
            name,
            State::Missing,
            format!("/dev/fuse: {error}"),
            cost,
            "load the module (`modprobe fuse`), or start the container with `--device /dev/fuse`",
        ),
    }
}

fn libc_nonblock() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

pub(super) fn fuse_connections() -> Check {
    let name = "fuse-connections";
    let place = "/sys/fs/fuse/connections";
    let mounted = fs::read_to_string("/proc/self/mountinfo").is_ok_and(|text| {
        text.lines().any(|line| line.split(" - ").nth(1).is_some_and(|rest| rest.starts_with("fusectl ")))
    });
    let cost = "how many requests of a FUSE mount wait is not seen, and a stuck one cannot be aborted";
    if !mounted {
        let advice = "mount -t fusectl fusectl /sys/fs/fuse/connections (containers: `-v /sys/fs/fuse/connections:/sys/fs/fuse/connections`)";
        return Check::short(name, State::Missing, format!("fusectl is not mounted on {place}"), cost, advice);
    }
    if super::rights::reads_all_files() {
        Check::ok(name, format!("fusectl is mounted on {place}"))
    } else {
        Check::short(
            name,
            State::Limited,
            format!("fusectl is mounted on {place}, and only the owner of a mount reads its counter"),
            "requests that wait are seen on this user's own mounts only",
            "run hangdog as root, outside of containers with users of their own, to see all of them",
        )
    }
}

pub(super) fn fuse_server() -> Check {
    let (release, version) = running();
    if version >= (6, 16) {
        Check::ok("fuse-servers", format!("fdinfo of /dev/fuse names the connection (kernel {release})"))
    } else {
        Check::short(
            "fuse-servers",
            State::Limited,
            format!("fdinfo of /dev/fuse does not name the connection (kernel {release})"),
            "who serves a FUSE mount is not seen: whoever waits for its reply is told as `unknown`",
            "run a kernel from 6.16 on",
        )
    }
}

/// Asks for all unix sockets; the first message of the answer tells whether the kernel has `unix_diag`.
pub(super) fn socket_diagnosis() -> Check {
    let name = "socket-diagnosis";
    match ask_for_unix_sockets() {
        Ok(()) => Check::ok(name, "sock_diag answers for unix sockets"),
        Err(error) => Check::short(
            name,
            State::Missing,
            format!("sock_diag does not answer for unix sockets: {error}"),
            "the other end of a unix socket is not seen, so cycles over unix sockets stay unknown",
            "load the module (`modprobe unix_diag`), or allow netlink in the container's seccomp profile",
        ),
    }
}

fn ask_for_unix_sockets() -> io::Result<()> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_DONE: u16 = 3;
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    const AF_UNIX: u8 = 1;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(netlink::SOCK_DIAG),
    )?;
    // struct nlmsghdr { len, type, flags, seq, pid } and struct unix_diag_req (linux/unix_diag.h), 40 bytes in all.
    let mut request = Vec::with_capacity(40);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([AF_UNIX, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend([0; 16]);
    send(&socket, &request, SendFlags::empty())?;
    let mut answer = [0_u8; 8 << 10];
    let (taken, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let header: [u8; 2] =
        answer[..taken].get(4..6).and_then(|two| two.try_into().ok()).ok_or(io::ErrorKind::InvalidData)?;
    match u16::from_ne_bytes(header) {
        SOCK_DIAG_BY_FAMILY | NLMSG_DONE => Ok(()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub(super) fn control_groups() -> Check {
    let name = "control-groups";
    let cost = "processes that the cgroup freezer holds are not recognised";
    if File::open("/sys/fs/cgroup/cgroup.controllers").is_ok() {
        Check::ok(name, "version 2 is mounted on /sys/fs/cgroup")
    } else if fs::read_dir("/sys/fs/cgroup/freezer").is_ok() {
        Check::ok(name, "version 1 with the freezer is mounted on /sys/fs/cgroup")
    } else {
        let advice = "mount -t cgroup2 none /sys/fs/cgroup";
        Check::short(name, State::Missing, "no freezer is mounted on /sys/fs/cgroup", cost, advice)
    }
}

/// Tries it on the file system of the working directory, where runs are watched, and takes it back at once: it may work
/// there and not on another one, such as the overlay of a container.
pub(super) fn file_events() -> Check {
    let name = "file-events";
    let Some(why) = fanotify_fails() else {
        return Check::ok(name, "fanotify tells who opens, makes and removes files");
    };
    let cost = "in the working directory of a run only names are told, not who did it, and not below the first 512 directories";
    let advice = "run hangdog as root on a kernel from 5.17 on (containers: `--cap-add SYS_ADMIN`)";
    match rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC) {
        Ok(_) => {
            Check::short(name, State::Limited, format!("inotify; fanotify is not to be had: {why}"), cost, advice)
        }
        Err(error) => Check::short(
            name,
            State::Missing,
            format!("neither fanotify ({why}) nor inotify ({error})"),
            "who made, opened or removed a file of the run is not seen",
            "raise fs.inotify.max_user_instances, or run hangdog as root",
        ),
    }
}

/// The kernel's own recorder, which `run --kernel-trace` uses.
pub(super) fn recorder() -> Check {
    let name = "kernel-recorder";
    let cost = "what led up to a hang in the kernel (FUSE requests, signals, file locks, ends of processes) is not in a capture";
    match available() {
        Ok(()) => Check::ok(name, "tracefs gives an instance of its own"),
        Err(why @ Missing::Denied(_)) => {
            let advice = "run hangdog as root with CAP_SYS_ADMIN (containers: `--privileged`)";
            Check::short(name, State::Limited, why.to_string(), cost, advice)
        }
        Err(why @ Missing::Namespace) => {
            let advice = "run hangdog outside of the container, or with the host's processes and rights (`--pid=host --privileged`)";
            Check::short(name, State::Limited, why.to_string(), cost, advice)
        }
        Err(why) => Check::short(name, State::Missing, why.to_string(), cost, "use a kernel with CONFIG_FTRACE"),
    }
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn releases_have_a_version() {
        for (release, version) in [
            ("6.18.44", Some((6, 18))),
            ("5.10.0-28-amd64", Some((5, 10))),
            ("6.1-rc3", Some((6, 1))),
            ("6", None),
            ("x", None),
        ] {
            assert_eq!(version_of(release), version, "{release}");
        }
    }
}
