//! A look at a clock of the kernel, through the C library: its way to the vDSO also works under valgrind, where
//! rustix's own ends in a segmentation fault (seen: valgrind 3.19).
#![expect(unsafe_code, reason = "clock_gettime")]

/// ns of a clock; 0 for a clock that the kernel does not have.
pub(crate) fn ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole timespec.
    let _0_for_one_it_has_not = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// Resolution of a clock, ns.
pub(crate) fn resolution_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole timespec.
    let _0_for_one_it_has_not = unsafe { libc::clock_getres(clock, &raw mut time) };
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}
