//! Programs whose system calls are filtered: as in a container, and as on older kernels.
#![expect(unsafe_code, reason = "a filter of system calls has no safe form")]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Outcome;

/// What fails, and how.
struct Rule {
    call: libc::c_long,
    /// Only with this value, its lower half, in an argument.
    with: Option<(u32, u32)>,
    errno: i32,
}

const fn all_of(call: libc::c_long, errno: i32) -> Rule {
    Rule { call, with: None, errno }
}

const fn refused(call: libc::c_long) -> Rule {
    all_of(call, libc::EPERM)
}

/// Those of Docker's default seccomp profile that matter to hangdog, for a container without further capabilities.
const DOCKER: &[Rule] = &[
    refused(libc::SYS_bpf),
    refused(libc::SYS_fanotify_init),
    refused(libc::SYS_kcmp),
    refused(libc::SYS_keyctl),
    refused(libc::SYS_mount),
    refused(libc::SYS_move_mount),
    refused(libc::SYS_name_to_handle_at),
    refused(libc::SYS_open_by_handle_at),
    refused(libc::SYS_perf_event_open),
    refused(libc::SYS_pivot_root),
    refused(libc::SYS_setns),
    refused(libc::SYS_syslog),
    refused(libc::SYS_umount2),
    refused(libc::SYS_unshare),
    refused(libc::SYS_userfaultfd),
];

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: u32 = 0xc068_6611;
const STATMOUNT: libc::c_long = 457;
const LISTMOUNT: libc::c_long = 458;

/// What Linux 5.10 does not have of what hangdog asks for: numbers of mounts that are never given out again (6.8), the
/// query of one mapping (6.11).
const LINUX_5_10: &[Rule] = &[
    all_of(STATMOUNT, libc::ENOSYS),
    all_of(LISTMOUNT, libc::ENOSYS),
    Rule { call: libc::SYS_ioctl, with: Some((1, PROCMAP_QUERY)), errno: libc::ENOTTY },
];

/// Nor has Linux 5.4 opening below a directory (5.6) and closing many at once (5.9).
const LINUX_5_4: &[Rule] = &[all_of(libc::SYS_openat2, libc::ENOSYS), all_of(libc::SYS_close_range, libc::ENOSYS)];

/// Nor has Linux 4.19 descriptors of processes (5.3, waited for since 5.4).
const LINUX_4_19: &[Rule] = &[
    all_of(libc::SYS_pidfd_open, libc::ENOSYS),
    Rule { call: libc::SYS_waitid, with: Some((0, libc::P_PIDFD)), errno: libc::EINVAL },
];

/// `as-in-docker COMMAND…` becomes the command.
pub(crate) fn as_in_docker(arguments: &[String]) -> Outcome {
    become_command(&[DOCKER], arguments)
}

/// `as-on-linux VERSION COMMAND…` becomes the command.
pub(crate) fn as_on_linux(arguments: &[String]) -> Outcome {
    match arguments {
        [version, rest @ ..] if version == "5.10" => become_command(&[LINUX_5_10], rest),
        [version, rest @ ..] if version == "5.4" => become_command(&[LINUX_5_10, LINUX_5_4], rest),
        [version, rest @ ..] if version == "4.19" => become_command(&[LINUX_5_10, LINUX_5_4, LINUX_4_19], rest),
        _ => Err("needs a version that is known: 5.10, 5.4 or 4.19".into()),
    }
}

fn become_command(rules: &[&[Rule]], arguments: &[String]) -> Outcome {
    let [program, rest @ ..] = arguments else { return Err("no command given".into()) };
    filter(rules)?;
    Err(Command::new(program).args(rest).exec().into())
}

fn filter(rules: &[&[Rule]]) -> Outcome {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let unless = |k: u32, skipped: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf: skipped,
        k,
    };
    let end = |k: u32| statement(libc::BPF_RET | libc::BPF_K, k);
    let mut program = Vec::new();
    for rule in rules.iter().copied().flatten() {
        // `struct seccomp_data`: the number of the call is the first word, arguments of 8 bytes begin at 16.
        program.push(load(0));
        program.push(unless(u32::try_from(rule.call)?, if rule.with.is_some() { 3 } else { 1 }));
        if let Some((argument, value)) = rule.with {
            program.extend([load(16 + 8 * argument), unless(value, 1)]);
        }
        program.push(end(libc::SECCOMP_RET_ERRNO | rule.errno.cast_unsigned()));
    }
    program.push(end(libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: u16::try_from(program.len())?, filter: program.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the kernel copies the program that `filter` points at, which lives until then.
    let outcome =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&filter)) };
    if outcome == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
