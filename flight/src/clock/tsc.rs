//! The time stamp counter, where it counts at one rate, always, on all processors alike.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "reads a register of the processor"))]

/// Ticks since the machine was switched on, more or less.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the instruction only reads a counter. Where a process is denied it (PR_SET_TSC), nobody gets here:
    // `is_trustworthy` would have ended the process at its start, as it ends every other use of the vDSO's clock.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Whether the kernel itself takes its time from it: then it is in step on all processors and does not stop.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_trustworthy() -> bool {
    std::fs::read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .is_ok_and(|source| matches!(source.trim_ascii(), b"tsc" | b"kvm-clock" | b"hyperv_clocksource_tsc_page"))
        && has_invariant_counter()
}

/// "Invariant TSC": bit 8 of EDX of CPUID leaf 0x8000_0007.
#[cfg(target_arch = "x86_64")]
fn has_invariant_counter() -> bool {
    use std::arch::x86_64::__cpuid;
    __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & 1 << 8 != 0
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn now() -> u64 {
    super::monotonic()
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn is_trustworthy() -> bool {
    false
}
