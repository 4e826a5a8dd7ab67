//! The coarse clock, for policies that give memory back after a while.

/// Milliseconds since some moment before the program started. Never falls; moves in the kernel's ticks of 1 to 10 ms; a read
/// without a system call.
pub(crate) fn now_ms() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a place for the answer. Linux does not refuse this clock; were it to, nothing would ever grow old.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}
