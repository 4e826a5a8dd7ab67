//! The verb `doctor`: what this machine and build do to a measurement, and what to do about it.

use std::fmt::Write as _;
use std::io;
use std::process::Command;

use serde::Serialize;

use crate::machine::{self, Limits};
use crate::schema::Machine;

/// How a finding bears on a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Expect noise or a bias.
    Warn,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub value: String,
    /// How it bears on a measurement.
    pub weight: Weight,
    /// What it costs a measurement, and what to do where something can be done.
    pub cost: String,
}

/// All findings, the `--json` form of the verb.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The version of this shape.
    pub schema: u32,
    /// The header of every report.
    pub machine: Machine,
    /// What was looked at, in the order shown.
    pub findings: Vec<Finding>,
}

/// Looks at everything.
#[must_use]
pub fn examine() -> Diagnosis {
    let machine = machine::read();
    let limits = Limits::read();
    let findings = vec![
        build(cfg!(debug_assertions)),
        cores(machine.cores),
        processor_limit(limits.processors),
        load(machine.load[0], machine.cores),
        governor(&machine.governor),
        memory(machine.memory_kib, machine::available_kib()),
        memory_limit(limits.memory_bytes),
        page_size(machine.page_size),
        huge_pages(&machine.transparent_huge_pages),
        layout(&machine::line("/proc/sys/kernel/randomize_va_space")),
        counters(machine::instruction_counter()),
        preload(std::env::var("LD_PRELOAD").ok()),
        compilers(works("cc"), works("c++")),
    ];
    Diagnosis { schema: 1, machine, findings }
}

