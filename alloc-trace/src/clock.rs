//! Ticks, and the kernel's clocks.

use core::mem::MaybeUninit;

/// The processor's time stamp: no system call. Counts at one rate on all processors of a machine that Linux itself keeps
/// time by it on.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has a time stamp counter, which Linux lets programs read.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: Linux lets programs read the virtual counter.
        unsafe {
            core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags))
        };
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    monotonic()
}

fn nanos(clock: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: a clock that Linux has, and a place for its time.
    unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
    // SAFETY: zero at first, and two integers in any case.
    let time = unsafe { time.assume_init() };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn monotonic() -> u64 {
    nanos(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970.
pub(crate) fn epoch() -> u64 {
    nanos(libc::CLOCK_REALTIME)
}
