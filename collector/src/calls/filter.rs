#![expect(unsafe_code, reason = "seccomp and the passing of its descriptor, in a child between fork and exec")]
//! The filter of the command's process: which calls the kernel holds. All others go through unseen.
//!
//! ```text
//! architecture is ours? ── no ──▶ allow
//! number is one of the table's? ── no ──▶ allow       fstat as newfstatat(fd, "", AT_EMPTY_PATH) ──▶ allow
//!          └─ yes ──▶ notify
//! ```
//!
//! Without CAP_SYS_ADMIN a filter needs no_new_privs, under which setuid programs (sudo, fusermount3) lose their
//! rights: the command would fail for our sake. So there is no filter then, and the helper is told.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::table::{Held, empty_path};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Numbers from here on are of the x32 interface.
const X32: u32 = 0x4000_0000;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// `SECCOMP_FILTER_FLAG_*`.
const NEW_LISTENER: libc::c_ulong = 1 << 3;
const SPEC_ALLOW: libc::c_ulong = 1 << 2;
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(code: u32, k: u32, jt: usize, jf: usize) -> libc::sock_filter {
    let near = |n: usize| u8::try_from(n).expect("a jump within the filter is short");
    libc::sock_filter { code: (libc::BPF_JMP | code | libc::BPF_K) as u16, jt: near(jt), jf: near(jf), k }
}

fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

/// The program. Each call has a line of its own that answers, so that all jumps are short.
fn program(calls: &[Held]) -> Vec<libc::sock_filter> {
    let allow = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW);
    let notify = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF);
    let mut program = vec![load(ARCH), jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0), allow];
    program.extend([load(NUMBER), jump(libc::BPF_JGE, X32, 0, 1), allow]);
    for call in calls {
        match empty_path(call.name) {
            Some(flags) => program.extend([
                jump(libc::BPF_JEQ, call.number, 0, 4),
                load(ARGUMENTS + 8 * u32::from(flags)),
                jump(libc::BPF_JSET, libc::AT_EMPTY_PATH as u32, 0, 1),
                allow,
                notify,
            ]),
            None => program.extend([jump(libc::BPF_JEQ, call.number, 0, 1), notify]),
        }
    }
    program.push(allow);
    program
}

/// What the command's process does between fork and exec.
#[derive(Debug)]
pub(crate) struct Installer {
    program: Vec<libc::sock_filter>,
    socket: UnixStream,
}

impl Installer {
    pub(super) fn new(socket: UnixStream, calls: &[Held]) -> Self {
        Self { program: program(calls), socket }
    }

    /// Puts the filter on this process and all that it starts, and hands the helper the descriptor by which it hears
    /// of held calls. Allocates nothing. Where it cannot be had, the helper sees the end of the socket.
    pub(crate) fn install(&self) {
        if let Some(listener) = self.listen() {
            // None of the calls in here is held.
            let _sent = send(&self.socket, listener.as_fd());
        }
    }

    fn listen(&self) -> Option<OwnedFd> {
        let program =
            libc::sock_fprog { len: self.program.len() as u16, filter: self.program.as_ptr().cast_mut().cast() };
        // Kernels before 5.19 do not know the last one; there a signal makes a held call begin anew.
        [NEW_LISTENER | SPEC_ALLOW | WAIT_KILLABLE_RECV, NEW_LISTENER | SPEC_ALLOW].into_iter().find_map(|flags| {
            // SAFETY: `program` points at as many instructions as it says, which live as long as `self`.
            let fd =
                unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
            // SAFETY: the kernel has just made this descriptor for us.
            (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
        })
    }
}

fn send(socket: &UnixStream, fd: BorrowedFd<'_>) -> io::Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(socket, &[io::IoSlice::new(b"L")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The helper's side: waits for the descriptor. `None` when there will be none.
pub(super) fn receive(socket: &UnixStream) -> Option<OwnedFd> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut into = [io::IoSliceMut::new(&mut byte)];
    recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    })
}

impl AsRawFd for Installer {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Extent, held};
    use super::*;

    /// Whether the filter notifies of a call: the program is interpreted here in a few lines of our own.
    fn notifies(extent: Extent, number: u32, arguments: [u64; 6], arch: u32) -> bool {
        let program = program(&held(extent));
        let word = |offset: u32| match offset {
            NUMBER => number,
            ARCH => arch,
            _ => arguments[((offset - ARGUMENTS) / 8) as usize] as u32,
        };
        let (mut at, mut a) = (0, 0);
        loop {
            let line = &program[at];
            let code = u32::from(line.code);
            at += 1;
            if code == (libc::BPF_RET | libc::BPF_K) {
                return line.k == libc::SECCOMP_RET_USER_NOTIF;
            } else if code == (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) {
                a = word(line.k);
            } else {
                let holds = match code & !(libc::BPF_JMP | libc::BPF_K) {
                    op if op == libc::BPF_JEQ => a == line.k,
                    op if op == libc::BPF_JGE => a >= line.k,
                    op if op == libc::BPF_JSET => a & line.k != 0,
                    op => panic!("{op}"),
                };
                at += usize::from(if holds { line.jt } else { line.jf });
            }
        }
    }

    #[test]
    fn named_calls_are_held_and_no_others() {
        let number = |name| crate::observe::syscalls::number_of(name).unwrap();
        let check = |name, arguments, expected| {
            assert_eq!(notifies(Extent::Named, number(name), arguments, ARCHITECTURE), expected, "{name}");
        };
        for name in ["openat", "unlinkat", "umount2", "sendto", "newfstatat"] {
            check(name, [0; 6], true);
        }
        for name in ["read", "write", "sendmsg", "execve", "exit_group", "futex"] {
            check(name, [0; 6], false);
        }
        check("newfstatat", [3, 0, 0, libc::AT_EMPTY_PATH as u64, 0, 0], false);
        let named = |number, arch| notifies(Extent::Named, number, [0; 6], arch);
        assert!(!named(number("openat"), 0x4000_0003));
        assert!(!named(number("openat") | X32, ARCHITECTURE));
    }

    #[test]
    fn places_are_held_where_they_are_asked_for() {
        let number = |name| crate::observe::syscalls::number_of(name).unwrap();
        for name in ["openat", "write", "futex", "execve", "exit_group", "set_robust_list"] {
            assert!(notifies(Extent::Places, number(name), [0; 6], ARCHITECTURE), "{name}");
        }
        // By the first one the descriptor is handed to the helper: nobody would hear of it.
        for name in ["sendmsg", "mmap", "rt_sigreturn", "rt_sigprocmask", "seccomp"] {
            assert!(!notifies(Extent::Places, number(name), [0; 6], ARCHITECTURE), "{name}");
        }
    }
}
