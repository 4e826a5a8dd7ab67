//! What the kernel counts for a process.

use std::fs;

use super::kib_of;

/// This process's highest resident set since its program began, in KiB. `ru_maxrss` would not do: it is inherited from
/// the process that started this one.
#[must_use]
pub fn peak_rss_kib() -> Option<u64> {
    kib_of(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user and in kernel mode, in nanoseconds.
    pub cpu_ns: u64,
    /// Page faults that needed no I/O.
    pub minor_faults: u64,
    /// Highest resident set, in KiB. See [`peak_rss_kib`] for whose.
    pub peak_rss_kib: u64,
}

impl Usage {
    /// What this process has used since it began.
    #[must_use]
    pub fn own() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: a place for the figures.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: all bytes zero is a valid value, in case the call failed.
        Self::from(&unsafe { usage.assume_init() })
    }
}

impl From<&libc::rusage> for Usage {
    fn from(usage: &libc::rusage) -> Self {
        let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
        let time = |time: &libc::timeval| count(time.tv_sec) * 1_000_000_000 + count(time.tv_usec) * 1_000;
        Self {
            cpu_ns: time(&usage.ru_utime) + time(&usage.ru_stime),
            minor_faults: count(usage.ru_minflt),
            peak_rss_kib: count(usage.ru_maxrss),
        }
    }
}

/// The first process that a process has started itself and that runs another program by now; `None` where there is none,
/// or where the kernel does not tell.
#[must_use]
pub fn program_of(process: u32) -> Option<u32> {
    let file = |process: u32| fs::read_link(format!("/proc/{process}/exe")).ok();
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    let child = text.split_whitespace().next()?.parse().ok()?;
    let (own, its) = (file(process)?, file(child)?);
    (own != its).then_some(child)
}

/// Ends every process of a group; does nothing where there is no such group.
pub fn kill_group(group: u32) {
    // 0 and 1 would mean the own group and every process there is.
    if let Some(group) = libc::pid_t::try_from(group).ok().filter(|&group| group > 1) {
        // SAFETY: takes no pointers.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
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
        assert!(Usage::own().minor_faults > 0);
    }
}
