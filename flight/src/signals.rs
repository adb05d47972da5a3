//! The signal mask around the start of a thread of the recorder's own.
#![expect(unsafe_code, reason = "pthread_sigmask, which rustix does not have")]

use std::mem::MaybeUninit;

/// Blocks all signals for the calling thread; gives the mask from before.
pub(crate) fn block_all() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: the pointer is to a whole signal set.
    let _always_0 = unsafe { libc::sigfillset(all.as_mut_ptr()) };
    let mut before = MaybeUninit::uninit();
    // SAFETY: both pointers are to whole signal sets, and the first was filled above.
    let _always_0 = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    // SAFETY: with a valid `how`, which it is, the call fills the set.
    unsafe { before.assume_init() }
}

/// Brings a mask back.
pub(crate) fn restore(mask: &libc::sigset_t) {
    // SAFETY: the first pointer is to a whole signal set; the second may be null.
    let _always_0 = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}
