//! The machine and build that a run is made on, read from the kernel.
//!
//! What cannot be read is empty or 0, never guessed.

mod cgroup;
mod counter;
mod process;

use std::fs;
use std::process::Command;

pub use cgroup::Limits;
pub use counter::instruction_counter;
pub use process::{Usage, kill_group, peak_rss_kib, program_of, resident_kib};

use crate::schema::Machine;
use crate::{glibc, registry};

/// Reads everything.
#[must_use]
pub fn read() -> Machine {
    Machine {
        cpu: cpu_model(),
        cores: cores(),
        memory_kib: memory_kib(),
        kernel: line("/proc/sys/kernel/osrelease"),
        libc: glibc::version(),
        rustc: env!("STRATA_RUSTC").to_owned(),
        commit: commit(),
        page_size: page_size(),
        transparent_huge_pages: transparent_huge_pages(),
        governor: governor(),
        load: load(),
        allocators: registry::all().map(|entry| format!("{} {}", entry.name, (entry.version)())).collect(),
    }
}

/// Processors that this process may use: its affinity mask and the cgroup's quota, whichever is less.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Memory that this process may use, in KiB: the machine's, or the cgroup's limit where that is lower.
#[must_use]
pub fn memory_kib() -> u64 {
    let total = meminfo("MemTotal").unwrap_or(0);
    Limits::read().memory_bytes.map_or(total, |limit| total.min(limit / 1024))
}

/// Memory that this process could still get without swapping, in KiB; the cgroup's limit considered.
#[must_use]
pub fn available_kib() -> u64 {
    let available = meminfo("MemAvailable").unwrap_or(0);
    let limits = Limits::read();
    match (limits.memory_bytes, limits.memory_used_bytes) {
        (Some(limit), used) => available.min(limit.saturating_sub(used.unwrap_or(0)) / 1024),
        (None, _) => available,
    }
}

/// Load averages over 1, 5 and 15 minutes.
#[must_use]
pub fn load() -> [f64; 3] {
    let text = line("/proc/loadavg");
    let mut words = text.split_whitespace().map(|word| word.parse().unwrap_or(0.0));
    [(); 3].map(|()| words.next().unwrap_or(0.0))
}

/// The bracketed word of the transparent huge page setting.
#[must_use]
pub fn transparent_huge_pages() -> String {
    bracketed(&line("/sys/kernel/mm/transparent_hugepage/enabled")).unwrap_or_default().to_owned()
}

/// The frequency governor of the first processor.
#[must_use]
pub fn governor() -> String {
    line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
}

/// Bytes in a page.
#[must_use]
pub fn page_size() -> usize {
    // SAFETY: takes no pointers.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(0)
}

/// A file's first line, trimmed; empty when it cannot be read.
#[must_use]
pub fn line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    };
    text.lines().find_map(model).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn meminfo(key: &str) -> Option<u64> {
    kib_of(&fs::read_to_string("/proc/meminfo").ok()?, key)
}

/// The number of KiB in a line `KEY:   1234 kB`, the shape of `/proc/meminfo` and `/proc/PID/status`.
fn kib_of(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn bracketed(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0)
}

/// The commit of the sources, with `+` when they have changes that it does not contain.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return String::new() };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => commit + "+",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_understood() {
        let text = "MemTotal:       24683632 kB\nMemAvailable:   23 kB\nHugePages_Total:       0\n";
        assert_eq!(kib_of(text, "MemTotal"), Some(24_683_632));
        assert_eq!(kib_of(text, "MemAvailable"), Some(23));
        assert_eq!(kib_of(text, "Mem"), None);
        assert_eq!(kib_of(text, "HugePages_Total"), None);
        assert_eq!(bracketed("always [madvise] never"), Some("madvise"));
        assert_eq!(bracketed("never"), None);
    }

    #[test]
    fn this_machine_is_read() {
        let machine = read();
        assert!(machine.cores >= 1);
        assert!(machine.memory_kib > 0);
        assert!(machine.page_size.is_power_of_two());
        assert!(machine.rustc.starts_with("rustc "), "{}", machine.rustc);
        assert!(!machine.kernel.is_empty());
        assert!(machine.allocators.iter().any(|name| name.starts_with("system ")));
        assert!(available_kib() > 0 && available_kib() <= memory_kib());
    }
}
