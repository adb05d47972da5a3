#![expect(
    unsafe_code,
    reason = "looks before Rust's own start, which hides what it finds; and kcmp has no safe form"
)]
//! What stdin, stdout and stderr are: which of them the caller left closed, and which are the same; and whether the
//! caller ignored SIGPIPE.
//!
//! Rust's start opens `/dev/null` on standard descriptors that are closed (it must, or the next file would
//! become stdout). A command would then find an open stdin where without hangdog it finds none. It ignores SIGPIPE
//! as well, and a command that inherits that does not die of a closed pipe. So this looks before: functions of `.init_array` run before `main` and before that code.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use nix::sys::signal::{SigHandler, Signal, signal};

static CLOSED: AtomicU8 = AtomicU8::new(0);
static PIPE_IS_IGNORED: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds pointers to functions of the C ABI, as this is one. The function makes four
// system calls and writes two atomic bytes; it needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let closed = (0..3).filter(|fd| is_closed(*fd)).fold(0, |closed, fd| closed | 1 << fd);
    CLOSED.store(closed, Ordering::Relaxed);
    PIPE_IS_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
}

fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sets no action; the present one is written to memory of ours, which lives through the call.
    let outcome = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid action, and the kernel's is one, too.
    let action = unsafe { action.assume_init() };
    outcome == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn is_closed(fd: i32) -> bool {
    // SAFETY: asks for the flags of a descriptor; any number is allowed.
    unsafe { libc::fcntl(fd, libc::F_GETFD) == -1 }
}

/// The standard descriptors that were closed when this process began.
pub(super) fn closed_at_start() -> impl Iterator<Item = i32> {
    let closed = CLOSED.load(Ordering::Relaxed);
    (0..3).filter(move |fd| closed & 1 << fd != 0)
}

/// Closes again, in a process that is about to become a command, the standard descriptors that this one was started
/// without. A few system calls: it may be done between fork and exec.
pub fn close_as_at_start() {
    for fd in closed_at_start() {
        // SAFETY: Rust's start opened /dev/null here, since the caller had left it closed; nothing owns it.
        unsafe { libc::close(fd) };
    }
}

/// Gives a process that is about to become a command the SIGPIPE action that this one was started with. One system
/// call: it may be done between fork and exec.
pub fn restore_sigpipe() {
    let action = if PIPE_IS_IGNORED.load(Ordering::Relaxed) { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither action installs a handler.
    let _ = unsafe { signal(Signal::SIGPIPE, action) };
}

/// Where one of our own descriptors points. Asks nobody who serves the file.
pub(super) fn target(fd: i32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()
}

/// Whether two of our own descriptors are one open file, with one position. `false` where the kernel does not tell.
pub(super) fn is_one_open_file(one: i32, other: i32) -> bool {
    /// `KCMP_FILE` of include/uapi/linux/kcmp.h.
    const FILE: libc::c_int = 0;
    let own = std::process::id();
    // SAFETY: compares two descriptors of this process; any number is allowed.
    unsafe { libc::syscall(libc::SYS_kcmp, own, own, FILE, one, other) == 0 }
}