/// The findings as aligned text, each with its cost on the line below.
#[must_use]
pub fn text(findings: &[Finding], colour: bool) -> String {
    let mut text = String::new();
    let wide = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for Finding { name, value, weight, cost } in findings {
        let (mark, paint) = match weight {
            Weight::Good => ("ok  ", "\x1b[32m"),
            Weight::Note => ("note", "\x1b[36m"),
            Weight::Warn => ("WARN", "\x1b[33m"),
        };
        let (paint, plain) = if colour { (paint, "\x1b[0m") } else { ("", "") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{paint}{mark}{plain}  {name:wide$}  {value}");
        let _ = writeln!(text, "      {:wide$}  {cost}", "");
    }
    text
}

fn finding(name: &'static str, value: String, weight: Weight, cost: &str) -> Finding {
    Finding { name, value, weight, cost: cost.to_owned() }
}

fn build(debug: bool) -> Finding {
    let name = "build";
    if debug {
        let cost = "times of a debug build mean nothing and are refused; use `cargo matrix`, which is a release build";
        return finding(name, "debug".to_owned(), Weight::Warn, cost);
    }
    finding(name, "release".to_owned(), Weight::Good, "the code that is measured is the code that ships")
}

fn cores(cores: usize) -> Finding {
    let value = format!("{cores} usable");
    match cores {
        1 => {
            finding("processors", value, Weight::Warn, "threads never run at once: contention cannot be seen")
        }
        2..4 => finding(
            "processors",
            value,
            Weight::Note,
            "more threads than that take turns; the harness itself needs a share",
        ),
        _ => finding("processors", value, Weight::Good, "threads up to that number run at once"),
    }
}

fn processor_limit(limit: Option<f64>) -> Finding {
    let name = "processor quota";
    match limit {
        Some(limit) => finding(
            name,
            format!("{limit:.2} processors"),
            Weight::Warn,
            "a cell that spends its quota is stopped for the rest of the period: expect outliers of up to 100 ms",
        ),
        None => finding(name, "none".to_owned(), Weight::Good, "no pauses from a control group"),
    }
}

fn load(load: f64, cores: usize) -> Finding {
    let value = format!("{load:.2} over the last minute");
    if load > cores as f64 * BUSY {
        let cost =
            "other programs take processor time from the cells: wide intervals; wait until they are done";
        return finding("load", value, Weight::Warn, cost);
    }
    finding("load", value, Weight::Good, "the processors are free for the cells")
}

/// Share of the processors that others may be using before a run counts as disturbed.
pub(crate) const BUSY: f64 = 0.5;

fn governor(governor: &str) -> Finding {
    let name = "frequency governor";
    match governor {
        "" => finding(
            name,
            "cannot be read".to_owned(),
            Weight::Note,
            "in a virtual machine the host decides; rounds are interleaved so that drift hits all strategies alike",
        ),
        "performance" => finding(
            name,
            governor.to_owned(),
            Weight::Good,
            "the processor keeps its frequency between cells",
        ),
        _ => finding(
            name,
            governor.to_owned(),
            Weight::Warn,
            "the frequency follows the load, so short cells start slow; `cpupower frequency-set -g performance`",
        ),
    }
}

fn memory(total: u64, available: u64) -> Finding {
    let value = format!("{} MiB usable, {} MiB available", total / 1024, available / 1024);
    if available < 2 << 20 {
        let cost =
            "strategies that never reuse memory are left out of large workloads (they may take a quarter)";
        return finding("memory", value, Weight::Warn, cost);
    }
    finding(
        "memory",
        value,
        Weight::Good,
        "a strategy that never reuses memory may take a quarter of what is available",
    )
}

fn memory_limit(limit: Option<u64>) -> Finding {
    let name = "memory limit";
    match limit {
        Some(limit) => finding(
            name,
            format!("{} MiB", limit >> 20),
            Weight::Note,
            "a cell that passes it is killed and shown as failed; near it the kernel reclaims pages while the clock runs",
        ),
        None => finding(name, "none".to_owned(), Weight::Good, "no kills or reclaim from a control group"),
    }
}

fn page_size(size: usize) -> Finding {
    let value = format!("{size} bytes");
    if size == 4096 {
        let cost = "first touches cost one fault per 4 KiB";
        return finding("page size", value, Weight::Good, cost);
    }
    let cost = "fewer faults and more slack per mapping than with 4 KiB: do not compare with runs made there";
    finding("page size", value, Weight::Note, cost)
}

fn huge_pages(mode: &str) -> Finding {
    let name = "transparent huge pages";
    let value = if mode.is_empty() { "cannot be read" } else { mode }.to_owned();
    match mode {
        "always" => finding(
            name,
            value,
            Weight::Note,
            "large aligned mappings get 2 MiB pages unasked: fewer faults, larger resident sets, and luck with alignment counts",
        ),
        "madvise" => finding(name, value, Weight::Good, "only allocators that ask for huge pages get them"),
        "never" => finding(name, value, Weight::Note, "allocators that ask for huge pages do not get them"),
        _ => {
            finding(name, value, Weight::Note, "whether faults come in steps of 4 KiB or 2 MiB is not known")
        }
    }
}

fn layout(randomize: &str) -> Finding {
    let name = "address randomization";
    match randomize {
        "0" => finding(
            name,
            "off".to_owned(),
            Weight::Note,
            "every round has the same layout: repeatable, but a lucky or unlucky placement stays in all rounds",
        ),
        "" => finding(name, "cannot be read".to_owned(), Weight::Note, "placement may differ between rounds"),
        _ => {
            finding(name, "on".to_owned(), Weight::Good, "placement differs between rounds and averages out")
        }
    }
}

fn counters(opened: io::Result<()>) -> Finding {
    let name = "hardware counters";
    match opened {
        Ok(()) => finding(
            name,
            "available".to_owned(),
            Weight::Good,
            "`perf stat` can count a cell's instructions, which vary far less than times",
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => finding(
            name,
            "closed".to_owned(),
            Weight::Note,
            "no cost to times; instruction counts need callgrind, or /proc/sys/kernel/perf_event_paranoid at 2 or less",
        ),
        Err(_) => finding(
            name,
            "none".to_owned(),
            Weight::Note,
            "no cost to times; instruction counts need callgrind, because this machine offers no counters",
        ),
    }
}

fn preload(value: Option<String>) -> Finding {
    let name = "preloaded libraries";
    match value.filter(|value| !value.is_empty()) {
        Some(value) => finding(
            name,
            value,
            Weight::Warn,
            "a preloaded allocator is not the C library's: `system` and `libc` cannot prove themselves and fail; unset LD_PRELOAD",
        ),
        None => finding(name, "none".to_owned(), Weight::Good, "`system` is the C library's own allocator"),
    }
}

fn compilers(c: bool, cpp: bool) -> Finding {
    let name = "C and C++ compilers";
    match (c, cpp) {
        (true, true) => finding(name, "cc, c++".to_owned(), Weight::Good, "`--features peers` can be built"),
        (true, false) => finding(
            name,
            "cc only".to_owned(),
            Weight::Note,
            "no cost to times; of the peers, snmalloc needs a C++ compiler",
        ),
        (false, _) => finding(
            name,
            "none".to_owned(),
            Weight::Note,
            "no cost to times; the peers cannot be built: install a C and a C++ compiler",
        ),
    }
}

fn works(compiler: &str) -> bool {
    let output = Command::new(compiler).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_examined() {
        let diagnosis = examine();
        assert!(diagnosis.findings.len() >= 12);
        for finding in &diagnosis.findings {
            assert!(!finding.value.is_empty() && !finding.cost.is_empty(), "{finding:?}");
        }
        let text = text(&diagnosis.findings, false);
        assert!(!text.contains('\x1b'));
        assert_eq!(text.lines().count(), 2 * diagnosis.findings.len());
    }

    #[test]
    fn what_disturbs_is_a_warning() {
        assert_eq!(build(true).weight, Weight::Warn);
        assert_eq!(cores(1).weight, Weight::Warn);
        assert_eq!(processor_limit(Some(1.5)).weight, Weight::Warn);
        assert_eq!(load(1.9, 2).weight, Weight::Warn);
        assert_eq!(load(0.2, 2).weight, Weight::Good);
        assert_eq!(governor("powersave").weight, Weight::Warn);
        assert_eq!(memory(4 << 20, 1 << 20).weight, Weight::Warn);
        assert_eq!(counters(Ok(())).weight, Weight::Good);
        assert_eq!(counters(Err(io::ErrorKind::PermissionDenied.into())).value, "closed");
        assert_eq!(preload(Some("/lib/other.so".to_owned())).weight, Weight::Warn);
    }
}
