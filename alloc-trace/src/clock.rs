//! Ticks, and the kernel's clocks.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::vdso::{self, ClockGettime};

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

/// The same, read after all accesses to memory that come before it, and before all that come behind it.
#[inline(always)]
pub(crate) fn ticks_in_order() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 processor has it.
        unsafe { core::arch::x86_64::_mm_lfence() };
        let ticks = ticks();
        // SAFETY: as above.
        unsafe { core::arch::x86_64::_mm_lfence() };
        ticks
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: Linux lets programs read the virtual counter. No `nomem`: accesses stay where they are.
        unsafe {
            core::arch::asm!("isb", "mrs {}, cntvct_el0", "isb", out(reg) ticks, options(nostack, preserves_flags))
        };
        ticks
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    monotonic()
}

/// The kernel's function that reads clocks; one that knows none before [`prepare`], and where there is none.
static COARSE: AtomicPtr<c_void> = AtomicPtr::new(no_clock as *mut c_void);

unsafe extern "C" fn no_clock(_: libc::clockid_t, _: *mut libc::timespec) -> c_int {
    -libc::ENOSYS
}

/// Looks for what [`coarse`] needs.
pub(crate) fn prepare() {
    // Elsewhere, ticks cost no more.
    if cfg!(target_arch = "x86_64")
        && let Some(function) = vdso::clock_gettime()
    {
        COARSE.store(function as *mut c_void, Ordering::Relaxed);
    }
}

/// The time that the kernel last noted, by a clock of its own, as one number (which is not nanoseconds). It advances every one to ten
/// milliseconds. Costs a third of [`ticks`], without a system call. `None` where the system has no such thing.
#[inline(always)]
pub(crate) fn coarse() -> Option<u64> {
    // SAFETY: the only values stored are functions of this type.
    let function =
        unsafe { core::mem::transmute::<*mut c_void, ClockGettime>(COARSE.load(Ordering::Relaxed)) };
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: a clock that Linux has, and a place for its time.
    if unsafe { function(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled, as the answer says.
    let time = unsafe { time.assume_init() };
    // A nanosecond's number within its second has 30 bits.
    Some(((time.tv_sec as u64) << 30).wrapping_add(time.tv_nsec as u64))
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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_clock_advances_and_never_runs_back() {
        prepare();
        let start = monotonic();
        let (first, mut last, mut steps) = (coarse().unwrap(), coarse().unwrap(), 0);
        // Bounded by ten seconds: a kernel notes the time every 10 ms at least.
        while steps < 3 && monotonic() - start < 10_000_000_000 {
            let now = coarse().unwrap();
            assert!(now >= last);
            steps += u32::from(now > last);
            last = now;
        }
        assert!(steps == 3 && last > first);
    }
}
