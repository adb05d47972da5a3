//! What we are allowed to.

use std::fs;

use hangdog_collector::{is_first_pid_namespace, user_namespace_fails};

use super::{Check, State};

/// Capabilities that show or free more, by number (linux/capability.h).
const WANTED: [(u32, &str); 5] = [
    (CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
    (5, "CAP_KILL"),
    (19, "CAP_SYS_PTRACE"),
    (CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
];

pub(super) fn capabilities() -> Check {
    let name = "rights";
    let effective = effective();
    let uid = rustix::process::geteuid().as_raw();
    // Whoever may write all files may read them.
    let is_there = |number: u32| {
        effective >> number & 1 == 1 || number == CAP_DAC_READ_SEARCH && effective >> CAP_DAC_OVERRIDE & 1 == 1
    };
    let lacking: Vec<&str> = WANTED.iter().filter(|(number, _)| !is_there(*number)).map(|(_, name)| *name).collect();
    if lacking.is_empty() && is_initial_user_namespace() {
        return Check::ok(name, format!("user {uid} with all capabilities that are used"));
    }
    let found = if lacking.is_empty() {
        format!("user {uid} of a user namespace, whose capabilities count for what is in it alone")
    } else {
        format!("user {uid} without {}", lacking.join(", "))
    };
    Check::short(
        name,
        State::Limited,
        found,
        "of processes of other users (or with other rights) only names and states are seen: a resolver among them is named at most `possible`",
        match uid {
            0 => {
                "give hangdog these capabilities (containers: `--cap-add`) where the run has processes of several users"
            }
            _ => "run hangdog as root where the run has processes of several users",
        },
    )
}

/// Whoever is outside of a container may hold what a run in it waits for.
pub(super) fn pid_namespace() -> Check {
    let name = "pid-namespace";
    if is_first_pid_namespace() {
        return Check::ok(name, "all processes of the machine can be seen");
    }
    Check::short(
        name,
        State::Limited,
        "this is a pid namespace of its own, as containers have: processes outside of it are not seen",
        "who holds a lock or the other end of a FIFO or socket from outside is not seen: such a wait is told as `unknown` or `possible`",
        "run hangdog outside of the container, or start that with the host's processes (`--pid=host`)",
    )
}

/// Reading what belongs to others.
const CAP_DAC_READ_SEARCH: u32 = 2;
/// Mounting, and much else.
const CAP_SYS_ADMIN: u32 = 21;
/// Writing and reading what belongs to others.
const CAP_DAC_OVERRIDE: u32 = 1;

fn effective() -> u64 {
    status_field("CapEff:").and_then(|text| u64::from_str_radix(&text, 16).ok()).unwrap_or(0)
}

fn has(capability: u32) -> bool {
    effective() >> capability & 1 == 1
}

/// Whether files of everybody can be read and written: the capability counts for those alone who exist in this user
/// namespace.
pub(super) fn reads_all_files() -> bool {
    has(CAP_DAC_OVERRIDE) && is_initial_user_namespace()
}

/// Whether all users are ours: any other user namespace has but some of them, or other numbers for them.
fn is_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn status_field(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
}

pub(super) fn yama() -> Check {
    let name = "yama";
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").map(|text| text.trim().to_owned());
    match scope.as_deref() {
        Err(_) => Check::ok(name, "yama is not there"),
        // Scope 1 allows ancestors, and hangdog is one of everything it runs.
        Ok(scope @ ("0" | "1")) => {
            Check::ok(name, format!("ptrace_scope is {scope}: a run's own processes can be read"))
        }
        Ok(scope) => Check::short(
            name,
            State::Limited,
            format!("ptrace_scope is {scope}"),
            "without CAP_SYS_PTRACE no system call arguments and no paths are seen, even of a run's own processes",
            "sysctl kernel.yama.ptrace_scope=1, or run hangdog as root",
        ),
    }
}

pub(super) fn hidepid() -> Check {
    let name = "hidepid";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let hidden = mounts
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/proc"))
        .any(|line| line.contains("hidepid=") && !line.contains("hidepid=0") && !line.contains("hidepid=off"));
    if hidden && !rustix::process::geteuid().is_root() {
        Check::short(
            name,
            State::Limited,
            "/proc hides processes of other users",
            "a resolver of another user is not seen at all: such a wait looks as if nobody could end it, and is told as `possible`",
            "run hangdog as root, or in the group that the mount option gid= of /proc names",
        )
    } else {
        Check::ok(name, "/proc shows the processes of all users")
    }
}

pub(super) fn user_namespaces() -> Check {
    let name = "user-namespaces";
    let Some(why) = user_namespace_fails() else {
        return Check::ok(name, "this user can mount in namespaces of its own");
    };
    if has(CAP_SYS_ADMIN) && !why.contains("not permitted") {
        Check::ok(name, "not needed: this user may mount")
    } else {
        Check::short(
            name,
            State::Missing,
            format!("this user cannot mount in namespaces of its own: {why}"),
            "`hangdog demo` cannot mount FUSE as this user and shows pipes and file locks instead",
            "sysctl user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1, or run the demo as root (containers: `--cap-add SYS_ADMIN`)",
        )
    }
}
