//! What the kernel counts for a process.

use std::fs;

use super::kib_of;

/// This process's highest resident set since its program began, in KiB. `ru_maxrss` would not do: it is inherited from
/// the process that started this one.
#[must_use]
pub fn peak_rss_kib() -> Option<u64> {
    kib_of(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// Page faults that this process had and that needed no I/O.
#[must_use]
pub fn minor_faults() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a place for the figures.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: all bytes zero is a valid value, in case the call failed.
    let usage = unsafe { usage.assume_init() };
    u64::try_from(usage.ru_minflt).unwrap_or(0)
}

/// The resident set of a process at this moment, in KiB; `None` when it is gone.
#[must_use]
pub fn resident_kib(process: u32, page_size: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // A process that has ended and was not waited for yet has no pages.
    (pages > 0).then_some(pages * page_size as u64 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_counted() {
        let resident = resident_kib(std::process::id(), crate::machine::page_size()).unwrap();
        // The kernel folds its per-thread counts into the totals in steps, so the two files may differ a little.
        assert!(peak_rss_kib().unwrap() + 1024 >= resident);
        assert!(minor_faults() > 0);
    }
}
