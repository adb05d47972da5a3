//! System calls that a container may not make: those of Docker's default seccomp profile that matter to hangdog, for a
//! container without further capabilities.
#![expect(unsafe_code, reason = "a filter of system calls has no safe form")]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Outcome;

/// They fail with `EPERM`, as there.
const FORBIDDEN: [libc::c_long; 15] = [
    libc::SYS_bpf,
    libc::SYS_fanotify_init,
    libc::SYS_kcmp,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// `as-in-docker COMMAND…` becomes the command.
pub(crate) fn become_command(arguments: &[String]) -> Outcome {
    let [program, rest @ ..] = arguments else { return Err("no command given".into()) };
    forbid()?;
    Err(Command::new(program).args(rest).exec().into())
}

fn forbid() -> Outcome {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // The number of the call is the first word of `struct seccomp_data`.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in FORBIDDEN {
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        program.push(libc::sock_filter { code, jt: 0, jf: 1, k: u32::try_from(call)? });
        program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned()));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: u16::try_from(program.len())?, filter: program.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the kernel copies the program that `filter` points at, which lives until then.
    let outcome =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&filter)) };
    if outcome == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
