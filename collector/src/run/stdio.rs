#![expect(unsafe_code, reason = "runs before Rust's own start, which hides what it finds")]
//! Which of stdin, stdout and stderr the caller left closed.
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
