#![expect(
    unsafe_code,
    reason = "looks before Rust's own start, which hides what it finds; and kcmp has no safe form"
)]
//! What stdin, stdout and stderr are: which of them the caller left closed, and which are the same.
//!
//! Rust's start opens `/dev/null` on standard descriptors that are closed (it must, or the next file would
//! become stdout). A command would then find an open stdin where without hangdog it finds none. So this
//! looks before: functions of `.init_array` run before `main` and before that code.

use std::sync::atomic::{AtomicU8, Ordering};

static CLOSED: AtomicU8 = AtomicU8::new(0);

// SAFETY: the section holds pointers to functions of the C ABI, as this is one. The function makes three
// system calls and writes one atomic byte; it needs nothing of Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let closed = (0..3).filter(|fd| is_closed(*fd)).fold(0, |closed, fd| closed | 1 << fd);
    CLOSED.store(closed, Ordering::Relaxed);
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
